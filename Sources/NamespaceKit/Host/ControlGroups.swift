// SPDX-License-Identifier: Apache-2.0

/// The caller's own control groups, one in each hierarchy that is mounted, as directories: what stands in a cgroup
/// namespace (cgroup_namespaces(7)) for the whole hierarchy. Who looks there for his limits finds them, also where the
/// mounts are still the host's.
public struct ControlGroups: Sendable, Equatable {
    /// A group's directory, and where its hierarchy is mounted.
    public struct Group: Sendable, Equatable {
        public var directory: ByteString
        public var mount: ByteString
    }

    public var groups: [Group]

    /// `mounts` as proc_pid_mountinfo(5), `membership` as `/proc/PID/cgroup` in cgroups(7).
    init(mounts: [UInt8], membership: [UInt8]) {
        let newline = UInt8(ascii: "\n")
        let memberships = ByteString(bytes: membership).split(on: newline)
            .compactMap { Membership($0) }
        groups = []
        for line in ByteString(bytes: mounts).split(on: newline) {
            guard let mount = Hierarchy(line), mount.path.isAtOrBelow(SystemFiles.place),
                let path = memberships.first(where: { $0.isIn(mount) })?.path
            else { continue }
            // Of several mounts on one place the last is seen.
            groups.removeAll { $0.mount == mount.path }
            if let below = ControlGroups.path(path, below: mount.root) {
                groups.append(
                    Group(directory: mount.path.appending(path: below), mount: mount.path))
            }
        }
    }

    /// Hierarchies of which the run will have a group of its own, whatever the caller's is.
    mutating func add(_ mounts: [ByteString]) {
        for mount in mounts
        where mount.isAtOrBelow(SystemFiles.place) && !groups.contains(where: { $0.mount == mount })
        {
            groups.append(Group(directory: mount, mount: mount))
        }
    }

    /// Where the hierarchy of version 2 is mounted, and which directory below that is the caller's; nil where it is not to
    /// be seen.
    static func unified(mounts: [UInt8], membership: [UInt8]) -> (
        mount: ByteString, path: ByteString
    )? {
        let newline = UInt8(ascii: "\n")
        let own = ByteString(bytes: membership).split(on: newline).compactMap { Membership($0) }
        guard let path = own.first(where: { $0.controllers.isEmpty })?.path
        else { return nil }
        for line in ByteString(bytes: mounts).split(on: newline).reversed() {
            guard let mount = Hierarchy(line), mount.isUnified else { continue }
            if path == mount.root { return (mount.path, "/") }
            if let below = ControlGroups.path(path, below: mount.root) {
                return (mount.path, below)
            }
        }
        return nil
    }

    /// A hierarchy of version 1 has the controller.
    static func isOfVersion1(_ controller: ByteString, membership: [UInt8]) -> Bool {
        ByteString(bytes: membership).split(on: UInt8(ascii: "\n")).compactMap { Membership($0) }
            .contains { $0.controllers.contains(controller == "io" ? "blkio" : controller) }
    }

    /// Nil where it is not below, or is the same.
    private static func path(_ path: ByteString, below root: ByteString) -> ByteString? {
        let parts = path.split(on: UInt8(ascii: "/"))
        guard path.isAbsolute, path != root, path.isAtOrBelow(root), !parts.contains("..") else {
            return nil
        }
        return root == "/" ? path : path.slice(from: root.count)
    }

    /// Where a hierarchy is mounted.
    private struct Hierarchy {
        var path: ByteString
        /// Which directory of it.
        var root: ByteString
        var isUnified: Bool
        var options: [ByteString]

        init?(_ line: ByteString) {
            let fields = line.split(on: UInt8(ascii: " "))
            guard fields.count >= 10, let dash = fields[6...].firstIndex(of: "-"),
                dash + 3 < fields.count
            else { return nil }
            isUnified = fields[dash + 1] == "cgroup2"
            guard isUnified || fields[dash + 1] == "cgroup" else { return nil }
            root = MountPoint.unescape(fields[3])
            path = MountPoint.unescape(fields[4])
            options = fields[dash + 3].split(on: UInt8(ascii: ","))
        }
    }

    /// A line of the list: a number, the hierarchy's controllers or name, and the group's path.
    private struct Membership {
        var controllers: [ByteString]
        var path: ByteString

        init?(_ line: ByteString) {
            let colon = UInt8(ascii: ":")
            guard let first = line.firstIndex(of: colon) else { return nil }
            let rest = line.slice(from: first + 1)
            guard let second = rest.firstIndex(of: colon) else { return nil }
            controllers = rest.slice(from: 0, to: second).split(on: UInt8(ascii: ","))
                .filter { !$0.isEmpty }
            path = rest.slice(from: second + 1)
        }

        func isIn(_ hierarchy: Hierarchy) -> Bool {
            if hierarchy.isUnified || controllers.isEmpty {
                return hierarchy.isUnified && controllers.isEmpty
            }
            return controllers.allSatisfy { hierarchy.options.contains($0) }
        }
    }
}
