// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Environment, working directory and names of the command.
@Suite struct EnvironmentTests {
    // MARK: Where programs are looked for

    private func path(_ callers: String, _ options: [String] = []) throws -> String {
        try inRoot("echo $PATH", options, environment: ["PATH": callers]).output
    }

    /// The caller's places that the root has, and what every root has.
    @Test func programsAreFoundInARootfs() throws {
        let every = "/usr/local/bin:/usr/bin:/bin"
        #expect(try path("/nix/store/x/bin:/run/current-system/sw/bin") == every)
        #expect(
            try path("/usr/share:/nonexistent:/usr/bin")
                == "/usr/share:/usr/bin:/usr/local/bin:/bin")
        #expect(try path(every) == every)
        #expect(try path(every, ["--setenv", "PATH", "/x:/bin"]) == "/x:/bin")
        let tools = try TemporaryDirectory(in: NSHomeDirectory())
        #expect(
            try path(tools.path + ":/usr/bin", ["--bind", tools.path, tools.path]).hasPrefix(
                tools.path + ":"))
        #expect(
            try path("\(NSHomeDirectory())/bin", ["--home"]).hasPrefix("\(NSHomeDirectory())/bin:"))
    }

    /// dpkg, adduser and locale-gen call what lies there.
    @Test(arguments: [["--uid", "0"], ["--fake-root"], ["--map-auto"]])
    func rootHasTheSystemsOwn(options: [String]) throws {
        let seen = try path("/usr/bin", options).split(separator: ":")
        for place in ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/bin"] {
            #expect(seen.contains { $0 == place }, "\(seen)")
        }
        try expect(
            inRoot(
                "command -v dpkg-preconfigure ldconfig >/dev/null", options,
                environment: ["PATH": "/bin"]), exits: 0)
    }

    // MARK: Homes and places for temporary files

    /// A home that is no home hides nothing.
    @Test(arguments: ["/", "/usr", "/usr/bin", "/etc", "/dev", "/proc", "/lib", "/var", "/tmp"])
    func aHomeHidesNoSystem(home: String) throws {
        let environment = ["HOME": home]
        let script =
            "ls -d /usr/bin/env /etc/passwd /dev/null /proc/self/exe /var/lib >/dev/null && pwd"
        for options in [[], ["--preset", "test"]] {
            try expect(onHost(script, options, environment: environment), prints: "/")
            try expect(inRoot(script, options, environment: environment), prints: "/")
        }
        try expect(inRoot(script, ["--preset", "toolbox"], environment: environment), prints: "/")
        let asked = try inRoot("true", ["--home"], environment: environment)
        #expect(
            asked.status == 125 && asked.error.hasPrefix("nsrun: cannot bind the home directory: "),
            "\(asked)")
    }

    /// Through a link, as `/home` is on some systems, the command starts where the user stood.
    @Test func aHomeMayBeALink() throws {
        let parent = try TemporaryDirectory(in: NSHomeDirectory())
        try parent.makeDirectory("real/work")
        try parent.link("link", to: parent / "real")
        for options in [["--preset", "toolbox"], ["--home", "--cwd"], ["--preset", "hpc"]] {
            let seen = try inRoot(
                "pwd; echo x >made; ls ~", options, environment: ["HOME": parent / "link"],
                directory: parent / "real/work")
            expect(seen, prints: parent / "real/work" + "\nwork")
            #expect(parent.content("real/work/made") == "x\n")
        }
    }

    /// In an empty `/tmp` there is nothing yet that a variable could name.
    @Test(arguments: ["TMPDIR", "TMP", "TEMP"])
    func hiddenPlacesAreNotNamed(name: String) throws {
        let script = "echo ${\(name)-none}; [ -w $(dirname $(mktemp)) ]"
        try expect(onHost(script, environment: [name: "/tmp/of-mine"]), prints: "none")
        try expect(onHost(script, environment: [name: "/tmp"]), prints: "/tmp")
        try expect(inRoot("mktemp >/dev/null", environment: [name: "/tmp/of-mine"]), exits: 0)
    }

    // MARK: Limits of the caller's

    @Test func limitsThatLeaveNoRoomAreNamed() throws {
        let bench = try Bench.current()
        for shape in [[], ["--share-pid"], ["--rootfs", bench.rootfs]] {
            let command = [bench.nsrun] + shape + ["--", "true"]
            let stack = try run(["sh", "-c", "ulimit -s 64; exec \"$@\"", "sh"] + command)
            expect(
                stack, refuses: "cannot start: a stack of 64 KiB is too small", remedy: "ulimit -s")
            // What is printed goes to a pipe, which has no size.
            let script = "(ulimit -f 0; \"$@\"; echo $?) 2>&1 | cat"
            let files = try run(["sh", "-c", script, "sh"] + command)
            #expect(files.output.contains("ulimit -f") && files.lines.last == "125", "\(files)")
        }
    }

    /// A limit of file sizes is for the command, not for what is made in memory for it.
    @Test(arguments: [[], ["--share-pid"], ["--as-pid-1"], ["--preset", "test"]])
    func filesOfTheCommandAreLimited(shape: [String]) throws {
        let bench = try Bench.current()
        let script =
            "trap '' XFSZ; ulimit -f; ulimit -Hf; echo x 2>/dev/null >/tmp/x; [ -s /tmp/x ] || echo empty"
        let command = [bench.nsrun, "--rootfs", bench.rootfs] + shape
        let given = try run(
            ["sh", "-c", "\"$@\" | cat", "sh"] + command + [
                "--rlimit", "fsize=0", "--", "sh", "-c", script,
            ])
        expect(given, prints: "0\n0\nempty")
        let soft = try run(
            ["sh", "-c", "(ulimit -Sf 0; \"$@\") | cat", "sh"] + command
                + ["--", "sh", "-c", "ulimit -f; ulimit -Hf"])
        expect(soft, prints: "0\nunlimited")
    }

    @Test func variablesAreSetAndUnsetInOrder() throws {
        let options = [
            "--setenv", "A", "1", "--setenv", "B", "x=y z", "--unsetenv", "A", "--setenv", "C", "",
        ]
        try expect(inRoot("echo \"${A-none}|$B|${C-none}\"", options), prints: "none|x=y z|")
        try expect(
            inRoot(
                "echo $A", ["--unsetenv", "A", "--setenv", "A", "2"], environment: ["A": "host"]),
            prints: "2")
    }

    @Test func clearedMeansCleared() throws {
        let bench = try Bench.current()
        let seen = try nsrun(
            [
                "--rootfs", bench.rootfs, "--setenv", "A", "1", "--clearenv", "--setenv", "B", "2",
                "env",
            ],
            directory: "/usr")
        #expect(seen.lines.sorted() == ["B=2", "PWD=/usr"], "\(seen)")
    }

    @Test func cleanStartsFromFive() throws {
        let bench = try Bench.current()
        let host: [String: String?] = ["TERM": "dumb", "LANG": "C", "USER": "me", "SECRET": "x"]
        let seen = try nsrun(
            ["--rootfs", bench.rootfs, "--clean-env", "--setenv", "A", "1", "env"],
            environment: host)
        let names = seen.lines.map { String($0.prefix { $0 != "=" }) }.sorted()
        #expect(names == ["A", "HOME", "LANG", "PATH", "PWD", "TERM", "USER"], "\(seen)")
    }

    @Test func fileOfVariablesIsRead() throws {
        let file = try TemporaryDirectory()
        try file.write("# comment\n\nA=1 2\nB==\nC='q'\nA=3\n", to: "env")
        try expect(inRoot("echo \"$A|$B|$C\"", ["--env-file", file / "env"]), prints: "3|=|'q'")
    }

    @Test func brokenFileOfVariablesIsRefused() throws {
        let file = try TemporaryDirectory()
        try file.write("A=1\nnonsense\n", to: "env")
        let seen = try inRoot("true", ["--env-file", file / "env"])
        #expect(seen.status == 125 && seen.error.contains(file / "env"), "\(seen)")
        let missing = try inRoot("true", ["--env-file", file / "none"])
        #expect(missing.status == 125 && missing.error.contains(file / "none"), "\(missing)")
    }

    @Test func programIsLookedUpInTheInnerPath() throws {
        let bench = try Bench.current()
        let options = [
            "--rootfs", bench.rootfs, "--tmpfs", "/opt", "--symlink", "/bin/echo", "/opt/say",
        ]
        let seen = try nsrun(options + ["--setenv", "PATH", "/opt", "say", "x"])
        expect(seen, prints: "x")
    }

    @Test func programWithoutPathIsFoundInTheUsualPlaces() throws {
        let bench = try Bench.current()
        try expect(
            nsrun(["--rootfs", bench.rootfs, "--unsetenv", "PATH", "echo", "x"]), prints: "x")
    }

    @Test func relativePathEntriesAreMeantInside() throws {
        let bench = try Bench.current()
        let seen = try nsrun(
            [
                "--rootfs", bench.rootfs, "--chdir", "/usr", "--setenv", "PATH", "bin", "dash",
                "-c", "pwd",
            ])
        expect(seen, prints: "/usr")
    }

    @Test func relativeProgramsAreMeantInside() throws {
        let bench = try Bench.current()
        try expect(
            nsrun(["--rootfs", bench.rootfs, "--chdir", "/usr", "./bin/dash", "-c", "pwd"]),
            prints: "/usr")
    }

    @Test func directoryIsAsAskedFor() throws {
        try expect(inRoot("pwd; echo $PWD", ["--chdir", "/usr/lib"]), prints: "/usr/lib\n/usr/lib")
    }

    @Test func directoryThatIsNotThereIsRefused() throws {
        let seen = try inRoot("true", ["--chdir", "/nowhere"])
        expect(
            seen, refuses: "cannot start in /nowhere: no such file or directory", remedy: "--chdir")
    }

    @Test(arguments: [[], ["--share-pid"]])
    func commandsOwnNameIsAsAskedFor(shape: [String]) throws {
        let bench = try Bench.current()
        let seen = try nsrun(
            ["--rootfs", bench.rootfs, "--argv0", "-strange"] + shape + [
                "sh", "-c", "tr '\\0' ' ' </proc/$$/cmdline",
            ])
        #expect(seen.output.hasPrefix("-strange -c "), "\(seen)")
    }

    @Test func hostNameIsTheRunsOwn() throws {
        let host = try run(["uname", "-n"])
        try expect(inRoot("uname -n", ["--hostname", "inside"]), prints: "inside")
        try expect(inRoot("uname -n"), host)
        try expect(run(["uname", "-n"]), host)
    }

    @Test(arguments: ["", "a b", "a/b", String(repeating: "x", count: 65)])
    func badHostNamesAreRefused(name: String) throws {
        let seen = try inRoot("true", ["--hostname", name])
        #expect(seen.status == 125 && seen.error.contains("host name"), "\(seen)")
    }

    @Test func limitsAreAsAskedFor() throws {
        let options = ["--rlimit", "nofile=64:128", "--rlimit", "core=0", "--rlimit", "fsize=1M"]
        try expect(
            inRoot("ulimit -Sn; ulimit -Hn; ulimit -c; ulimit -f", options),
            prints: "64\n128\n0\n2048")
    }

    @Test(arguments: ["nofile", "nofile=", "nofile=x", "none=1", "nofile=9:1", "=1"])
    func badLimitsAreRefused(limit: String) throws {
        let seen = try inRoot("true", ["--rlimit", limit])
        #expect(seen.status == 125 && seen.error.hasPrefix("nsrun: --rlimit: "), "\(seen)")
    }

    @Test func limitAboveTheCallersIsRefused() throws {
        let bench = try Bench.current()
        let seen = try run([
            "sh", "-c",
            "ulimit -n 100; exec \(bench.nsrun) --rootfs \(bench.rootfs) --rlimit nofile=200 true",
        ])
        #expect(seen.status == 125 && seen.error.contains("nofile"), "\(seen)")
        #expect(seen.error.contains("only by root"), "\(seen)")
    }
}
