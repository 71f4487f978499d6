// SPDX-License-Identifier: Apache-2.0

/// One step of a plan: about one system call, with everything it needs already resolved.
public struct Step: Sendable, Equatable {
    public var action: Action
    /// The option that asked for it, or nothing where the view did.
    public var origin: ByteString?
    /// The mode of directories that have to be made on the way.
    public var parentMode: UInt32 = 0o755
    /// A file or directory that is bound onto a symlink takes that one's place, and not that of what it leads to: a file
    /// covers it, a directory replaces it in a rootfs.
    public var coversLink = false
    /// It follows from where the caller is, or what his host has at the moment, and not from what he asks for: the
    /// processes of a group need not agree in it.
    public var isIncidental = false

    /// A file system that the kernel makes up.
    public enum KernelFileSystem: Sendable, Equatable {
        case proc, devpts, mqueue

        var name: String {
            switch self {
            case .proc: "proc"
            case .devpts: "devpts"
            case .mqueue: "mqueue"
            }
        }
    }

    public struct Bind: Sendable, Equatable {
        public var source: FileSystemOperation.Source
        public var target: ByteString
        public var options: BindOptions
        /// The source must be a directory.
        public var directoryOnly = false
    }

    public struct Image: Sendable, Equatable {
        public var path: ByteString
        public var mounting: RootImage.Mounting
        /// Where in the file the squashfs begins, in bytes.
        public var offset: UInt64
        /// What the launcher prepares: the mount, or a socket to the server.
        var descriptor: Int32 = -1

        init(_ image: RootImage) {
            (path, mounting, offset) = (image.path, image.mounting, image.offset)
        }
    }

    public struct System: Sendable, Equatable {
        public var files: SystemFiles
        /// What is mounted on it is.
        public var isReadOnly = true
        /// Of the root that has been entered, in namespaces below those that put it together.
        public var isBelow = false
        /// The one that is there shows the host's network.
        public var coversHosts = false
    }

    public struct Overlay: Sendable, Equatable {
        public var target: ByteString
        /// Uppermost first.
        public var lower: [ByteString]
        public var upper: FileSystemOperation.OverlayUpper
        /// The lower layer, whatever it is called, is the root as it stands.
        public var liesOverRoot = false
        /// Of the caller's for the kernel, `name=value` or `name`.
        public var options: [ByteString] = []
    }

    /// What the final drop leaves: a bit for each capability.
    public struct CapabilitySets: Sendable, Equatable {
        public var held: UInt64
        public var ambient: UInt64
        public var bounding: UInt64
    }
}
