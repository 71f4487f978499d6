// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

@Suite struct ExportTests {
    let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        try workspace.write("from/etc/hosts", "localhost")
        try workspace.write("from/usr/bin/su", "x")
        try workspace.write("from/empty", "")
        symlink("../etc/hosts", workspace("from/usr/link"))
        link(workspace("from/etc/hosts"), workspace("from/usr/again"))
        mkfifo(workspace("from/pipe"), 0o640)
        mkdir(workspace("from/tmp"), 0o755)
        chmod(workspace("from/tmp"), 0o1777)
        chmod(workspace("from/usr/bin/su"), 0o751)
        let long = String(repeating: "l", count: 120)
        try workspace.write("from/\(long)/\(long)/e\u{301}", "long")
        let raw: [UInt8] = Array(workspace("from/").utf8) + [0xff, 0xfe, 0]
        raw.withUnsafeBufferPointer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { name in
                if let start = name.baseAddress { close(open(start, O_CREAT | O_WRONLY, 0o600)) }
            }
        }
        try makeSparse("from/sparse")
        // Names in the tree are older than any clamp but this one.
        for name in ["from/etc/hosts", "from/usr/bin"] { try setTime(name, 4_000_000_000) }
        for name in ["from/empty", "from/tmp"] { try setTime(name, 1_000_000_000) }
    }

    /// Data, 8 MiB of hole, data, and a hole to the end.
    private func makeSparse(_ name: String) throws {
        let file = try Descriptor(
            open(workspace(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0o644), cannot: "create", name)
        pwrite(file.number, "begin", 5, 0)
        pwrite(file.number, "end", 3, 8 << 20)
        ftruncate(file.number, 16 << 20)
    }

    private func setTime(_ name: String, _ seconds: Int) throws {
        let times = [timespec(tv_sec: seconds, tv_nsec: 0), timespec(tv_sec: seconds, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, workspace(name), times, AT_SYMLINK_NOFOLLOW) == 0)
    }

    private func export(_ file: String) throws {
        try Exporter(progress: ProgressReport(quiet: true))
            .export(workspace.destination("from"), to: workspace(file))
    }

    @Test(arguments: ["x.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz", "x.tar.zst", "x.squashfs"])
    func comesBackTheSame(_ file: String) throws {
        try export(file)
        try workspace.importRoot(workspace(file))
        #expect(try workspace.describe("root") == workspace.describe("from"))
        let sparse = try workspace.status("root/sparse")
        #expect(sparse.st_size == 16 << 20)
        #expect(sparse.st_blocks * 512 < 4 << 20)
        #expect(try workspace.status("root/usr/again").st_nlink == 2)
    }

    @Test(arguments: ["x.tar", "x.tar.gz", "x.tar.xz", "x.tar.zst", "x.squashfs", "x.sif"])
    func theSameTreeGivesTheSameBytes(_ file: String) throws {
        try export(file)
        let first = try Data(contentsOf: URL(fileURLWithPath: workspace(file)))
        // Reading changes access times, and a copy has other inodes and another order on disk.
        _ = try workspace.describe("from")
        try workspace.importRoot(workspace("from"), "copy")
        rename(workspace("from"), workspace("original"))
        rename(workspace("copy"), workspace("from"))
        try export(file)
        #expect(try Data(contentsOf: URL(fileURLWithPath: workspace(file))) == first)
    }

    @Test func extendedAttributesComeBack() throws {
        // In a file system without user attributes there is nothing to bring back.
        let attribute = ExtendedAttribute(name: ByteString("user.color"), value: [0, 1, 0xff])
        let source = try TreeReader(path: workspace("from"))
        let writer = TreeWriter(
            root: try RootDirectory(opening: workspace("from")), budget: ExtractionBudget())
        while let entry = try source.next() {
            guard entry.path == EntryPath("empty") else { continue }
            var colored = entry
            colored.attributes.extended = [attribute]
            try writer.write(colored, from: source)
        }
        let supported = writer.attributes.lostAttributes == 0
        for file in ["x.tar", "x.squashfs"] {
            try export(file)
            try workspace.importRoot(workspace(file), file + ".d")
            #expect(try workspace.describe(file + ".d") == workspace.describe("from"))
        }
        #expect(try workspace.describe("from").contains { $0.contains("user.color") } == supported)
    }

    @Test func timesAreClampedToSourceDateEpoch() throws {
        #expect(try Exporter.latestTime(environment: [:]) == 4_294_967_295)
        #expect(try Exporter.latestTime(environment: ["SOURCE_DATE_EPOCH": "12"]) == 12)
        #expect(
            failure {
                _ = try Exporter.latestTime(environment: ["SOURCE_DATE_EPOCH": "yesterday"])
            }?.cause == "it is not a number of seconds")
        let output = try PartialFile(for: workspace("x.tar"))
        let writer = try ArchiveWriter(
            to: output.file, name: "x.tar", compression: .none, latest: 2_000_000_000)
        let reader = try TreeReader(path: workspace("from"))
        while let entry = try reader.next() { try writer.write(entry, from: reader) }
        try writer.finish()
        try output.commit()
        try workspace.importRoot(workspace("x.tar"))
        #expect(try workspace.status("root/etc/hosts").st_mtim.tv_sec == 2_000_000_000)
        #expect(try workspace.status("root/tmp").st_mtim.tv_sec == 1_000_000_000)
    }

    @Test func anUnknownSuffixIsRefused() throws {
        let error = failure { try export("x.zip") }
        #expect(error?.cause == "the suffix names no format")
        #expect(try workspace.names() == ["from"])
    }

    @Test func aFailingToolIsQuoted() throws {
        var exporter = Exporter(progress: ProgressReport(quiet: true))
        exporter.blockSize = 12345
        let error = failure {
            try exporter.export(workspace.destination("from"), to: workspace("x.squashfs"))
        }
        #expect(error?.cause.contains("mksquashfs failed with status 1\n  ") == true)
        #expect(try workspace.names() == ["from"])
    }
}
