// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// What nsrun-rootfs keeps in a root about it: nothing that somebody else brings can be taken for it.
@Suite struct RecordTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private static let evil = "env EVIL=1\ncmd evil\n"

    /// Each way in which an archive may try to place a record, or to send ours elsewhere.
    static let impostors: [(String, @Sendable (inout TarBuilder) -> Void)] = [
        ("a file", { $0.file(".nsrun/image", evil) }),
        (
            "a directory",
            {
                $0.directory("./.nsrun/", mode: 0o777)
                $0.file("./.nsrun/image", evil, mode: 0o666)
            }
        ),
        ("a link to a directory", { $0.symlink(".nsrun", to: "etc") }),
        (
            "a link that is followed by an entry",
            {
                $0.symlink(".nsrun", to: "etc")
                $0.file(".nsrun/image", evil)
            }
        ),
        ("a link out of the tree", { $0.symlink(".nsrun", to: "../outside") }),
        ("an absolute link", { $0.symlink("/.nsrun", to: "/etc") }),
        ("a link for the record", { $0.symlink(".nsrun/image", to: "../etc/evil") }),
        ("a hard link for the record", { $0.hardLink(".nsrun/image", to: "etc/evil") }),
        ("a hard link to the record", { $0.hardLink("copy", to: ".nsrun/image") }),
        (
            "through a link to the root",
            {
                $0.symlink("way", to: "/")
                $0.file("way/.nsrun/image", evil)
            }
        ),
        (
            "through a link to the parent",
            {
                $0.directory("deep/er")
                $0.symlink("deep/er/way", to: "../..")
                $0.file("deep/er/way/.nsrun/image", evil)
            }
        ),
        (
            "through a link to the place itself",
            {
                $0.file(".nsrun/x", "x")
                $0.symlink("way", to: ".nsrun")
            }
        ),
        ("a file in its place", { $0.file(".nsrun", evil) }),
        ("a FIFO in its place", { $0.add(".nsrun", type: "6") }),
        ("a device in its place", { $0.device(".nsrun") }),
    ]

    private func build(_ impostor: (inout TarBuilder) -> Void) -> [UInt8] {
        tar {
            $0.file("etc/evil", Self.evil)
            impostor(&$0)
        }
    }

    /// The record is ours, and there is one.
    private func expectOwnRecord(_ origin: String, _ name: String = "root") throws {
        #expect(try workspace.names("\(name)/.nsrun").contains("image"))
        #expect(try workspace.status("\(name)/.nsrun").isDirectory)
        #expect(try workspace.status("\(name)/.nsrun").st_mode & 0o7777 == 0o755)
        #expect(try workspace.status("\(name)/.nsrun/image").isRegularFile)
        #expect(try workspace.status("\(name)/.nsrun/image").st_mode & 0o7777 == 0o644)
        let text = workspace.read("\(name)/.nsrun/image") ?? ""
        #expect(!text.contains("evil") && !text.contains("EVIL"), "\(text)")
        #expect(text.contains("origin \(origin)\n"), "\(text)")
        #expect(workspace.read("\(name)/etc/evil") == Self.evil)
    }

    @Test(arguments: impostors.indices) func aTarHasNone(_ index: Int) throws {
        try workspace.write("outside/x", "innocent")
        let source = try workspace.write("a.tar", build(Self.impostors[index].1))
        try workspace.importRoot(source)
        try expectOwnRecord(source)
        #expect(try workspace.names("outside") == ["x"])
    }

    @Test(arguments: impostors.indices) func aPackageHasNone(_ index: Int) throws {
        let package = try workspace.package("a") {
            $0.file("etc/evil", Self.evil)
            Self.impostors[index].1(&$0)
        }
        try PackageUnpacker(progress: ProgressReport(quiet: true))
            .unpack([package], to: workspace.destination("root"))
        try expectOwnRecord("Debian packages")
        #expect(try workspace.names("root/.nsrun") == ["image", "packages"])
        // Nor does one that comes later.
        let other = try workspace.package("b") {
            $0.file("etc/evil", Self.evil)
            $0.file("etc/other", "x")
            Self.impostors[index].1(&$0)
        }
        let error = failure {
            try PackageUnpacker(progress: ProgressReport(quiet: true))
                .unpack([other], to: workspace.destination("root"))
        }
        if error == nil { try expectOwnRecord("Debian packages") }
    }

    @Test(arguments: impostors.indices) func aSquashfsHasNone(_ index: Int) throws {
        // Some of the archives are only that: what tar(1) makes of them is packed.
        try workspace.write("a.tar", build(Self.impostors[index].1))
        mkdir(workspace("tree"), 0o755)
        _ = try? ExternalTool(name: "tar", package: "tar")
            .run(["-xf", workspace("a.tar"), "-C", workspace("tree")], cannot: "unpack", "a.tar")
        try ExternalTool(name: "mksquashfs", package: "squashfs-tools").run(
            [workspace("tree"), workspace("a.squashfs"), "-quiet", "-no-progress"],
            cannot: "pack", "a.squashfs")
        try workspace.importRoot(workspace("a.squashfs"))
        try expectOwnRecord(workspace("a.squashfs"))
    }

    @Test func whatIsLeftOutIsSaid() throws {
        let seen = try Self.said { progress in
            let source = try workspace.write("a.tar", build { $0.file(".nsrun/image", Self.evil) })
            try Importer(progress: progress).importRoot(
                source, to: workspace.destination("root"))
        }
        #expect(seen.contains("left out /.nsrun"), "\(seen)")
    }

    /// What a progress report says, in lines.
    private static func said(_ body: (ProgressReport) throws -> Void) throws -> String {
        var lines: [String] = []
        let progress = ProgressReport { lines.append($0) }
        try body(progress)
        return lines.joined()
    }

    /// The other way round: a rootfs that nsrun-rootfs made keeps its record when it is copied.
    @Test func aDirectoryBringsItsOwn() throws {
        try workspace.write("from/etc/hosts", "x")
        try workspace.write("from/.nsrun/image", "user nobody\nenv A=1\norigin elsewhere\n")
        try workspace.importRoot(workspace("from"))
        let image = try workspace.destination("root").image()
        #expect(image.user == "nobody" && image.environment == ["A=1"])
        #expect(image.origin == workspace("from"))
        // By whatever name.
        symlink("from", workspace("link"))
        try workspace.importRoot(workspace("link"), "again")
        #expect(try workspace.destination("again").image().user == "nobody")
    }

    @Test(arguments: [("from/.nsrun/image", 0o666), ("from/.nsrun", 0o777)] as [(String, mode_t)])
    func aDirectoryDoesNotBringSomebodyElses(_ name: String, _ mode: mode_t) throws {
        try workspace.write("from/etc/hosts", "x")
        try workspace.write("from/.nsrun/image", "user nobody\n")
        chmod(workspace(name), mode)
        let seen = try Self.said { progress in
            try Importer(progress: progress).importRoot(
                workspace("from"), to: workspace.destination("root"))
        }
        #expect(seen.contains("the record is ignored"), "\(seen)")
        #expect(seen.contains("others can write to it"), "\(seen)")
        #expect(try workspace.destination("root").image().user == nil)
    }

    /// So the same tree gives the same bytes whatever is known of it.
    @Test(arguments: ["x.tar", "x.squashfs"]) func exportsLeaveThemOut(_ file: String) throws {
        let source = try workspace.write("a.tar", tar { $0.file("etc/.nsrun/kept", "x") })
        try workspace.importRoot(source, "one")
        try workspace.write("a.tar", tar { $0.file("etc/.nsrun/kept", "x") })
        try workspace.importRoot(workspace("one"), "two")
        var bytes: [Data] = []
        for name in ["one", "two"] {
            try Exporter(progress: ProgressReport(quiet: true))
                .export(workspace.destination(name), to: workspace(file))
            bytes.append(try Data(contentsOf: URL(fileURLWithPath: workspace(file))))
        }
        #expect(bytes[0] == bytes[1])
        try workspace.importRoot(workspace(file), "three")
        #expect(try workspace.names("three") == [".nsrun", "etc"])
        #expect(try workspace.names("three/.nsrun") == ["image"])
        #expect(workspace.read("three/etc/.nsrun/kept") == "x")
    }

    /// The tree's own directory looks as it is to look, whatever was put into it.
    @Test(arguments: [0o555, 0o311, 0o755] as [Int])
    func theRootKeepsItsModeAndTime(_ mode: Int) throws {
        let archive = tar {
            $0.directory("./", mode: mode)
            $0.file("x", "x")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        let status = try workspace.status("root")
        #expect(status.st_mode & 0o7777 == mode_t(mode))
        #expect(status.st_mtim.tv_sec == 1_500_000_000)
        #expect(try workspace.destination("root").image().origin == workspace("a.tar"))
    }

    @Test func aRecordThatWouldBeTooLongRefusesTheImage() throws {
        var image = ImageRecord()
        image.environment = [String(repeating: "x", count: 1 << 20)]
        let destination = try workspace.destination("root")
        let error = failure { try PartialTree(for: destination).commit(image) }
        #expect(error?.cause == "it would hold more than 1048576 bytes")
        #expect(try workspace.names() == [])
    }
}

/// Stores that older versions made, with records beside the roots.
@Suite struct LegacyRecordTests {
    let workspace: Workspace
    let store: RootFilesystemStore

    init() throws {
        workspace = try Workspace()
        store = workspace.store
        try workspace.write("store/old/etc/hosts", "x")
        try workspace.write("store/old.image", "origin long ago\nuser nobody\n")
        try workspace.write("store/old.packages", "Package: a\n")
        chmod(store.directory, 0o755)
    }

    private func old() throws -> Destination { try Destination("old", store: store) }

    @Test func theyMoveIntoTheRoot() throws {
        #expect(try old().image().origin == "long ago")
        #expect(try workspace.names("store") == ["old"])
        #expect(try workspace.names("store/old/.nsrun") == ["image", "packages"])
        #expect(workspace.read("store/old/.nsrun/packages") == "Package: a\n")
        #expect(try old().image().user == "nobody")
        // Set-id bits that were kept then do no harm where nobody can get at them.
        #expect(try workspace.status("store").st_mode & 0o7777 == 0o700)
    }

    @Test func listAndRemoveKnowThem() throws {
        #expect(try store.list().map(\.image.origin) == ["long ago"])
        #expect(try workspace.names("store") == ["old"])
        try workspace.write("store/old.image", "origin again\n")
        try store.remove(old())
        #expect(try workspace.names("store") == [])
    }

    /// Whoever else could write the file does not speak for the root.
    @Test(arguments: ["store/old.image", "store"]) func othersAreNotBelieved(_ name: String) throws
    {
        chmod(workspace(name), 0o777)
        var warnings: [String] = []
        #expect(try old().image { warnings.append($0) } == ImageRecord())
        #expect(warnings.count == 1 && warnings[0].contains("the record is ignored"), "\(warnings)")
        #expect(access(workspace("store/old/.nsrun/image"), F_OK) != 0)
    }

    @Test func aLinkIsNotFollowed() throws {
        try workspace.write("elsewhere", "origin elsewhere\n")
        unlink(workspace("store/old.image"))
        symlink("../elsewhere", workspace("store/old.image"))
        #expect(try old().image() == ImageRecord())
    }

    @Test func theirRootsOwnRecordWins() throws {
        try workspace.write("store/old/.nsrun/image", "origin inside\n")
        #expect(try old().image().origin == "inside")
        #expect(try old().record(.packages) != .none)
        #expect(workspace.read("store/old/.nsrun/image") == "origin inside\n")
    }

    /// What an earlier root of that name has left does not apply to the next.
    @Test func thoseOfARootThatIsGoneGoToo() throws {
        try TreeRemoval.remove(workspace("store/old"))
        let source = try workspace.write("a.tar", tar { $0.file("x") })
        try Importer(progress: ProgressReport(quiet: true)).importRoot(source, to: old())
        #expect(try workspace.names("store") == ["old"])
        #expect(try old().image().origin == source)
        #expect(try old().image().user == nil)
    }

    /// Outside of the store a file of that name is somebody's own.
    @Test func besideOtherRootsThereAreNone() throws {
        try workspace.write("x/old/etc/hosts", "x")
        try workspace.write("x/old.image", "origin elsewhere\n")
        let destination = try workspace.destination("x/old")
        #expect(destination.image() == ImageRecord())
        #expect(try workspace.names("x") == ["old", "old.image"])
    }

    @Test func aNewStoreIsForItsUserAlone() throws {
        let other = RootFilesystemStore(directory: workspace("data/nsrun/rootfs"))
        let source = try workspace.write("a.tar", tar { $0.directory("./", mode: 0o755) })
        try Importer(progress: ProgressReport(quiet: true))
            .importRoot(source, to: Destination("new", store: other))
        #expect(try workspace.status("data/nsrun/rootfs").st_mode & 0o7777 == 0o700)
        #expect(try workspace.status("data/nsrun").st_mode & 0o7777 == 0o700)
        #expect(try workspace.status("data/nsrun/rootfs/new").st_mode & 0o7777 == 0o755)
    }
}
