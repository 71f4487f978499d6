// SPDX-License-Identifier: Apache-2.0

import CHost

/// Finds out what a request's devices come to on this host.
struct DeviceFinder {
    let request: LaunchRequest
    let facts: HostFacts
    private var devices = HostDevices()
    /// The directories whose libraries the dynamic linker is to find.
    private var folders: [ByteString] = []
    /// The hook that asks for libraries of a newer driver, and the version of this one.
    private var compatibility: (hook: DeviceEdits.Hook, driver: ByteString)?

    init(request: LaunchRequest, facts: HostFacts) {
        self.request = request
        self.facts = facts
    }

    static func find(for request: LaunchRequest, on facts: HostFacts) -> HostDevices {
        var finder = DeviceFinder(request: request, facts: facts)
        do throws(LaunchError) {
            if !request.devices.names.isEmpty { try finder.findSpecified() }
            if request.devices.showsNVIDIADriver {
                try NVIDIADriver(root: request.devices.driverRoot, machine: facts.machine)
                    .add(to: &finder.devices)
            }
        } catch {
            finder.devices = HostDevices()
            finder.devices.refusal = error
        }
        return finder.devices
    }

    private mutating func findSpecified() throws(LaunchError) {
        let registry = DeviceRegistry(directories: request.devices.directories)
        var seen: [ByteString] = []
        for text in request.devices.names {
            guard let name = DeviceName(text) else { throw .badDeviceName(text) }
            let (specification, device) = try registry.find(name)
            // What all devices of a file need is there once.
            if !seen.contains(specification.file) {
                seen.append(specification.file)
                try add(specification.edits, of: name, in: specification.file)
            }
            try add(device.edits, of: name, in: specification.file)
        }
        if let compatibility { findCompatibility(compatibility.driver, compatibility.hook.words) }
        findLibraries()
    }

    // MARK: One device

    /// An error about what a specification says.
    private struct Complaint {
        let name: DeviceName
        let file: ByteString

        func error(_ line: Int, _ reason: String, _ remedy: String) -> LaunchError {
            LaunchError(
                .setup,
                "cannot give the device \(name.text): \(file.text), line \(line): \(reason)",
                remedy: remedy)
        }
    }

    private mutating func add(
        _ edits: DeviceEdits, of name: DeviceName, in file: ByteString
    ) throws(LaunchError) {
        let complaint = Complaint(name: name, file: file)
        if let unsupported = edits.unsupported {
            throw complaint.error(
                unsupported.line, "\(unsupported.name.text) cannot be done by an ordinary user",
                "a device without it may be in another specification: "
                    + "\(OptionNames.current.deviceDirectory) DIR")
        }
        for entry in edits.environment where !devices.environment.contains(entry) {
            devices.environment.append(entry)
        }
        for node in edits.nodes { try add(node, complaint) }
        for mount in edits.mounts { try add(mount, complaint) }
        for hook in edits.hooks { try add(hook, complaint) }
        try check(edits.groups, complaint)
    }

    /// The host's own node is shown: an ordinary user can make none.
    private mutating func add(
        _ node: DeviceEdits.Node, _ complaint: Complaint
    ) throws(LaunchError) {
        let mode = withCString(node.hostPath) { nsrun_file_mode($0, true) }
        guard mode >= 0 else { throw missing(node.hostPath, node.line, complaint) }
        let kind: ByteString =
            switch mode & 0o170000 {
            case 0o020000: "c"
            case 0o060000: "b"
            case 0o010000: "p"
            default: ""
            }
        let wanted = node.type == "u" ? "c" : node.type ?? kind
        guard !kind.isEmpty, kind == wanted else {
            throw complaint.error(
                node.line,
                "\(node.hostPath.text) is "
                    + (kind.isEmpty ? "no device" : "a device of the kind \(kind.text)"),
                "what is no device is a mount in a specification")
        }
        var numbers: (UInt32, UInt32) = (0, 0)
        _ = withCString(node.hostPath) { path in
            withUnsafeMutablePointer(to: &numbers) {
                $0.withMemoryRebound(to: UInt32.self, capacity: 2) {
                    nsrun_device_numbers(path, $0)
                }
            }
        }
        // Where only 0 is said of both, the writer left them out.
        let isNumbered = (node.major ?? 0, node.minor ?? 0) != (0, 0)
        if isNumbered, (node.major ?? 0, node.minor ?? 0) != numbers {
            throw complaint.error(
                node.line,
                "\(node.hostPath.text) is the device \(numbers.0):\(numbers.1), not "
                    + "\(node.major ?? 0):\(node.minor ?? 0)",
                "the specification is older than the driver: have it made anew")
        }
        if let wanted = node.mode, wanted & 0o7777 != UInt32(mode & 0o7777) {
            devices.omit(
                "the mode 0\(String(wanted & 0o7777, radix: 8)) of \(node.path.text)",
                "the host's node is shown with its own")
        }
        if node.user != nil || node.group != nil {
            devices.omit(
                "the owner of \(node.path.text)", "the host's node is shown with its own")
        }
        if let permissions = node.permissions, !permissions.isEmpty, !permissions.allows {
            devices.omit(
                "the permissions \(permissions.text) of \(node.path.text)",
                "the host's node is shown with its own")
        }
        devices.show(.init(node.hostPath, node.path, [.devices]))
    }

    private mutating func add(
        _ mount: DeviceEdits.Mount, _ complaint: Complaint
    ) throws(LaunchError) {
        if let type = mount.type, !["", "bind", "none"].contains(type) {
            throw complaint.error(
                mount.line, "a mount of the type \(type.text) is not done",
                "only files and directories of the host are bound")
        }
        var options: BindOptions = []
        for option in mount.options {
            switch option {
            case "ro": options.insert(.readOnly)
            case "noexec": options.insert(.noExecute)
            case "dev": options.insert(.devices)
            // As every bind is made, or as the kernel has it in a namespace of the run's own.
            case "rw", "bind", "rbind", "nosuid", "nodev", "exec", "private", "rprivate", "slave",
                "rslave":
                break
            default:
                throw complaint.error(
                    mount.line, "the mount option \(option.text) is not done",
                    "ro, rw, noexec, nosuid, nodev, dev, bind, rbind and private are")
            }
        }
        guard HostFile.exists(mount.hostPath) else {
            throw missing(mount.hostPath, mount.line, complaint)
        }
        devices.show(.init(mount.hostPath, mount.path, options))
    }

    private func missing(_ path: ByteString, _ line: Int, _ complaint: Complaint) -> LaunchError {
        complaint.error(
            line, "\(path.text) does not exist on this host",
            "the specification is older than the driver, or the driver is not loaded")
    }

    private mutating func add(
        _ hook: DeviceEdits.Hook, _ complaint: Complaint
    ) throws(LaunchError) {
        switch DeviceHook(hook) {
        case .linkerCache(let more): folders += more.map { $0.withoutDots }
        case .links(let links):
            for link in links { devices.link(link.text, at: link.target) }
        case .compatibility(let driver): compatibility = (hook, driver)
        case .needless(let reason): devices.omit(hook.words, reason)
        case nil:
            throw complaint.error(
                hook.line, "\(hook.words) is not done",
                "only hooks for the linker cache and links are; have the specification made "
                    + "without it, as in nvidia-ctk cdi generate --disable-hook, and name its "
                    + "directory by \(OptionNames.current.deviceDirectory)")
        }
    }

    private func check(_ groups: [UInt32], _ complaint: Complaint) throws(LaunchError) {
        if groups.isEmpty { return }
        let own = HostFacts.readGroupIDs() + [facts.groupID]
        for group in groups where !own.contains(group) {
            throw LaunchError(
                .setup,
                "cannot give the device \(complaint.name.text): it is for members of the group "
                    + "\(group), which you are not",
                remedy: "ask the administrator to add you to it")
        }
    }

    // MARK: Libraries

    /// What the folders have of the host, as ldconfig(8) would find it there. The root's own libraries are in
    /// its cache already.
    private mutating func findLibraries() {
        for folder in folders {
            for place in devices.places where place.target.parent == folder {
                guard let library = LibraryFile(path: place.source) else { continue }
                list(library, place.target.lastComponent, in: folder, beside: nil)
            }
            for place in devices.places where folder.isAtOrBelow(place.target) {
                let rest = folder.slice(from: place.target.count)
                let directory = rest.isEmpty ? place.source : place.source.appending(path: rest)
                let names = HostFile.names(in: directory)
                for name in names where name.bytes.holds(".so") {
                    guard let library = LibraryFile(path: directory.appending(path: name)) else {
                        continue
                    }
                    list(library, name, in: folder, beside: names)
                }
            }
        }
    }

    private static let compatibilityFolder: ByteString = "/usr/local/cuda/compat"

    /// Roots made for a newer driver bring libraries of it along, which speak to this one's module
    /// ("CUDA forward compatibility"). They are used where they are of a later branch.
    private mutating func findCompatibility(_ driver: ByteString, _ hook: String) {
        guard case .rootfs(let path) = request.root.view else {
            return devices.omit(hook, "the libraries are the driver's own anyway")
        }
        guard facts.rootImage == .none else {
            return devices.omit(hook, "what a squashfs holds is seen only once it is mounted")
        }
        let root = request.root.descriptor.map { ByteString("/proc/self/fd/\($0)") } ?? path
        let folder = DeviceFinder.compatibilityFolder
        let names = HostFile.locate(folder, below: root).map { HostFile.names(in: $0) } ?? []
        let branch = NVIDIADriver.branch(of: driver)
        let isNewer = names.contains {
            guard $0.hasPrefix("libcuda.so."), let own = NVIDIADriver.version(ofFile: $0) else {
                return false
            }
            return NVIDIADriver.branch(of: own) > branch
        }
        guard isNewer else {
            return devices.omit(hook, "the rootfs has no libraries of a newer driver")
        }
        for name in names where name.bytes.holds(".so") {
            guard let file = HostFile.locate(folder.appending(path: name), below: root),
                let library = LibraryFile(path: file)
            else { continue }
            list(library, name, in: folder, beside: names)
        }
    }

    /// `siblings`: what else the folder has; nil where the file alone is shown there.
    private mutating func list(
        _ library: LibraryFile, _ file: ByteString, in folder: ByteString,
        beside siblings: [ByteString]?
    ) {
        let name = library.name ?? file
        // As ldconfig(8) has it: by the name that programs ask for, which is a link where the file has another.
        if siblings == nil, name != file { devices.link(file, at: folder.appending(path: name)) }
        let hasName = siblings?.contains(name) ?? true
        let path = folder.appending(path: hasName ? name : file)
        devices.list(.init(name: name, path: path, flags: library.flags))
    }
}

extension DeviceEdits.Hook {
    /// What it calls, for messages.
    fileprivate var words: String {
        var text = "the hook \(path.lastComponent.text)"
        for word in arguments.dropFirst().prefix(3) { text += " " + word.text }
        return text
    }
}

extension ByteString {
    /// Nothing is kept from the command: reading and writing is granted.
    fileprivate var allows: Bool {
        contains(UInt8(ascii: "r")) && contains(UInt8(ascii: "w"))
    }
}

extension LaunchError {
    private static let formOfNames =
        "by the Container Device Interface it is called vendor.com/class=name"

    fileprivate static func badDeviceName(_ text: ByteString) -> LaunchError {
        LaunchError(
            .usage, "cannot give the device \(text.text): that is no name of a device",
            remedy: text.isAbsolute
                ? "\(formOfNames); a plain device is bound by \(OptionNames.current.deviceBind)"
                : formOfNames)
    }
}
