import Glibc

/// A SHA-256 digest a file is known to have, and of which of its two forms.
enum ExpectedDigest {
    /// Of the bytes in the file.
    case stored(String)
    /// Of the bytes after decompression.
    case contents(String)
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

/// Undoes gzip, bzip2, xz, lzma or zstd, whichever the first bytes show; or nothing.
func decompressed(_ stream: any ByteStream, name: String) throws -> any ByteStream {
    guard let start = try stream.read() else { return stream }
    let rest = PrefixedStream(start, stream)
    if start.starts(with: [0x1f, 0x8b]) { return try GzipStream(rest, name: name) }
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

/// A stream whose first block has been looked at already. The block is still valid, as nothing has
/// been read since.
private final class PrefixedStream: ByteStream {
    private var first: UnsafeRawBufferPointer?
    private let rest: any ByteStream

    init(_ first: UnsafeRawBufferPointer, _ rest: any ByteStream) {
        self.first = first
        self.rest = rest
    }

    func read() throws -> UnsafeRawBufferPointer? {
        guard let first else { return try rest.read() }
        self.first = nil
        return first
    }
}

/// Passes a stream on, and at its end compares its digest.
private final class VerifyingStream: ByteStream {
    private let stream: any ByteStream
    private let digest: String
    private let name: String
    private var hash = SHA256()
    private var isAtEnd = false

    init(_ stream: any ByteStream, digest: String, name: String) {
        self.stream = stream
        self.digest = digest
        self.name = name
    }

    func read() throws -> UnsafeRawBufferPointer? {
        if isAtEnd { return nil }
        if let block = try stream.read() {
            hash.update(block)
            return block
        }
        isAtEnd = true
        try compare(hash.finish(), digest, name)
        return nil
    }
}

/// Refuses contents that are not what they were said to be.
func compare(_ found: String, _ expected: String, _ name: String) throws {
    guard found == expected else {
        throw RootFilesystemError(
            cannot: "read", name,
            because: "its digest is sha256:\(found), and should be sha256:\(expected)",
            remedy: "the image is damaged or has been tampered with: fetch it again")
    }
}
