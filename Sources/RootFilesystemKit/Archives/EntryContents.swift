// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// The contents of a file that is in memory.
final class BytesSource: SparseSource {
    private let bytes: Data
    private var isRead = false
    private let buffer: BlockBuffer

    init(_ bytes: Data) {
        self.bytes = bytes
        buffer = BlockBuffer(size: max(1, bytes.count))
    }

    func next() throws -> TreeEntry? { nil }

    func nextBlock() throws -> FileBlock? {
        guard !isRead, !bytes.isEmpty else { return nil }
        isRead = true
        _ = bytes.copyBytes(to: buffer.bytes)
        return FileBlock(
            bytes: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<bytes.count]), offset: 0)
    }

    func dataExtents() throws -> [(offset: Int64, length: Int64)] { [(0, Int64(bytes.count))] }
}

/// The contents of a file that is written already.
final class FileSource: SparseSource {
    private let file: Descriptor
    private let name: String
    private let size: Int64
    private var position: Int64 = 0
    private let buffer = BlockBuffer(size: 256 << 10)

    /// `name` is for messages, `size` how much of the file there is to read, in bytes.
    init(_ file: Descriptor, name: String, size: Int64) {
        self.file = file
        self.name = name
        self.size = size
    }

    func next() throws -> TreeEntry? { nil }

    /// `pread(2)`
    func nextBlock() throws -> FileBlock? {
        guard position < size else { return nil }
        let count = pread(
            file.number, buffer.bytes.baseAddress, buffer.bytes.count, off_t(position))
        guard count > 0 else {
            throw RootFilesystemError(cannot: "read", name, errno: count < 0 ? errno : EIO)
        }
        defer { position += Int64(count) }
        return FileBlock(
            bytes: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), offset: position)
    }

    func dataExtents() throws -> [(offset: Int64, length: Int64)] { [(0, size)] }
}
