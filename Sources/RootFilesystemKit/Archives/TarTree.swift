/// A whole tar, compressed or not, as a source of entries.
///
/// libarchive is content with a tar that stops between two entries; this one insists on the zeros
/// that end every tar, and reads on to the end of the compressed stream, where the checksum is.
final class TarTree: EntrySource {
    private let reader: ArchiveReader
    private let stream: TailStream
    private let name: String
    private let requiresEnd: Bool

    /// `requiresEnd` may be false where a digest has already vouched for the contents: some writers
    /// of container layers leave out the end mark.
    init(_ stream: any ByteStream, name: String, requiresEnd: Bool = true) throws {
        self.stream = TailStream(stream)
        self.name = name
        self.requiresEnd = requiresEnd
        reader = try ArchiveReader(.tar, self.stream, name: name)
    }

    func next() throws -> TreeEntry? {
        if let entry = try reader.next() { return entry }
        while try stream.read() != nil {}
        guard stream.trailingZeros >= 1024 || !requiresEnd else {
            throw RootFilesystemError(
                cannot: "read", name, because: "the archive is cut short: its end mark is missing")
        }
        return nil
    }

    func nextBlock() throws -> FileBlock? {
        try reader.nextBlock()
    }
}

/// Passes a stream on and knows how many zero bytes it ended with so far.
private final class TailStream: ByteStream {
    private let stream: any ByteStream
    private(set) var trailingZeros = 0

    init(_ stream: any ByteStream) {
        self.stream = stream
    }

    func read() throws -> UnsafeRawBufferPointer? {
        guard let block = try stream.read() else { return nil }
        let zeros = block.suffix(1024).reversed().prefix { $0 == 0 }.count
        trailingZeros = zeros == block.count ? trailingZeros + zeros : zeros
        return block
    }
}
