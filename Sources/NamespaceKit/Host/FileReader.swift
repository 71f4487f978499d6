// SPDX-License-Identifier: Apache-2.0

import CHost

/// A file that is read from any place of it.
public final class FileReader {
    private let file: Int32
    /// In bytes.
    public let size: UInt64

    /// Nil where it is no ordinary file, or cannot be read: opening a pipe would wait for somebody.
    public init?(_ path: ByteString) {
        guard HostFile.isRegular(path) else { return nil }
        let size = withCString(path) { nsrun_file_size($0) }
        file = withCString(path) { nsrun_open_for_reading($0) }
        self.size = UInt64(max(0, size))
        if file < 0 || size < 0 { return nil }
    }

    deinit { if file >= 0 { closeDescriptor(file) } }

    /// Fewer bytes where the file ends before; nil where it cannot be read there.
    public func read(_ offset: UInt64, _ count: Int) -> [UInt8]? {
        guard let place = Int64(exactly: offset) else { return nil }
        var length = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while length < count {
                let got = pread(
                    file, buffer.baseAddress! + length, count - length, off_t(place) + off_t(length)
                )
                if got < 0 { length = -1 }
                if got <= 0 { break }
                length += got
            }
            filled = max(0, length)
        }
        return length < 0 ? nil : bytes
    }
}
