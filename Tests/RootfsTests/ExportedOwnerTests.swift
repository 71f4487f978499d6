// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Whose the files are in what `nsrun-rootfs export` writes.
@Suite struct ExportedOwnerTests {
    private static let files = ["x.tar", "x.tar.zst", "x.squashfs"]

    private let folder: TemporaryDirectory
    private let root: String

    init() throws {
        folder = try TemporaryDirectory()
        root = try folder.makeDirectory("root")
        chmod(root, 0o755)
        try folder.write("mine", to: "root/own")
    }

    /// Files of the caller's range, in places that only their owner may enter.
    private func addFilesOfOthers() throws {
        _ = try SubordinateRange.first()
        let script = """
            umask 022; cd /tmp/x; mkdir -p hers/below; echo hers >hers/below/file; touch hers/tool
            chown -R 5:7 hers; chown 0:42 hers/tool; chmod 2755 hers/tool; chmod 700 hers/below hers
            """
        let made = try inRoot(
            script, ["--map-auto", "--uid", "0", "--gid", "0", "--bind", root, "/tmp/x"])
        expect(made, exits: 0)
        #expect(access("\(root)/hers/below", F_OK) != 0, "the caller has no power over it")
    }

    /// Lines of mode, owner and name, from the program that made such files before us.
    private func list(_ file: String) throws -> Set<String> {
        let seen =
            file.hasSuffix("squashfs")
            ? try run(["unsquashfs", "-lln", folder / file])
            : try run(["tar", "--numeric-owner", "-tvf", folder / file])
        #expect(seen.status == 0, "\(seen)")
        return Set(
            seen.lines.map { line in
                let words = line.split(separator: " ", omittingEmptySubsequences: true)
                let path = words.last.map(String.init) ?? ""
                let name = path.split(separator: "/").last.map(String.init) ?? ""
                let top = ["", ".", "squashfs-root"].contains(name)
                return "\(words[0]) \(words[1]) \(top ? "top" : name)"
            })
    }

    @Test(arguments: files) func whatIsTheCallersIsRoots(file: String) throws {
        expect(try rootfsTool(["export", "--quiet", root, folder / file]), exits: 0)
        #expect(try list(file) == ["drwxr-xr-x 0/0 top", "-rw-r--r-- 0/0 own"])
    }

    @Test(arguments: files) func subordinateIdsAreThoseInside(file: String) throws {
        try addFilesOfOthers()
        expect(try rootfsTool(["export", "--quiet", root, folder / file]), exits: 0)
        #expect(
            try list(file) == [
                "drwxr-xr-x 0/0 top", "-rw-r--r-- 0/0 own", "drwx------ 5/7 hers",
                "drwx------ 5/7 below", "-rw-r--r-- 5/7 file",
                // Without its set-id bits, which only real root may have.
                "-rwxr-xr-x 0/42 tool",
            ])
        // The file itself is the caller's, and there is nothing beside it.
        #expect(try run(["stat", "-c", "%u", folder / file]).output == String(getuid()))
        #expect(try folder.names() == ["root", file])
    }

    @Test func andTheyComeBack() throws {
        try addFilesOfOthers()
        expect(try rootfsTool(["export", "--quiet", root, folder / "x.tar"]), exits: 0)
        expect(
            try rootfsTool(["import", "--quiet", folder / "x.tar", folder / "copy"]), exits: 0)
        #expect(folder.content("copy/hers/below/file") == "hers\n")
        expect(try run(["find", folder / "copy", "-perm", "/6000"]), exits: 0)
        expect(try rootfsTool(["remove", folder / "copy"]), exits: 0)
    }

    /// The work is done by a child among other ids, which must not make a difference.
    @Test func relativePathsAndErrorsAreTheCallers() throws {
        try addFilesOfOthers()
        let seen = try rootfsTool(["export", "./root", "x.tar"], directory: folder.path)
        expect(
            seen,
            Outcome(status: 0, output: "", error: "nsrun-rootfs: exporting ./root"))
        let refused = try rootfsTool(["export", "./root", "x.zip"], directory: folder.path)
        expect(
            refused,
            Outcome(
                status: 125, output: "",
                error: """
                    nsrun-rootfs: cannot export to x.zip: the suffix names no format
                      use .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst, .squashfs, .oci.tar or .sif
                    """))
    }

    @Test(arguments: [SIGINT, SIGTERM]) func anInterruptedExportLeavesNothing(
        signal: Int32
    ) throws {
        try addFilesOfOthers()
        // A stand-in that says when it has begun, and never ends.
        try folder.write(
            """
            #!/bin/sh
            echo begun >\(folder.path)/note
            exec sleep 397
            """, to: "bin/mksquashfs", mode: 0o755)
        let child = try Child(
            [RootfsTool.path(), "export", "--quiet", root, folder / "x.squashfs"],
            environment: ["PATH": "\(folder.path)/bin:/usr/bin:/bin"],
            descriptors: [0: 0, 1: 1, 2: 2])
        #expect(HostState.eventually { folder.content("note") == "begun\n" })
        child.send(signal)
        #expect(child.wait() == 128 + signal)
        #expect(try folder.names() == ["bin", "note", "root"])
        #expect(try HostState.processesGo("sleep\0397"))
    }
}
