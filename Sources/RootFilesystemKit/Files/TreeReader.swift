// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// Reads a directory as a tree: names sorted by their bytes, symbolic links never followed, other
/// file systems mounted in it not entered (their mount points come as empty directories). What nsrun-rootfs
/// keeps in a root about it, see ``RecordFile``, is no part of it. What is the caller's own is read whatever its mode,
/// see ``OwnersReader``.
final class TreeReader: SparseSource, FileSystemSource {
    /// Whether a second name of a file comes as such, and not as another file.
    var findsHardLinks = true

    private let path: String
    private let root: Descriptor
    private let descent: DirectoryDescent
    /// The directories that are being read, the outermost first, and what is still to come of each.
    private var pending: [(path: EntryPath, names: [ByteString])] = []
    private var isAtStart = true
    private let device: dev_t
    private var firstNames: [FileIdentity: EntryPath] = [:]
    private var contents: FileContents?
    private let buffer = BlockBuffer(size: 256 << 10)
    private let extendedAttributes = ExtendedAttributeReader()
    private let opener = TreeOpener()

    convenience init(path: String) throws {
        let flags = O_RDONLY | O_DIRECTORY
        try self.init(
            Descriptor.open(path, flags, cannot: "open the directory"), path: path)
    }

    /// Of a directory that is open already; `path` is for messages.
    init(_ root: Descriptor, path: String) throws {
        self.path = path
        self.root = root
        descent = try DirectoryDescent(root, path: path, open: opener.open)
        device = descent.identity.device
    }

    func next() throws -> TreeEntry? {
        try Interruption.check()
        contents = nil
        if isAtStart {
            isAtStart = false
            let status = try root.status(cannot: "examine", path)
            let names = try list(root, path).filter { $0 != RecordFile.directory }
            pending.append((.root, names.reversed()))
            return TreeEntry(
                path: .root, kind: .directory, attributes: attributes(status, root.number))
        }
        while let level = pending.indices.last {
            guard let name = pending[level].names.popLast() else {
                pending.removeLast()
                if level > 0 { try descent.leave() }
                continue
            }
            let path = pending[level].path.appending(name)
            try path.check(cannot: "read")
            if let entry = try read(name, in: descent.current, path) { return entry }
        }
        return nil
    }

    func nextBlock() throws -> FileBlock? {
        try Interruption.check()
        return try contents?.next()
    }

    /// Nil for a socket, which means nothing without the process behind it.
    private func read(
        _ name: ByteString, in parent: Descriptor, _ path: EntryPath
    ) throws -> TreeEntry? {
        let full = "\(self.path)/\(path.printable)"
        let status = try opener.status(of: name, in: parent, full)
        var entry = TreeEntry(path: path, kind: .device, attributes: attributes(status, nil))
        if status.type == S_IFCHR && status.st_rdev == 0 {
            entry.isWhiteout = true
            return entry
        }
        if findsHardLinks, !status.isDirectory && status.st_nlink > 1 {
            let inode = FileIdentity(status)
            if let first = firstNames[inode] {
                entry.kind = .hardLink(to: first)
                return entry
            }
            firstNames[inode] = path
        }
        switch status.type {
        case S_IFDIR:
            entry.kind = .directory
            guard status.st_dev == device else { break }
            let directory = try openFile(name, in: parent, O_RDONLY | O_DIRECTORY, full)
            entry.attributes = attributes(status, directory.number)
            pending.append((path, try list(directory, full).reversed()))
            try descent.enter(directory)
        case S_IFREG:
            let file = try openFile(name, in: parent, O_RDONLY, full)
            let contents = FileContents(
                file, size: Int64(status.st_size), path: full, buffer: buffer)
            entry.kind = .file(size: Int64(status.st_size))
            entry.announcedBytes = min(Int64(status.st_size), Int64(status.st_blocks) * 512)
            entry.attributes = attributes(status, file.number)
            self.contents = contents
        case S_IFLNK:
            entry.kind = .symbolicLink(target: try opener.target(of: name, in: parent, full))
        case S_IFIFO: entry.kind = .fifo
        case S_IFSOCK: return nil
        default: break
        }
        return entry
    }

    var currentFile: Descriptor? { contents?.file }

    /// The stretches of data of the current file, as offset and length; for a sink that must know
    /// them before the contents.
    func dataExtents() throws -> [(offset: Int64, length: Int64)] {
        try contents?.extents() ?? []
    }

    private func list(_ directory: Descriptor, _ full: String) throws -> [ByteString] {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        return try listNames(owning: opener.open(ByteString("."), directory.number, flags), full)
    }

    private func openFile(
        _ name: ByteString, in parent: Descriptor, _ flags: Int32, _ full: String
    ) throws -> Descriptor {
        let opened = opener.open(
            name, parent.number, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if opened < 0 && errno == EACCES {
            var error = RootFilesystemError(cannot: "read", full, errno: EACCES)
            error.remedy = "only who may read all of it can copy it"
            throw error
        }
        return try Descriptor(opened, cannot: "read", full)
    }

    private func attributes(_ status: stat, _ descriptor: Int32?) -> FileAttributes {
        FileAttributes(
            mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid,
            modified: (status.st_mtim.tv_sec, status.st_mtim.tv_nsec),
            extended: descriptor.map { extendedAttributes.read($0) } ?? [])
    }
}

/// The contents of one regular file, hole by hole. `lseek(2)` with `SEEK_DATA`
private final class FileContents {
    let file: Descriptor
    private let size: Int64
    private let path: String
    private var position: Int64 = 0
    private var dataEnd: Int64 = 0
    private let buffer: BlockBuffer

    init(_ file: Descriptor, size: Int64, path: String, buffer: BlockBuffer) {
        self.file = file
        self.buffer = buffer
        self.size = size
        self.path = path
    }

    func extents() throws -> [(offset: Int64, length: Int64)] {
        var extents: [(offset: Int64, length: Int64)] = []
        var at: Int64 = 0
        while let data = nextData(from: at) {
            extents.append((data.lowerBound, data.upperBound - data.lowerBound))
            at = data.upperBound
        }
        return extents
    }

    func next() throws -> FileBlock? {
        if position >= dataEnd {
            guard let data = nextData(from: position) else { return nil }
            (position, dataEnd) = (data.lowerBound, data.upperBound)
        }
        let wanted = Int(min(Int64(buffer.bytes.count), dataEnd - position))
        let count = pread(file.number, buffer.bytes.baseAddress, wanted, off_t(position))
        guard count >= 0 else { throw RootFilesystemError(cannot: "read", path, errno: errno) }
        // Cut short by another process: what is missing reads as a hole.
        guard count > 0 else { return nil }
        defer { position += Int64(count) }
        return FileBlock(
            bytes: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]), offset: position)
    }

    /// A file system that cannot tell holes says that everything is data.
    private func nextData(from offset: Int64) -> Range<Int64>? {
        guard offset < size else { return nil }
        let start = nsrun_rootfs_next_data(file.number, off_t(offset))
        if start < 0 { return errno == ENXIO ? nil : offset..<size }
        let end = nsrun_rootfs_next_hole(file.number, start)
        return start < size ? Int64(start)..<(end < 0 ? size : min(size, Int64(end))) : nil
    }
}
