// SPDX-License-Identifier: Apache-2.0

import CHost

/// An entry of the host's root as a layer over the host view sees it.
///
/// An overlay shows only one file system, and the kernel refuses one over a directory with locked
/// mounts below it. So directories that hold mounts are made again, entry by entry, and overlays lie
/// over those that hold none. What no layer can lie over is read-only: it is not to be changed either.
public struct HostTreeEntry: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// No mounts below: an overlay can lie over it.
        case plain
        /// Holds mounts; its entries follow.
        case branch
        /// Of processes: shown as it is, and the run's own after all.
        case processes
        /// Devices, which work on a read-only mount too, or settings of the kernel's.
        case kernel
        /// A directory of a file system that no layer can lie over, and why.
        case unlayered(ByteString)
        case file
        /// A file that the caller may write to.
        case ownFile
        case symlink(ByteString)
        /// Not shown, and why.
        case leftOut(String)
    }

    public var path: ByteString
    public var kind: Kind

    public init(path: ByteString, kind: Kind) {
        self.path = path
        self.kind = kind
    }
}

/// Reads the host's root for a layer over it.
struct HostTree {
    private let mounts: [MountPoint]
    /// The names in a directory, and what is at a path.
    private let names: (ByteString) -> [ByteString]
    private let kind: (ByteString) -> FileKind?
    private var entries: [HostTreeEntry] = []

    enum FileKind {
        case directory, file, ownFile
        case symlink(ByteString)
    }

    /// File systems that the kernel makes up, without anybody's files.
    private static let made: [ByteString] = [
        "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "mqueue", "debugfs", "tracefs",
        "securityfs", "selinuxfs", "smackfs", "pstore", "bpf", "configfs", "binfmt_misc", "fusectl",
        "efivarfs", "hugetlbfs", "rpc_pipefs", "nfsd", "resctrl",
    ]
    /// File systems that overlayfs takes for no lower layer, since they compare names in their own way.
    private static let unlayered: [ByteString] = [
        "vfat", "msdos", "exfat", "ntfs", "ntfs3", "hfs", "hfsplus", "iso9660", "udf",
    ]

    static func read(_ mounts: [MountPoint]) -> [HostTreeEntry] {
        read(mounts, names: { HostFile.names(in: $0) }, kind: fileKind)
    }

    static func read(
        _ mounts: [MountPoint], names: @escaping (ByteString) -> [ByteString],
        kind: @escaping (ByteString) -> FileKind?
    ) -> [HostTreeEntry] {
        var tree = HostTree(mounts: mounts, names: names, kind: kind)
        tree.list("/")
        return tree.entries
    }

    private init(
        mounts: [MountPoint], names: @escaping (ByteString) -> [ByteString],
        kind: @escaping (ByteString) -> FileKind?
    ) {
        self.mounts = mounts
        self.names = names
        self.kind = kind
    }

    private static func fileKind(_ path: ByteString) -> FileKind? {
        let mode = withCString(path) { nsrun_file_mode($0, false) }
        guard mode >= 0 else { return nil }
        switch mode & 0o170000 {
        case 0o120000: return HostFile.linkText(path).map { .symlink($0) }
        case 0o040000: return .directory
        case 0o100000 where HostFile.isWritable(path): return .ownFile
        default: return .file
        }
    }

    private mutating func list(_ directory: ByteString) {
        // A place where mounts come by themselves when they are looked for shows those that are there: to look at the
        // others would bring them.
        let found = type(of: directory) == "autofs" ? mounted(below: directory) : names(directory)
        for name in found {
            let path = directory.appending(path: name)
            guard type(of: path) != "autofs" else {
                add(path, .branch)
                list(path)
                continue
            }
            switch kind(path) {
            case .symlink(let text): add(path, .symlink(text))
            case .directory: describe(path)
            case .file where type(of: path) == "nsfs", .ownFile where type(of: path) == "nsfs":
                // Whoever holds it could enter a namespace of somebody else's by it.
                add(path, .leftOut("a namespace cannot be layered"))
            case .file: add(path, .file)
            case .ownFile: add(path, .ownFile)
            case nil: continue
            }
        }
    }

    private mutating func describe(_ path: ByteString) {
        let type = type(of: path)
        let holdsMounts = mounts.contains { $0.path != path && $0.path.isAtOrBelow(path) }
        if type == "proc" {
            add(path, .processes)
        } else if HostTree.made.contains(type) || path == "/dev" {
            add(path, .kernel)
        } else if holdsMounts {
            add(path, .branch)
            list(path)
        } else if HostTree.unlayered.contains(type) {
            add(path, .unlayered(type))
        } else {
            add(path, .plain)
        }
    }

    private mutating func add(_ path: ByteString, _ kind: HostTreeEntry.Kind) {
        entries.append(HostTreeEntry(path: path, kind: kind))
    }

    /// The type of the file system that a path lies in.
    private func type(of path: ByteString) -> ByteString {
        var found: MountPoint?
        for mount in mounts where path.isAtOrBelow(mount.path) {
            // Of several mounts on one place the last is seen.
            if mount.path.count >= found?.path.count ?? 0 { found = mount }
        }
        return found?.type ?? ""
    }

    /// The names in a directory on the way to what is mounted below it.
    private func mounted(below directory: ByteString) -> [ByteString] {
        var found: [ByteString] = []
        for mount in mounts where mount.path != directory && mount.path.isAtOrBelow(directory) {
            let rest = mount.path.slice(from: directory == "/" ? 1 : directory.count + 1)
            guard let name = rest.split(on: UInt8(ascii: "/")).first, !found.contains(name) else {
                continue
            }
            found.append(name)
        }
        return found
    }
}
