// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// What COPY or ADD puts into a root, and where.
struct TreeTransfer {
    let context: BuildContext
    /// Archives are unpacked.
    let unpacks: Bool
    /// For all that is copied; nil for what each has.
    let mode: UInt32?
    let root: RootDirectory
    private(set) var sources: [EntryPath] = []
    private(set) var target = EntryPath.root
    /// The target is where files go into, and not what a file is to be.
    private(set) var isDirectory = false

    init(context: BuildContext, unpacks: Bool, mode: UInt32?, root: RootDirectory) {
        self.context = context
        self.unpacks = unpacks
        self.mode = mode
        self.root = root
    }

    /// Looks up what the words mean.
    mutating func find(_ words: [String], line: Int) throws {
        var missing: String?
        for word in words {
            let found = try context.find(word)
            sources += found
            if found.isEmpty { missing = word }
            // A pattern may mean nothing, as long as something else is there.
            if found.isEmpty, GlobPattern(ByteString(word)).isPlain { break }
        }
        guard let missing, sources.isEmpty || GlobPattern(ByteString(missing)).isPlain else {
            return
        }
        throw ContainerfileError(
            line, "there is no \(missing) in the context, or it is left out of it",
            remedy: "the context is the Containerfile's directory, or --context DIR; "
                + ".containerignore leaves files out")
    }

    /// `written` may say by its end that it is a directory.
    mutating func setTarget(_ path: String, asWritten written: String) throws {
        target = try EntryPath(archived: ByteString(path))
        let saysSo = written.hasSuffix("/") || written == "." || written.hasSuffix("/.")
        let opened = root.open(target, O_RDONLY | O_DIRECTORY)
        let isThere = (try? Descriptor(opened, cannot: "open", path)) != nil
        isDirectory = saysSo || isThere
    }

    /// A hash of names, modes and contents, and not of times: what is copied is the same where these are.
    func digest() throws -> String {
        var hash = SHA256()
        for source in sources {
            let selection = try context.source(source, at: .root)
            while let entry = try selection.next() {
                var line = source.joined.bytes + [0] + entry.path.joined.bytes + [0]
                line += Array("\(entry.kind) \(entry.attributes.mode)\n".utf8)
                hash.update(line)
                while let block = try selection.nextBlock() {
                    hash.update(Array("\(block.offset) \(block.bytes.count)\n".utf8))
                    hash.update(block.bytes)
                }
            }
        }
        return hash.finish()
    }

    func write(to writer: TreeWriter) throws {
        for source in sources {
            let file = try context.open(source)
            let status = try file.status(cannot: "examine", source.printable)
            if status.isDirectory {
                _ = try writer.slot(for: target.appending(ByteString("x")))
                try write(context.source(source, at: target), to: writer)
                continue
            }
            if unpacks, let archive = try archive(file, source, writer.budget) {
                try unpack(archive, to: writer)
                continue
            }
            let place = isDirectory ? target.appending(source.name) : target
            try write(context.source(source, at: place), to: writer)
        }
    }

    private func write(_ source: some EntrySource, to writer: TreeWriter) throws {
        while var entry = try source.next() {
            if let mode {
                switch entry.kind {
                case .file, .directory: entry.attributes.mode = mode
                case .symbolicLink, .hardLink, .fifo, .device: break
                }
            }
            try writer.write(entry, from: source)
        }
    }

    // MARK: - Archives

    /// A tar, whatever it is compressed with; nil for everything else.
    private func archive(
        _ file: Descriptor, _ path: EntryPath, _ budget: ExtractionBudget
    ) throws -> TarTree? {
        let name = path.printable
        guard try file.status(cannot: "examine", name).isRegularFile else { return nil }
        do {
            let contents = try PeekedStream(
                ThreadedStream.decompressing(file, name: name), count: FileSignature.length)
            guard FileSignature.isTar(contents.head) else { return nil }
            return try TarTree(contents, name: name, requiresEnd: false, budget: budget)
        } catch is RootFilesystemError {
            // Something that only begins like a compressed file is a file.
            return nil
        }
    }

    private func unpack(_ archive: TarTree, to writer: TreeWriter) throws {
        _ = try writer.slot(for: target.appending(ByteString("x")))
        while var entry = try archive.next() {
            if entry.path.isRoot { continue }
            entry.path = target.appending(entry.path)
            if case .hardLink(let other) = entry.kind {
                entry.kind = .hardLink(to: target.appending(other))
            }
            try writer.write(entry, from: archive)
        }
    }
}
