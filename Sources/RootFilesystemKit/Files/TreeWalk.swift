// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A look at everything below a directory, in no order: what cannot be read is passed over.
enum TreeWalk {
    /// An entry on the way.
    struct Place {
        var parent: Descriptor
        var name: ByteString
        var status: stat
    }

    /// Calls `body` with each entry until it returns false. `fstatat(2)`
    static func visit(_ path: String, _ body: (Place) throws -> Bool) throws {
        let flags = O_RDONLY | O_DIRECTORY
        guard let top = try? Descriptor.open(path, flags, cannot: "open") else { return }
        try visit(top, path, body)
    }

    static func visit(
        _ top: Descriptor, _ path: String, _ body: (Place) throws -> Bool
    ) throws {
        let descent = try DirectoryDescent(top, path: path)
        var pending = [(try? listNames(top, path)) ?? []]
        while let level = pending.indices.last {
            try Interruption.check()
            guard let name = pending[level].popLast() else {
                pending.removeLast()
                if level > 0 { try descent.leave() }
                continue
            }
            let parent = descent.current
            var status = stat()
            let result = name.withCString {
                fstatat(parent.number, $0, &status, AT_SYMLINK_NOFOLLOW)
            }
            guard result == 0 else { continue }
            guard try body(Place(parent: parent, name: name, status: status)) else { return }
            guard status.isDirectory, let directory = parent.openDirectory(name),
                let names = try? listNames(directory, path)
            else { continue }
            try descent.enter(directory)
            pending.append(names)
        }
    }
}
