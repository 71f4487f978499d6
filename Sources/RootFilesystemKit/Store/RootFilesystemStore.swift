import CRootFilesystem
import Foundation

/// The root file systems a user has under a name: one directory each.
public struct RootFilesystemStore: Equatable, Sendable {
    /// The directory that holds them.
    public let directory: String

    public init(directory: String) {
        self.directory = directory
    }

    /// `$XDG_DATA_HOME/nsrun/rootfs`, by default below `~/.local/share`. XDG Base Directory
    /// Specification: a value that is not absolute is passed over.
    public static func standard(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> RootFilesystemStore {
        let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
        return RootFilesystemStore(directory: (data ?? home + "/.local/share") + "/nsrun/rootfs")
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
    public func list() throws -> [Item] {
        try names().map { name in
            let destination = try Destination(name, store: self)
            return Item(
                name: name, image: destination.image, size: DiskUsage.bytes(below: destination.path)
            )
        }
    }

    /// Removes a rootfs that nobody uses; `notFound`, in use and mounted are errors.
    public func remove(_ destination: Destination) throws {
        let path = destination.path
        var status = stat()
        guard lstat(path, &status) == 0 else { throw notFound(destination) }
        guard status.isDirectory else {
            throw RootFilesystemError(
                cannot: "remove", destination.label, because: "it is not a directory")
        }
        PartialTree.sweep(destination.parent)
        let directory = try lockUnused(destination, toBe: "remove")
        // One rename takes it away whole; should this be killed, what is left is swept later.
        let pid = ProcessInfo.processInfo.processIdentifier
        let random = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        let doomed = "\(destination.parent)/.\(destination.name).partial-\(pid)-\(random)"
        guard rename(path, doomed) == 0 else {
            throw RootFilesystemError(cannot: "remove", destination.label, errno: errno)
        }
        unlink(destination.imagePath)
        unlink(destination.packagesPath)
        try withExtendedLifetime(directory) { try SubordinateRemoval.removeAll(doomed) }
    }

    /// The names of the root file systems, and the error when one is not there.
    public func names() throws -> [String] {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return all.sorted().filter { name in
            var status = stat()
            return !name.hasPrefix(".") && lstat("\(directory)/\(name)", &status) == 0
                && status.isDirectory
        }
    }

    /// What to say when `destination` does not exist.
    public func notFound(_ destination: Destination) -> RootFilesystemError {
        let isName = !destination.label.contains("/")
        let known = isName ? ((try? names()) ?? []).joined(separator: " ") : ""
        return RootFilesystemError(
            cannot: "find", destination.label, because: "there is no such rootfs",
            remedy: known.isEmpty ? nil : "there are: \(known)")
    }

    /// Locks a rootfs against launches, which hold a shared lock while they run, and makes sure none
    /// is running: also one that was started without a lock, by another program.
    func lockUnused(_ destination: Destination, toBe operation: String) throws -> Descriptor {
        let path = destination.path
        var opened = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        if opened < 0 && errno == EACCES {
            chmod(path, 0o700)
            opened = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        let directory = try Descriptor(opened, cannot: operation, destination.label)
        guard PartialTree.lock(directory, path), !MountUse.isMounted(path) else {
            throw RootFilesystemError(
                cannot: operation, destination.label, because: "it is in use",
                remedy: "end what runs in it first")
        }
        return directory
    }
}
