// SPDX-License-Identifier: Apache-2.0

import CHost

/// The control group that this process is in, of version 2, as its hierarchy is mounted here.
struct OwnGroup: Equatable {
    /// Where that is mounted.
    var mount: ByteString
    /// Below it, `/` for the topmost.
    var path: ByteString

    /// Names of the groups that are made for runs begin so.
    static let prefix: StaticString = "nsrun-"
    /// And where the launcher is, in a unit of its own.
    static let launchers: ByteString = "launcher"

    static func read() -> OwnGroup? {
        let mounts = HostFacts.readFile("/proc/self/mountinfo", limit: 1 << 22) ?? []
        let membership = HostFacts.readFile("/proc/self/cgroup", limit: 1 << 20) ?? []
        return ControlGroups.unified(mounts: mounts, membership: membership).map {
            OwnGroup(mount: $0.mount, path: $0.path)
        }
    }

    func directory(_ level: ByteString) -> ByteString {
        level == "/" ? mount : mount.appending(path: level)
    }

    /// This one, and those above it that nobody else sees to: a unit of systemd's is the uppermost, for what lies between
    /// units (slices) is the manager's, which may take controllers away there at any time.
    var levels: [ByteString] {
        var levels: [ByteString] = []
        var level = path
        while !level.hasSuffix(".slice") {
            levels.append(level)
            if Self.isUnit(level) || level == "/" { break }
            level = level.parent ?? "/"
        }
        return levels
    }

    /// This process is in a run that has limits.
    var isInRun: Bool { path.split(on: UInt8(ascii: "/")).contains(where: Self.isRuns) }

    static func isRuns(_ name: ByteString) -> Bool {
        name.hasPrefix(prefix) && !name.hasSuffix(".scope")
    }

    /// The innermost slice.
    var slice: ByteString? {
        path.split(on: UInt8(ascii: "/")).last { $0.hasSuffix(".slice") }
    }

    /// The words of a file of a group.
    func words(_ file: ByteString, of level: ByteString) -> [ByteString] {
        let path = directory(level).appending(path: file)
        let text = HostFacts.readFile(path, limit: 1 << 20) ?? []
        return ByteString(bytes: text).split(on: UInt8(ascii: "\n"))
            .flatMap { $0.split(on: UInt8(ascii: " ")) }.filter { !$0.isEmpty }
    }

    /// A file of a level that limits what is in it, and that a group beside it would leave. Not the number of processes,
    /// which systemd limits everywhere.
    func limit(of level: ByteString) -> ByteString? {
        for file: ByteString in ["memory.max", "cpu.max"] {
            guard let limit = words(file, of: level).first, limit != "max" else { continue }
            return directory(level).appending(path: file)
        }
        return nil
    }

    /// It has no processes of its own, or is the topmost of all, which has no type. The kernel would enable some controllers
    /// all the same, by turning it into a group for threads, in which none below can have processes.
    func mayHaveLimitsBelow(_ level: ByteString) -> Bool {
        let type = words("cgroup.type", of: level)
        return type.isEmpty || type == ["domain"] && words("cgroup.procs", of: level).isEmpty
    }

    /// Of a scope or service of systemd's, which has no other process.
    var isAloneInUnit: Bool {
        Self.isUnit(path) && words("cgroup.procs", of: path) == [ByteString(String(getpid()))]
    }

    private static func isUnit(_ path: ByteString) -> Bool {
        path.hasSuffix(".scope") || path.hasSuffix(".service")
    }

    /// Has controllers for the groups below a level. 0 or a negative error number.
    func enable(_ controllers: [ByteString], below level: ByteString) -> Int32 {
        let enabled = words("cgroup.subtree_control", of: level)
        let lacking = controllers.filter { !enabled.contains($0) }
        if lacking.isEmpty { return 0 }
        return write(
            lacking.map { "+" + $0 }.joined(by: " "), to: "cgroup.subtree_control", of: level)
    }

    /// 0 or a negative error number.
    func write(_ text: ByteString, to file: ByteString, of level: ByteString) -> Int32 {
        withCString(directory(level).appending(path: file)) { path in
            withCString(text) { nsrun_write_file(path, $0, text.count) }
        }
    }
}

extension ByteString {
    func hasSuffix(_ suffix: StaticString) -> Bool {
        let count = suffix.utf8CodeUnitCount
        return self.count >= count && slice(from: self.count - count).hasPrefix(suffix)
    }
}
