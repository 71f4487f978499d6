// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A file in the making: a hidden, locked sibling, put in place by one rename. What a killed run
/// leaves is swept like a ``PartialTree``.
final class PartialFile {
    /// Where it is to be.
    let path: String
    /// Where it is now.
    let partialPath: String
    let file: Descriptor
    private let parent: Descriptor
    private let name: String
    private let partialName: String

    init(for path: String) throws {
        self.path = path
        let (holder, name) = PathParts.split(path)
        PartialName.sweep(holder)
        parent = try Descriptor.open(
            holder, O_RDONLY | O_DIRECTORY, cannot: "open the directory")
        self.name = name
        partialName = PartialName.new(for: name)
        partialPath = "\(holder)/\(partialName)"
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        file = try Descriptor(
            openat(parent.number, partialName, flags, 0o666), cannot: "create", path)
        guard PartialName.lock(file, partialName, in: parent) else {
            throw RootFilesystemError(cannot: "lock", partialPath, errno: errno)
        }
    }

    deinit {
        // Gone already if it was committed.
        unlinkat(parent.number, partialName, 0)
    }

    func commit() throws {
        try Interruption.check()
        guard renameat(parent.number, partialName, parent.number, name) == 0 else {
            throw RootFilesystemError(cannot: "create", path, errno: errno)
        }
    }
}
