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

    /// The root file system, below `root`, with what is recorded of it.
    func root(_ source: String, _ record: [UInt8]?, progress: (Int64) -> Void) throws {
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
            let isTop = entry.path.isRoot
            if isTop {
                entry.attributes.mode = 0o755
                _ = entry.attributes.takeRecord()
            }
            entry.path = top.appending(entry.path)
            try writer.write(entry, from: reader)
            if isTop, let record {
                let holder = "root/\(RecordFile.directory.text)"
                try directory(holder)
                try file("\(holder)/\(RecordFile.image.name.text)", Data(record), mode: 0o644)
            }
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
