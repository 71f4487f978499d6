// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem

/// Undoes zstd, by libzstd itself: libarchive refuses what `zstd --long` has packed with a window of more than
/// 128 MiB.
///
/// A file may consist of several frames, one after the other, and of such as are only passed over. RFC 8878
final class ZstdStream: ByteStream {
    /// 2 GiB: the most that zstd(1) can be asked for. It is taken from memory as it is used.
    private static let largestWindow: Int32 = 31

    private let stream: any ByteStream
    private let name: String
    private let zstd: OpaquePointer
    private let buffer = BlockBuffer(size: 256 << 10)
    private var input = UnsafeRawBufferPointer(start: nil, count: 0)
    private var isInsideFrame = false
    /// The last step filled the buffer: there may be more without further input.
    private var isFull = false

    /// Nil where libzstd is not there.
    init?(_ stream: any ByteStream, name: String) {
        guard let zstd = nsrun_rootfs_zstd_open(Self.largestWindow) else { return nil }
        self.zstd = zstd
        self.stream = stream
        self.name = name
    }

    deinit {
        nsrun_rootfs_zstd_close(zstd)
    }

    /// Whether a file begins with a frame.
    static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let magic = bytes.prefix(4)
        return magic.elementsEqual([0x28, 0xb5, 0x2f, 0xfd])
            || magic.count == 4 && magic[0] & 0xf0 == 0x50
                && magic.dropFirst().elementsEqual([0x2a, 0x4d, 0x18])
    }

    func read() throws -> UnsafeRawBufferPointer? {
        while true {
            if !isFull, input.isEmpty, try !refill() {
                guard isInsideFrame else { return nil }
                throw failure("the zstd stream is cut short")
            }
            var (used, made) = (0, 0)
            var inside: Int32 = 0
            let complaint = nsrun_rootfs_zstd_step(
                zstd, input.baseAddress, input.count, &used, buffer.bytes.baseAddress,
                buffer.bytes.count, &made, &inside)
            if let complaint {
                throw failure("the zstd stream is damaged: " + String(cString: complaint))
            }
            input = UnsafeRawBufferPointer(rebasing: input.dropFirst(used))
            // Asked for more where there was none, it begins to wait for another frame.
            if used > 0 || made > 0 { isInsideFrame = inside != 0 }
            isFull = made == buffer.bytes.count
            if made > 0 { return UnsafeRawBufferPointer(rebasing: buffer.bytes[..<made]) }
        }
    }

    private func refill() throws -> Bool {
        guard let block = try stream.read() else { return false }
        input = block
        return true
    }

    private func failure(_ cause: String) -> RootFilesystemError {
        RootFilesystemError(cannot: "read", name, because: cause)
    }
}
