// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What lies on the host's sysfs, which shows the network devices of the namespace that it was mounted in, and so those
/// of another network than a run's own.
public struct SystemFiles: Sendable, Equatable {
    /// Where other file systems are mounted on it, without those that lie below others.
    public var mounts: [ByteString]
    /// Its directories of network devices.
    public var devices: [ByteString]

    static let place: ByteString = "/sys"

    /// Nil where there is none.
    static func read(_ mounts: [MountPoint]) -> SystemFiles? {
        guard let mounts = self.mounts(among: mounts) else { return nil }
        return SystemFiles(mounts: mounts, devices: readDevices())
    }

    static func mounts(among mounts: [MountPoint]) -> [ByteString]? {
        guard mounts.last(where: { $0.path == place })?.type == "sysfs" else { return nil }
        var found: [ByteString] = []
        for mount in mounts
        where mount.path != place && mount.path.isAtOrBelow(place)
            && !found.contains(where: { mount.path.isAtOrBelow($0) })
        {
            found.removeAll { $0.isAtOrBelow(mount.path) }
            found.append(mount.path)
        }
        return found
    }

    /// The class, and each directory that holds a device of it.
    private static func readDevices() -> [ByteString] {
        let list = place.appending(path: "class/net")
        var found = [list]
        for name in HostFile.names(in: list) {
            // As in ../../devices/virtual/net/lo.
            guard var link = HostFile.linkText(list.appending(path: name)) else { continue }
            while link.hasPrefix("../") { link = link.slice(from: 3) }
            let holder = place.appending(path: link).parent
            if let holder, !found.contains(holder) { found.append(holder) }
        }
        return found
    }
}
