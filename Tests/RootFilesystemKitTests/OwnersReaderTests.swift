// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// What is the caller's own and shut to him, as Fedora's `/etc/shadow` of mode 000, is read all the same, and left as it
/// is.
@Suite struct OwnersReaderTests {
    let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        try workspace.write("from/etc/shadow", "root:*:19000::::::\n")
        try workspace.write("from/etc/hosts", "localhost")
        try workspace.write("from/shut/deep/file", "inside")
        symlink("deep/file", workspace("from/shut/link"))
        link(workspace("from/etc/shadow"), workspace("from/etc/gshadow"))
        for (name, mode) in [("etc/shadow", mode_t(0)), ("shut/deep", 0o600), ("shut", 0)] {
            chmod(workspace("from/\(name)"), mode)
        }
    }

    private func expectUntouched() throws {
        #expect(try workspace.status("from/etc/shadow").st_mode & 0o7777 == 0)
        #expect(try workspace.status("from/shut").st_mode & 0o7777 == 0)
    }

    private func expectCopy(_ root: String) throws {
        #expect(try workspace.describe(root) == workspace.describe("from"))
        let lines = try workspace.describe(root)
        #expect(lines.count == 9)
        #expect(try workspace.status("\(root)/etc/shadow").st_mode & 0o7777 == 0)
        #expect(try workspace.status("\(root)/etc/shadow").st_size == 19)
        chmod(workspace("\(root)/shut"), 0o700)
        chmod(workspace("\(root)/shut/deep"), 0o700)
        #expect(workspace.read("\(root)/shut/link") == "inside")
        try expectUntouched()
    }

    @Test(arguments: ["x.tar", "x.tar.zst", "x.squashfs"])
    func isExported(_ file: String) throws {
        try Exporter(progress: ProgressReport(quiet: true))
            .export(workspace.destination("from"), to: workspace(file))
        try workspace.importRoot(workspace(file))
        try expectCopy("root")
    }

    @Test func isCopied() throws {
        try workspace.importRoot(workspace("from"))
        try expectCopy("root")
    }

    @Test func isStaged() throws {
        mkdir(workspace("node"), 0o755)
        let path = try Stager(progress: ProgressReport(quiet: true))
            .stage(workspace("from"), in: workspace("node"))
        try expectCopy(String(path.dropFirst(workspace.path.utf8.count + 1)))
    }

    /// A pack is a tar with the tree below `root`.
    @Test func isPacked() throws {
        let tree = try ArchiveWriterScratch.pack(workspace("from"), to: workspace("x.tar"))
        #expect(tree == 9)
        let listed = try ExternalTool(name: "tar", package: "tar")
            .run(["-tf", workspace("x.tar")], cannot: "list", "x.tar")
        #expect(String(decoding: listed, as: UTF8.self).contains("root/shut/deep/file"))
        try expectUntouched()
    }

    /// Deeper than directories are kept open: the way back leads through a shut one, too.
    @Test func depthMakesNoDifference() throws {
        let deep = (0..<60).map { "d\($0)" }.joined(separator: "/")
        try workspace.write("from/\(deep)/file", "x")
        try workspace.write("from/d0/d1/z", "x")
        chmod(workspace("from/" + (0..<50).map { "d\($0)" }.joined(separator: "/")), 0)
        let reader = try TreeReader(path: workspace("from"))
        var count = 0
        while try reader.next() != nil { count += 1 }
        #expect(count == 9 + 60 + 2)
    }
}

/// The part of a pack that is the tree.
enum ArchiveWriterScratch {
    static func pack(_ source: String, to file: String) throws -> Int {
        let output = try PartialFile(for: file)
        let writer = try ArchiveWriter(
            to: output.file, name: file, compression: .none, latest: Int(UInt32.max))
        let reader = try TreeReader(path: source)
        var count = 0
        while try reader.next() != nil { count += 1 }
        let tree = try PackTree(writer, name: "pack", modified: 0)
        try tree.root(source, nil) { _ in }
        try writer.finish()
        try output.commit()
        return count
    }
}
