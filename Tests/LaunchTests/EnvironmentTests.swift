import Foundation
import Testing

/// Environment, working directory and names of the command.
@Suite struct EnvironmentTests {
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
