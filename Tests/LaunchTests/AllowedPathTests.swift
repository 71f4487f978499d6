// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--allow-read` and `--allow-write`: what of the host's a run reaches besides.
@Suite struct AllowedPathTests {
    private let work: TemporaryDirectory
    private let folder: TemporaryDirectory

    init() throws {
        work = try TemporaryDirectory(in: NSHomeDirectory())
        folder = try TemporaryDirectory(in: NSHomeDirectory())
        for name in ["one", "data/a.csv", "data/b.csv", "data/deep/c.csv", "data/notes", "other/x"]
        {
            try folder.write("there\n", to: name)
        }
        try folder.link("data/link.csv", to: "../other/x")
    }

    private func seen(
        _ options: [String], _ script: String, base: [String] = ["--preset", "sandbox"]
    ) throws -> Outcome {
        try nsrun(base + options + ["--", "sh", "-c", script, folder.path], directory: work.path)
    }

    /// Nothing beside it is shown, and it cannot be changed.
    @Test(
        arguments: [
            ["--preset", "sandbox"],
            ["--preset", "sandbox", "--debug-opt", "force-classic-mounts"],
            ["--preset", "sandbox", "--reuse", "auto"],
        ])
    func aFileIsRead(base: [String]) throws {
        let script = "cat $0/one; ls -A $0; echo x 2>/dev/null >$0/one || echo kept"
        expect(
            try seen(["--allow-read", folder / "one"], script, base: base),
            prints: "there\none\nkept")
        #expect(folder.content("one") == "there\n")
    }

    /// A file in a directory that can only be read.
    @Test func aFileIsWrittenInADirectoryThatIsNot() throws {
        let script = """
            echo new >$0/one; for n in new data/a.csv; do touch $0/$n 2>/dev/null && echo $n; done; cat $0/data/a.csv
            """
        let options = ["--allow-read", folder.path, "--allow-write", folder / "one"]
        expect(try seen(options, script), prints: "there")
        #expect(folder.content("one") == "new\n" && folder.content("new") == nil)
    }

    /// What is not there yet can be written under that name alone, and is there when it has ended.
    @Test func aPathThatDoesNotExistYet() throws {
        let script = """
            umask 077; echo out >$0/out.log; mkdir -p $0/tree/x; echo in >$0/tree/x/y
            mv $0/out.log $0/moved 2>/dev/null; ls -A $0
            """
        let options = [
            "--allow-write", folder / "out.log", "--allow-write", folder.path + "/tree/",
        ]
        expect(try seen(options, script), prints: "out.log\ntree")
        #expect(folder.content("out.log") == "out\n" && folder.content("tree/x/y") == "in\n")
        let mode = try FileManager.default.attributesOfItem(atPath: folder / "out.log")
        #expect(mode[.posixPermissions] as? Int == 0o644)
        #expect(folder.content("moved") == nil)
    }

    @Test func homeHereAndPatterns() throws {
        let name = URL(filePath: folder.path).lastPathComponent
        try work.write("", to: "sub/plain")
        let script = "cd $0 && find . -type f | sort; [ -e \(work.path)/sub/plain ] && echo here"
        let seen = try seen(
            ["--allow-read", "~/\(name)/data/**/*.csv", "--allow-read", "./sub"], script)
        // A link that fits might lead anywhere.
        expect(seen, prints: "./data/a.csv\n./data/b.csv\n./data/deep/c.csv\nhere")
    }

    /// It adds, and takes nothing away: the current directory, a bind, the run's own directories.
    @Test func whatWasAllowedStaysSo() throws {
        try work.write("", to: "mine")
        let script = """
            touch \(work.path)/mine \(work.path)/new $0/other/x $0/data/a.csv && echo written; ls -A $0/data/deep
            """
        let options = [
            "--bind", folder / "other", folder / "other", "--tmpfs", folder / "data/deep",
            "--allow-read", "~", "--allow-read", work / "mine", "--allow-read",
            folder / "data/a.csv",
            "--allow-write", folder / "data",
        ]
        expect(try seen(options, script), prints: "written")
        #expect(work.content("new") == "" && folder.content("other/x") == "there\n")
    }

    @Test func whatIsHiddenStaysHidden() throws {
        let script = "cat $0/one $0/data/* 2>/dev/null; ls $0/other 2>/dev/null || :"
        let options = [
            "--allow-write", folder.path, "--allow-read", folder / "one", "--allow-read",
            folder / "data/a.csv", "--hide", "one", "--hide", "**/*.csv", "--hide",
            folder / "other",
        ]
        expect(try seen(options, script), prints: "there")
        let alone = ["--allow-read", folder / "data/a.csv", "--hide", "**/a.csv"]
        expect(try seen(alone, "cat $0/data/a.csv 2>/dev/null || echo no"), prints: "no")
        let link = ["--allow-read", folder / "data/link.csv", "--hide", folder / "other/x"]
        expect(try seen(link, "cat $0/data/link.csv 2>/dev/null || echo no"), prints: "no")
    }

    /// In other views, too: changes reach the host where all others vanish.
    @Test func inOtherViews() throws {
        let rootfs = try Bench.current().rootfs
        let script = "echo changed >$0/one; echo lost >$0/other/x; cat $0/data/a.csv 2>/dev/null"
        let write = ["--allow-write", folder / "one"]
        expect(try seen(write, script, base: ["--ephemeral"]), prints: "there")
        #expect(folder.content("one") == "changed\n" && folder.content("other/x") == "there\n")
        let read = ["--allow-read", folder / "data"]
        expect(
            try seen(read, "cat $0/data/a.csv; ls $0", base: ["--rootfs", rootfs]),
            prints: "there\ndata")
        // Where all is within reach nothing need be made.
        expect(
            try seen(["--allow-write", folder / "none"], "ls $0", base: []),
            prints: "data\none\nother")
    }

    /// Although what the first of them has made is there for the second.
    @Test func processesOfAGroupAgree() throws {
        let group = Group()
        let bench = try Bench.current()
        let words = [
            bench.nsrun, "--rootfs", bench.rootfs, "--join", group.name, "--allow-write",
            folder / "out",
        ]
        let first = try Conversation(words + ["--", "sh", "-c", "echo up; read -r _ || :"])
        #expect(first.line() == "up")
        let script = "echo second >>\(folder / "out"); cat \(folder / "out")"
        expect(try run(words + ["--", "sh", "-c", script]), prints: "second")
        let other = try run(words + ["--allow-read", folder / "one", "--", "true"])
        #expect(other.status == 125 && other.error.contains(folder / "one"), "\(other)")
        // Its own, wherever one is who joins by the name alone.
        expect(try nsrun(["--join", group.name, "--", "cat", folder / "out"]), prints: "second")
        first.hangUp()
        first.child.wait()
    }

    @Test(
        arguments: [
            (
                ["--allow-read", "/none"], "/none to be read: nothing is there",
                "in which it will appear"
            ),
            (
                ["--allow-write", "/none/such"],
                "/none/such to be written: the directory that it is to lie in is not there",
                "mkdir -p"
            ),
            (
                ["--allow-read", "/etc/none-*"], "/etc/none-* to be read: nothing fits that",
                "a pattern"
            ),
            (
                ["--allow-write", "/"],
                "/ to be written: \"..\" and / are no names of what lies in a directory", "~/data"
            ),
            (
                ["--allow-write", "/dev/null"], "/dev/null to be written: the run has its own /dev",
                "with its devices"
            ),
        ])
    func whatCannotBeAllowed(options: [String], cause: String, remedy: String) throws {
        expect(
            try nsrun(options + ["true"]), refuses: "cannot allow \(cause)", remedy: remedy)
    }

    /// Engines that have no mounts show what is there as far as they can, and make nothing.
    @Test func byOtherEngines() throws {
        let base = ["--engine", "proot", "--rootfs", try Bench.current().rootfs]
        expect(
            try nsrun(base + ["--allow-read", folder / "one", "true"]),
            refuses: "the engine proot cannot honour a read-only bind", remedy: "--engine userns")
        expect(
            try nsrun(base + ["--allow-write", folder / "new", "true"]),
            refuses: "the engine proot cannot honour making \(folder / "new")",
            remedy: "--engine userns")
        #expect(folder.content("new") == nil)
    }

    @Test func whatCannotBeMade() throws {
        expect(
            try nsrun(
                ["--preset", "sandbox", "--allow-write", "/etc/none", "true"], directory: work.path),
            refuses: "cannot make the empty file /etc/none on the host: permission denied",
            remedy: "in which you may write")
    }
}
