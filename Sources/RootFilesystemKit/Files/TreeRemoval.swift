import Glibc

/// Removes a tree whatever its permissions, without following a link or entering another file
/// system. Not interruptible: it is also how an interrupted run cleans up.
enum TreeRemoval {
    /// Removes the directory `path` and everything in it; what does not exist is removed already.
    static func remove(_ path: String) throws {
        try remove(ByteString(path), in: AT_FDCWD, device: nil, path)
    }

    private static func remove(
        _ name: ByteString, in parent: Int32, device: dev_t?, _ path: String
    ) throws {
        if name.withCString({ unlinkat(parent, $0, 0) }) == 0 || errno == ENOENT { return }
        guard errno == EISDIR else { throw failure(path) }
        let directory = try open(name, in: parent, path)
        let status = try directory.status(cannot: "examine", path)
        if let device, device != status.st_dev {
            throw RootFilesystemError(
                cannot: "remove", path, because: "another file system is mounted there",
                remedy: "unmount it first")
        }
        // Only an owner who took away their own permission needs this; root does not.
        if status.st_mode & 0o700 != 0o700 { _ = fchmod(directory.number, 0o700) }
        for child in try listNames(directory, path) {
            try remove(
                child, in: directory.number, device: status.st_dev, "\(path)/\(child.printable)")
        }
        guard name.withCString({ unlinkat(parent, $0, AT_REMOVEDIR) }) == 0 || errno == ENOENT
        else {
            throw failure(path)
        }
    }

    private static func open(
        _ name: ByteString, in parent: Int32, _ path: String
    ) throws -> Descriptor {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var opened = name.withCString { openat(parent, $0, flags) }
        if opened < 0 && errno == EACCES {
            _ = name.withCString { fchmodat(parent, $0, 0o700, 0) }
            opened = name.withCString { openat(parent, $0, flags) }
        }
        return try Descriptor(opened, cannot: "remove", path)
    }

    private static func failure(_ path: String) -> RootFilesystemError {
        RootFilesystemError(cannot: "remove", path, errno: errno)
    }
}
