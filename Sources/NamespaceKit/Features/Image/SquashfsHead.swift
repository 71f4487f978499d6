// SPDX-License-Identifier: Apache-2.0

/// What the beginning of a squashfs says of it: the superblock, little-endian
/// (https://www.kernel.org/doc/html/latest/filesystems/squashfs.html).
struct SquashfsHead: Equatable {
    static let length = 96

    /// Bytes of the file that belong to the file system; what follows is padding.
    let bytesUsed: UInt64
    let version: (major: UInt16, minor: UInt16)
    /// How many user and group ids there are, and where they stand in the file.
    let ids: (count: Int, start: UInt64)

    /// Nil where the bytes do not begin a squashfs.
    init?(bytes: [UInt8]) {
        guard bytes.count >= SquashfsHead.length, bytes.starts(with: Array("hsqs".utf8)) else {
            return nil
        }
        version = (
            UInt16(bytes.littleEndian(at: 28, count: 2)),
            UInt16(bytes.littleEndian(at: 30, count: 2))
        )
        ids = (Int(bytes.littleEndian(at: 26, count: 2)), bytes.littleEndian(at: 48, count: 8))
        bytesUsed = bytes.littleEndian(at: 40, count: 8)
    }

    static func == (left: SquashfsHead, right: SquashfsHead) -> Bool {
        left.bytesUsed == right.bytesUsed && left.version == right.version
    }
}
