// SPDX-License-Identifier: Apache-2.0

/// One thing done to the new root, in the order the user gave.
public struct FileSystemOperation: Sendable, Equatable {
    public var action: Action
    /// What asked for it, for messages: an option as it was typed, or nothing for the view's own.
    public var origin: ByteString?
    /// The mode of directories that have to be made on the way.
    public var parentMode: UInt32 = 0o755

    public init(_ action: Action, origin: ByteString? = nil) {
        self.action = action
        self.origin = origin
    }

    public enum Action: Sendable, Equatable {
        /// A host path appears below the new root (mount(2), `MS_BIND`).
        case bind(source: Source, target: ByteString, options: BindOptions)
        /// An empty file system in memory; `size` in bytes, nil for the kernel's default.
        case tmpfs(target: ByteString, mode: UInt32, size: UInt64?)
        /// A process file system of the run's own pid namespace (proc(5)).
        case proc(target: ByteString)
        /// A small `/dev`: null zero full random urandom tty, own pts and shm, links to `/proc/self/fd`.
        case dev(target: ByteString)
        /// POSIX message queues (mq_overview(7)); needs an ipc namespace of its own.
        case mqueue(target: ByteString)
        /// An overlay of host directories, uppermost first (the kernel's overlayfs).
        case overlay(
            target: ByteString, lower: [ByteString], upper: OverlayUpper, options: [ByteString] = []
        )
        case directory(target: ByteString, mode: UInt32)
        /// An ordinary file made in the new root, with the content of a descriptor.
        case file(content: Content, target: ByteString, mode: UInt32)
        /// A file in memory, bound onto the target.
        case bindData(content: Content, target: ByteString, mode: UInt32, readOnly: Bool)
        case symlink(text: ByteString, target: ByteString)
        case changeMode(target: ByteString, mode: UInt32)
        /// Makes the mount at the target read-only, not what is mounted below it.
        case remountReadOnly(target: ByteString)
        /// A shared lock (fcntl(2), `F_RDLCK`) on a file of the new root, held while the run lasts.
        case lockFile(target: ByteString)

        /// Where something else is seen afterwards than before.
        var mountPoint: ByteString? {
            switch self {
            case .bind(_, let target, _), .tmpfs(let target, _, _), .proc(let target),
                .dev(let target), .mqueue(let target), .overlay(let target, _, _, _),
                .directory(let target, _), .file(_, let target, _), .bindData(_, let target, _, _),
                .symlink(_, let target):
                target
            case .changeMode, .remountReadOnly, .lockFile: nil
            }
        }
    }

    /// Where a bind comes from.
    public enum Source: Sendable, Equatable {
        case path(ByteString)
        case descriptor(Int32)
    }

    /// What a file is filled with.
    public enum Content: Sendable, Equatable {
        case descriptor(Int32)
        case bytes([UInt8])
    }

    /// Where an overlay's changes go.
    public enum OverlayUpper: Sendable, Equatable {
        case none
        case memory
        case directories(upper: ByteString, work: ByteString)
    }
}

/// How a bind mount is made.
public struct BindOptions: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let readOnly = BindOptions(rawValue: 1 << 0)
    /// Device nodes of the source may be opened.
    public static let devices = BindOptions(rawValue: 1 << 1)
    /// A missing source is passed over.
    public static let optional = BindOptions(rawValue: 1 << 2)
    /// A missing destination is passed over rather than made.
    public static let onlyIfPresent = BindOptions(rawValue: 1 << 3)
    /// A destination that is a symlink is replaced by what is mounted.
    public static let replaceLink = BindOptions(rawValue: 1 << 4)
    /// The source is a path of the new root, not of the host.
    static let inside = BindOptions(rawValue: 1 << 6)
    /// No program can be started from it.
    public static let noExecute = BindOptions(rawValue: 1 << 7)
    /// Nobody has asked for it: it is a file or a device, and where it cannot be bound its text is copied, or it is left
    /// out.
    static let implied = BindOptions(rawValue: 1 << 8)
    /// A destination that is a symlink is refused.
    public static let refuseLink = BindOptions(rawValue: 1 << 5)
}
