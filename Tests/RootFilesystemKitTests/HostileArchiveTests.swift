// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// An archive that must be refused, and a word of why.
struct HostileArchive: CustomTestStringConvertible {
    let testDescription: String
    let cause: String
    var limit: Int64?
    let bytes: [UInt8]

    init(
        _ description: String, _ cause: String, limit: Int64? = nil,
        _ build: (inout TarBuilder) -> Void
    ) {
        testDescription = description
        self.cause = cause
        self.limit = limit
        bytes = tar(build)
    }

    static let all = [
        HostileArchive("dot-dot", "..") { $0.file("../outside", "evil") },
        HostileArchive("dot-dot inside", "..") { $0.file("a/../../outside", "evil") },
        HostileArchive("dot-dot in a long name", "..") {
            $0.extended("path", Array("x/../../outside".utf8))
            $0.file("harmless", "evil")
        },
        HostileArchive("hard link out of the tree", "..") {
            $0.hardLink("link", to: "../outside")
            $0.file("link", "evil")
        },
        HostileArchive("hard link to an absolute path", "does not have") {
            $0.hardLink("link", to: "/etc/hostname")
        },
        HostileArchive("hard link to what is not there", "does not have") {
            $0.hardLink("link", to: "nothing")
        },
        HostileArchive("hard link to a directory", "directory") {
            $0.directory("a")
            $0.hardLink("link", to: "a")
        },
        HostileArchive("hard link to the root", "directory") { $0.hardLink("link", to: "./") },
        HostileArchive("a file for a root", "root itself") { $0.file(".", "evil") },
        HostileArchive("a file that replaces a directory", "a directory of that name") {
            $0.file("a/b", "x")
            $0.file("a", "evil")
        },
        HostileArchive("a link that replaces a directory", "a directory of that name") {
            $0.directory("a")
            $0.symlink("a", to: "/etc")
            $0.file("a/passwd", "evil")
        },
        HostileArchive("a file as a directory", "not a directory") {
            $0.file("a", "x")
            $0.file("a/b", "evil")
        },
        HostileArchive("a path through a link to nowhere", "leads nowhere") {
            $0.symlink("a", to: "/nowhere/at/all")
            $0.file("a/b", "evil")
        },
        HostileArchive("a loop of links", "level") {
            $0.symlink("a", to: "b")
            $0.symlink("b", to: "a")
            $0.file("a/c", "evil")
        },
        HostileArchive("a bomb that says so", "larger than the limit", limit: 1 << 20) {
            $0.file("bomb", "", claiming: 1 << 30)
        },
        HostileArchive("a bomb of many files", "larger than the limit", limit: 10_000) {
            for index in 0..<20 { $0.file("f\(index)", String(repeating: "x", count: 1000)) }
        },
        HostileArchive("a device with contents", "amaged") { $0.device("dev", contents: "posing") },
        HostileArchive("contents that are missing", "runcated") {
            $0.file("a", "short", claiming: 1 << 20)
        },
        HostileArchive("a sparse file larger than any file", "larger than the limit") {
            $0.extended("GNU.sparse.major", Array("1".utf8))
            $0.extended("GNU.sparse.realsize", Array("9223372036854775807".utf8))
            $0.add("a", type: "0", contents: Array("1\n0\n1\n".utf8), size: 1 << 32)
        },
        HostileArchive("a hole of 8 TiB", "larger than the limit", limit: 50 << 20) {
            $0.sparse("a", size: 8 << 40)
        },
        HostileArchive("holes that add up", "larger than the limit", limit: 50 << 20) {
            for index in 0..<4 { $0.sparse("f\(index)", size: 16 << 20) }
        },
        HostileArchive("100,000 names in a path", "bytes, more than the 4095") {
            $0.extended("path", Array((String(repeating: "a/", count: 100_000) + "x").utf8))
            $0.file("harmless", "x")
        },
        HostileArchive("1,500 names in a path", "1501 directories deep") {
            $0.extended("path", Array((String(repeating: "a/", count: 1500) + "x").utf8))
            $0.file("harmless", "x")
        },
        HostileArchive("a tree that gets deeper and deeper", "1001 directories deep") {
            let path = Array(String(repeating: "a/", count: 1000).utf8)
            for depth in 1...1000 {
                $0.extended("path", Array(path[..<(2 * depth)]))
                $0.directory("a")
            }
            $0.extended("path", path + [UInt8(ascii: "x")])
            $0.file("harmless", "x")
        },
        HostileArchive("a hard link to a place too deep", "directories deep") {
            let path = String(repeating: "a/", count: 1500) + "x"
            $0.extended("linkpath", Array(path.utf8))
            $0.hardLink("link", to: "x")
        },
        HostileArchive("a longer path than the kernel takes", "bytes, more than the 4095") {
            let name = String(repeating: "n", count: 200)
            let path = (0..<30).map { _ in name }.joined(separator: "/")
            $0.extended("path", Array(path.utf8))
            $0.file("harmless", "x")
        },
        HostileArchive("extended attributes without end", "more extended attributes") {
            $0.extended((0..<10_000).map { ("SCHILY.xattr.user.x\($0)", [0]) })
            $0.file("a", "x")
        },
    ]
}

@Suite struct HostileArchiveTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    @Test(arguments: HostileArchive.all) func isRefused(_ archive: HostileArchive) throws {
        try workspace.write("outside", "innocent")
        let source = try workspace.write("evil.tar", archive.bytes)
        let error = failure { try workspace.importRoot(source, limit: archive.limit) }
        let found = try #require(error, "it was imported")
        #expect(found.cause.contains(archive.cause), "\(found)")
        try expectNothingHappened()
    }

    /// Absolute names lie below the new root, and so does what is written through links.
    @Test func absoluteNamesAndLinksStayInside() throws {
        try workspace.write("outside", "innocent")
        try workspace.write("elsewhere/kept", "innocent")
        let archive = tar {
            $0.file("/absolute/file", "inside")
            $0.symlink("out", to: "../../..")
            $0.file("out/outside", "inside")
            $0.directory("tmp")
            $0.symlink("through", to: "../elsewhere")
            $0.directory("elsewhere")
            $0.file("through/kept", "inside")
            $0.symlink("file", to: workspace("outside"))
            $0.file("file", "inside")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        #expect(workspace.read("outside") == "innocent")
        #expect(workspace.read("elsewhere/kept") == "innocent")
        #expect(workspace.read("root/absolute/file") == "inside")
        #expect(workspace.read("root/outside") == "inside")
        #expect(workspace.read("root/elsewhere/kept") == "inside")
        #expect(workspace.read("root/file") == "inside")
    }

    @Test func aDeviceIsNoFile() throws {
        let archive = tar {
            $0.device("dev")
            $0.file("next", "still read")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        #expect(try workspace.status("root/dev").isRegularFile)
        #expect(try workspace.status("root/dev").st_size == 0)
        #expect(try workspace.status("root/dev").st_mode & 0o7777 == 0o666)
        #expect(workspace.read("root/next") == "still read")
    }

    /// 64 MiB of zeros that come as some 60 KiB of gzip.
    @Test func aCompressedBombIsRefused() throws {
        let zeros = String(repeating: "\u{0}", count: 64 << 20)
        let plain = try workspace.write("bomb.tar", tar { $0.file("zeros", zeros) })
        try ExternalTool(name: "gzip", package: "gzip").run([plain], cannot: "compress", plain)
        let error = failure { try workspace.importRoot(workspace("bomb.tar.gz"), limit: 1 << 20) }
        #expect(error?.cause.contains("limit") == true)
        #expect(error?.remedy?.contains("--max-size") == true)
        #expect(try workspace.names() == ["bomb.tar.gz"])
    }

    /// The error says what is wrong with the archive, whatever the disk has room for.
    @Test(arguments: [0, 1 << 20, Int64.max]) func theLimitComesBeforeTheDisk(room: Int64) {
        let budget = ExtractionBudget(maximum: 50 << 20, room: room)
        let error = failure {
            try budget.spendSize(8 << 40, data: 8 << 40, on: EntryPath("file"))
        }
        #expect(error?.cause == "the contents are larger than the limit of 52428800 bytes")
    }

    @Test func aFullDiskIsSaid() {
        let budget = ExtractionBudget(maximum: 50 << 20, room: 1000)
        let error = failure { try budget.spendSize(2000, data: 2000, on: EntryPath("file")) }
        #expect(error?.cause.contains("more than the 1000 bytes that are free") == true)
        let hole = failure { try budget.spendSize(2000, data: 10, on: EntryPath("file")) }
        #expect(hole == nil)
        #expect(failure { try budget.spend(1001, on: EntryPath("file")) } != nil)
    }

    /// An archive, and then the same, zeros if nothing else, for as long as somebody reads.
    private final class EndlessStream: ByteStream {
        private var archive: BlockBuffer?
        private let rest: BlockBuffer
        private var current: BlockBuffer?
        private(set) var given = 0

        init(_ bytes: [UInt8], then rest: BlockBuffer? = nil) {
            let archive = BlockBuffer(size: bytes.count)
            archive.bytes.copyBytes(from: bytes)
            let zeros = BlockBuffer(size: 256 << 10)
            zeros.bytes.initializeMemory(as: UInt8.self, repeating: 0)
            self.archive = archive
            self.rest = rest ?? zeros
        }

        func read() -> UnsafeRawBufferPointer? {
            current = archive ?? rest
            archive = nil
            given += current?.bytes.count ?? 0
            return current.map { UnsafeRawBufferPointer($0.bytes) }
        }
    }

    /// The map of a sparse file, say, of which every line takes a place in memory.
    @Test func whatDescribesAnEntryHasAnEnd() throws {
        var builder = TarBuilder()
        builder.extended([
            ("GNU.sparse.major", [UInt8(ascii: "1")]), ("GNU.sparse.minor", [UInt8(ascii: "0")]),
            ("GNU.sparse.name", [UInt8(ascii: "a")]),
            ("GNU.sparse.realsize", Array("1000000".utf8)),
        ])
        let size = 30 << 20
        builder.add(
            "a", type: "0",
            contents: Array(("99999999\n0" + String(repeating: "\n0", count: 251)).utf8), size: size
        )
        let map = BlockBuffer(size: 1 << 20)
        for index in map.bytes.indices {
            map.bytes[index] = index % 2 == 0 ? UInt8(ascii: "\n") : UInt8(ascii: "0")
        }
        let stream = EndlessStream(builder.bytes, then: map)
        let tree = try TarTree(stream, name: "a.tar", budget: ExtractionBudget())
        #expect(failure { _ = try tree.next() } != nil)
        #expect(stream.given < 20 << 20)
    }

    @Test func paddingHasAnEnd() throws {
        let budget = ExtractionBudget(maximum: 1 << 10)
        let stream = EndlessStream(tar { $0.file("a", "x") })
        let writer = TreeWriter(root: try RootDirectory(opening: workspace.path), budget: budget)
        let error = failure {
            try writer.writeAll(from: TarTree(stream, name: "a.tar", budget: budget))
        }
        #expect(error?.cause.contains("it unfolds into more than its files") == true)
    }

    /// What directories are to look like at the end has to be remembered until then.
    @Test func memoryHasAnEnd() throws {
        let writer = TreeWriter(
            root: try RootDirectory(opening: workspace.path), budget: ExtractionBudget())
        let value = ExtendedAttribute(
            name: ByteString("user.x"), value: [UInt8](repeating: 0, count: 60 << 10))
        let attributes = FileAttributes(
            mode: 0o755, owner: 0, group: 0, modified: (0, 0), extended: [value])
        let source = try TreeReader(path: workspace.path)
        let error = failure {
            for index in 0..<10_000 {
                let path = try EntryPath(archived: ByteString("d\(index)"))
                try writer.write(
                    TreeEntry(path: path, kind: .directory, attributes: attributes),
                    from: source)
            }
        }
        #expect(error?.cause.contains("more about its directories") == true)
    }

    /// Directories that are only named on the way are entries too, and so is what a layer takes away.
    @Test func whatIsNotListedCountsToo() throws {
        let root = try RootDirectory(opening: workspace.path)
        let writer = TreeWriter(root: root, budget: ExtractionBudget(entries: 50))
        let archive = tar { $0.file(String(repeating: "a/", count: 49) + "x") }
        let stream = try FileStream(opening: workspace.write("a.tar", archive))
        try writer.writeAll(
            from: TarTree(stream, name: "a.tar", budget: ExtractionBudget()))
        #expect(failure { try writer.budget.spendEntry(EntryPath("x")) } != nil)

        let layers = TreeWriter(root: root, budget: ExtractionBudget(entries: 1000))
        layers.beginLayer()
        let again = failure { for _ in 0..<1000 { try layers.makeOpaque(EntryPath("a")) } }
        #expect(again?.cause.contains("too many entries") == true)
    }

    @Test func tooManyEntriesAreRefused() throws {
        let root = try RootDirectory(opening: workspace.path)
        let writer = TreeWriter(root: root, budget: ExtractionBudget(entries: 5))
        let archive = tar { for index in 0..<6 { $0.file("f\(index)") } }
        let stream = try FileStream(opening: workspace.write("a.tar", archive))
        let error = failure {
            try writer.writeAll(
                from: TarTree(stream, name: "a.tar", budget: ExtractionBudget()))
        }
        #expect(error?.cause.contains("too many entries") == true)
    }

    @Test(arguments: ["gzip", "bzip2", "xz", "zstd"])
    func truncatedAndCorruptStreamsAreRefused(_ compressor: String) throws {
        var noise = SystemRandomNumberGenerator()
        let contents = (0..<40_000).map { _ in UInt8.random(in: 0...255, using: &noise) }
        let archive = tar { $0.add("noise", type: "0", contents: contents) }
        let plain = try workspace.write("evil.tar", archive)
        let tool = ExternalTool(name: compressor, package: compressor)
        try tool.run(["-f", "-k", plain], cannot: "compress", plain)
        let suffix = ["gzip": "gz", "bzip2": "bz2", "xz": "xz", "zstd": "zst"][compressor] ?? ""
        let packed = Array(try Data(contentsOf: URL(fileURLWithPath: plain + "." + suffix)))
        unlink(plain + "." + suffix)
        try workspace.write("outside", "innocent")
        for cut in [20, packed.count / 2, packed.count - 5] {
            let source = try workspace.write("evil.tar", Array(packed[..<cut]))
            #expect(failure { try workspace.importRoot(source) } != nil, "cut to \(cut) bytes")
            try expectNothingHappened()
        }
        var damaged = packed
        damaged[packed.count / 2] ^= 0x55
        // zstd(1) adds a checksum, which libarchive's library verifies like the others.
        let source = try workspace.write("evil.tar", damaged)
        #expect(failure { try workspace.importRoot(source) } != nil, "one byte changed")
        try expectNothingHappened()
    }

    @Test func aTarCutBetweenEntriesIsRefused() throws {
        var builder = TarBuilder()
        builder.file("a", "x")
        builder.file("b", String(repeating: "y", count: 512))
        try workspace.write("outside", "innocent")
        let source = try workspace.write("evil.tar", builder.bytes)
        let error = failure { try workspace.importRoot(source) }
        #expect(error?.cause.contains("cut short") == true)
        try expectNothingHappened()
    }

    @Test func whatIsNoArchiveIsRefused() throws {
        try workspace.write("outside", "innocent")
        for bytes in [[], Array("not an archive at all".utf8), [UInt8](repeating: 7, count: 4096)] {
            let source = try workspace.write("evil.tar", bytes)
            #expect(failure { try workspace.importRoot(source) } != nil)
            try expectNothingHappened()
        }
    }

    private func expectNothingHappened() throws {
        #expect(try workspace.names() == ["evil.tar", "outside"])
        #expect(workspace.read("outside") == "innocent")
    }
}
