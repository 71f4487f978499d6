// SPDX-License-Identifier: Apache-2.0

/// A whole tar, compressed or not, as a source of entries.
///
/// libarchive is content with a tar that stops between two entries; this one insists on the zeros
/// that end every tar, and reads on to the end of the compressed stream, where the checksum is.
final class TarTree: EntrySource {
    /// The most that what describes one entry may hold, maps of sparse files included, in bytes: it is kept in memory.
    private static let largestHeader = 16 << 20

    private let reader: ArchiveReader
    private let spending: SpendingStream
    private let stream: TailStream
    private let name: String
    private let requiresEnd: Bool
    private var isInEntry = false

    /// `requiresEnd` may be false where a digest vouches for the contents: some writers of container
    /// layers leave out the end mark, and the zeros that fill the last file's block. What the stream holds is
    /// accounted for in `budget`.
    init(
        _ stream: any ByteStream, name: String, requiresEnd: Bool = true,
        budget: ExtractionBudget
    ) throws {
        spending = SpendingStream(stream, budget, name: name)
        self.stream = TailStream(spending, completing: !requiresEnd)
        self.name = name
        self.requiresEnd = requiresEnd
        reader = try ArchiveReader(.tar, self.stream, name: name)
    }

    func next() throws -> TreeEntry? {
        // What nobody wanted of the last one.
        while isInEntry, try reader.nextBlock() != nil {}
        spending.allowance = Self.largestHeader
        if let entry = try reader.next() {
            spending.allowance = nil
            isInEntry = true
            return entry
        }
        spending.allowance = nil
        let end = reader.headerPosition
        while try stream.read() != nil {}
        guard requiresEnd else { return nil }
        guard stream.trailingZeros >= 1024 else {
            throw RootFilesystemError(
                cannot: "read", name, because: "the archive is cut short: its end mark is missing")
        }
        // Another archive, say: that would be left out in silence.
        guard stream.length - stream.trailingZeros <= end else {
            throw RootFilesystemError(
                cannot: "read", name, because: "something follows the end of the archive",
                remedy: "unpack both into a directory (tar --ignore-zeros), and import that")
        }
        return nil
    }

    func nextBlock() throws -> FileBlock? {
        try reader.nextBlock()
    }
}

/// Passes a stream on and accounts for it.
final class SpendingStream: ByteStream {
    private let stream: any ByteStream
    private let budget: ExtractionBudget
    private let name: String
    /// How much more may be read for one purpose, in bytes; nil where that has no limit of its own.
    var allowance: Int?

    /// `name` is for messages.
    init(_ stream: any ByteStream, _ budget: ExtractionBudget, name: String) {
        self.stream = stream
        self.budget = budget
        self.name = name
    }

    func read() throws -> UnsafeRawBufferPointer? {
        guard let block = try stream.read() else { return nil }
        try budget.spendStream(block.count, of: name)
        if let left = allowance {
            guard left > 0 else {
                throw RootFilesystemError(
                    cannot: "read", name, because: "what it says of one entry has no end")
            }
            allowance = left - block.count
        }
        return block
    }
}

/// Passes a stream on and knows how many zero bytes it ended with so far.
private final class TailStream: ByteStream {
    private static let blockSize = 512

    private let stream: any ByteStream
    /// Zeros to add to a stream that may lack them: the rest of a block, and an end mark.
    private let addition: BlockBuffer?
    private var isAtEnd = false
    private(set) var length = 0
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
        let zeros = Self.trailingZeros(of: block)
        trailingZeros = zeros == block.count ? trailingZeros + zeros : zeros
        return block
    }

    private static func trailingZeros(of block: UnsafeRawBufferPointer) -> Int {
        var end = block.count
        while end >= 8, block.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self) == 0 {
            end -= 8
        }
        while end > 0, block[end - 1] == 0 { end -= 1 }
        return block.count - end
    }
}
