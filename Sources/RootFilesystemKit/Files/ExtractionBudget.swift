// SPDX-License-Identifier: Apache-2.0

import Glibc

/// How much a source may still unfold into: the guard against archives that are bombs.
///
/// What counts is what the files look like: their sizes, holes included, and every entry, be it a directory
/// that was only named on the way to something else or a name that a layer takes away. It is counted as it
/// happens, so that what a header declares, or leaves out, does not matter; a declared size that cannot fit is
/// refused before the first byte.
final class ExtractionBudget {
    /// 64 GiB: more than any root file system this was made for.
    static let defaultBytes: Int64 = 64 << 30
    /// Four million files: a large distribution has a tenth of that.
    static let defaultEntries = 4_000_000
    /// What a stream may hold besides contents: at all, and for each entry, in bytes.
    private static let streamSlack: Int64 = 64 << 20
    private static let streamPerEntry: Int64 = 8 << 10
    /// What may be kept in memory about directories until the end, in bytes.
    private static let memory = 512 << 20

    private let limit: Int64
    /// What was free on the disk.
    private let room: Int64
    private var bytesLeft: Int64
    private var roomLeft: Int64
    private var entriesLeft: Int
    private var streamLeft: Int64
    private var memoryLeft = ExtractionBudget.memory

    /// At most `maximum` bytes, and no more data than the disk under `directory` has room for. `fstatvfs(3)`
    convenience init(
        maximum: Int64 = defaultBytes, entries: Int = defaultEntries, directory: Descriptor
    ) {
        var room = Int64.max
        var status = statvfs()
        if fstatvfs(directory.number, &status) == 0 {
            let (bytes, overflow) = UInt64(status.f_bavail)
                .multipliedReportingOverflow(by: UInt64(status.f_frsize))
            room = overflow ? .max : Int64(clamping: bytes)
        }
        self.init(maximum: maximum, entries: entries, room: room)
    }

    /// The same with `room` for that many bytes of data.
    init(
        maximum: Int64 = defaultBytes, entries: Int = defaultEntries, room: Int64 = .max
    ) {
        limit = max(0, maximum)
        self.room = room
        bytesLeft = limit
        roomLeft = room
        entriesLeft = entries
        let (stream, overflow) = limit.addingReportingOverflow(Self.streamSlack)
        streamLeft = overflow ? .max : stream
    }

    /// Accounts for a file by its size, which includes holes, and refuses one whose data, as it says beforehand,
    /// does not fit on the disk.
    func spendSize(_ size: Int64, data: Int64, on entry: EntryPath) throws {
        guard size >= 0, size <= bytesLeft else { throw tooLarge(entry) }
        bytesLeft -= size
        if data > roomLeft { throw noRoom(entry) }
    }

    /// Accounts for bytes about to be written.
    func spend(_ bytes: Int, on entry: EntryPath) throws {
        roomLeft -= Int64(bytes)
        if roomLeft < 0 { throw noRoom(entry) }
    }

    /// Accounts for one more file, directory, link or whiteout.
    func spendEntry(_ entry: EntryPath) throws {
        entriesLeft -= 1
        if entriesLeft < 0 {
            throw RootFilesystemError(
                cannot: "extract", entry.printable, because: "the archive has too many entries")
        }
        if streamLeft < .max - Self.streamPerEntry { streamLeft += Self.streamPerEntry }
    }

    /// Accounts for what an archive is made of, once its compression is undone: headers, padding, and what is
    /// read only to be passed over.
    func spendStream(_ bytes: Int, of name: String) throws {
        streamLeft -= Int64(bytes)
        if streamLeft < 0 {
            throw RootFilesystemError(
                cannot: "read", name,
                because:
                    "it unfolds into more than its files and the limit of \(limit) bytes explain",
                remedy: Self.remedy)
        }
    }

    /// Accounts for what is kept in memory until the end.
    func keep(_ bytes: Int, for entry: EntryPath) throws {
        memoryLeft -= bytes
        if memoryLeft < 0 {
            throw RootFilesystemError(
                cannot: "extract", entry.printable,
                because: "the archive says more about its directories than can be kept in mind")
        }
    }

    private static let remedy = "raise the limit with --max-size if you trust the source"

    private func tooLarge(_ entry: EntryPath) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "extract", entry.printable,
            because: "the contents are larger than the limit of \(limit) bytes",
            remedy: Self.remedy)
    }

    private func noRoom(_ entry: EntryPath) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "extract", entry.printable,
            because: "the contents need more than the \(room) bytes that are free on the disk",
            remedy: "free some space there, or choose a destination on another disk")
    }
}
