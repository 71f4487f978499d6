// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
import Glibc
import RootFilesystemKit

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the root file systems in the store.")

    @OptionGroup var common: CommonOptions
    @Flag(help: "Print a JSON array, for programs.") var json = false

    /// What a program may rely on. Bytes are those that the files take.
    private struct Item: Encodable {
        let name, path: String
        let size: Int64
        let suite, architecture, origin: String?
    }

    func run() throws {
        if json {
            let items = try common.store.list(warn: common.warn).map {
                Item(
                    name: $0.name, path: "\(common.store.directory)/\($0.name)", size: $0.size,
                    suite: $0.image.suite, architecture: $0.image.architecture,
                    origin: $0.image.origin)
            }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            return try printOutput(
                String(decoding: try encoder.encode(items), as: UTF8.self) + "\n")
        }
        let rows = try common.store.list(warn: common.warn).map { item in
            [
                item.name, Self.readable(item.size), item.image.suite ?? "-",
                item.image.architecture ?? "-", item.image.origin ?? "-",
            ].map(\.harmlessLine)
        }
        let heading = common.quiet ? [] : [["NAME", "SIZE", "SUITE", "ARCHITECTURE", "ORIGIN"]]
        if !rows.isEmpty { try printOutput(Self.table(heading + rows)) }
    }

    /// Columns as wide as their widest cell; the last is left ragged.
    private static func table(_ rows: [[String]]) -> String {
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.dropLast().enumerated().map { column, cell in
                cell + String(repeating: " ", count: widths[column] - cell.count)
            }
            return (cells + row.suffix(1)).joined(separator: "  ") + "\n"
        }.joined()
    }

    static func readable(_ bytes: Int64) -> String {
        let tenths = (bytes * 10 + 1 << 29) >> 30
        return bytes < 1 << 30
            ? "\((bytes + (1 << 20) - 1) >> 20) MiB"
            : "\(tenths / 10).\(tenths % 10) GiB"
    }
}

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is known of a rootfs: where it came from, how it wants to be run.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The rootfs.") var name: String

    func run() throws {
        let destination = try common.destination(name)
        guard destination.exists || destination.isImage else { throw destination.notFound }
        try printOutput(
            "path \(destination.path.harmlessLine)\n"
                + destination.image(warn: common.warn).printable)
    }
}

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove root file systems that nothing runs in.",
        discussion: """
            What nsrun-rootfs made, as its record in it says. Of what only looks like a root file system (it has usr \
            and etc) a terminal is asked first; --force answers yes. Nothing else is removed, and never a home \
            directory, a mount point, or a directory that the current one lies in.

            With --unused: what was made for use and can be made again, where nothing uses it: layers of builds, packs \
            that have unfolded themselves, what killed runs have left; and the images that were staged in the \
            directories that are named.
            """)

    @OptionGroup var common: CommonOptions
    @Flag(help: "Remove root file systems that others made, too.") var force = false
    @Flag(help: "Remove what can be made again, and say what it was.") var unused = false
    @Argument(help: "The root file systems; with --unused, directories of staged images.")
    var names: [String] = []

    func validate() throws {
        if names.isEmpty && !unused { throw ValidationError("name what is to be removed") }
    }

    func run() throws {
        if unused { return try removeUnused() }
        try common.store.remove(names.map { try common.destination($0) }, consent)
    }

    private func removeUnused() throws {
        var total: Int64 = 0
        try UnusedFiles(store: common.store).remove(stagedIn: names) { item in
            total += item.size
            let size = List.readable(item.size)
            if common.quiet { return }
            try printOutput("\(item.kind.rawValue): \(item.path.harmlessLine) (\(size))\n")
        }
        if !common.quiet { try printOutput("\(List.readable(total)) freed\n") }
    }

    private var consent: RemovalConsent {
        if force { return .forced }
        return isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1
            ? .asking(Self.ask) : .onlyRecorded
    }

    private static func ask(_ path: String) throws -> Bool {
        let question =
            "nsrun-rootfs: \(path.harmlessLine) was made by something else. Remove it with everything in it? [y/N] "
        writeError(question)
        let answer = try Interruption.readLine()
        return ["y", "yes"].contains(answer.lowercased())
    }
}
