// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `nsrun-rootfs pack`: a folder, or a file, whose programs run wherever it lies.
@Suite struct PackTests {
    private let bare: BareRoot
    private let folder: TemporaryDirectory
    /// A place that a packed program's private /tmp does not hide.
    private let elsewhere: TemporaryDirectory

    init() throws {
        bare = try BareRoot(with: ["cat", "readlink"])
        try bare.directory.write("inside\n", to: "etc/place")
        try bare.directory.link("etc/absolute", to: "/etc/place")
        try bare.directory.link("mounts", to: "/proc/self/mounts")
        try bare.directory.write(
            "#!/bin/sh\necho script \"$0\" \"$@\"\n", to: "bin/script", mode: 0o755)
        folder = try TemporaryDirectory()
        elsewhere = try TemporaryDirectory(in: NSHomeDirectory())
    }

    private func pack(_ file: String, _ options: String...) throws -> Outcome {
        let launcher = ["--launcher", try Bench.current().nsrun]
        return try rootfsTool(["pack", "--quiet", bare.path, folder / file] + launcher + options)
    }

    /// Packs and unpacks it; the folder's path.
    private func unpacked(_ options: String...) throws -> String {
        let launcher = ["--launcher", try Bench.current().nsrun]
        let made = try rootfsTool(
            ["pack", "--quiet", bare.path, folder / "tools.tar.gz", "--entry", "sh=/bin/sh"]
                + launcher
                + options)
        expect(made, exits: 0)
        expect(try run(["tar", "xf", "tools.tar.gz"], directory: folder.path), exits: 0)
        return folder / "tools"
    }

    @Test func aProgramRunsInItsRoot() throws {
        let pack = try unpacked()
        let seen = try run([
            pack + "/bin/sh", "-c", "cat /etc/place; echo \"$0\" \"$@\"", "a", "b c",
        ])
        expect(seen, prints: "inside\na b c")
    }

    @Test func statusAndArgumentZeroAreTheProgramsOwn() throws {
        let pack = try unpacked()
        expect(try run([pack + "/bin/sh", "-c", "exit 7"]), exits: 7)
        #expect(try run([pack + "/bin/sh", "-c", "kill -TERM $$"]).status == 143)
        let named = try run(["bash", "-c", "exec -a name \"$0\" -c 'echo $0'", pack + "/bin/sh"])
        expect(named, prints: "name")
    }

    @Test func itSeesTheCallersFiles() throws {
        let pack = try unpacked()
        try elsewhere.write("mine\n", to: "file")
        let seen = try run(
            [
                pack + "/bin/sh", "-c", "cat file; pwd; echo new >made; cat ~/\"$1\"/file", "sh",
                (elsewhere.path as NSString).lastPathComponent,
            ], directory: elsewhere.path)
        expect(seen, prints: "mine\n\(elsewhere.path)\nmine")
        #expect(elsewhere.content("made") == "new\n")
    }

    @Test func temporaryFilesAreItsOwnUnlessPackedOtherwise() throws {
        let name = "nsrun-test-pack-\(getpid())"
        let script = "echo x >/tmp/\(name)"
        expect(try run([unpacked() + "/bin/sh", "-c", script]), exits: 0)
        #expect(access("/tmp/\(name)", F_OK) != 0)
        expect(try run([unpacked("--tmp", "host") + "/bin/sh", "-c", script]), exits: 0)
        #expect(unlink("/tmp/\(name)") == 0)
    }

    @Test func itCanBeLinkedToMovedAndCopied() throws {
        let pack = try unpacked()
        let script = ["-c", "cat /etc/place"]
        try folder.link("any-name", to: pack + "/bin/sh")
        expect(try run([folder / "any-name"] + script), prints: "inside")
        try FileManager.default.moveItem(atPath: pack, toPath: folder / "moved")
        expect(try run([folder / "moved/bin/sh"] + script), prints: "inside")
        expect(try run(["cp", "-a", folder / "moved", folder / "copied"]), exits: 0)
        expect(try run(["rm", "-r", folder / "moved"]), exits: 0)
        expect(try run([folder / "copied/bin/sh"] + script), prints: "inside")
    }

    /// Mounted read-only, as on a cluster.
    @Test func itRunsFromAReadOnlyMount() throws {
        let pack = try unpacked()
        let seen = try run([
            try Bench.current().nsrun, "--ro-bind", pack, "/mnt", "--", "/mnt/bin/sh", "-c",
            "cat /etc/place; echo x 2>&- >/etc/new || echo refused",
        ])
        expect(seen, prints: "inside\nrefused")
    }

    @Test func severalEntriesShareTheRoot() throws {
        let pack = try unpacked(
            "--entry", "show=/bin/cat /etc/place", "--entry", "s=/bin/script one")
        expect(try run([pack + "/bin/show"]), prints: "inside")
        expect(try run([pack + "/bin/s", "two"]), prints: "script /bin/script one two")
        let links = try run(["stat", "-c", "%h", pack + "/bin/sh", pack + "/bin/s"])
        expect(links, prints: "3\n3")
    }

    @Test func optionsOfNsrunComeWithIt() throws {
        let pack = try unpacked("--option=--setenv", "--option=WORD", "--option=packed")
        expect(try run([pack + "/bin/sh", "-c", "echo $WORD"]), prints: "packed")
    }

    /// Absolute links would lead out of the root for engines that cannot make it the kernel's.
    @Test func linksStayInside() throws {
        let pack = try unpacked()
        expect(try run(["readlink", pack + "/root/etc/absolute"]), prints: "../etc/place")
        expect(try run(["cat", pack + "/root/etc/absolute"]), prints: "inside")
        expect(try run(["readlink", pack + "/root/mounts"]), prints: "/proc/self/mounts")
    }

    @Test func anEntryWithoutItsFolderSaysSo() throws {
        let pack = try unpacked()
        expect(try run(["cp", pack + "/bin/sh", folder / "lost"]), exits: 0)
        let seen = try run([folder / "lost"])
        #expect(seen.status == 125)
        #expect(seen.error.hasPrefix("nsrun: cannot run the packed program: "))
    }

    // MARK: One file

    private func single() throws -> (file: String, environment: [String: String?]) {
        let made = try pack(
            "one", "--self-extracting", "--entry", "sh=/bin/sh", "--entry", "show=/bin/cat")
        expect(made, exits: 0)
        return (folder / "one", ["XDG_CACHE_HOME": folder / "cache"])
    }

    @Test func aSingleFileRunsByItself() throws {
        let (file, environment) = try single()
        for _ in 1...2 {
            expect(
                try run([file, "-c", "cat /etc/place"], environment: environment),
                prints: "inside")
        }
        try folder.link("show", to: file)
        expect(
            try run([folder / "show", "/etc/place"], environment: environment), prints: "inside")
        #expect(try folder.names(in: "cache/nsrun/packs").count == 2, "the folder and its lock")
    }

    @Test func concurrentFirstStartsUnfoldItOnce() throws {
        let (file, environment) = try single()
        let children = try (1...8).map { _ in
            try Child(
                [file, "-c", "cat /etc/place >/dev/null"], environment: environment,
                descriptors: [:])
        }
        for child in children { #expect(child.wait() == 0) }
        #expect(try folder.names(in: "cache/nsrun/packs").count == 2)
    }

    @Test func whatAKilledStartLeftIsNoPack() throws {
        let (file, environment) = try single()
        expect(try run([file, "-c", "exit 0"], environment: environment), exits: 0)
        let packs = folder / "cache/nsrun/packs"
        let name = try #require(
            try folder.names(in: "cache/nsrun/packs").first { !$0.hasSuffix(".lock") })
        expect(
            try run(
                ["sh", "-c", "mv \(name) \(name).partial; rm -r \(name).partial/root"],
                directory: packs), exits: 0)
        expect(
            try run([file, "-c", "cat /etc/place"], environment: environment), prints: "inside")
        #expect(try folder.names(in: "cache/nsrun/packs").count == 2)
    }

    @Test func aDamagedFileLeavesNothing() throws {
        let (file, environment) = try single()
        let size = try #require(
            try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int)
        expect(try run(["truncate", "-s", String(size - 5000), file]), exits: 0)
        let seen = try run([file, "-c", "exit 0"], environment: environment)
        #expect(seen.status == 125)
        #expect(seen.error.contains("cannot unfold the packed program"))
        #expect(try folder.names(in: "cache/nsrun/packs").allSatisfy { $0.hasSuffix(".lock") })
    }

    /// Another user could have made the folder first, or exchange it later.
    @Test(arguments: ["cache", "cache/nsrun", "cache/nsrun/packs"], ["0777", "0775"])
    func whereOthersCanWriteNothingIsRun(place: String, mode: String) throws {
        let (file, environment) = try single()
        for isThere in [false, true] {
            expect(try run(["mkdir", "-p", "-m", "0700", folder / place]), exits: 0)
            expect(try run(["chmod", mode, folder / place]), exits: 0)
            let seen = try run([file, "-c", "echo ran"], environment: environment)
            #expect(seen.status == 125 && seen.output == "", "\(seen)")
            #expect(
                seen.error.contains("/cache/nsrun/packs/"), "\(seen)")
            #expect(
                seen.error.hasSuffix(
                    ": others can write to \(folder / place), and exchange what is in it\n"
                        + "  set XDG_CACHE_HOME to a directory of yours alone"), "\(seen)")
            expect(try run(["chmod", "0700", folder / place]), exits: 0)
            if !isThere {
                expect(try run([file, "-c", "echo ran"], environment: environment), prints: "ran")
            }
        }
    }

    /// What lies under the folder's name is run only if it is the caller's alone.
    @Test func aFolderThatOthersCanChangeIsNotRun() throws {
        let (file, environment) = try single()
        expect(try run([file, "-c", "exit 0"], environment: environment), exits: 0)
        let packs = folder / "cache/nsrun/packs"
        let name = try #require(
            try folder.names(in: "cache/nsrun/packs").first { !$0.hasSuffix(".lock") })
        expect(try run(["chmod", "0775", "\(packs)/\(name)"]), exits: 0)
        let open = try run([file, "-c", "echo ran"], environment: environment)
        #expect(open.status == 125 && open.error.contains("others can write to"), "\(open)")
        expect(try run(["mv", "\(packs)/\(name)", folder / "elsewhere"]), exits: 0)
        try folder.link("cache/nsrun/packs/\(name)", to: folder / "elsewhere")
        let linked = try run([file, "-c", "echo ran"], environment: environment)
        #expect(linked.status == 125 && linked.error.contains("is not a directory"), "\(linked)")
    }

    // MARK: Refusals

    @Test(arguments: [
        (
            ["--entry", "x=/bin/none"],
            "cannot pack --entry x=/bin/none: the rootfs has no such program"
        ),
        (["--entry", "x=/etc/place"], "cannot pack --entry x=/etc/place: it is not executable"),
        (
            ["--entry", "x=bin/sh"],
            "cannot use --entry x=bin/sh: it is not of the form NAME=/usr/bin/PROG"
        ),
        (["--entry", "a/b=/bin/sh"], "cannot use --entry a/b=/bin/sh: \"a/b\" is no file name"),
        ([], "a pack needs an --entry NAME=/usr/bin/PROG"),
        (
            ["--entry", "x=/bin/sh", "--launcher", "/bin/true"],
            "cannot pack /bin/true: it is no nsrun that can be packed"
        ),
        (
            ["--entry", "x=/bin/sh", "--proot", "/bin/none"],
            "cannot pack /bin/none: it is not there, or not executable"
        ),
    ])
    func refusals(options: [String], message: String) throws {
        let before = try folder.names()
        let launcher = try Bench.current().nsrun
        let seen = try rootfsTool(
            ["pack", bare.path, folder / "x.tar.gz", "--launcher", launcher] + options)
        #expect(seen.status == 125)
        #expect(seen.error.contains("nsrun-rootfs: \(message)"), "\(seen)")
        #expect(try folder.names() == before)
    }

    @Test func aSuffixThatNamesNoFormat() throws {
        let seen = try pack("x.zip", "--entry", "x=/bin/sh")
        #expect(seen.status == 125)
        #expect(seen.error.contains("the suffix names no format"))
    }
}
