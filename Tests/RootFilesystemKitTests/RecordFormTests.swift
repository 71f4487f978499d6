// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// How an image wants to be run goes along with its root, in whatever form.
@Suite struct RecordFormTests {
    let workspace: Workspace
    let record: ImageRecord

    private static let text = """
        origin somewhere
        suite bookworm
        env PATH=/usr/bin
        env TWO=a \\\\ b\\nlines
        workdir /work dir
        entrypoint /bin/sh
        entrypoint -c
        cmd echo "$TWO"
        user nobody:games
        label maker=a b
        label org.example.x=

        """

    init() throws {
        workspace = try Workspace()
        try workspace.write("from/etc/hosts", "x")
        try workspace.write("from/.nsrun/image", Self.text)
        record = ImageRecord(decoding: Array(Self.text.utf8)).portable
    }

    private func export(_ file: String, _ name: String = "from") throws {
        try Exporter(progress: ProgressReport(quiet: true))
            .export(workspace.destination(name), to: workspace(file))
    }

    static let forms = ["x.tar", "x.tar.gz", "x.tar.zst", "x.squashfs", "x.oci.tar"]

    @Test(arguments: forms) func itComesBack(_ file: String) throws {
        #expect(record.labels == ["maker=a b", "org.example.x="])
        try export(file)
        try workspace.importRoot(workspace(file))
        let found = try workspace.destination("root").image()
        #expect(found.portable == record, "\(found)")
        #expect(found.origin == workspace(file))
        #expect(try workspace.describe("root") == workspace.describe("from"))
        #expect(workspace.read("root/.nsrun/image")?.contains("user.nsrun") == false)
    }

    /// As an image is staged on a node.
    @Test(arguments: forms + ["from"]) func itIsStaged(_ file: String) throws {
        if file != "from" { try export(file) }
        mkdir(workspace("node"), 0o700)
        let staged = try Stager(progress: ProgressReport(quiet: true))
            .stage(workspace(file), in: workspace("node"))
        let image = try Destination(staged, store: workspace.store).image()
        #expect(image.portable == record)
    }

    @Test(arguments: forms) func itIsTheSameWhereverTheRootCameFrom(_ file: String) throws {
        try export(file)
        let first = try Data(contentsOf: URL(fileURLWithPath: workspace(file)))
        try workspace.importRoot(workspace(file), "again")
        try export(file, "again")
        let second = try Data(contentsOf: URL(fileURLWithPath: workspace(file)))
        // The root that was made by hand has another time.
        try workspace.importRoot(workspace(file), "third")
        try export(file, "third")
        #expect(try Data(contentsOf: URL(fileURLWithPath: workspace(file))) == second)
        #expect(first.count == second.count)
    }

    @Test func aPackHasIt() throws {
        try workspace.script("from/usr/bin/x", "#!/bin/sh\n")
        try workspace.script("nsrun", "#!/bin/sh\n")
        let output = try Descriptor.open(
            workspace("pack.tar"), O_RDWR | O_CREAT, cannot: "create")
        fchmod(output.number, 0o600)
        let writer = try ArchiveWriter(
            to: output, name: "pack.tar", compression: .none, latest: .max)
        let tree = try PackTree(writer, name: "pack", modified: 0)
        try tree.root(workspace("from"), record.portableText) { _ in }
        try writer.finish()
        mkdir(workspace("unpacked"), 0o700)
        try ExternalTool(name: "tar", package: "tar").run(
            ["-C", workspace("unpacked"), "-xf", workspace("pack.tar")], cannot: "unpack", "pack")
        let root = try workspace.destination("unpacked/pack/root")
        #expect(root.image().portable == record)
    }

    /// Other programs make of such a file what they made of it before.
    @Test func otherProgramsDoNotMind() throws {
        try export("x.tar")
        try export("x.squashfs")
        let tar = try ExternalTool(name: "tar", package: "tar")
            .run(["-tf", workspace("x.tar")], cannot: "list", "x.tar")
        #expect(String(decoding: tar, as: UTF8.self) == "./\n./etc/\n./etc/hosts\n")
        let squashfs = try ExternalTool(name: "unsquashfs", package: "squashfs-tools")
            .run(["-l", workspace("x.squashfs")], cannot: "list", "x.squashfs")
        #expect(
            String(decoding: squashfs, as: UTF8.self).hasSuffix(
                "squashfs-root\nsquashfs-root/etc\nsquashfs-root/etc/hosts\n"))
        #expect(try workspace.status("x.squashfs").st_size % 4096 == 0)
    }

    /// podman and buildah read it as skopeo does, for they have it from the same library.
    @Test func skopeoAndUmociAcceptTheImage() throws {
        // umoci looks the user up.
        try workspace.write("from/etc/passwd", "nobody:x:7:7::/:/bin/sh\n")
        try workspace.write("from/etc/group", "games:x:8:\n")
        try export("x.oci.tar")
        let skopeo = ExternalTool(
            name: "skopeo", package: "skopeo", environment: ["HOME": workspace.path])
        let config = try skopeo.run(
            ["inspect", "--config", "oci-archive:\(workspace("x.oci.tar"))"], cannot: "inspect",
            "x.oci.tar")
        let found = try JSONDecoder().decode(ImageConfiguration.self, from: Data(config)).record
        #expect(found.portable == record)
        #expect(found.architecture == Platform.host)
        try skopeo.run(
            [
                "copy", "--quiet", "oci-archive:\(workspace("x.oci.tar"))",
                "oci:\(workspace("layout")):latest",
            ], cannot: "copy", "x.oci.tar")
        try ExternalTool(name: "umoci", package: "umoci", environment: ["HOME": workspace.path])
            .run(
                [
                    "unpack", "--rootless", "--image", "\(workspace("layout")):latest",
                    workspace("bundle"),
                ], cannot: "unpack", "the image")
        #expect(workspace.read("bundle/rootfs/etc/hosts") == "x")
        #expect(workspace.read("bundle/config.json")?.contains("TWO=a \\\\ b\\nlines") == true)
    }

    @Test func aNameThatWouldRemoveSomethingIsRefused() throws {
        try workspace.write("from/etc/.wh.hosts", "")
        let error = try #require(failure { try export("x.oci.tar") })
        #expect(error.cause.contains("etc/.wh.hosts"))
        #expect(try workspace.names().filter { $0.contains("oci") } == [])
        try export("x.tar")
    }

    @Test func moreThanATarTakesIsAnError() throws {
        try workspace.write(
            "from/.nsrun/image", "env A=\(String(repeating: "a", count: 70000))\n")
        let error = try #require(failure { try export("x.tar") })
        #expect(error.remedy?.contains(".oci.tar") == true)
        for file in ["x.oci.tar", "x.squashfs"] {
            try export(file)
            try workspace.importRoot(workspace(file), "of-\(file)")
            #expect(try workspace.destination("of-\(file)").image().environment[0].count == 70002)
        }
    }

    // MARK: - Records that somebody else has made

    private func squashfs(ending tail: [UInt8]) throws -> String {
        unlink(workspace("from/.nsrun/image"))
        rmdir(workspace("from/.nsrun"))
        try export("x.squashfs")
        let file = try Descriptor.open(workspace("x.squashfs"), O_RDWR, cannot: "open")
        let size = try file.status(cannot: "examine", "x").st_size
        try file.write(tail, at: size, cannot: "write", "x")
        return workspace("x.squashfs")
    }

    private static let mark = Array("nsrun image 1\n".utf8) + [0, 0]

    /// Ends that are none, or lie about what is before them.
    static let ends: [(String, [UInt8])] = [
        ("longer than the file", mark + [0xff, 0xff, 0xff, 0, 0, 0, 0, 0]),
        ("longer than anything", mark + [UInt8](repeating: 0xff, count: 8)),
        ("longer than a record may be", mark + [0, 0, 0x20, 0, 0, 0, 0, 0]),
        ("another mark", Array("nsrun image 2\n".utf8) + [UInt8](repeating: 0, count: 10)),
        ("cut short", Array(mark.prefix(10))),
        ("nothing", mark + [UInt8](repeating: 0, count: 8)),
    ]

    @Test(arguments: ends.indices) func anEndThatLiesIsNoRecord(_ index: Int) throws {
        try workspace.importRoot(squashfs(ending: Self.ends[index].1))
        #expect(try workspace.destination("root").image().portable == ImageRecord())
        #expect(workspace.read("root/etc/hosts") == "x")
    }

    @Test(arguments: [0o664, 0o646] as [mode_t])
    func whatOthersCanWriteToIsNotBelieved(_ mode: mode_t) throws {
        try export("x.squashfs")
        chmod(workspace("x.squashfs"), mode)
        try workspace.importRoot(workspace("x.squashfs"))
        #expect(try workspace.destination("root").image().portable == ImageRecord())
    }

    /// Whoever shares a group with others shares his files, and what they hold.
    @Test func anExportIsNotForOthersToWriteTo() throws {
        let seen = try ExternalTool(
            name: Command.program, package: "nsrun", mask: 0o002
        ).run(
            ["export", "--quiet", workspace("from"), workspace("x.squashfs")], cannot: "run", "x")
        #expect(seen.isEmpty)
        #expect(try workspace.status("x.squashfs").st_mode & 0o777 == 0o644)
    }

    @Test(arguments: ["x.squashfs", "from"]) func showPrintsIt(_ name: String) throws {
        if name != "from" { try export(name) }
        let seen = try Command(in: workspace).run(["show", "./\(name)"])
        #expect(seen.status == 0)
        for line in [
            "user nobody:games", "label maker=a b", "workdir /work dir", "env PATH=/usr/bin",
        ] {
            #expect(seen.output.contains("\n\(line)\n"), "\(seen.output)")
        }
    }

    /// A tar may say of its root whatever it likes, as an image's configuration may; on a terminal it is words.
    @Test func whatATarSaysIsText() throws {
        let archive = tar {
            $0.extended(
                "SCHILY.xattr.user.nsrun.image",
                Array("label a=\u{1b}[2J\norigin elsewhere\npackage x 1\nnonsense\n\n \n".utf8))
            $0.directory("./")
            $0.file("etc/x", "x")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        let seen = try Command(in: workspace).run(["show", "./root"])
        #expect(seen.output.contains("label a=\\x1b[2J\n") && !seen.output.contains("\u{1b}"))
        #expect(!seen.output.contains("elsewhere") && !seen.output.contains("package"))
    }
}
