// SPDX-License-Identifier: Apache-2.0

extension LaunchRequest {
    /// What the root starts from.
    public enum View: Sendable, Equatable {
        /// The host's own root with a fresh `/proc` and private `/tmp`, `/var/tmp` and `/dev/shm`.
        case host
        /// A directory that holds a root file system, or a squashfs file.
        case rootfs(ByteString)
        /// Nothing at all (bubblewrap).
        case empty
    }

    /// What becomes of changes to the root.
    public enum Layer: Sendable, Equatable {
        case readOnly
        /// Changes go to the rootfs itself.
        case writable
        /// Changes go to memory and vanish.
        case memory
        /// Changes are kept in `upper` below this directory; `work` is the overlay's own.
        case directory(ByteString)
    }

    public struct Root: Sendable, Equatable {
        public var view: View = .host
        public var layer: Layer = .readOnly
        /// The root of the view `.rootfs`, opened already: it is not looked up again by its path, which then is only for
        /// messages. Not with changes in a layer.
        public var descriptor: Int32?

        public init() {}
    }
}
