// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What tells a file from every other one, whatever it is called.
struct FileIdentity: Hashable {
    var device: dev_t
    var number: ino_t

    init(_ status: stat) {
        device = status.st_dev
        number = status.st_ino
    }
}

/// The way from a directory down into its tree: few descriptors are open, however deep that is.
///
/// The innermost directories stay open. The others are found again by "..", which must lead to where one
/// came from.
final class DirectoryDescent {
    private struct Level {
        var directory: Descriptor?
        var identity: FileIdentity
    }

    private static let mostOpen = 32

    private let path: String
    private let flags: Int32
    /// Opens one of that name in a directory. `openat(2)`
    private let open: (ByteString, Int32, Int32) -> Int32
    private var levels: [Level]
    /// Where one is.
    private(set) var current: Descriptor

    /// `path` is for messages, `flags` are how directories are opened, and `open` is by whom.
    init(
        _ top: Descriptor, path: String, flags: Int32 = O_RDONLY,
        open: @escaping (ByteString, Int32, Int32) -> Int32 = { name, directory, flags in
            name.withCString { openat(directory, $0, flags) }
        }
    ) throws {
        self.open = open
        self.path = path
        self.flags = flags | O_DIRECTORY | O_CLOEXEC
        current = top
        let identity = FileIdentity(try top.status(cannot: "examine", path))
        levels = [Level(directory: top, identity: identity)]
    }

    /// How far down one is; 0 at the top.
    var depth: Int { levels.count - 1 }

    var identity: FileIdentity { levels[levels.count - 1].identity }

    /// Goes on into a directory that was opened in the current one.
    func enter(_ directory: Descriptor) throws {
        let identity = FileIdentity(try directory.status(cannot: "examine", path))
        // The top stays open, too: it is what one is left with.
        if levels.count > Self.mostOpen { levels[levels.count - Self.mostOpen].directory = nil }
        levels.append(Level(directory: directory, identity: identity))
        current = directory
    }

    /// Goes back to where one came from.
    func leave() throws {
        let inner = current
        levels.removeLast()
        let last = levels.count - 1
        if let directory = levels[last].directory {
            current = directory
            return
        }
        let outer = try Descriptor(
            open(ByteString(".."), inner.number, flags), cannot: "go back in", path)
        guard FileIdentity(try outer.status(cannot: "examine", path)) == levels[last].identity
        else {
            throw RootFilesystemError(
                cannot: "read", path, because: "it changes while it is read")
        }
        levels[last].directory = outer
        current = outer
    }
}
