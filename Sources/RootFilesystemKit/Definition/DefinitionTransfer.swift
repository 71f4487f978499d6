// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A line of %files: what is copied, as cp(1) would with `-fLr`, and where to.
struct DefinitionTransfer: Equatable {
    var line: Int
    var source: String
    /// Nil for the place where it was.
    var target: String?
    /// The name of an earlier stage; nil for this host.
    var stage: String?

    static func all(
        in stage: DefinitionFile.Stage
    ) throws(ContainerfileError) -> [DefinitionTransfer] {
        var found: [DefinitionTransfer] = []
        for section in stage.sections where section.name == .files {
            let words = section.arguments.split(whereSeparator: ContainerfileLines.isBlank)
            guard words.isEmpty || words.count == 2 && words[0].lowercased() == "from" else {
                throw ContainerfileError(
                    section.line, "%files \(section.arguments.prefix(80)) is not known",
                    remedy: "write %files, or %files from STAGE")
            }
            for line in section.lines {
                let parts = try split(line)
                guard let source = parts.first else { continue }
                guard parts.count < 3, !source.isEmpty else {
                    throw ContainerfileError(
                        line.number, "%files has a file and its place in each line",
                        remedy: "put quotes (\") around a name with blanks")
                }
                let target = parts.count > 1 && !parts[1].isEmpty ? parts[1] : nil
                found.append(
                    DefinitionTransfer(
                        line: line.number, source: source, target: target,
                        stage: words.last.map(String.init)))
            }
        }
        // Those of stages come first, wherever they stand.
        return found.filter { $0.stage != nil } + found.filter { $0.stage == nil }
    }

    /// The words of a line, without a comment; blanks in quotes are theirs.
    private static func split(
        _ line: DefinitionFile.Line
    ) throws(ContainerfileError) -> [String] {
        var words: [String] = []
        var word: String?
        var quote: Character?
        for character in line.text {
            if let open = quote {
                if character == open { quote = nil } else { word = (word ?? "") + [character] }
            } else if character == "\"" || character == "'" {
                quote = character
                word = word ?? ""
            } else if ContainerfileLines.isBlank(character) {
                if let word { words.append(word) }
                word = nil
            } else if character == "#", word == nil {
                break
            } else {
                word = (word ?? "") + [character]
            }
        }
        if let quote {
            throw ContainerfileError(line.number, "a quote (\(quote)) is not closed")
        }
        if let word { words.append(word) }
        return words
    }

    // MARK: - Copying

    /// Links that lead to links, and directories that are reached by them.
    private static let deepest = 40

    /// Copies it into a tree. `origin` is where it comes from; nil for this host.
    func copy(from origin: RootDirectory?, to writer: TreeWriter) throws {
        let here = FileManager.default.currentDirectoryPath
        let isRelative = origin == nil && !source.hasPrefix("/")
        let place = Self.normal(isRelative ? here + "/" + source : source)
        let context = BuildContext(try origin ?? RootDirectory(opening: "/"))
        let found = try context.find(place)
        guard !found.isEmpty else {
            throw ContainerfileError(line, "there is no \(source)")
        }
        let base = isRelative ? try EntryPath(archived: ByteString(here)) : .root
        for path in found {
            let target = try self.target(of: path, below: base, in: writer.root)
            try copy(path, to: target, of: context, dereferencing: origin == nil, writer, depth: 0)
        }
    }

    /// Where a path that was found goes.
    private func target(
        of path: EntryPath, below base: EntryPath, in root: RootDirectory
    ) throws -> EntryPath {
        guard let written = target else {
            // Where it was; of what was named by way of here, as it was named.
            let names = path.names
            let isBelow = names.starts(with: base.names)
            return isBelow
                ? names.dropFirst(base.names.count).reduce(.root) { $0.appending($1) }
                : EntryPath.root.appending(path.name)
        }
        let target = try EntryPath(archived: ByteString(Self.normal(written)))
        let isThere = try root.openIfThere(target, O_RDONLY | O_DIRECTORY) != nil
        return written.hasSuffix("/") || isThere ? target.appending(path.name) : target
    }

    private func copy(
        _ path: EntryPath, to target: EntryPath, of context: BuildContext,
        dereferencing: Bool, _ writer: TreeWriter, depth: Int
    ) throws {
        guard depth < Self.deepest else {
            throw RootFilesystemError(cannot: "copy", path.printable, errno: ELOOP)
        }
        let file = try context.open(path)
        if try file.status(cannot: "examine", path.printable).isDirectory {
            // It is there though nothing may be in it.
            _ = try writer.slot(for: target.appending(ByteString("x")))
        }
        let selection = try context.source(path, at: target)
        while let entry = try selection.next() {
            guard dereferencing, case .symbolicLink = entry.kind else {
                try writer.write(entry, from: selection)
                continue
            }
            let inner = entry.path.names.dropFirst(target.names.count).reduce(path) {
                $0.appending($1)
            }
            try copy(
                inner, to: entry.path, of: context, dereferencing: true, writer, depth: depth + 1)
        }
    }

    /// Without `.`, `..` and doubled slashes; one at the end goes, too.
    private static func normal(_ path: String) -> String {
        var names: [Substring] = []
        for name in path.split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        return "/" + names.joined(separator: "/")
    }
}
