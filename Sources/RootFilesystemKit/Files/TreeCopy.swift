// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A second tree that shares its files with a first: directories are made anew, files linked.
///
/// As a ``TreeWriter`` never writes into an existing file, the two may then go separate ways.
enum TreeCopy {
    static func link(_ source: String, to writer: TreeWriter) throws {
        let original = try RootDirectory(opening: source)
        let reader = try TreeReader(original.descriptor, path: source)
        while let entry = try reader.next() {
            // What has bits that are not kept is another file.
            guard entry.kind != .directory, !writer.attributes.changesMode(of: entry) else {
                try writer.write(entry, from: reader)
                continue
            }
            let slot = try writer.slot(for: entry.path)
            let parent = try original.openDirectory(entry.path.parent, cannot: "open the directory")
            let result = slot.name.withCString {
                linkat(parent.number, $0, slot.parent.number, $0, 0)
            }
            // Not every file may be linked (`fs.protected_hardlinks`): those are copied.
            if result != 0 { try writer.write(entry, from: reader) }
        }
    }
}
