import Foundation

/// A file in the making: a hidden, locked sibling, put in place by one rename. What a killed run
/// leaves is swept like a ``PartialTree``.
final class PartialFile {
    /// Where it is to be.
    let path: String
    /// Where it is now.
    let partialPath: String
    let file: Descriptor

    init(for path: String) throws {
        self.path = path
        let directory = (path as NSString).deletingLastPathComponent
        let parent = directory.isEmpty ? "." : directory
        PartialTree.sweep(parent)
        let random = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        let pid = ProcessInfo.processInfo.processIdentifier
        partialPath = "\(parent)/.\((path as NSString).lastPathComponent).partial-\(pid)-\(random)"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        file = try Descriptor(open(partialPath, flags, 0o666), cannot: "create", path)
        guard PartialTree.lock(file, partialPath) else {
            throw RootFilesystemError(cannot: "lock", partialPath, errno: errno)
        }
    }

    deinit {
        // Gone already if it was committed.
        unlink(partialPath)
    }

    func commit() throws {
        try Interruption.check()
        guard rename(partialPath, path) == 0 else {
            throw RootFilesystemError(cannot: "create", path, errno: errno)
        }
    }
}
