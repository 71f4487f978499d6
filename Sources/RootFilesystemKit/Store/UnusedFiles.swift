// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// What nsrun and nsrun-rootfs have made for themselves, and can make again, where nothing uses it now: what killed runs have
/// left, layers of builds, packs that have unfolded themselves, and copies of images on a node.
public struct UnusedFiles {
    /// Something that was removed.
    public struct Item: Sendable, Equatable {
        public enum Kind: String, Sendable {
            case partial = "left by a run that was killed"
            case layer = "layer of a build"
            case pack = "unfolded pack"
            case stage = "staged image"
        }

        public var kind: Kind
        public var path: String
        /// Disk space in bytes.
        public var size: Int64
    }

    private let store: RootFilesystemStore
    private let environment: [String: String]

    public init(
        store: RootFilesystemStore,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        self.store = store
        self.environment = environment
    }

    /// Removes them: those of the caller's, and those that were staged in `directories`. `removed` hears of each. What
    /// is in use stays; what is not the caller's own is not looked at.
    public func remove(stagedIn directories: [String], removed: (Item) throws -> Void) throws {
        try sweepPartial(store.directory, removed)
        let builds = BuildCache.place(environment: environment)
        try sweepPartial(builds, removed)
        try sweep(builds, .layer, removed) { $0.utf8.count == 64 }
        try sweep(
            builds.parentPath + "/packs", .pack, removed
        ) { ContentDigest.isHex($0, $0.utf8.count) }
        for directory in directories {
            let folder = "\(directory)/nsrun-\(geteuid())"
            guard let opened = own(folder) else {
                throw RootFilesystemError(
                    cannot: "look for staged images in", directory,
                    because: "you have staged nothing there")
            }
            withExtendedLifetime(opened) {}
            try sweepPartial(folder, removed)
            try sweep(folder, .stage, removed) { $0.contains(/-[0-9a-f]{16}$/) }
        }
    }

    /// A directory of the caller's own that nobody else can change; nil where there is none.
    private func own(_ path: String) -> Descriptor? {
        guard
            let directory = try? Descriptor.open(path, O_RDONLY | O_DIRECTORY, cannot: "open"),
            let status = try? directory.status(cannot: "examine", path),
            status.st_uid == geteuid(), status.st_mode & 0o022 == 0
        else { return nil }
        return directory
    }

    private func sweepPartial(_ path: String, _ removed: (Item) throws -> Void) throws {
        guard let directory = own(path) else { return }
        for name in try listNames(directory, path) where PartialName.holds(name) {
            let place = "\(path)/\(name.text)"
            let size = try Self.size(of: place)
            PartialName.sweep(name, in: directory, path)
            var status = stat()
            let isThere = name.withCString {
                fstatat(directory.number, $0, &status, AT_SYMLINK_NOFOLLOW) == 0
            }
            if !isThere { try removed(Item(kind: .partial, path: place, size: size)) }
        }
    }

    private func sweep(
        _ path: String, _ kind: Item.Kind, _ removed: (Item) throws -> Void,
        where fits: (String) -> Bool
    ) throws {
        guard let directory = own(path) else { return }
        for name in try listNames(directory, path) {
            try Interruption.check()
            let text = String(decoding: name.bytes, as: UTF8.self)
            guard fits(text), let found = directory.openDirectory(name) else { continue }
            let place = "\(path)/\(text)"
            // Whoever is unfolding a pack has a lock beside it; whoever runs in one has its root's.
            let beside = lock(text + ".lock", in: directory)
            let root = found.openDirectory(ByteString("root")) ?? found
            guard kind != .pack || beside != nil, flock(root.number, LOCK_EX | LOCK_NB) == 0,
                PartialName.lock(found, text, in: directory),
                !MountUse.isMounted(found.place ?? place)
            else { continue }
            let size = try DiskUsage.bytes(below: place)
            let doomed = PartialName.new(for: text)
            guard renameat(directory.number, text, directory.number, doomed) == 0 else { continue }
            try SubordinateRemoval.removeAll(
                doomed, in: directory, "\(path)/\(doomed)", found, .endsBySignal)
            try removed(Item(kind: kind, path: place, size: size))
            withExtendedLifetime(beside) {}
        }
    }

    /// Nil where somebody else has it, or there is none.
    private func lock(_ name: String, in directory: Descriptor) -> Descriptor? {
        let opened = openat(directory.number, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard let file = try? Descriptor(opened, cannot: "open", name),
            flock(file.number, LOCK_EX | LOCK_NB) == 0
        else { return nil }
        return file
    }

    private static func size(of path: String) throws -> Int64 {
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        return try Int64(status.st_blocks) * 512
            + (status.isDirectory ? DiskUsage.bytes(below: path) : 0)
    }
}
