// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A stream whose bytes are made by another thread, a bounded distance ahead: decompression runs
/// beside the writing of files, as it does with tar(1) and its compressor in two processes.
final class ThreadedStream: ByteStream {
    private let sink: Sink
    private let progress: ((Int64) -> Void)?
    private var current: Chunk?

    /// Starts a thread that runs `make`. `capacity` is how many bytes it may be ahead; `progress`
    /// hears, on the reading thread, how far the source has been used.
    init(
        capacity: Int = 4 << 20, progress: ((Int64) -> Void)? = nil,
        make: @escaping @Sendable (Sink) throws -> Void
    ) {
        let sink = Sink(capacity: capacity)
        self.sink = sink
        self.progress = progress
        let error = Monitor.detachThread {
            sink.finish(Result { try make(sink) })
        }
        if error != 0 {
            sink.finish(
                .failure(RootFilesystemError(cannot: "start", "a thread", errno: error)))
        }
    }

    deinit {
        sink.cancelAndWait()
    }

    func read() throws -> UnsafeRawBufferPointer? {
        try Interruption.check()
        if let current { sink.recycle(current) }
        current = try sink.take()
        guard let current else { return nil }
        progress?(current.position)
        return UnsafeRawBufferPointer(rebasing: current.memory.bytes[..<current.count])
    }

    /// Bytes on their way from one thread to the other.
    fileprivate struct Chunk {
        var memory: BlockBuffer
        var count: Int
        var position: Int64
    }

    /// What the making thread writes to. `@unchecked`: everything mutable is under `condition`.
    final class Sink: @unchecked Sendable {
        private static let chunkSize = 256 << 10
        private let condition = Monitor()
        private var waiting: [Chunk] = []
        private var waitingBytes = 0
        private var spare: [BlockBuffer] = []
        private var end: Result<Void, any Error>?
        private var cancelled = false
        private let capacity: Int

        init(capacity: Int) {
            self.capacity = capacity
        }

        /// Hands over a copy of `bytes`; `position` is how much of the source has been used for it.
        /// False once nobody wants more.
        func write(_ bytes: UnsafeRawBufferPointer, position: Int64) -> Bool {
            var rest = bytes[...]
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.chunkSize))
                guard let memory = room() else { return false }
                memory.bytes.copyMemory(from: piece)
                condition.lock()
                waiting.append(Chunk(memory: memory, count: piece.count, position: position))
                waitingBytes += piece.count
                condition.broadcast()
                condition.unlock()
                rest = rest.dropFirst(piece.count)
            }
            return true
        }

        /// Waits until the reader is close enough; nil if it has gone.
        private func room() -> BlockBuffer? {
            condition.lock()
            defer { condition.unlock() }
            while waitingBytes > capacity && !cancelled { condition.wait() }
            return cancelled ? nil : spare.popLast() ?? BlockBuffer(size: Self.chunkSize)
        }

        /// Whether the reader has gone.
        var isCancelled: Bool {
            condition.lock()
            defer { condition.unlock() }
            return cancelled
        }

        fileprivate func finish(_ result: Result<Void, any Error>) {
            condition.lock()
            end = result
            condition.broadcast()
            condition.unlock()
        }

        fileprivate func take() throws -> Chunk? {
            condition.lock()
            defer { condition.unlock() }
            while waiting.isEmpty && end == nil { condition.wait() }
            guard !waiting.isEmpty else {
                try end?.get()
                return nil
            }
            let chunk = waiting.removeFirst()
            waitingBytes -= chunk.count
            condition.broadcast()
            return chunk
        }

        fileprivate func recycle(_ chunk: Chunk) {
            condition.lock()
            spare.append(chunk.memory)
            condition.unlock()
        }

        fileprivate func cancelAndWait() {
            condition.lock()
            cancelled = true
            condition.broadcast()
            while end == nil { condition.wait() }
            condition.unlock()
        }
    }
}
