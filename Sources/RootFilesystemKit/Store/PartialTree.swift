import CRootFilesystem
import Foundation

/// A tree in the making: a hidden sibling of its destination, locked for as long as somebody works
/// on it, and put in place by one rename.
///
/// What a killed run leaves is such a sibling without a lock; ``sweep(_:)`` removes those.
public final class PartialTree {
    /// The directory to fill.
    public let path: String
    let root: RootDirectory
    /// Hand this to programs that work on the tree: it stays locked while any of them lives.
    var lock: Descriptor { root.descriptor }

    private let destination: Destination
    private var finished = false

    /// Makes an empty one for `destination`, whose parent directories are made too. Fails if the
    /// destination is taken, unless it is to be `replacing`.
    public init(for destination: Destination, replacing: Bool = false) throws {
        self.destination = destination
        if !replacing && destination.isTaken { throw destination.alreadyExists }
        try makeDirectories(destination.parent)
        Self.sweep(destination.parent)
        while true {
            let random = String(UInt32.random(in: 0...UInt32.max), radix: 16)
            let pid = ProcessInfo.processInfo.processIdentifier
            let path = "\(destination.parent)/.\(destination.name).partial-\(pid)-\(random)"
            guard mkdir(path, 0o700) == 0 else {
                if errno == EEXIST { continue }
                throw RootFilesystemError(cannot: "create the directory", path, errno: errno)
            }
            // Another run's sweep may have taken it for debris before it was locked: then once more.
            if let directory = try? RootDirectory(opening: path),
                Self.lock(directory.descriptor, path)
            {
                self.path = path
                self.root = directory
                return
            }
        }
    }

    deinit {
        if !finished { try? SubordinateRemoval.removeAll(path) }
    }

    /// Puts the finished tree, and what is recorded beside it, in place. Of two builders of one name
    /// the second fails. `rename(2)`, or renameat2(2) with `RENAME_EXCHANGE` to replace.
    public func commit(_ image: ImageRecord, packages: [UInt8]? = nil, replacing: Bool = false)
        throws
    {
        try Interruption.check()
        // Held only for the renames, so that no two builders write the records beside one rootfs.
        let parent = try Descriptor.open(
            destination.parent, O_RDONLY | O_DIRECTORY, cannot: "open the directory")
        while flock(parent.number, LOCK_EX) != 0 {
            guard errno == EINTR else {
                throw RootFilesystemError(cannot: "lock", destination.parent, errno: errno)
            }
            try Interruption.check()
        }
        if !replacing && destination.isTaken { throw destination.alreadyExists }
        try writeRecord(packages, to: destination.packagesPath)
        try writeRecord(Array(image.encoded.utf8), to: destination.imagePath)
        if replacing {
            guard nsrun_rootfs_exchange(path, destination.path) == 0 else {
                throw RootFilesystemError(cannot: "replace", destination.label, errno: errno)
            }
            // `path` is now what was there before, and goes with this object.
            return
        }
        guard rename(path, destination.path) == 0 else {
            throw errno == ENOTEMPTY || errno == EEXIST
                ? destination.alreadyExists
                : RootFilesystemError(cannot: "create", destination.label, errno: errno)
        }
        finished = true
    }

    /// Removes what killed runs have left in a directory. What cannot be removed is left for later.
    static func sweep(_ directory: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        for name in names where name.wholeMatch(of: /\..+\.partial-[0-9]+-[0-9a-f]+/) != nil {
            let path = "\(directory)/\(name)"
            // Also files: an export in the making has such a name too.
            let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
            guard let descriptor = try? Descriptor.open(path, flags, cannot: "open"),
                lock(descriptor, path)
            else { continue }
            try? SubordinateRemoval.removeAll(path)
        }
    }

    /// Locks a file or directory and makes sure it is still the one at `path`. `flock(2)`
    static func lock(_ file: Descriptor, _ path: String) -> Bool {
        var locked = stat()
        var named = stat()
        return flock(file.number, LOCK_EX | LOCK_NB) == 0 && fstat(file.number, &locked) == 0
            && lstat(path, &named) == 0 && locked.st_ino == named.st_ino
            && locked.st_dev == named.st_dev
    }

    private func writeRecord(_ bytes: [UInt8]?, to path: String) throws {
        guard let bytes else {
            unlink(path)
            return
        }
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw RootFilesystemError(
                cannot: "write", path, because: error.localizedDescription)
        }
    }
}

/// Makes a directory and the ones that lead to it, where they are missing. `mkdir(2)`
func makeDirectories(_ path: String) throws {
    if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
    let parent = (path as NSString).deletingLastPathComponent
    if errno == ENOENT, parent != path, !parent.isEmpty {
        try makeDirectories(parent)
        if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
    }
    throw RootFilesystemError(cannot: "create the directory", path, errno: errno)
}
