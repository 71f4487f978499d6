// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Everything the planner may know of the host, read once. Tests build one by hand.
public struct HostFacts: Sendable, Equatable {
    public var userID: UInt32 = 1000
    public var groupID: UInt32 = 1000
    public var kernel = KernelRelease(major: 6, minor: 18)
    /// The machine as uname(2) names it, such as `x86_64`.
    public var machine: ByteString = "x86_64"
    /// The kernel has open_tree, fsopen, move_mount and mount_setattr (5.12).
    public var hasMountAPI = true
    /// The kernel has openat2(2) (5.6).
    public var hasOpenat2 = true
    /// Nil where it has been removed or cannot be reached.
    public var currentDirectory: ByteString? = "/"
    /// It is there, but its path is longer than one may be (`PATH_MAX`).
    public var isTooDeep = false
    /// A place that was named, and that an automounter does not mount.
    var silentAutomount: ByteString?
    /// Why there is no ``currentDirectory``.
    var lackOfDirectory: LaunchError { isTooDeep ? .deepDirectory : .lostDirectory }
    /// What kept a file that matters from being read, and may pass: without it the run would be another one.
    public var fault: LaunchError?
    /// The caller may write to it.
    public var ownsCurrentDirectory = false
    /// The caller's environment, entries of `NAME=value`.
    public var environment: [ByteString] = []
    /// The caller's entry in the user database, where one was found.
    public var account: Account?
    /// The terminal at standard output, where there is one.
    public var terminal: ByteString?
    /// The host's file on this terminal, where the root has none.
    public var terminalEntry: ByteString?
    /// Directories of the host's root that are not for programs, where these alone are to be shown.
    public var otherDirectories: [ByteString] = []
    /// The host's root, for layers over the host view. Empty when not needed.
    public var hostTree: [HostTreeEntry] = []
    /// The caller's permitted capabilities, a bit each; looked up for root only.
    public var capabilities: UInt64 = 0
    /// The id that the machine's root has in the caller's user namespace; where he has none, one that nobody has.
    public var machinesRoot: UInt32 = 0
    /// The caller is the machine's root, by whatever id: the kernel owes nothing to his capabilities.
    public var isMachinesRoot: Bool { userID == machinesRoot }
    /// What of proc is no process, and could be written to by the machine's root: names in `/proc`. Looked up where his
    /// id may be mapped.
    public var kernelControls: [ByteString] = []
    /// The caller's subordinate ids (subuid(5), subgid(5)); looked up where they are asked for. The
    /// `inside` of a range means nothing here.
    public var subordinateUsers: [IDRange] = []
    public var subordinateGroups: [IDRange] = []
    /// What the caller is called where these are looked up, nil where he has no name.
    public var subordinateName: ByteString?
    /// All that root may map, by the names that they have for him; looked up where that is wanted.
    public var ownUsers: [IDRange] = []
    public var ownGroups: [IDRange] = []
    /// Paths that the request would show if they were there.
    public var missing: [ByteString] = []
    /// The files of `/etc` that a rootfs can follow, where they are asked for.
    public var settings: [HostSetting] = []
    /// Directories of the job that this process is of, where they are asked for.
    public var jobDirectories: [ByteString] = []
    /// And its files and sockets.
    public var jobFiles: [ByteString] = []
    /// The files that say which time zone the host is in, where it is asked for.
    public var timeZone: [ByteString] = []
    /// The caller's supplementary groups that have names, where they are asked for.
    public var groups: [HostGroup] = []
    /// The top of the source tree that the current directory belongs to, where it is asked for.
    public var sourceTree: ByteString?
    /// The command as a program of the host's, where it is to be one.
    public var hostProgram: HostProgram.Finding = .notLookedFor
    /// The root, where it is a file.
    public var rootImage = RootImage.Finding.none
    /// What the programs of the root need beyond the kernel's own architecture.
    public var emulation = Emulation()
    /// What the devices that are asked for come to.
    public var devices = HostDevices()
    /// The parent of this process, see ``readParent()``; looked up where it is asked for.
    public var parent: ByteString?
    /// The caller has a controlling terminal; looked up where that matters.
    public var hasTerminal = false
    /// And this kernel lets a program type into it.
    public var hasOpenTerminal = false
    /// Sockets of the host's that are to be hidden.
    var sockets = HostSockets.Places()
    /// Where a group's processes meet, where one is to be joined.
    public var groupFolder = GroupFolder.Finding.notLookedFor
    /// The group of those who have the same root and layer; nil where that makes none.
    public var layerGroup: ByteString?
    /// Directories of PATH that the rootfs lacks.
    public var foreignPrograms: [ByteString] = []
    /// The host's own, where a run's network is to be connected without reaching them.
    var addresses = HostNetwork.Addresses.found([])
    /// Who connects a network of the run's own to the host's, where it is to be connected.
    public var pasta = Pasta.Finding.notLookedFor
    /// The servers that the run may reach, where it has a network of its own.
    public var allowedHosts = ResolvedHost.Finding.notLookedFor
    /// Sockets that are reached.
    public var allowedSockets = AllowedSockets.found([])
    /// Files and directories that may be read or written.
    public var allowedPaths = AllowedPaths.found([])
    /// What leads through links of what is to be hidden, and of what could show it.
    public var canonicalPaths: [CanonicalPath] = []
    /// Files that ssh(1) takes from root alone or its own user, where these are nobody's inside.
    var shellFiles: [SecureShell.File] = []
    /// The caller's control groups, where they are to be all that is seen of them.
    public var controlGroups: ControlGroups?
    /// Where hierarchies of version 2 are mounted; looked up for a run with limits.
    public var groupMounts: [ByteString] = []
    /// The host's sysfs, where one of the run's own network is to be shown.
    public var system: SystemFiles?
    /// SELinux is there and enabled.
    public var hasSELinux = false

    public init() {}

    /// The value of an environment variable of the caller.
    public func variable(_ name: StaticString) -> ByteString? {
        let length = name.utf8CodeUnitCount
        for entry in environment where entry.count > length && entry.hasPrefix(name) {
            if entry.bytes[length] == UInt8(ascii: "=") { return entry.slice(from: length + 1) }
        }
        return nil
    }

    /// A path was looked for in vain.
    func lacks(_ path: ByteString) -> Bool { missing.contains(path) }

    /// What the request says of the caller's home.
    var homePath: ByteString?

    /// The caller's home directory: what is asked for, else `$HOME`, else the user database's.
    public var home: ByteString? {
        if let homePath, homePath.isAbsolute { return homePath }
        if let home = variable("HOME"), home.isAbsolute { return home }
        if let home = account?.home, home.isAbsolute { return home }
        return nil
    }

    /// Whether each user namespace can have a binfmt_misc of its own.
    public var hasOwnBinfmt: Bool { kernel >= KernelRelease(major: 6, minor: 7) }

    /// Before Linux 5.11 only root mounts an overlay.
    var lacksOverlays: Bool { kernel < KernelRelease(major: 5, minor: 11) && userID != 0 }

    /// Whether mounts can be put onto a tree that is mounted nowhere yet.
    public var hasDetachedMounts: Bool {
        hasMountAPI && kernel >= KernelRelease(major: 6, minor: 15)
    }
}

/// The first two numbers of a kernel's release.
public struct KernelRelease: Sendable, Equatable, Comparable {
    public var major: Int
    public var minor: Int

    public init(major: Int, minor: Int) {
        self.major = major
        self.minor = minor
    }

    /// Reads `6.18.44-fc`; nil where it does not begin with two numbers.
    public init?(parsing release: ByteString) {
        var numbers: [Int] = []
        var current: Int?
        for byte in release.bytes {
            if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9"), (current ?? 0) < 100_000 {
                current = (current ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
            } else {
                guard let number = current else { return nil }
                numbers.append(number)
                current = nil
                if byte != UInt8(ascii: ".") || numbers.count == 2 { break }
            }
        }
        if let number = current { numbers.append(number) }
        guard numbers.count >= 2 else { return nil }
        self.init(major: numbers[0], minor: numbers[1])
    }

    public static func < (left: KernelRelease, right: KernelRelease) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}

/// A mount of the host (proc_pid_mountinfo(5)).
public struct MountPoint: Sendable, Equatable {
    public var path: ByteString
    public var type: ByteString

    public init(path: ByteString, type: ByteString) {
        self.path = path
        self.type = type
    }

    /// Reads the text of `/proc/self/mountinfo`; lines that make no sense are passed over.
    public static func parse(_ text: [UInt8]) -> [MountPoint] {
        var mounts: [MountPoint] = []
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            let fields = line.split(on: UInt8(ascii: " "))
            guard fields.count >= 10, let dash = fields[6...].firstIndex(of: "-"),
                dash + 1 < fields.count
            else { continue }
            mounts.append(MountPoint(path: unescape(fields[4]), type: fields[dash + 1]))
        }
        return mounts
    }

    /// Undoes the octal escapes of mountinfo.
    static func unescape(_ field: ByteString) -> ByteString {
        var result: [UInt8] = []
        var index = 0
        while index < field.count {
            if field.bytes[index] == UInt8(ascii: "\\"), index + 3 < field.count,
                let code = field.slice(from: index + 1, to: index + 4).number(base: 8), code < 256
            {
                result.append(UInt8(code))
                index += 4
            } else {
                result.append(field.bytes[index])
                index += 1
            }
        }
        return ByteString(bytes: result)
    }
}
