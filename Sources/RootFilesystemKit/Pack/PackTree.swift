// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// The folder that a pack unpacks to, as entries of an archive: the root with links that stay in it, and the
/// files that make programs of it.
struct PackTree {
    private let writer: ArchiveWriter
    private let folder: EntryPath
    private let modified: Int

    /// `name` is the folder's; nil for a pack that lies at the top.
    init(_ writer: ArchiveWriter, name: String?, modified: Int) throws {
        self.writer = writer
        self.modified = modified
        folder = try name.map { try EntryPath(archived: ByteString($0)) } ?? .root
        try directory("")
    }

    private func path(_ inside: String) throws -> EntryPath {
        folder.appending(try EntryPath(archived: ByteString(inside)))
    }

    private func entry(_ inside: String, _ kind: TreeEntry.Kind, mode: UInt32) throws -> TreeEntry {
        TreeEntry(
            path: try path(inside), kind: kind,
            attributes: FileAttributes(
                mode: mode, owner: 0, group: 0, modified: (modified, 0)))
    }

    func directory(_ inside: String) throws {
        try writer.write(entry(inside, .directory, mode: 0o755), from: BytesSource(Data()))
    }

    func file(_ inside: String, _ bytes: Data, mode: UInt32) throws {
        let source = BytesSource(bytes)
        try writer.write(
            entry(inside, .file(size: Int64(bytes.count)), mode: mode), from: source)
    }

    func hardLink(_ inside: String, to other: String) throws {
        try writer.write(
            entry(inside, .hardLink(to: path(other)), mode: 0o755), from: BytesSource(Data()))
    }

    /// The root file system, below `root`.
    func root(_ source: String, progress: (Int64) -> Void) throws {
        let top = try path("root")
        let setID = SetIDBits()
        let reader = try TreeReader(path: source)
        var done: Int64 = 0
        while var entry = try reader.next() {
            entry.attributes.mode = setID.permitted(entry.attributes.mode)
            if case .symbolicLink(let target) = entry.kind {
                entry.kind = .symbolicLink(target: Self.inside(target, of: entry.path))
            }
            if case .hardLink(let other) = entry.kind {
                entry.kind = .hardLink(to: top.appending(other))
            }
            if entry.path.isRoot { entry.attributes.mode = 0o755 }
            entry.path = top.appending(entry.path)
            try writer.write(entry, from: reader)
            done += entry.announcedBytes
            progress(done)
        }
    }

    /// An absolute link, made relative: so it means the same to an engine that cannot make the root the kernel's.
    /// What the kernel makes up has its place outside of the pack.
    static func inside(_ target: ByteString, of path: EntryPath) -> ByteString {
        let slash = UInt8(ascii: "/")
        guard target.bytes.first == slash else { return target }
        let names = target.bytes.split(separator: slash)
        if let first = names.first,
            ["proc", "sys", "dev"].contains(where: { first.elementsEqual($0.utf8) })
        {
            return target
        }
        let up = Array(repeating: Array("..".utf8)[...], count: max(0, path.names.count - 1))
        let parts = up + names
        return parts.isEmpty
            ? ByteString([UInt8(ascii: ".")]) : ByteString(Array(parts.joined(separator: [slash])))
    }
}

/// The contents of a file that is in memory.
private final class BytesSource: SparseSource {
    private let bytes: Data
    private var isRead = false
    private let buffer: BlockBuffer

    init(_ bytes: Data) {
        self.bytes = bytes
        buffer = BlockBuffer(size: max(1, bytes.count))
    }

    func next() throws -> TreeEntry? { nil }

    func nextBlock() throws -> FileBlock? {
        guard !isRead, !bytes.isEmpty else { return nil }
        isRead = true
        _ = bytes.copyBytes(to: buffer.bytes)
        return FileBlock(
            bytes: UnsafeRawBufferPointer(rebasing: buffer.bytes[..<bytes.count]), offset: 0)
    }

    func dataExtents() throws -> [(offset: Int64, length: Int64)] { [(0, Int64(bytes.count))] }
}
