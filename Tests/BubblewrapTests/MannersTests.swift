// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What scripts written for bubblewrap run into: names, modes, repetitions, and the words of its refusals (0.13.1).
@Suite struct MannersTests {
    // MARK: Names

    private static let called = "exec { $ARGV[0] } $ARGV[1], '--version'"

    @Test(arguments: ["bwrap", "flatpak-bwrap", "/usr/libexec/glycin-bwrap", "xbwrap"])
    func anyNameThatEndsSoIsBubblewraps(name: String) throws {
        let nsrun = try Bench.current().nsrun
        try expect(
            run(["perl", "-e", MannersTests.called, nsrun, name]), prints: "bubblewrap 0.13.1")
    }

    @Test(arguments: ["bwrap-x", "bwrap.sh", "wrap", "/bwrap/nsrun"])
    func otherNamesAreNot(name: String) throws {
        let nsrun = try Bench.current().nsrun
        let seen = try run(["perl", "-e", MannersTests.called, nsrun, name])
        #expect(seen.output.hasPrefix("nsrun "), "\(seen)")
    }

    /// A program that starts itself again by the link of proc.
    @Test(arguments: ["bwrap", "flatpak-bwrap"]) func theFilesOwnNameCounts(name: String) throws {
        let folder = try TemporaryDirectory()
        let file = folder / name
        try FileManager.default.copyItem(atPath: Bench.current().nsrun, toPath: file)
        for argument0 in ["/proc/self/exe", "nsrun", ""] {
            try expect(
                run(["perl", "-e", MannersTests.called, file, argument0]),
                prints: "bubblewrap 0.13.1")
        }
    }

    /// A run within a run, by the link of proc.
    @Test(arguments: [[], ["--unshare-user", "--uid", "0", "--gid", "0", "--cap-add", "ALL"]])
    func bubblewrapStartsItself(options: [String]) throws {
        let outer = options + ["--bind", "/", "/", "--bind", "/proc", "/proc", "--"]
        let inner = ["--unshare-all", "--bind", "/", "/", "--bind", "/proc", "/proc"]
        try expect(
            bwrap(outer + ["/proc/self/exe"] + inner + ["echo", "hello"]), prints: "hello")
        try expect(bwrap(outer + ["/proc/self/exe", "--version"]), prints: "bubblewrap 0.13.1")
    }

    // MARK: Files

    @Test(arguments: Kernel.allCases) func placesOfFilesAreNobodysToWrite(kernel: Kernel) throws {
        let folder = try TemporaryDirectory()
        let source = try folder.write("text", to: "source")
        let host = try folder.makeDirectory("host")
        let options = [
            "--bind", host, "/h", "--bind", source, "/h/bound", "--ro-bind-data", "7", "/h/data",
        ]
        try expect(sandbox("", kernel.options + options, descriptors: [7: "x"]), exits: 0)
        try expect(
            run(["stat", "-c", "%a %s", "\(host)/bound", "\(host)/data"]), prints: "444 0\n444 0")
    }

    @Test(arguments: Kernel.allCases) func lastLinksAreNotFollowed(kernel: Kernel) throws {
        let link = ["--dir", "/d", "--symlink", "d", "/l"]
        expect(
            try sandbox("", kernel.options + link + ["--chmod", "0700", "/l"]),
            refusedSaying: "bwrap: Can't chmod 0700 /l: Operation not supported")
        expect(
            try sandbox("", kernel.options + link + ["--dir", "/l"]),
            refusedSaying: "bwrap: Destination is not a directory /l")
        try expect(
            sandbox(
                "stat -c %a /d /d/x",
                kernel.options + link + ["--dir", "/l/x", "--chmod", "0700", "/l/x"]),
            prints: "755\n700")
    }

    @Test func sharedMemoryIsTheOnlyUsers() throws {
        try expect(sandbox("stat -c %a /dev/shm", ["--dev", "/dev"]), prints: "755")
    }

    @Test(arguments: ["--bind-try", "--ro-bind-try", "--dev-bind-try"])
    func aFileOnTheWayIsAMistake(option: String) throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("", to: "file")
        expect(
            try sandbox("", [option, "\(file)/x", "/x"]),
            refusedSaying: "Can't find source path \(file)/x: Not a directory")
        try expect(sandbox("", [option, "\(file)x/x", "/x"]), exits: 0)
    }

    @Test(arguments: Name.allCases) func aDescriptorMakesOneFile(name: Name) throws {
        for pair in [("--file", "--file"), ("--bind-data", "--file"), ("--file", "--ro-bind-data")]
        {
            let seen = try sandbox(
                "", [pair.0, "7", "/a", pair.1, "7", "/b"], as: name, descriptors: [7: "x"])
            #expect(seen.status == name.failure, "\(seen)")
            let words =
                name == .bwrap
                ? "Can't write data to file /b: Bad file descriptor" : "descriptor 7 has been read"
            #expect(seen.error.contains(words), "\(seen)")
        }
    }

    // MARK: The process

    @Test(arguments: [[], ["--unshare-pid"]])
    func aDirectoryIsSearchedAsTheCommandWould(shape: [String]) throws {
        let folder = try TemporaryDirectory()
        let closed = try folder.makeDirectory("closed")
        chmod(closed, 0o600)
        expect(
            try sandbox("", shape + ["--bind", folder.path, "/t", "--chdir", "/t/closed"]),
            refusedSaying: "bwrap: Can't chdir to /t/closed: Permission denied")
    }

    @Test func theLogicalPathStays() throws {
        let folder = try TemporaryDirectory()
        try folder.makeDirectory("real")
        try folder.link("logical", to: "real")
        let bind = ["--bind", folder.path, folder.path]
        try expect(
            sandbox("echo $PWD", bind + ["--chdir", folder / "logical"]),
            prints: folder / "logical")
    }

    @Test(arguments: [
        (["--chdir", "/", "--chdir", "/usr"], "--chdir"),
        (["--uid", "1", "--uid", "2", "--unshare-user"], "--uid"),
        (["--hostname", "a", "--hostname", "b", "--unshare-uts"], "--hostname"),
        (["--sync-fd", "7", "--sync-fd", "7"], "--sync-fd"),
    ])
    func ofSeveralTheLastTakesEffect(options: [String], name: String) throws {
        let warning = "bwrap: Only the last \(name) option will take effect"
        let seen = try sandbox("", options, descriptors: [7: ""])
        expect(seen, Outcome(status: 0, output: "", error: warning))
        let levelled = try sandbox("", ["--level-prefix"] + options, descriptors: [7: ""])
        expect(levelled, Outcome(status: 0, output: "", error: "<4>" + warning))
    }

    @Test(arguments: [
        ["--perms", "0700"], ["--size", "100"], ["--unshare-uts", "--hostname", ""],
        ["--unshare-uts", "--hostname", "a b"],
    ])
    func whatBubblewrapTakesIsTaken(options: [String]) throws {
        try expect(sandbox("exit 3", options), exits: 3)
    }

    @Test func helpAndVersionAnswerAtOnce() throws {
        try expect(bwrap(["--version", "--nope"]), prints: "bubblewrap 0.13.1")
        #expect(try bwrap(["--unshare-pid", "--help", "--nope"]).status == 0)
        expect(try bwrap(["--nope", "--version"]), refusedSaying: "Unknown option --nope")
    }

    // MARK: Words

    @Test(arguments: [
        (["--argv0", "a", "--argv0", "b"], "--argv0 used multiple times"),
        (["--unsetenv", "A=B"], "unsetenv failed"), (["--unsetenv", ""], "unsetenv failed"),
        (["--setenv", "A=B", "c"], "setenv failed"),
        (["--file", "-1", "/a"], "Invalid fd: -1"), (["--info-fd", "7x"], "Invalid fd: 7x"),
        (["--args", ""], "Invalid fd: "), (["--uid", "x"], "Invalid uid: x"),
        (["--gid", "-1"], "Invalid gid: -1"), (["--cap-add", "no"], "unknown cap: no"),
        (["--perms", "99", "--dir", "/x"], "--perms takes an octal argument <= 07777"),
        (["--chmod", "17777", "/x"], "--chmod takes an octal argument <= 07777"),
        (["--size", "0", "--tmpfs", "/x"], "--size takes a non-zero number of bytes"),
        (
            ["--perms", "0700", "--bind", "/usr", "/x"],
            "--perms must be followed by an option that creates a file"
        ),
        (["--bind", "", "/x"], "--bind does not take an empty path argument"),
        (["--chdir", ""], "--chdir does not take an empty path argument"),
        (
            ["--overlay-src", "/usr", "--dir", "/x"],
            "--overlay-src must be followed by another --overlay-src or one of --overlay, "
                + "--tmp-overlay, or --ro-overlay"
        ),
        (
            ["--unshare-user-try", "--userns", "7"],
            "--userns is not compatible with --unshare-user-try"
        ),
        (["--userns-block-fd", "7"], "--userns-block-fd requires --unshare-user"),
        (["--chmod", "0700", "/none"], "Can't open /none: No such file or directory"),
        (["--dir", "/x", "--file", "7", "/x"], "Can't create file /x: Is a directory"),
        (
            ["--assert-userns-disabled"],
            "creation of new user namespaces was not disabled as requested"
        ),
        (["--chdir", "/none"], "Can't chdir to /none: No such file or directory"),
    ])
    func refusalsAreInItsWords(options: [String], words: String) throws {
        let seen = try sandbox("", options, descriptors: [7: ""])
        expect(seen, refusedSaying: words)
        #expect(seen.error.hasPrefix("bwrap: \(words)"), "\(seen)")
    }

    @Test(arguments: [
        (["--bind", "a"], "--bind takes two arguments"),
        (["--chdir"], "--chdir takes one argument"),
        (["--tmpfs"], "--tmpfs takes an argument"),
        (["--overlay", "a", "b"], "--overlay takes three arguments"),
    ])
    func missingValuesAreCounted(options: [String], words: String) throws {
        expect(try bwrap(options), refusedSaying: "bwrap: \(words)\n")
    }

    @Test(arguments: [
        ("none", "No such file or directory"), ("/none", "No such file or directory"),
        ("/usr", "Permission denied"), ("/usr/share/common-licenses/GPL-3", "Permission denied"),
    ])
    func programsThatCannotRunAreItsExecvps(program: String, reason: String) throws {
        for shape in [[], ["--unshare-pid"]] {
            expect(
                try run(Name.bwrap.command() + shape + [program]),
                refusedSaying: "bwrap: execvp \(program): \(reason)\n")
        }
    }
}
