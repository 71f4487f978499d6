// SPDX-License-Identifier: Apache-2.0

import CArchive
import Glibc

/// Writes a reproducible tar: the same tree gives the same bytes.
///
/// The format is pax with extended headers only where an entry needs one; owners are numbers, times
/// whole seconds, and nothing is recorded that another copy of the tree would not share.
final class ArchiveWriter {
    /// How the tar is compressed.
    enum Compression: CaseIterable {
        case none, gzip, bzip2, xz, zstd
    }

    private let archive: OpaquePointer
    private let name: String
    private let latest: Int
    private var output: Output?

    /// Where the bytes go, and what it threw: libarchive's callback can only say that there was something.
    private final class Output {
        let sink: (UnsafeRawBufferPointer) throws -> Void
        var failure: (any Error)?

        init(_ sink: @escaping (UnsafeRawBufferPointer) throws -> Void) { self.sink = sink }

        /// An `archive_write_callback`: how much was taken, -1 after a failure.
        static func write(
            _ context: UnsafeMutableRawPointer?, _ bytes: UnsafeRawPointer?, _ count: Int
        ) -> Int {
            guard let context else { return -1 }
            let output = Unmanaged<Output>.fromOpaque(context).takeUnretainedValue()
            do {
                try output.sink(UnsafeRawBufferPointer(start: bytes, count: count))
                return count
            } catch {
                output.failure = error
                return -1
            }
        }
    }

    /// Writes to `file`. Modification times after `latest`, seconds since 1970, become `latest`.
    convenience init(to file: Descriptor, name: String, compression: Compression, latest: Int)
        throws
    {
        try self.init(name: name, compression: compression, latest: latest)
        try check(archive_write_open_fd(archive, file.number))
    }

    /// The same, not compressed, to whatever `sink` is.
    convenience init(
        name: String, latest: Int, sink: @escaping (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        try self.init(name: name, compression: .none, latest: latest)
        let output = Output(sink)
        self.output = output
        try check(archive_write_set_bytes_in_last_block(archive, 1))
        let context = Unmanaged.passUnretained(output).toOpaque()
        try check(archive_write_open(archive, context, nil, { Output.write($1, $2, $3) }, nil))
    }

    private init(name: String, compression: Compression, latest: Int) throws {
        guard let archive = archive_write_new() else {
            throw RootFilesystemError(cannot: "write", name, errno: ENOMEM)
        }
        self.archive = archive
        self.name = name
        self.latest = latest
        try check(archive_write_set_format_pax_restricted(archive))
        // As GNU tar has them, which complains of others.
        try check(archive_write_set_format_option(archive, "pax", "xattrheader", "SCHILY"))
        switch compression {
        case .none: break
        case .gzip:
            try check(archive_write_add_filter_gzip(archive))
            // The header of a .gz has the time of writing unless told otherwise.
            try check(archive_write_set_filter_option(archive, "gzip", "timestamp", nil))
        case .bzip2: try check(archive_write_add_filter_bzip2(archive))
        case .xz:
            try check(archive_write_add_filter_xz(archive))
            // Two or more threads give the same bytes, one gives others.
            let threads = String(max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
            try check(archive_write_set_filter_option(archive, "xz", "threads", threads))
        case .zstd: try check(archive_write_add_filter_zstd(archive))
        }
    }

    deinit {
        archive_write_free(archive)
    }

    /// Writes one entry and, if it is a file, its contents.
    func write(_ entry: TreeEntry, from source: some SparseSource) throws {
        guard let header = archive_entry_new() else {
            throw RootFilesystemError(cannot: "write", name, errno: ENOMEM)
        }
        defer { archive_entry_free(header) }
        try fill(header, entry, source)
        try check(archive_write_header(archive, header))
        guard case .file(let size) = entry.kind else { return }
        var position: Int64 = 0
        while let block = try source.nextBlock() {
            try Interruption.check()
            try pad(to: block.offset, from: &position)
            try write(block.bytes)
            position += Int64(block.bytes.count)
        }
        try pad(to: size, from: &position)
        try check(archive_write_finish_entry(archive))
    }

    /// Ends the archive. `archive_write_close(3)`
    func finish() throws {
        try check(archive_write_close(archive))
    }

    private func fill(
        _ header: OpaquePointer, _ entry: TreeEntry, _ source: some SparseSource
    ) throws {
        let path = ByteString([UInt8(ascii: "."), UInt8(ascii: "/")] + entry.path.joined.bytes)
        path.withCString { archive_entry_copy_pathname(header, $0) }
        archive_entry_set_perm(header, mode_t(entry.attributes.mode))
        archive_entry_set_uid(header, la_int64_t(entry.attributes.owner))
        archive_entry_set_gid(header, la_int64_t(entry.attributes.group))
        archive_entry_set_mtime(header, min(entry.attributes.modified.seconds, latest), 0)
        for attribute in entry.attributes.extended {
            attribute.name.withCString { name in
                attribute.value.withUnsafeBytes {
                    archive_entry_xattr_add_entry(header, name, $0.baseAddress, $0.count)
                }
            }
        }
        switch entry.kind {
        case .directory: archive_entry_set_filetype(header, S_IFDIR)
        case .file(let size):
            archive_entry_set_filetype(header, S_IFREG)
            archive_entry_set_size(header, size)
            try describeHoles(header, size, source)
        case .symbolicLink(let target):
            archive_entry_set_filetype(header, S_IFLNK)
            target.withCString { archive_entry_copy_symlink(header, $0) }
        case .hardLink(let target):
            archive_entry_set_filetype(header, S_IFREG)
            let full = ByteString([UInt8(ascii: "."), UInt8(ascii: "/")] + target.joined.bytes)
            full.withCString { archive_entry_copy_hardlink(header, $0) }
        case .fifo: archive_entry_set_filetype(header, S_IFIFO)
        case .device:
            // What import would make of it anyway.
            archive_entry_set_filetype(header, S_IFREG)
            archive_entry_set_size(header, 0)
        }
    }

    /// A file without holes, and one so small that they are worth nothing, is written plainly.
    private func describeHoles(
        _ header: OpaquePointer, _ size: Int64, _ source: some SparseSource
    ) throws {
        let extents = try source.dataExtents()
        let data = extents.reduce(0) { $0 + $1.length }
        guard data < size, size >= 4096 else { return }
        for extent in extents {
            archive_entry_sparse_add_entry(header, extent.offset, extent.length)
        }
        if extents.isEmpty { archive_entry_sparse_add_entry(header, size, 0) }
    }

    /// libarchive takes the whole file and leaves out what the header calls a hole.
    private func pad(to offset: Int64, from position: inout Int64) throws {
        while position < offset {
            let count = Int(min(offset - position, Int64(Self.zeros.count)))
            try Self.zeros.withUnsafeBytes {
                try write(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            position += Int64(count)
        }
    }

    private static let zeros = [UInt8](repeating: 0, count: 64 << 10)

    private func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let written = archive_write_data(archive, piece.baseAddress, piece.count)
            if written < 0 { try check(ARCHIVE_FATAL) }
            // Bytes past the declared size are refused with 0: the file has grown meanwhile.
            guard written > 0 else { return }
            rest = rest.dropFirst(written)
        }
    }

    private func check(_ result: Int32) throws {
        guard result != ARCHIVE_OK && result != ARCHIVE_WARN else { return }
        if let failure = output?.failure { throw failure }
        let code = archive_errno(archive)
        let cause =
            archive_error_string(archive).map { String(cString: $0) } ?? "libarchive refused"
        throw code == ENOSPC
            ? RootFilesystemError(cannot: "write", name, errno: code)
            : RootFilesystemError(cannot: "write", name, because: cause)
    }
}
