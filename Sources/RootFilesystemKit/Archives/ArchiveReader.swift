// SPDX-License-Identifier: Apache-2.0

import CArchive
import Glibc

/// Reads an archive through libarchive, from any stream of bytes.
final class ArchiveReader: EntrySource {
    enum Format {
        /// A tar of any kind, not compressed.
        case tar
        /// The outer part of a .deb.
        case ar
        /// No archive at all: one entry, the bytes after undoing compress, bzip2, xz, lzma, lzip, lz4 or zstd.
        case compressed
    }

    private let archive: OpaquePointer
    private let input: Input
    private let name: String
    private var entry: OpaquePointer?

    /// The stream, and what it threw: libarchive's callback can only say that there was something.
    private final class Input {
        let stream: any ByteStream
        var failure: (any Error)?

        init(_ stream: any ByteStream) {
            self.stream = stream
        }

        /// An `archive_read_callback`: a length, 0 at the end, -1 after a failure.
        static func read(
            _ context: UnsafeMutableRawPointer?,
            _ bytes: UnsafeMutablePointer<UnsafeRawPointer?>?
        ) -> Int {
            guard let context, let bytes else { return -1 }
            let input = Unmanaged<Input>.fromOpaque(context).takeUnretainedValue()
            do {
                guard let block = try input.stream.read() else { return 0 }
                bytes.pointee = block.baseAddress
                return block.count
            } catch {
                input.failure = error
                return -1
            }
        }
    }

    /// `name` is for messages. `archive_read_open(3)`
    init(_ format: Format, _ stream: any ByteStream, name: String) throws {
        guard let archive = archive_read_new() else {
            throw RootFilesystemError(cannot: "read", name, errno: ENOMEM)
        }
        self.archive = archive
        self.input = Input(stream)
        self.name = name
        switch format {
        case .tar:
            archive_read_support_format_tar(archive)
        case .ar:
            archive_read_support_format_ar(archive)
        case .compressed:
            // Each by name: "all" includes filters that run other programs.
            archive_read_support_filter_compress(archive)
            archive_read_support_filter_bzip2(archive)
            archive_read_support_filter_xz(archive)
            archive_read_support_filter_lzma(archive)
            archive_read_support_filter_lzip(archive)
            archive_read_support_filter_lz4(archive)
            archive_read_support_filter_zstd(archive)
            archive_read_support_format_raw(archive)
            archive_read_support_format_empty(archive)
        }
        let context = Unmanaged.passUnretained(input).toOpaque()
        try check(archive_read_open(archive, context, nil, { Input.read($1, $2) }, nil))
    }

    deinit {
        archive_read_free(archive)
    }

    func next() throws -> TreeEntry? {
        guard try nextHeader() else { return nil }
        let path = try EntryPath(archived: rawPath)
        var entry = TreeEntry(path: path, kind: .device, attributes: try attributes(of: path))
        if let target = bytes(archive_entry_hardlink(self.entry)) {
            entry.kind = .hardLink(to: try EntryPath(archived: target))
            return entry
        }
        switch UInt32(archive_entry_filetype(self.entry)) {
        case S_IFDIR:
            entry.kind = .directory
        case S_IFREG:
            entry.kind = .file(size: archive_entry_size(self.entry))
            entry.announcedBytes = announcedBytes
        case S_IFLNK:
            guard let target = bytes(archive_entry_symlink(self.entry)) else {
                throw failure("the symbolic link \(path.printable) has no target")
            }
            entry.kind = .symbolicLink(target: target)
        case S_IFIFO:
            entry.kind = .fifo
        case S_IFCHR, S_IFBLK:
            entry.kind = .device
        default:
            throw failure("\(path.printable) is of a kind no file system has")
        }
        return entry
    }

    /// Moves to the next entry without looking at what it is. `archive_read_next_header(3)`
    func nextHeader() throws -> Bool {
        let result = archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF { return false }
        try check(result)
        return true
    }

    /// Where in the stream the last header was looked for. `archive_read_header_position(3)`
    var headerPosition: Int64 { archive_read_header_position(archive) }

    /// The current entry's path as it is in the archive.
    var rawPath: ByteString { bytes(archive_entry_pathname(entry)) ?? ByteString("") }

    func nextBlock() throws -> FileBlock? {
        var start: UnsafeRawPointer?
        var count = 0
        var offset: Int64 = 0
        let result = archive_read_data_block(archive, &start, &count, &offset)
        if result == ARCHIVE_EOF { return nil }
        try check(result)
        return FileBlock(bytes: UnsafeRawBufferPointer(start: start, count: count), offset: offset)
    }

    // MARK: - Parts of an entry

    private func attributes(of path: EntryPath) throws -> FileAttributes {
        FileAttributes(
            mode: UInt32(archive_entry_perm(entry)),
            owner: UInt32(truncatingIfNeeded: archive_entry_uid(entry)),
            group: UInt32(truncatingIfNeeded: archive_entry_gid(entry)),
            modified: (archive_entry_mtime(entry), Int(archive_entry_mtime_nsec(entry))),
            extended: try extendedAttributes(of: path))
    }

    private func extendedAttributes(of path: EntryPath) throws -> [ExtendedAttribute] {
        var attributes: [ExtendedAttribute] = []
        guard archive_entry_xattr_reset(entry) > 0 else { return attributes }
        var room = ExtendedAttributeReader.largest
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK {
            guard let name else { continue }
            room -= strlen(name) + 1
            guard room >= 0, size <= ExtendedAttributeReader.largest else {
                throw failure(
                    "\(path.printable) has more extended attributes than a file can have")
            }
            let bytes = Array(UnsafeRawBufferPointer(start: value, count: size))
            attributes.append(ExtendedAttribute(name: ByteString(cString: name), value: bytes))
        }
        return attributes
    }

    /// The size, or what the map of a sparse file adds up to.
    private var announcedBytes: Int64 {
        guard archive_entry_sparse_reset(entry) > 0 else { return archive_entry_size(entry) }
        var total: Int64 = 0
        var offset: Int64 = 0
        var length: Int64 = 0
        while archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK {
            total = total.addingReportingOverflow(length).partialValue
        }
        return total
    }

    private func bytes(_ string: UnsafePointer<CChar>?) -> ByteString? {
        string.map { ByteString(cString: $0) }
    }

    // MARK: - Failures

    /// A warning (a name that is not in the character set it claims, say) does not stop anything;
    /// `ARCHIVE_RETRY` and worse mean that something is missing.
    private func check(_ result: Int32) throws {
        guard result != ARCHIVE_OK && result != ARCHIVE_WARN else { return }
        if let failure = input.failure { throw failure }
        throw failure(archive_error_string(archive).map { String(cString: $0) } ?? "it is damaged")
    }

    private func failure(_ cause: String) -> RootFilesystemError {
        RootFilesystemError(cannot: "read", name, because: cause)
    }
}
