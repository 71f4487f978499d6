// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Set-id bits: a root file system that an ordinary user makes has none, wherever it comes from and goes.
@Suite struct SetIDTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private static let entries: @Sendable (inout TarBuilder) -> Void = {
        $0.directory("./", mode: 0o6755)
        $0.directory("var/mail", mode: 0o2775)
        $0.directory("tmp", mode: 0o1777)
        $0.file("bin/su", "su", mode: 0o4755)
        $0.file("bin/wall", "wall", mode: 0o2755)
        $0.file("bin/both", "both", mode: 0o6711)
        $0.hardLink("bin/again", to: "bin/su")
        $0.file("bin/plain", "plain", mode: 0o755)
        $0.symlink("bin/link", to: "su")
        $0.device("dev")
    }

    /// What is left of the modes: all but set-id bits.
    private func expectNone(
        _ name: String = "root", sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let seen = try ExternalTool(name: "find", package: "findutils")
            .run([workspace(name), "-perm", "/6000"], cannot: "search", name)
        #expect(
            String(decoding: seen, as: UTF8.self) == "", sourceLocation: sourceLocation)
        for (file, mode) in [("bin/su", 0o755), ("bin/both", 0o711), ("bin/plain", 0o755)] {
            #expect(
                try workspace.status("\(name)/\(file)").st_mode & 0o7777 == mode_t(mode),
                "\(file)", sourceLocation: sourceLocation)
        }
        #expect(
            try workspace.status("\(name)/tmp").st_mode & 0o7777 == 0o1777,
            sourceLocation: sourceLocation)
    }

    /// As an older version, or the programs in the root, have left it.
    private func makeTree(_ name: String) throws {
        try workspace.importRoot(workspace.write("a.tar", tar(Self.entries)), name)
        for (file, mode) in [
            ("bin/su", 0o4755), ("bin/wall", 0o2755), ("bin/both", 0o6711), ("var/mail", 0o2775),
            ("", 0o2755),
        ] {
            #expect(chmod(workspace("\(name)/\(file)"), mode_t(mode)) == 0)
        }
    }

    @Test func ofATar() throws {
        try workspace.importRoot(workspace.write("a.tar", tar(Self.entries)))
        try expectNone()
        #expect(try workspace.status("root/bin/again").st_nlink == 2)
    }

    @Test func ofADirectory() throws {
        try makeTree("from")
        try workspace.importRoot(workspace("from"))
        try expectNone()
    }

    @Test func ofASquashfs() throws {
        try makeTree("from")
        try ExternalTool(name: "mksquashfs", package: "squashfs-tools").run(
            [workspace("from"), workspace("a.squashfs"), "-quiet", "-no-progress"],
            cannot: "pack", "from")
        try workspace.importRoot(workspace("a.squashfs"))
        try expectNone()
    }

    @Test func ofAPackage() throws {
        func unpack(_ name: String, _ build: (inout TarBuilder) -> Void) throws {
            try PackageUnpacker(progress: ProgressReport(quiet: true))
                .unpack([workspace.package(name) { build(&$0) }], to: workspace.destination("root"))
        }
        try unpack("a", Self.entries)
        try expectNone()
        // What is there already when the next one comes.
        chmod(workspace("root/bin/su"), 0o4755)
        let inode = try workspace.status("root/bin/plain").st_ino
        try unpack("b") { $0.file("etc/x", "x") }
        try expectNone()
        #expect(try workspace.status("root/bin/plain").st_ino == inode, "others are linked")
    }

    @Test(arguments: ["x.tar", "x.squashfs"]) func inAnExport(_ file: String) throws {
        try makeTree("from")
        try Exporter(progress: ProgressReport(quiet: true))
            .export(workspace.destination("from"), to: workspace(file))
        mkdir(workspace("root"), 0o755)
        let unpack =
            file == "x.tar"
            ? ["tar", "-xpf", workspace(file), "-C", workspace("root")]
            : [
                "unsquashfs", "-quiet", "-no-progress", "-f", "-d", workspace("root"),
                workspace(file),
            ]
        if file == "x.squashfs" {
            // unsquashfs leaves them out by itself: what the file says is looked at.
            let list = try ExternalTool(name: "unsquashfs", package: "squashfs-tools")
                .run(["-lln", workspace(file)], cannot: "list", file)
            let modes = String(decoding: list, as: UTF8.self).split(separator: "\n")
                .map { $0.prefix(10) }
            #expect(modes.count > 8 && !modes.contains { $0.contains("s") || $0.contains("S") })
        }
        try ExternalTool(name: unpack[0], package: unpack[0])
            .run(Array(unpack.dropFirst()), cannot: "unpack", file)
        let seen = try ExternalTool(name: "find", package: "findutils")
            .run([workspace("root"), "-perm", "/6000"], cannot: "search", file)
        #expect(seen == [])
    }

    @Test func inAPack() throws {
        try makeTree("from")
        let output = try PartialFile(for: workspace("x.tar"))
        let writer = try ArchiveWriter(
            to: output.file, name: "x.tar", compression: .none, latest: 2_000_000_000)
        try PackTree(writer, name: nil, modified: 0).root(workspace("from"), nil) { _ in }
        try writer.finish()
        try output.commit()
        mkdir(workspace("out"), 0o755)
        try ExternalTool(name: "tar", package: "tar")
            .run(["-xpf", workspace("x.tar"), "-C", workspace("out")], cannot: "unpack", "x.tar")
        rename(workspace("out/root"), workspace("root"))
        try expectNone()
        #expect(access(workspace("root/.nsrun"), F_OK) != 0)
    }

    /// What mmdebstrap leaves, say. Files of subordinate ids: RootfsTests.
    @Test func ofAFinishedTree() throws {
        try makeTree("root")
        let deep = (0..<100).map { _ in "d" }.joined(separator: "/")
        try workspace.write("root/\(deep)/x", "x")
        chmod(workspace("root/\(deep)/x"), 0o4755)
        chmod(workspace("root/bin/wall"), 0o2000)
        try SetIDBits().remove(from: RootDirectory(opening: workspace("root")), workspace("root"))
        try expectNone()
        #expect(try workspace.status("root/bin/wall").st_mode & 0o7777 == 0)
    }

    /// Whose they are makes no difference to who may have them.
    @Test func realRootKeepsThem() {
        #expect(SetIDBits(areKept: true).permitted(0o106755) == 0o6755)
        #expect(SetIDBits(areKept: false).permitted(0o107755) == 0o1755)
        #expect(!SetIDBits().areKept, "tests run as an ordinary user")
    }
}
