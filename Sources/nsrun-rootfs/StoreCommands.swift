import ArgumentParser
import Foundation
import RootFilesystemKit

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the root file systems in the store.")

    @OptionGroup var common: CommonOptions

    func run() throws {
        let rows = try common.store.list().map { item in
            [
                item.name, Self.readable(item.size), item.image.suite ?? "-",
                item.image.architecture ?? "-", item.image.origin ?? "-",
            ]
        }
        let heading = common.quiet ? [] : [["NAME", "SIZE", "SUITE", "ARCHITECTURE", "ORIGIN"]]
        if !rows.isEmpty { print(Self.table(heading + rows), terminator: "") }
    }

    /// Columns as wide as their widest cell; the last is left ragged.
    private static func table(_ rows: [[String]]) -> String {
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = row.dropLast().enumerated().map { column, cell in
                cell.padding(toLength: widths[column], withPad: " ", startingAt: 0)
            }
            return (cells + row.suffix(1)).joined(separator: "  ") + "\n"
        }.joined()
    }

    private static func readable(_ bytes: Int64) -> String {
        bytes < 1 << 30
            ? "\((bytes + (1 << 20) - 1) >> 20) MiB"
            : String(format: "%.1f GiB", Double(bytes) / Double(1 << 30))
    }
}

struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what is known of a rootfs: where it came from, how it wants to be run.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The rootfs.") var name: String

    func run() throws {
        let destination = try common.destination(name)
        guard destination.exists else { throw common.store.notFound(destination) }
        print("path \(destination.path)")
        print(destination.image.encoded, terminator: "")
    }
}

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a rootfs that nothing runs in.")

    @OptionGroup var common: CommonOptions
    @Argument(help: "The rootfs.") var name: String

    func run() throws {
        try common.store.remove(common.destination(name))
    }
}
