// SPDX-License-Identifier: Apache-2.0

import CHost

/// The NVIDIA driver of a host that has no specification of it: libraries found through the host's linker
/// cache, device nodes and tools.
struct NVIDIADriver {
    /// The host's root: empty, but for tests.
    let root: ByteString
    let machine: ByteString

    /// Where the libraries lie in the root, in a directory of the run's own.
    static let directory: ByteString = "/usr/lib/nsrun-nvidia"

    private static let prefixes: [ByteString] = [
        "libcuda.so", "libcudadebugger.so", "libnvcuvid.so", "libnvidia-", "libnvoptix.so",
        "libEGL_nvidia.so", "libGLESv1_CM_nvidia.so", "libGLESv2_nvidia.so", "libGLX_nvidia.so",
    ]
    private static let tools: [ByteString] = [
        "nvidia-smi", "nvidia-debugdump", "nvidia-cuda-mps-control", "nvidia-cuda-mps-server",
    ]
    /// A root's `/usr/bin` has hundreds of entries, each of which would be bound into a copy of it.
    private static let toolDirectory: ByteString = "/usr/local/bin"
    /// What loaders of other interfaces find the libraries by, and the daemon's socket.
    private static let files: [ByteString] = [
        "/etc/OpenCL/vendors/nvidia.icd", "/etc/vulkan/icd.d/nvidia_icd.json",
        "/usr/share/vulkan/icd.d/nvidia_icd.json",
        "/usr/share/glvnd/egl_vendor.d/10_nvidia.json", "/run/nvidia-persistenced/socket",
    ]

    func add(to devices: inout HostDevices) throws(LaunchError) {
        guard let version = moduleVersion else { throw .noModule }
        try addLibraries(of: version, to: &devices)
        try addNodes(to: &devices)
        for tool in NVIDIADriver.tools {
            let path = ByteString("/usr/bin/").appending(path: tool)
            if HostFile.exists(onHost(path)) {
                let target = NVIDIADriver.toolDirectory.appending(path: tool)
                devices.show(.init(onHost(path), target, .readOnly, .nvidia))
            } else if tool == "nvidia-smi" {
                devices.omit(path.text, "there is none on this host")
            }
        }
        for file in NVIDIADriver.files where HostFile.exists(onHost(file)) {
            devices.show(.init(onHost(file), file, .readOnly, .nvidia))
        }
    }

    private func onHost(_ path: ByteString) -> ByteString {
        root.isEmpty ? path : root.appending(path: path)
    }

    // MARK: The version

    private var moduleVersion: ByteString? {
        for file: ByteString in ["/proc/driver/nvidia/version", "/sys/module/nvidia/version"] {
            let text = HostFacts.readFile(onHost(file), limit: 4096) ?? []
            if let version = NVIDIADriver.version(in: text) { return version }
        }
        return nil
    }

    /// The first word that is a driver's version, such as `535.104.05`.
    static func version(in text: [UInt8]) -> ByteString? {
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            for word in line.split(on: UInt8(ascii: " ")) where isVersion(word) { return word }
        }
        return nil
    }

    /// Two or three numbers, the first of which is at least 100: no library's own version is that high.
    static func isVersion(_ text: ByteString) -> Bool {
        let parts = text.split(on: UInt8(ascii: "."))
        guard parts.count == 2 || parts.count == 3, let branch = parts[0].number() else {
            return false
        }
        return branch >= 100 && parts.allSatisfy { $0.number() != nil }
    }

    /// The first number of a version.
    static func branch(of version: ByteString) -> UInt64 {
        version.split(on: UInt8(ascii: ".")).first?.number() ?? 0
    }

    /// The version that a library's file is named for, such as `libcuda.so.535.104.05`.
    static func version(ofFile name: ByteString) -> ByteString? {
        let marker = Array(".so.".utf8)
        for index in name.bytes.indices where name.bytes[index...].starts(with: marker) {
            let version = name.slice(from: index + marker.count)
            return isVersion(version) ? version : nil
        }
        return nil
    }

    // MARK: Libraries

    private func addLibraries(
        of version: ByteString, to devices: inout HostDevices
    ) throws(LaunchError) {
        var others: [(name: ByteString, file: ByteString)] = []
        devices.directories.append(NVIDIADriver.directory)
        for (name, path) in try cachedLibraries() {
            guard let file = HostFile.canonicalPath(path),
                let own = NVIDIADriver.version(ofFile: file.lastComponent),
                let library = LibraryFile(path: file), library.machineName == machine.text
            else { continue }
            guard own == version else {
                others.append((name, file))
                continue
            }
            let target = NVIDIADriver.directory.appending(path: name)
            if devices.places.contains(where: { $0.target == target }) { continue }
            devices.show(.init(file, target, .readOnly, .nvidia))
            devices.list(.init(name: name, path: target, flags: library.flags))
            if let glibc = library.glibc, devices.need.map({ $0.version < glibc }) ?? true {
                devices.need = .init(version: glibc, library: name)
            }
        }
        for other in others
        where !devices.libraries.contains(where: { $0.name == other.name }) {
            throw .otherVersion(other.file, version)
        }
        let cuda = NVIDIADriver.directory.appending(path: "libcuda.so.1")
        guard devices.places.contains(where: { $0.target == cuda }) else {
            throw .noLibrary("libcuda.so.1", version)
        }
        // As the driver's own installer has it, for programs that load it by this name.
        devices.link("libcuda.so.1", at: NVIDIADriver.directory.appending(path: "libcuda.so"))
    }

    /// The driver's libraries in the host's linker cache, by name and path.
    private func cachedLibraries() throws(LaunchError) -> [(ByteString, ByteString)] {
        var arguments: [ByteString] = ["-p"]
        if !root.isEmpty { arguments += ["-C", onHost("/etc/ld.so.cache")] }
        var answer: HostTool.Answer?
        for program: ByteString in ["/sbin/ldconfig", "/usr/sbin/ldconfig"]
        where answer == nil && HostFile.isExecutable(program) {
            answer = HostTool.run(program, arguments, limit: 4 << 20)
        }
        guard let answer, answer.succeeded else { throw .noLinkerCache }
        var libraries: [(ByteString, ByteString)] = []
        for line in ByteString(bytes: answer.output).split(on: UInt8(ascii: "\n")) {
            if let (name, path) = NVIDIADriver.cacheLine(line) { libraries.append((name, path)) }
        }
        return libraries
    }

    /// A line of `ldconfig -p` that is about a library of the driver's.
    static func cacheLine(_ line: ByteString) -> (ByteString, ByteString)? {
        let text = ByteString(bytes: Array(line.bytes.drop { $0 == UInt8(ascii: "\t") }))
        let isDrivers = prefixes.contains { text.bytes.starts(with: $0.bytes) }
        guard isDrivers, let blank = text.firstIndex(of: UInt8(ascii: " ")),
            let arrow = text.firstIndex(of: UInt8(ascii: ">"))
        else { return nil }
        let path = text.slice(from: min(arrow + 2, text.count))
        return path.isAbsolute ? (text.slice(from: 0, to: blank), path) : nil
    }

    // MARK: Device nodes

    private func addNodes(to devices: inout HostDevices) throws(LaunchError) {
        var nodes: [ByteString] = []
        for name in HostFile.names(in: onHost("/dev")) where NVIDIADriver.isNode(name) {
            nodes.append(ByteString("/dev/").appending(path: name))
        }
        for folder: ByteString in ["/dev/nvidia-caps", "/dev/nvidia-caps-imex-channels"] {
            for name in HostFile.names(in: onHost(folder)) {
                nodes.append(folder.appending(path: name))
            }
        }
        for node in nodes {
            let mode = withCString(onHost(node)) { nsrun_file_mode($0, true) }
            guard mode >= 0, mode & 0o170000 == 0o020000 else { continue }
            devices.show(.init(onHost(node), node, .devices, .nvidia))
        }
        guard nodes.contains("/dev/nvidiactl") else { throw .noNode }
        if !nodes.contains("/dev/nvidia-uvm") {
            devices.omit(
                "/dev/nvidia-uvm", "there is none on this host; CUDA needs it: nvidia-modprobe -u")
        }
    }

    /// `nvidiactl`, `nvidia0` and the like.
    static func isNode(_ name: ByteString) -> Bool {
        guard name.hasPrefix("nvidia") else { return false }
        let rest = name.slice(from: 6)
        return ["ctl", "-uvm", "-uvm-tools", "-modeset", "-nvswitchctl", "-nvlink"].contains(rest)
            || rest.number() != nil || rest.hasPrefix("-nvswitch")
    }
}

extension LaunchError {
    private static let what = "cannot show the NVIDIA driver"

    fileprivate static var noModule: LaunchError {
        LaunchError(
            .setup, "\(what): its kernel module is not loaded",
            remedy: "this host has no NVIDIA GPU, or the administrator must load the module: "
                + "modprobe nvidia")
    }

    fileprivate static var noNode: LaunchError {
        LaunchError(
            .setup, "\(what): there is no /dev/nvidiactl",
            remedy: "nvidia-modprobe makes the device nodes, and so does nvidia-smi as root")
    }

    fileprivate static var noLinkerCache: LaunchError {
        LaunchError(
            .setup, "\(what): this host's linker cache cannot be read by ldconfig -p",
            remedy: "a specification of the Container Device Interface does without it")
    }

    fileprivate static func noLibrary(_ name: String, _ version: ByteString) -> LaunchError {
        LaunchError(
            .setup,
            "\(what): this host's linker cache has no \(name) of the version \(version.text), "
                + "which its kernel module has",
            remedy: "the administrator must install the driver's libraries for CUDA, and run "
                + "ldconfig")
    }

    fileprivate static func otherVersion(_ file: ByteString, _ version: ByteString) -> LaunchError {
        LaunchError(
            .setup,
            "\(what): \(file.text) is not of the version \(version.text), which its kernel module has",
            remedy: "after an update of the driver the module must be loaded anew, often by "
                + "starting the machine again")
    }
}
