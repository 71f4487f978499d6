// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// Files to copy from: the context of a build, or the root of another stage. Nothing outside of the directory is reached:
/// links are followed as if it were `/`.
final class BuildContext {
    private let root: RootDirectory
    private let ignored: IgnoreList
    /// What must be there as long as files are copied from it.
    private let keeping: AnyObject?
    /// How many names may be looked at to find what a pattern means.
    private static let mostMatches = 100_000

    init(
        _ root: RootDirectory, leavingOut ignored: IgnoreList = IgnoreList(),
        keeping: AnyObject? = nil
    ) {
        self.root = root
        self.keeping = keeping
        self.ignored = ignored
    }

    /// The context of a Containerfile, with what its ignore file leaves out: `NAME.containerignore`, `NAME.dockerignore`
    /// beside it, or `.containerignore`, `.dockerignore` in the context.
    convenience init(_ path: String, of file: String) throws {
        let root = try RootDirectory(opening: path)
        let (holder, name) = PathParts.split(file)
        let beside = try RootDirectory(opening: holder)
        let places = [
            (beside, "\(name).containerignore"), (beside, "\(name).dockerignore"),
            (root, ".containerignore"), (root, ".dockerignore"),
        ]
        for (directory, name) in places {
            guard let text = try Self.read(name, in: directory) else { continue }
            self.init(root, leavingOut: IgnoreList(text))
            return
        }
        self.init(root)
    }

    private static func read(_ name: String, in directory: RootDirectory) throws -> [UInt8]? {
        let label = "\(directory.path)/\(name)"
        let entry = EntryPath.root.appending(ByteString(name))
        guard let file = try directory.openIfThere(entry, O_RDONLY | O_NONBLOCK) else { return nil }
        guard try file.status(cannot: "examine", label).isRegularFile else { return nil }
        return try LimitedStream(
            FileStream(file, path: label), limit: IgnoreList.largestFile, name: label
        ).readAll()
    }

    /// What a word of COPY means: paths below the context. Empty where nothing is there, or all is left out.
    func find(_ word: String) throws -> [EntryPath] {
        let parts = word.split(separator: "/").filter { $0 != "." }
        guard !parts.contains("..") else {
            throw RootFilesystemError(
                cannot: "copy", word, because: "it leads out of the context with \"..\"")
        }
        var found = [EntryPath.root]
        var looked = 0
        for part in parts {
            let pattern = GlobPattern(ByteString(String(part)))
            if pattern.isPlain {
                found = found.map { $0.appending(ByteString(String(part))) }
                continue
            }
            var next: [EntryPath] = []
            for directory in found {
                let opened = root.open(directory, O_RDONLY | O_DIRECTORY)
                guard let holder = try? Descriptor(opened, cannot: "open", directory.printable)
                else { continue }
                for name in try listNames(holder, directory.printable) {
                    looked += 1
                    guard looked <= Self.mostMatches else {
                        throw RootFilesystemError(
                            cannot: "copy", word, because: "it could mean too many files")
                    }
                    if pattern.matches([name.bytes]) { next.append(directory.appending(name)) }
                }
            }
            found = next
        }
        return found.filter { path in
            let opened = root.open(path, O_RDONLY | O_NONBLOCK)
            let isThere = (try? Descriptor(opened, cannot: "open", path.printable)) != nil
            return isThere && (path.isRoot || !ignored.leavesOut(path))
        }
    }

    /// What is at a path, where links lead.
    func open(_ path: EntryPath) throws -> Descriptor {
        try Descriptor(
            root.open(path, O_RDONLY | O_NONBLOCK), cannot: "copy", path.printable)
    }

    /// Everything at a path, to be put at `target` in the root.
    func source(_ path: EntryPath, at target: EntryPath) throws -> Selection {
        let file = try open(path)
        let status = try file.status(cannot: "examine", path.printable)
        guard status.isDirectory else {
            guard status.isRegularFile else {
                throw RootFilesystemError(
                    cannot: "copy", path.printable, because: "it is neither a file nor a directory")
            }
            return Selection(
                try OneFile(file, status, name: path.printable), from: path, to: target, ignored)
        }
        let reader = try TreeReader(file, path: "\(root.path)/\(path.printable)")
        reader.findsHardLinks = false
        return Selection(reader, from: path, to: target, ignored)
    }

    /// The files of a directory that are not left out, each where it is to be. Of the directory itself nothing is said.
    final class Selection: FileSystemSource {
        private let source: any FileSystemSource
        private let path: EntryPath
        private let target: EntryPath
        private let ignored: IgnoreList

        fileprivate init(
            _ source: any FileSystemSource, from path: EntryPath, to target: EntryPath,
            _ ignored: IgnoreList
        ) {
            self.source = source
            self.path = path
            self.target = target
            self.ignored = ignored
        }

        var currentFile: Descriptor? { source.currentFile }

        func next() throws -> TreeEntry? {
            while var entry = try source.next() {
                if entry.path.isRoot && entry.kind == .directory { continue }
                if !entry.path.isRoot, ignored.leavesOut(path.appending(entry.path)) { continue }
                entry.path = target.appending(entry.path)
                return entry
            }
            return nil
        }

        func nextBlock() throws -> FileBlock? { try source.nextBlock() }
    }

    /// A file by itself, as an entry of no name.
    private final class OneFile: FileSystemSource {
        private let file: Descriptor
        private let status: stat
        private let contents: FileSource
        private var isRead = false

        init(_ file: Descriptor, _ status: stat, name: String) throws {
            self.file = file
            self.status = status
            contents = FileSource(file, name: name, size: Int64(status.st_size))
        }

        var currentFile: Descriptor? { file }

        func next() throws -> TreeEntry? {
            guard !isRead else { return nil }
            isRead = true
            return TreeEntry(
                path: .root, kind: .file(size: Int64(status.st_size)),
                attributes: FileAttributes(
                    mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid,
                    modified: (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)),
                announcedBytes: Int64(status.st_size))
        }

        func nextBlock() throws -> FileBlock? { try contents.nextBlock() }
    }
}
