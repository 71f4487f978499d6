// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Trees with files of the caller's subordinate ids, and with files that he has shut himself out of: whatever reads a
/// tree reads all of it.
@Suite struct ForeignOwnerTests {
    private let folder: TemporaryDirectory
    private let root: String

    init() throws {
        folder = try TemporaryDirectory()
        root = try folder.makeDirectory("root")
        chmod(root, 0o755)
        _ = try SubordinateRange.first()
        let script = """
            umask 022; cd /tmp/x; mkdir -p bin etc hers/below; echo hers >hers/below/file
            ln -s below/file hers/link; printf '#!/bin/sh\\n' >bin/run; chmod 755 bin/run
            echo secret >etc/shadow; chmod 000 etc/shadow; chown -R 5:7 hers; chmod 700 hers/below hers
            """
        let made = try inRoot(
            script, ["--map-auto", "--uid", "0", "--gid", "0", "--bind", root, "/tmp/x"])
        expect(made, exits: 0)
        #expect(access("\(root)/hers/below", F_OK) != 0, "the caller has no power over it")
    }

    /// What it holds, as root of a namespace sees it.
    private func expectWhole(_ copy: String) throws {
        let seen = try inRoot(
            "cat /tmp/x/hers/link /tmp/x/etc/shadow; stat -c %a /tmp/x/etc/shadow",
            ["--map-auto", "--uid", "0", "--gid", "0", "--bind", copy, "/tmp/x"])
        expect(seen, prints: "hers\nsecret\n0")
    }

    @Test(arguments: ["x.tar.gz", "x.squashfs"]) func areExported(file: String) throws {
        expect(try rootfsTool(["export", "--quiet", root, folder / file]), exits: 0)
        expect(try rootfsTool(["import", "--quiet", folder / file, folder / "copy"]), exits: 0)
        try expectWhole(folder / "copy")
    }

    @Test func areCopied() throws {
        expect(try rootfsTool(["import", "--quiet", root, folder / "copy"]), exits: 0)
        try expectWhole(folder / "copy")
        #expect(try run(["stat", "-c", "%u", folder / "copy"]).output == String(getuid()))
    }

    @Test func areStaged() throws {
        try folder.makeDirectory("node")
        let staged = try rootfsTool(["stage", "--quiet", root, folder / "node"])
        #expect(staged.status == 0, "\(staged)")
        try expectWhole(staged.output)
    }

    @Test func arePacked() throws {
        let nsrun = try Bench.current().nsrun
        let packed = try rootfsTool(
            [
                "pack", "--quiet", "--launcher", nsrun, "--entry", "run=/bin/run", root,
                folder / "x.tar",
            ])
        #expect(packed.status == 0, "\(packed)")
        let listed = try run(["tar", "-xOf", folder / "x.tar", "--wildcards", "*/hers/below/file"])
        expect(listed, prints: "hers")
    }
}
