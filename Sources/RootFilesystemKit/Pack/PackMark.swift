// SPDX-License-Identifier: Apache-2.0

import CPack
import CRootFilesystem
import FoundationEssentials
import Glibc

/// A static nsrun, and the place in its file where a pack's mark goes.
struct PackLauncher {
    private var bytes: Data
    private let place: Int

    /// Reads the file and looks for the mark's place, which every nsrun has once.
    init(_ path: String) throws {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw RootFilesystemError(
                cannot: "read", path, because: "there is no nsrun there",
                remedy: "name a static nsrun with --launcher, as Scripts/build.sh nsrun makes it")
        }
        // In two parts, so that this program's own file does not hold it.
        let magic = Array(("nsrun-pack-" + "mark-5d1c0e7").utf8) + [0]
        let found = bytes.withUnsafeBytes { $0.firstRange(of: magic)?.lowerBound }
        guard let found, bytes.count >= found + MemoryLayout<nsrun_pack_mark>.size
        else {
            throw RootFilesystemError(
                cannot: "pack", path, because: "it is no nsrun that can be packed",
                remedy: "name another one with --launcher, as Scripts/build.sh nsrun makes it")
        }
        self.bytes = bytes
        place = found
    }

    /// How long the program is.
    var count: Int { bytes.count }

    /// The program with the mark. `offset` and `hash` are for an archive behind it.
    func marked(_ kind: nsrun_pack_kind, offset: Int = 0, hash: String = "") -> Data {
        var marked = bytes
        func put(_ new: some Sequence<UInt8>, _ field: Int) {
            for (index, byte) in new.enumerated() {
                marked[marked.startIndex + place + field + index] = byte
            }
        }
        func number(_ value: UInt64) -> [UInt8] {
            withUnsafeBytes(of: value.littleEndian) { Array($0) }
        }
        put(number(UInt64(kind.rawValue)), MemoryLayout<nsrun_pack_mark>.offset(of: \.kind)!)
        put(number(UInt64(offset)), MemoryLayout<nsrun_pack_mark>.offset(of: \.offset)!)
        put(
            hash.utf8.prefix(Int(NSRUN_PACK_HASH) - 1),
            MemoryLayout<nsrun_pack_mark>.offset(of: \.hash)!)
        return marked
    }
}
