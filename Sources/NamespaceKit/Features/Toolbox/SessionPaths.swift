// SPDX-License-Identifier: Apache-2.0

import CHost

/// A file of the host's `/etc` that a rootfs can follow.
public struct HostSetting: Sendable, Equatable {
    public var name: ByteString
    /// Where the file itself lies, links resolved.
    public var path: ByteString

    public init(name: ByteString, path: ByteString) {
        self.name = name
        self.path = path
    }
}

/// A group of the caller's, by its name.
public struct HostGroup: Sendable, Equatable {
    public var name: ByteString
    public var id: UInt32

    public init(name: ByteString, id: UInt32) {
        self.name = name
        self.id = id
    }

    /// The line for `/etc/group`, group(5), with one member.
    func line(member: ByteString) -> ByteString {
        name + ":x:" + ByteString(String(id)) + ":" + member + "\n"
    }
}

/// The places of the host's that ``HostParts`` stand for.
enum SessionPaths {
    static let media: [ByteString] = ["/media", "/mnt", "/run/media"]
    static let settings: [ByteString] = [
        "hosts", "host.conf", "localtime", "resolv.conf", "machine-id", "timezone",
    ]
    private static let services: [ByteString] = [
        "/run/dbus/system_bus_socket", "/run/avahi-daemon", "/run/cups", "/run/pcscd",
        "/run/systemd/journal", "/run/systemd/resolve", "/run/systemd/sessions",
        "/run/systemd/users", "/run/udev",
    ]

    private static let system: [ByteString] = [
        "bin", "boot", "dev", "lib", "lib32", "lib64", "libx32", "proc", "sbin", "sys", "usr",
    ]

    /// What is there is a program, or for one and of its own system. A single file of settings is nobody else's.
    static func isOfPrograms(_ file: ByteString) -> Bool {
        let parts = file.withoutDots.split(on: UInt8(ascii: "/")).filter { !$0.isEmpty }
        return parts.first.map { system.contains($0) } ?? true
    }

    /// To bind the host's directory there would take the rootfs's own away. Below `/var` both have their
    /// state, and what the caller may write to is hardly the system's.
    static func isOfTheSystem(_ path: ByteString, isOwn: Bool = true) -> Bool {
        let parts = path.withoutDots.split(on: UInt8(ascii: "/")).filter { !$0.isEmpty }
        guard let top = parts.first, !system.contains(top), top != "etc" else { return true }
        if top == "var" { return parts.count < 3 || !isOwn }
        return parts.count == 1 && ["home", "media", "mnt", "root", "run", "tmp"].contains(top)
    }

    /// A home may be put there, the caller's or an empty one: it hides no programs and no settings of the system's.
    static func canBeHome(_ path: ByteString) -> Bool {
        path == "/root" || path == "/home" || !isOfTheSystem(path)
    }

    /// Directories and sockets of the desktop session and of the host's services, the session's
    /// directory before what may lie in it.
    static func desktop(of facts: HostFacts) -> [ByteString] {
        var places: [ByteString] = []
        func add(_ path: ByteString?) {
            guard let path, path.isAbsolute else { return }
            let isShown = places.contains { path.isAtOrBelow($0) && !isOfTheSystem($0) }
            if !isShown { places.append(path) }
        }
        add(facts.variable("XDG_RUNTIME_DIR"))
        let addresses = facts.variable("DBUS_SESSION_BUS_ADDRESS") ?? ""
        for address in addresses.split(on: UInt8(ascii: ";")) {
            guard address.hasPrefix("unix:") else { continue }
            for pair in address.slice(from: 5).split(on: UInt8(ascii: ","))
            where pair.hasPrefix("path=") {
                add(pair.slice(from: 5))
            }
        }
        add(facts.variable("WAYLAND_DISPLAY"))
        if let server = facts.variable("PULSE_SERVER") {
            add(server.hasPrefix("unix:") ? server.slice(from: 5) : server)
        }
        if facts.variable("DISPLAY") != nil { add("/tmp/.X11-unix") }
        add(facts.variable("XAUTHORITY"))
        add(facts.variable("SSH_AUTH_SOCK"))
        for service in services { add(service) }
        return places
    }

    /// How the variables begin that resource managers and MPI's process managers set: Slurm, PBS, Grid Engine, LSF, Flux,
    /// OAR, Cobalt, PALS.
    private static let jobVariables: [StaticString] = [
        "SLURM_", "SLURMD_", "PMI_", "PMIX_", "PBS_", "SGE_", "PE_HOSTFILE=", "LSB_", "LSF_", "LS_",
        "FLUX_", "OAR_", "COBALT_", "PALS_", "SCRATCH=", "TMPDIR=",
    ]

    /// Paths of the job that this process is of, the shorter ones first.
    static func job(of facts: HostFacts) -> [ByteString] {
        var places: [ByteString] = ["/var/spool/slurmd"]
        for entry in facts.environment {
            guard jobVariables.contains(where: { entry.hasPrefix($0) }),
                let sign = entry.firstIndex(of: UInt8(ascii: "="))
            else { continue }
            let value = place(in: entry.slice(from: sign + 1)).withoutDots
            if value.isAbsolute, !places.contains(value) { places.append(value) }
        }
        return places.sorted { $0.count < $1.count }
    }

    /// The path that a URI names, such as `local:///run/flux/local`; other text is itself.
    private static func place(in text: ByteString) -> ByteString {
        guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
            text.slice(from: colon).hasPrefix(":///")
        else { return text }
        return text.slice(from: colon + 3)
    }
}

extension HostFacts {
    /// Looks which of the places that a request asks for are there.
    mutating func readPlaces(for request: LaunchRequest) {
        if request.files.bindsSourceTree {
            sourceTree = HostFacts.readSourceTree(of: currentDirectory)
        }
        let parts = request.files.hostParts
        if request.files.leavesOutMissing, let here = currentDirectory {
            ownsCurrentDirectory = HostFile.isWritable(here)
        }
        var wanted: [ByteString] = []
        if parts.contains(.media) { wanted += SessionPaths.media }
        if parts.contains(.desktop) { wanted += SessionPaths.desktop(of: self) }
        if request.files.leavesOutMissing, let home { wanted.append(home) }
        missing = wanted.filter { !HostFile.exists($0) }
        if parts.contains(.settings) {
            for name in SessionPaths.settings {
                let path = ByteString("/etc/").appending(path: name)
                if let canonical = HostFile.canonicalPath(path) {
                    settings.append(HostSetting(name: name, path: canonical))
                } else {
                    missing.append(path)
                }
            }
        }
        if parts.contains(.job) {
            let places = SessionPaths.job(of: self).filter { HostFile.exists($0) }
            jobDirectories = places.filter { HostFile.isDirectory($0) }
            jobFiles = places.filter { !jobDirectories.contains($0) }
        }
        if parts.contains(.job) || parts.contains(.timeZone) {
            timeZone = ["/etc/localtime", "/etc/timezone"].filter { HostFile.isRegular($0) }
        }
        if parts.contains(.groups) { groups = HostFacts.readGroups(HostFacts.readGroupIDs()) }
    }

    /// The caller's supplementary groups.
    static func readGroupIDs() -> [UInt32] {
        let capacity = 65536  // NGROUPS_MAX
        return [UInt32](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = Int(max(0, nsrun_groups(buffer.baseAddress!, Int32(capacity))))
        }
    }

    /// The directory above the current one that version control calls the top.
    private static func readSourceTree(of directory: ByteString?) -> ByteString? {
        var next = directory
        while let place = next, place != "/" {
            for mark: ByteString in [".git", ".hg", ".svn", ".bzr", ".jj"]
            where HostFile.exists(place.appending(path: mark)) {
                return place
            }
            next = place.parent
        }
        return nil
    }
}

extension ByteString {
    /// The path is the other one, or lies below it.
    public func isAtOrBelow(_ other: ByteString) -> Bool {
        if self == other || other == "/" { return true }
        return bytes.starts(with: other.bytes) && bytes.count > other.count
            && bytes[other.count] == UInt8(ascii: "/")
    }

    /// The directory that holds an absolute path; nil for `/`.
    public var parent: ByteString? {
        guard isAbsolute, count > 1, let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else {
            return nil
        }
        return slash == 0 ? "/" : slice(from: 0, to: slash)
    }
}
