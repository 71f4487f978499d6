import Glibc

/// Messages between the server and a starter: four bytes of length, and as many bytes.
struct Link: Sendable {
    /// An empty message: the action of the last one is not wanted any more. It may come when that has ended
    /// already, and means nothing then.
    static let interruption: [UInt8] = []

    let descriptor: Descriptor

    /// False where the other side is gone.
    @discardableResult
    func send(_ message: [UInt8]) -> Bool {
        let length = withUnsafeBytes(of: UInt32(message.count)) { Array($0) }
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
        return receive(count: Int(length.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }))
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

    /// Waits until there is something to receive; false where the time is over.
    func wait(until deadline: ContinuousClock.Instant?) -> Bool {
        var state = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        while true {
            var milliseconds: Int32 = -1
            if let deadline {
                let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
                milliseconds = Int32(min(max(left.rounded(.up), 0), 1e9))
            }
            let ready = poll(&state, 1, milliseconds)
            if ready > 0 { return true }
            if ready == 0, let deadline, deadline <= .now { return false }
        }
    }
}
