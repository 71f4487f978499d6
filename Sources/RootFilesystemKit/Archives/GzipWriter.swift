// SPDX-License-Identifier: Apache-2.0

import CZlib
import Glibc

/// Compresses what is fed to it into a file, by zlib: without names and times, so that the same bytes give the same.
/// RFC 1952
final class GzipWriter {
    private let file: Descriptor
    private let name: String
    private let buffer = BlockBuffer(size: 256 << 10)
    private var state = z_stream()
    private var hash = SHA256()
    /// How many bytes were written to the file.
    private(set) var size: Int64 = 0

    /// `name` is for messages.
    init(to file: Descriptor, name: String) throws {
        self.file = file
        self.name = name
        let result = deflateInit2_(
            // 16: a gzip header and trailer, not zlib's.
            &state, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else {
            throw RootFilesystemError(
                cannot: "write", name, because: "zlib has no memory left")
        }
    }

    deinit {
        deflateEnd(&state)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        // zlib does not write through this pointer; its type says so only with ZLIB_CONST.
        let input = bytes.bindMemory(to: UInt8.self)
        state.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        state.avail_in = UInt32(bytes.count)
        while state.avail_in > 0 { try step(Z_NO_FLUSH) }
    }

    /// Ends the file; gives its SHA-256.
    func finish() throws -> String {
        state.avail_in = 0
        while try step(Z_FINISH) != Z_STREAM_END {}
        return hash.finish()
    }

    @discardableResult
    private func step(_ flush: Int32) throws -> Int32 {
        state.next_out = buffer.bytes.bindMemory(to: UInt8.self).baseAddress
        state.avail_out = UInt32(buffer.bytes.count)
        let result = deflate(&state, flush)
        let made = UnsafeRawBufferPointer(
            rebasing: buffer.bytes[..<(buffer.bytes.count - Int(state.avail_out))])
        hash.update(made)
        try file.write(Array(made), at: off_t(size), cannot: "write", name)
        size += Int64(made.count)
        return result
    }
}
