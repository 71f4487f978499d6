// SPDX-License-Identifier: Apache-2.0

import CZlib

/// Undoes gzip, by zlib itself: libarchive 3.6 does it too, but passes over the checksum.
///
/// A file may consist of several members, one after the other. RFC 1952
final class GzipStream: ByteStream {
    private let stream: any ByteStream
    private let name: String
    private let buffer = BlockBuffer(size: 256 << 10)
    private var state = z_stream()
    private var isInsideMember = false

    init(_ stream: any ByteStream, name: String) throws {
        self.stream = stream
        self.name = name
        // 16: a gzip header and trailer, not zlib's.
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&state, 15 + 16, ZLIB_VERSION, size) == Z_OK else {
            throw failure("zlib has no memory left")
        }
    }

    deinit {
        inflateEnd(&state)
    }

    func read() throws -> UnsafeRawBufferPointer? {
        while true {
            if state.avail_in == 0, try !refill() {
                guard isInsideMember else { return nil }
                throw failure("the gzip stream is cut short")
            }
            if !isInsideMember {
                // Zeros after a member are padding.
                guard state.next_in.pointee != 0 else {
                    state.next_in += 1
                    state.avail_in -= 1
                    continue
                }
                inflateReset(&state)
                isInsideMember = true
            }
            state.next_out = buffer.bytes.bindMemory(to: UInt8.self).baseAddress
            state.avail_out = UInt32(buffer.bytes.count)
            let result = inflate(&state, Z_NO_FLUSH)
            guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
                throw failure(state.msg.map { String(cString: $0) } ?? "the gzip stream is damaged")
            }
            if result == Z_STREAM_END { isInsideMember = false }
            let count = buffer.bytes.count - Int(state.avail_out)
            if count > 0 { return UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]) }
        }
    }

    private func refill() throws -> Bool {
        guard let block = try stream.read() else { return false }
        // zlib does not write through this pointer; its type says so only with ZLIB_CONST.
        let bytes = block.bindMemory(to: UInt8.self)
        state.next_in = UnsafeMutablePointer(mutating: bytes.baseAddress)
        state.avail_in = UInt32(bytes.count)
        return true
    }

    private func failure(_ cause: String) -> RootFilesystemError {
        RootFilesystemError(cannot: "read", name, because: cause)
    }
}
