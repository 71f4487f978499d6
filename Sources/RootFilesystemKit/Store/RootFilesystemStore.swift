// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc

/// The root file systems a user has under a name: one directory each.
public struct RootFilesystemStore: Equatable, Sendable {
    /// The directory that holds them.
    public let directory: String

    public init(directory: String) {
        self.directory = "/" + directory.split(separator: "/").joined(separator: "/")
    }

    /// `$XDG_DATA_HOME/nsrun/rootfs`, by default below `~/.local/share`.
    public static func standard(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> RootFilesystemStore {
        RootFilesystemStore(directory: BaseDirectory.data.path(environment) + "/nsrun/rootfs")
    }

    /// The directory of the rootfs called `name`; throws if that is no name.
    func path(of name: String) throws -> String {
        guard name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._+-]*/) != nil, name.utf8.count <= 128,
            !name.hasSuffix(".image"), !name.hasSuffix(".packages")
        else {
            throw RootFilesystemError(
                cannot: "use", "\"\(name)\"", because: "it is not a name for a rootfs",
                remedy: "use letters, digits and . _ + -, or give a path with a slash")
        }
        return directory + "/" + name
    }

    /// One rootfs as ``list()`` shows it.
    public struct Item: Sendable {
        public let name: String
        public let image: ImageRecord
        /// Disk space in bytes; a file with several names counts once.
        public let size: Int64
    }

    /// All of them, by name.
    /// `warn` hears of records that are not believed.
    public func list(warn: (String) -> Void = { _ in }) throws -> [Item] {
        try names().map { name in
            let destination = Destination(name: name, in: self)
            return Item(
                name: name, image: destination.image(warn: warn),
                size: try DiskUsage.bytes(below: destination.path))
        }
    }

    /// Removes root file systems that nobody uses. What is not there, in use, mounted, or no root file system is an
    /// error; then none is removed. A signal ends it, and what is left is swept later.
    public func remove(
        _ destinations: [Destination], _ consent: RemovalConsent = .onlyRecorded
    ) throws {
        for doomed in try destinations.map({ try DoomedTree($0, consent) }) { try doomed.remove() }
    }

    public func remove(
        _ destination: Destination, _ consent: RemovalConsent = .onlyRecorded
    ) throws {
        try remove([destination], consent)
    }

    /// The names of the root file systems.
    public func names() throws -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return all.sorted().filter { name in
            var status = stat()
            return !name.hasPrefix(".") && lstat("\(directory)/\(name)", &status) == 0
                && status.isDirectory
        }
    }

    /// Others may not look into a store that was made before they were kept out.
    func close() {
        guard let store = try? Descriptor.open(directory, O_RDONLY | O_DIRECTORY, cannot: "open"),
            let status = try? store.status(cannot: "examine", directory),
            status.st_uid == geteuid(), status.st_mode & 0o077 != 0
        else { return }
        fchmod(store.number, status.st_mode & 0o7700)
    }
}

/// A root file system that is to be removed: locked, and looked at.
private struct DoomedTree {
    private let destination: Destination
    private let parent: Descriptor
    private let directory: Descriptor

    init(_ destination: Destination, _ consent: RemovalConsent) throws {
        self.destination = destination
        let opened = open(
            destination.parent, nsrun_rootfs_o_path | O_DIRECTORY | O_CLOEXEC)
        if opened < 0 && errno == ENOENT { throw destination.notFound }
        parent = try Descriptor(opened, cannot: "remove", destination.label)
        var status = stat()
        guard fstatat(parent.number, destination.name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw errno == ENOENT
                ? destination.notFound
                : RootFilesystemError(cannot: "remove", destination.label, errno: errno)
        }
        guard status.isDirectory else {
            throw RootFilesystemError(
                cannot: "remove", destination.label, because: "it is not a directory")
        }
        directory = try destination.open(in: parent, toBe: "remove")
        let wall = try RemovalGuard(directory, destination, toBe: "remove")
        try destination.lockUnused(directory, in: parent, toBe: "remove")
        try wall.require(consent)
    }

    func remove() throws {
        try Interruption.check()
        PartialName.sweep(destination.parent)
        // One rename takes it away whole; should this be killed, what is left is swept later.
        let doomed = PartialName.new(for: destination.name)
        guard renameat(parent.number, destination.name, parent.number, doomed) == 0 else {
            throw RootFilesystemError(cannot: "remove", destination.label, errno: errno)
        }
        guard parent.openDirectory(ByteString(doomed))?.isSame(as: directory) == true else {
            // What has taken its place since it was looked at is put back, for nobody to sweep away.
            renameat(parent.number, doomed, parent.number, destination.name)
            throw RootFilesystemError(
                cannot: "remove", destination.label, because: "another one has taken its place")
        }
        destination.legacyRecords?.remove()
        try SubordinateRemoval.removeAll(
            doomed, in: parent, "\(destination.parent)/\(doomed)", directory, .endsBySignal)
    }
}

extension Destination {
    /// Locks a rootfs against launches, which hold a shared lock while they run, and makes sure none
    /// is running: also one that was started without a lock, by another program.
    func lockUnused(
        _ directory: Descriptor, in parent: Descriptor, toBe operation: String
    ) throws {
        // Mounts are told by paths without links.
        guard PartialName.lock(directory, name, in: parent),
            !MountUse.isMounted(directory.place ?? path)
        else {
            throw RootFilesystemError(
                cannot: operation, label, because: "it is in use",
                remedy: "end what runs in it first")
        }
    }
}
