// SPDX-License-Identifier: Apache-2.0

import CNamespace
import CRootFilesystem
import Glibc

/// Bytes in order, from a file, a decompressor or a member of an archive.
protocol ByteStream: AnyObject {
    /// The next bytes, valid until the next call; nil at the end.
    func read() throws -> UnsafeRawBufferPointer?
}

extension ByteStream {
    /// All that is left of it.
    func readAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let block = try read() { bytes += block }
        return bytes
    }
}

/// A file, or what comes through a pipe, read from where it stands. `read(2)`
final class FileStream: ByteStream {
    private let file: Descriptor
    private let path: String
    private let buffer = BlockBuffer(size: 256 << 10)
    /// One may wait for it for as long as somebody else likes.
    private let mayStall: Bool
    /// Asked while waiting; where it says so, the stream is at its end.
    var isUnwanted: () -> Bool = { false }
    /// Bytes read so far.
    private(set) var position: Int64 = 0

    init(_ file: Descriptor, path: String) {
        self.file = file
        self.path = path
        var status = stat()
        mayStall = fstat(file.number, &status) != 0 || !status.isRegularFile
    }

    convenience init(opening path: String) throws {
        self.init(try Self.open(path), path: path)
    }

    /// Opens a file; nothing else, for a pipe or a device may keep one waiting, and cannot be read twice.
    static func open(_ path: String) throws -> Descriptor {
        let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, cannot: "read")
        guard try file.status(cannot: "examine", path).isRegularFile else {
            throw RootFilesystemError(
                cannot: "read", path, because: "it is not a file",
                remedy: "write what comes from elsewhere to a file first")
        }
        return file
    }

    func read() throws -> UnsafeRawBufferPointer? {
        while true {
            try Interruption.check()
            if mayStall, try !hasInput() { return nil }
            let count = Glibc.read(file.number, buffer.bytes.baseAddress, buffer.bytes.count)
            if count < 0 {
                if errno == EINTR || errno == EAGAIN { continue }
                throw RootFilesystemError(cannot: "read", path, errno: errno)
            }
            position += Int64(count)
            return count == 0 ? nil : UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count])
        }
    }

    /// Waits, and looks up now and then: a signal goes to some thread, perhaps not to this one. False where nobody
    /// waits any more. `poll(2)`
    private func hasInput() throws -> Bool {
        var wanted = pollfd(fd: file.number, events: Int16(POLLIN), revents: 0)
        while poll(&wanted, 1, 100) == 0 {
            try Interruption.check()
            if isUnwanted() { return false }
        }
        return true
    }
}

/// Passes on no more than so many bytes of a stream.
final class LimitedStream: ByteStream {
    private let stream: any ByteStream
    private let name: String
    private var left: Int

    /// `name` is for messages.
    init(_ stream: any ByteStream, limit: Int, name: String) {
        self.stream = stream
        self.name = name
        left = limit
    }

    func read() throws -> UnsafeRawBufferPointer? {
        guard let block = try stream.read() else { return nil }
        left -= block.count
        guard left >= 0 else {
            throw RootFilesystemError(
                cannot: "read", name, because: "a part of it unfolds into more than it should")
        }
        return block
    }
}

/// SHA-256 of what is fed to it. FIPS 180-4
struct SHA256 {
    private var state = nsrun_sha256()

    init() {
        nsrun_sha256_begin(&state)
    }

    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        nsrun_sha256_add(&state, bytes.baseAddress, bytes.count)
    }

    mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

    /// The digest. Nothing may be fed afterwards.
    mutating func finishBytes() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        nsrun_sha256_end(&state, &digest)
        return digest
    }

    /// The same in hexadecimal.
    mutating func finish() -> String {
        finishBytes().map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
