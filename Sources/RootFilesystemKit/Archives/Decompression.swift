// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A digest a file is known to have, and of which of its two forms.
enum ExpectedDigest {
    /// Of the bytes in the file.
    case stored(ContentDigest)
    /// Of the bytes after decompression.
    case contents(ContentDigest)
}

extension ThreadedStream {
    /// The contents of a file with its compression, if any, undone; by another thread.
    ///
    /// At the end of the stream the digest is compared: what was made from the contents until then
    /// must not outlive the error.
    static func decompressing(
        _ file: Descriptor, name: String, expected: ExpectedDigest? = nil,
        progress: ((Int64) -> Void)? = nil
    ) -> ThreadedStream {
        ThreadedStream(progress: progress) { sink in
            let source = FileStream(file, path: name)
            source.isUnwanted = { sink.isCancelled }
            var stored: any ByteStream = source
            if case .stored(let digest) = expected {
                stored = VerifyingStream(source, digest: digest, name: name)
            }
            var contents = try decompressed(stored, name: name)
            if case .contents(let digest) = expected {
                contents = VerifyingStream(contents, digest: digest, name: name)
            }
            while let block = try contents.read() {
                guard sink.write(block, position: source.position) else { return }
            }
            // What follows the compressed data belongs to the digest.
            while try stored.read() != nil {}
        }
    }

    static func decompressing(
        opening path: String, progress: ((Int64) -> Void)? = nil
    ) throws -> ThreadedStream {
        decompressing(try FileStream.open(path), name: path, progress: progress)
    }
}

/// Undoes gzip, compress, bzip2, xz, lzma, lzip, lz4 or zstd, whichever the first bytes show; or nothing.
func decompressed(_ stream: any ByteStream, name: String) throws -> any ByteStream {
    let rest = try PeekedStream(stream, count: 64)
    if rest.head.isEmpty { return rest }
    if rest.head.starts(with: [0x1f, 0x8b]) { return try GzipStream(rest, name: name) }
    if ZstdStream.begins(rest.head), let zstd = ZstdStream(rest, name: name) { return zstd }
    let reader = try ArchiveReader(.compressed, rest, name: name)
    return try reader.nextHeader() ? MemberStream(reader) : rest
}

/// The current entry of an archive as a stream.
final class MemberStream: ByteStream {
    private let reader: ArchiveReader

    init(_ reader: ArchiveReader) {
        self.reader = reader
    }

    func read() throws -> UnsafeRawBufferPointer? {
        while let block = try reader.nextBlock() {
            if !block.bytes.isEmpty { return block.bytes }
        }
        return nil
    }
}

/// A stream whose beginning can be looked at before it is read: a pipe may give less at first than that takes.
final class PeekedStream: ByteStream {
    /// `count` bytes or more; fewer where there are no more.
    let head: UnsafeRawBufferPointer
    private let memory: BlockBuffer
    private var isRead = false
    private let rest: any ByteStream

    init(_ stream: any ByteStream, count: Int) throws {
        rest = stream
        var bytes: [UInt8] = []
        while bytes.count < count, let block = try stream.read() { bytes += block }
        memory = BlockBuffer(size: max(1, bytes.count))
        memory.bytes.copyBytes(from: bytes)
        head = UnsafeRawBufferPointer(rebasing: memory.bytes[..<bytes.count])
    }

    func read() throws -> UnsafeRawBufferPointer? {
        guard isRead || head.isEmpty else {
            isRead = true
            return head
        }
        return try rest.read()
    }
}

/// Passes a stream on, and at its end compares its digest.
private final class VerifyingStream: ByteStream {
    private let stream: any ByteStream
    private let digest: ContentDigest
    private let name: String
    private var hash: ContentDigest.Computation
    private var isAtEnd = false

    init(_ stream: any ByteStream, digest: ContentDigest, name: String) {
        self.stream = stream
        self.digest = digest
        self.name = name
        hash = ContentDigest.Computation(digest.algorithm)
    }

    func read() throws -> UnsafeRawBufferPointer? {
        if isAtEnd { return nil }
        if let block = try stream.read() {
            hash.update(block)
            return block
        }
        isAtEnd = true
        try digest.compare(hash.finish(), name)
        return nil
    }
}
