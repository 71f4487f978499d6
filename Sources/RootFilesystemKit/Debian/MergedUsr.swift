// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The links of a merged /usr. Programs name their interpreter as `/lib64/ld-linux-x86-64.so.2`;
/// where packages only have `/usr/lib64`, and base-files, which has the links, was not among them,
/// the links are made here. Debian's file-hierarchy(7)
enum MergedUsr {
    private static let names: [(top: EntryPath, target: ByteString)] = [
        (EntryPath("bin"), ByteString("usr/bin")), (EntryPath("sbin"), ByteString("usr/sbin")),
        (EntryPath("lib"), ByteString("usr/lib")), (EntryPath("lib32"), ByteString("usr/lib32")),
        (EntryPath("lib64"), ByteString("usr/lib64")),
        (EntryPath("libx32"), ByteString("usr/libx32")),
    ]

    static func complete(_ writer: TreeWriter) throws {
        for (top, target) in names {
            let slot = try writer.slot(for: top)
            let directory = try EntryPath(archived: target)
            guard writer.status(of: slot) == nil,
                (try? writer.root.openDirectory(directory, cannot: "open")) != nil
            else { continue }
            let result = slot.name.withCString { name in
                target.withCString { symlinkat($0, slot.parent.number, name) }
            }
            guard result == 0 else {
                throw RootFilesystemError(cannot: "create", top.printable, errno: errno)
            }
        }
    }
}
