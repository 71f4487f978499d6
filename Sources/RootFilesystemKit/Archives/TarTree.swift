/// A whole tar, compressed or not, as a source of entries.
///
/// libarchive is content with a tar that stops between two entries; this one insists on the zeros
/// that end every tar, and reads on to the end of the compressed stream, where the checksum is.
final class TarTree: EntrySource {
    private let reader: ArchiveReader
    private let stream: TailStream
    private let name: String
    private let requiresEnd: Bool

    /// `requiresEnd` may be false where a digest vouches for the contents: some writers of container
    /// layers leave out the end mark, and the zeros that fill the last file's block.
    init(_ stream: any ByteStream, name: String, requiresEnd: Bool = true) throws {
        self.stream = TailStream(stream, completing: !requiresEnd)
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
    private static let blockSize = 512

    private let stream: any ByteStream
    /// Zeros to add to a stream that may lack them: the rest of a block, and an end mark.
    private let addition: BlockBuffer?
    private var isAtEnd = false
    private var length = 0
    private(set) var trailingZeros = 0

    init(_ stream: any ByteStream, completing: Bool) {
        self.stream = stream
        addition = completing ? BlockBuffer(size: 3 * Self.blockSize) : nil
        addition?.bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    func read() throws -> UnsafeRawBufferPointer? {
        guard !isAtEnd else { return nil }
        guard let block = try stream.read() else {
            isAtEnd = true
            guard let addition else { return nil }
            let count = addition.bytes.count - length % Self.blockSize
            return UnsafeRawBufferPointer(rebasing: addition.bytes[..<count])
        }
        length += block.count
        let zeros = block.suffix(1024).reversed().prefix { $0 == 0 }.count
        trailingZeros = zeros == block.count ? trailingZeros + zeros : zeros
        return block
    }
}
