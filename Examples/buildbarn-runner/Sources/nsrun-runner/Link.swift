// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore

/// A starter's end of its connection with the server. A message is four bytes of length, the most significant
/// one first, and as many bytes. Each is answered, in their order.
struct Link {
    /// The empty message: the action that runs is not wanted any more. It may come when that has ended already,
    /// and means nothing then.
    static let interruption = ByteBuffer()

    let descriptor: Descriptor

    /// False where the other side is gone.
    func send(_ message: [UInt8]) -> Bool {
        let length = withUnsafeBytes(of: UInt32(message.count).bigEndian) { Array($0) }
        let bytes = length + message
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor.number, $0.baseAddress! + sent, $0.count - sent,
                    Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno != EINTR { return false }
            sent += max(0, count)
        }
        return true
    }

    /// The next message; nil where the other side is gone.
    func receive() -> [UInt8]? {
        guard let length = receive(count: MemoryLayout<UInt32>.size) else { return nil }
        return receive(count: length.reduce(0) { $0 << 8 | Int($1) })
    }

    private func receive(count: Int) -> [UInt8]? {
        var received = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
            while received < count {
                let more = read(
                    descriptor.number, buffer.baseAddress! + received, count - received)
                if more == 0 || (more < 0 && errno != EINTR) { break }
                received += max(0, more)
            }
            length = received
        }
        return received == count ? bytes : nil
    }
}
