import Glibc

/// How much a source may still unfold into: the guard against archives that are bombs.
///
/// Bytes are counted as they are written, so that what a header declares, or leaves out, does not
/// matter; a declared size that cannot fit is refused before the first byte.
final class ExtractionBudget {
    /// 64 GiB: more than any root file system this was made for.
    static let defaultBytes: Int64 = 64 << 30
    /// Four million files: a large distribution has a tenth of that.
    static let defaultEntries = 4_000_000

    private let limit: Int64
    private let limitedByDisk: Bool
    private var bytesLeft: Int64
    private var entriesLeft: Int

    /// At most `maximum` bytes, and no more than the disk under `directory` has free. `fstatvfs(3)`
    init(
        maximum: Int64 = defaultBytes, entries: Int = defaultEntries, directory: Descriptor? = nil
    ) {
        var free = Int64.max
        var status = statvfs()
        if let directory, fstatvfs(directory.number, &status) == 0 {
            let (bytes, overflow) = UInt64(status.f_bavail)
                .multipliedReportingOverflow(by: UInt64(status.f_frsize))
            free = overflow ? .max : Int64(clamping: bytes)
        }
        limitedByDisk = free < maximum
        limit = min(maximum, free)
        bytesLeft = limit
        entriesLeft = entries
    }

    /// Refuses a file that says beforehand it is too large.
    func declare(_ size: Int64, for entry: EntryPath) throws {
        if size > bytesLeft { throw tooLarge(entry) }
    }

    /// Accounts for bytes about to be written.
    func spend(_ bytes: Int, on entry: EntryPath) throws {
        bytesLeft -= Int64(bytes)
        if bytesLeft < 0 { throw tooLarge(entry) }
    }

    /// Accounts for one more file, directory or link.
    func spendEntry(_ entry: EntryPath) throws {
        entriesLeft -= 1
        if entriesLeft < 0 {
            throw RootFilesystemError(
                cannot: "extract", entry.printable, because: "the archive has too many entries")
        }
    }

    private func tooLarge(_ entry: EntryPath) -> RootFilesystemError {
        limitedByDisk
            ? RootFilesystemError(
                cannot: "extract", entry.printable,
                because: "the contents need more than the \(limit) bytes that are free on the disk",
                remedy: "free some space there, or choose a destination on another disk")
            : RootFilesystemError(
                cannot: "extract", entry.printable,
                because: "the contents are larger than the limit of \(limit) bytes",
                remedy: "raise the limit with --max-size if you trust the source")
    }
}
