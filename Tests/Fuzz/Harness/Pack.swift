// SPDX-License-Identifier: Apache-2.0

import CPack
import Foundation

@testable import NamespaceKit
@testable import RootFilesystemKit

extension FuzzTarget {
    /// The mark in a program of a pack, and the archive behind it.
    static let pack = FuzzTarget(name: "pack", makesFiles: true) { bytes in
        // Who runs a pack trusts it: links of its own may lead its entries anywhere.
        Scratch.use(isTrusted: true) {
            let magic = Array("nsrun-pack-mark-5d1c0e7".utf8) + [0]
            let bytes = Tar.mended(bytes)
            let path = Scratch.file("program", bytes)
            if let launcher = try? PackLauncher(path) {
                let marked = launcher.marked(NSRUN_PACK_ARCHIVE, offset: .max, hash: "0123")
                demand(marked.count == bytes.count, "a mark changes the length of a program")
                demand(marked.range(of: Data(magic)) != nil, "the mark is gone")
            }
            let directory = open(Scratch.makeDirectory("root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directory >= 0 else { fail("cannot open the root") }
            defer { close(directory) }
            for offset in [0, UInt64(bytes.first ?? 0), 1 << 62] {
                var cause: UnsafePointer<CChar>?
                _ = nsrun_pack_unfold(path, offset, directory, &cause)
            }
        }
    }

    /// The beginning of a squashfs.
    static let squashfs = FuzzTarget(name: "squashfs") { bytes in
        let isOne = bytes.count >= 96 && bytes.starts(with: Array("hsqs".utf8))
        demand((SquashfsHead(bytes: bytes) != nil) == isOne, "a squashfs begins with hsqs")
    }
}
