import CNamespace

/// An entry of the host's root as a layer over the host view sees it.
///
/// An overlay shows only one file system, and the kernel refuses one over a directory with locked
/// mounts below it. So directories that hold mounts are made again, entry by entry, and overlays lie
/// over those that hold none.
public struct HostTreeEntry: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// No mounts below: an overlay can lie over it.
        case plain
        /// Holds mounts; its entries follow.
        case branch
        /// Devices, processes, settings: shown as they are.
        case special
        case file
        case symlink(ByteString)
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
    private var entries: [HostTreeEntry] = []

    /// File systems that hold devices, processes or settings.
    private static let special: [ByteString] = [
        "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "mqueue", "debugfs", "tracefs",
        "securityfs", "pstore", "bpf", "configfs", "binfmt_misc", "autofs", "fusectl", "efivarfs",
        "hugetlbfs", "nsfs", "rpc_pipefs",
    ]

    static func read() -> [HostTreeEntry] {
        let text = HostFacts.readFile("/proc/self/mountinfo", limit: 1 << 22) ?? []
        var tree = HostTree(mounts: MountPoint.parse(text))
        tree.list("/")
        return tree.entries
    }

    private init(mounts: [MountPoint]) { self.mounts = mounts }

    private mutating func list(_ directory: ByteString) {
        for name in HostFile.names(in: directory) {
            let path = directory.appending(path: name)
            let mode = withCString(path) { nsrun_file_mode($0, false) }
            guard mode >= 0 else { continue }
            switch mode & 0o170000 {
            case 0o120000:
                guard let text = HostFile.linkText(path) else { continue }
                entries.append(HostTreeEntry(path: path, kind: .symlink(text)))
            case 0o040000: describe(path)
            default: entries.append(HostTreeEntry(path: path, kind: .file))
            }
        }
    }

    private mutating func describe(_ path: ByteString) {
        let below = path.bytes + [UInt8(ascii: "/")]
        let here = mounts.last { $0.path == path }
        if let here, HostTree.special.contains(here.type) || path == "/dev" {
            entries.append(HostTreeEntry(path: path, kind: .special))
        } else if mounts.contains(where: { $0.path.bytes.starts(with: below) }) {
            entries.append(HostTreeEntry(path: path, kind: .branch))
            list(path)
        } else {
            entries.append(HostTreeEntry(path: path, kind: .plain))
        }
    }
}
