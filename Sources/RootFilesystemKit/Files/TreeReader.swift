import CRootFilesystem
import Glibc

/// Reads a directory as a tree: names sorted by their bytes, symbolic links never followed, other
/// file systems mounted in it not entered (their mount points come as empty directories).
final class TreeReader: SparseSource {
    private let path: String
    private var open: [(directory: Descriptor, path: EntryPath, names: [ByteString])] = []
    private var device: dev_t = 0
    private var root: Descriptor?
    private var firstNames: [Inode: EntryPath] = [:]
    private var contents: FileContents?
    private let buffer = BlockBuffer(size: 256 << 10)

    private struct Inode: Hashable {
        var device: dev_t
        var number: ino_t
    }

    init(path: String) throws {
        self.path = path
        root = try Descriptor.open(path, O_RDONLY | O_DIRECTORY, cannot: "open the directory")
    }

    func next() throws -> TreeEntry? {
        contents = nil
        if let root {
            self.root = nil
            let status = try root.status(cannot: "examine", path)
            device = status.st_dev
            open.append((root, .root, try listNames(root, path).reversed()))
            return TreeEntry(
                path: .root, kind: .directory, attributes: attributes(status, root.number))
        }
        while !open.isEmpty {
            let top = open.count - 1
            guard let name = open[top].names.popLast() else {
                open.removeLast()
                continue
            }
            let path = open[top].path.appending(name)
            if let entry = try read(name, in: open[top].directory, path) { return entry }
        }
        return nil
    }

    func nextBlock() throws -> FileBlock? {
        try contents?.next()
    }

    /// Nil for a socket, which means nothing without the process behind it.
    private func read(
        _ name: ByteString, in parent: Descriptor, _ path: EntryPath
    ) throws -> TreeEntry? {
        let full = "\(self.path)/\(path.printable)"
        var status = stat()
        guard name.withCString({ fstatat(parent.number, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0
        else { throw RootFilesystemError(cannot: "examine", full, errno: errno) }
        var entry = TreeEntry(path: path, kind: .device, attributes: attributes(status, nil))
        if !status.isDirectory && status.st_nlink > 1 {
            let inode = Inode(device: status.st_dev, number: status.st_ino)
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
            open.append((directory, path, try listNames(directory, full).reversed()))
        case S_IFREG:
            let file = try openFile(name, in: parent, O_RDONLY, full)
            let contents = FileContents(
                file, size: Int64(status.st_size), path: full, buffer: buffer)
            entry.kind = .file(size: Int64(status.st_size))
            entry.announcedBytes = min(Int64(status.st_size), Int64(status.st_blocks) * 512)
            entry.attributes = attributes(status, file.number)
            self.contents = contents
        case S_IFLNK:
            guard let target = readLink(parent.number, name) else {
                throw RootFilesystemError(cannot: "read the symbolic link", full, errno: errno)
            }
            entry.kind = .symbolicLink(target: target)
        case S_IFIFO: entry.kind = .fifo
        case S_IFSOCK: return nil
        default: break
        }
        return entry
    }

    /// The stretches of data of the current file, as offset and length; for a sink that must know
    /// them before the contents.
    func dataExtents() throws -> [(offset: Int64, length: Int64)] {
        try contents?.extents() ?? []
    }

    private func openFile(
        _ name: ByteString, in parent: Descriptor, _ flags: Int32, _ full: String
    ) throws -> Descriptor {
        let opened = name.withCString {
            openat(parent.number, $0, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        }
        return try Descriptor(opened, cannot: "read", full)
    }

    private func attributes(_ status: stat, _ descriptor: Int32?) -> FileAttributes {
        FileAttributes(
            mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid,
            modified: (status.st_mtim.tv_sec, status.st_mtim.tv_nsec),
            extended: descriptor.map(extendedAttributes) ?? [])
    }
}

/// The contents of one regular file, hole by hole. `lseek(2)` with `SEEK_DATA`
private final class FileContents {
    private let file: Descriptor
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

/// The extended attributes of an open file, sorted by name; none where the file system has none.
private func extendedAttributes(_ file: Int32) -> [ExtendedAttribute] {
    var names = [UInt8](repeating: 0, count: 4096)
    var length = names.withUnsafeMutableBytes { listNames(file, $0) }
    if length < 0 && errno == ERANGE {
        names = [UInt8](repeating: 0, count: 65536)
        length = names.withUnsafeMutableBytes { listNames(file, $0) }
    }
    guard length > 0 else { return [] }
    return names[..<length].split(separator: 0).map { ByteString(Array($0)) }.sorted().compactMap {
        name in
        var value = [UInt8](repeating: 0, count: 65536)
        let size = name.withCString { cName in
            value.withUnsafeMutableBytes { fgetxattr(file, cName, $0.baseAddress, $0.count) }
        }
        return size < 0 ? nil : ExtendedAttribute(name: name, value: Array(value[..<size]))
    }
}

private func listNames(_ file: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    flistxattr(file, buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count)
}
