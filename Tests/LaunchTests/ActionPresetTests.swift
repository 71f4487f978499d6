// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--preset action`: one action of a build in an input root.
@Suite struct ActionPresetTests {
    /// An input root as remote execution makes one: no /proc, no /dev, no /etc, not even /tmp.
    private let root: BareRoot

    init() throws {
        root = try BareRoot(with: [
            "bash", "cat", "env", "grep", "ls", "mkdir", "readlink", "rm", "script", "setsid",
            "sleep",
            "stat",
        ])
        let copy = "cp -L \"$R\"/usr/lib/*-linux-gnu/libtinfo.so.6 lib; mkdir work"
        let rootfs = try Bench.current().rootfs
        expect(
            try run(["sh", "-c", copy], environment: ["R": rootfs], directory: root.path), exits: 0)
    }

    private func act(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> Outcome {
        try inRoot(
            script, ["--preset", "action"] + options, root: root.path, environment: environment,
            directory: directory)
    }

    // MARK: Files

    @Test(arguments: MountPath.allCases)
    func theInputRootIsWritable(path: MountPath) throws {
        try root.directory.write("old\n", to: "work/input")
        let script =
            "cat /work/input; echo new >/work/input; mkdir -p /out/a; echo x >/out/a/b; : >/top"
        expect(try act(script, path.options), prints: "old")
        #expect(root.directory.content("work/input") == "new\n")
        #expect(root.directory.content("out/a/b") == "x\n")
        #expect(root.directory.content("top") == "")
    }

    @Test(arguments: MountPath.allCases)
    func theWorkingDirectoryIsTheOneGiven(path: MountPath) throws {
        expect(
            try act("pwd; echo $PWD; : >made", ["--chdir", "/work"] + path.options),
            prints: "/work\n/work")
        #expect(root.directory.content("work/made") == "")
    }

    @Test func aWorkingDirectoryThatIsMissingIsAnError() throws {
        let seen = try act("pwd", ["--chdir", "/none"])
        #expect(seen.status == 125 && seen.error.contains("/none"), "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func theTemporaryDirectoryIsTheOneGiven(path: MountPath) throws {
        let scratch = try TemporaryDirectory()
        try scratch.write("there\n", to: "before")
        let options = ["--bind", scratch.path, "/tmp"] + path.options
        expect(try act("ls -A /tmp; echo x >/tmp/after", options), prints: "before")
        #expect(scratch.content("after") == "x\n")
        #expect(root.directory.content("tmp/after") == nil)
    }

    @Test(arguments: MountPath.allCases, ["/tmp", "/var/tmp", "/dev/shm"])
    func elseScratchIsPrivate(path: MountPath, place: String) throws {
        let script = "ls -A \(place); stat -f -c %T \(place); echo x >\(place)/x; cat \(place)/x"
        expect(try act(script, path.options), prints: "tmpfs\nx")
        #expect(root.directory.content("\(place.dropFirst())/x") == nil)
    }

    @Test func nothingOfTheHostsHomeIsThere() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let seen = try act("pwd; test -e \(NSHomeDirectory())", directory: folder.path)
        expect(seen, Outcome(status: 1, output: "/", error: ""))
    }

    @Test(arguments: MountPath.allCases)
    func anInputRootThatMayNotBeWrittenServesAsWell(path: MountPath) throws {
        expect(try run(["chmod", "-R", "a-w", root.path]), exits: 0)
        let script = """
            for place in / /bin /work; do (: >$place/new) 2>/dev/null && echo $place; done
            echo x >/tmp/x; cat /tmp/x; ls -d /proc/self /dev/null
            """
        expect(try act(script, path.options), prints: "x\n/dev/null\n/proc/self")
    }

    @Test(arguments: MountPath.allCases)
    func whatMayNotBeWrittenStaysAsItWas(path: MountPath) throws {
        expect(try run(["chmod", "-R", "a-w", root.path]), exits: 0)
        let before = try root.directory.listing()
        expect(try act(": >/tmp/x", path.options), exits: 0)
        #expect(try root.directory.listing() == before)
    }

    @Test func changesCanBeMadeToVanish() throws {
        for options in [
            ["--preset", "action", "--ephemeral"], ["--ephemeral", "--preset", "action"],
        ] {
            expect(try inRoot("echo x >/top; cat /top", options, root: root.path), prints: "x")
        }
        #expect(root.directory.content("top") == nil)
    }

    // MARK: Environment and programs

    @Test func theEnvironmentIsCleared() throws {
        let bench = try Bench.current()
        let seen = try nsrun(
            ["--rootfs", root.path, "--preset", "action", "--chdir", "/work", "env"],
            environment: ["LD_LIBRARY_PATH": "/x", "SECRET": "x"])
        expect(seen, prints: "PWD=/work")
        let given = try nsrun(
            ["--setenv", "A", "1", "--rootfs", bench.rootfs, "--preset", "action"]
                + ["--setenv", "B", "two words", "--chdir", "/", "sh", "-c", "echo $A; echo $B"])
        expect(given, prints: "1\ntwo words")
    }

    @Test func programsAreLookedUpInTheInputRoot() throws {
        try root.directory.write("#!/bin/sh\necho inside\n", to: "tools/guest-tool", mode: 0o755)
        let host = try TemporaryDirectory()
        try host.write("#!/bin/sh\necho outside\n", to: "host-tool", mode: 0o755)
        try host.write("#!/bin/sh\necho outside\n", to: "guest-tool", mode: 0o755)
        let start = ["--rootfs", root.path, "--preset", "action"]
        let environment = ["PATH": "\(host.path):/usr/bin:/bin"]
        let guest = try nsrun(
            start + ["--setenv", "PATH", "/none:/tools", "guest-tool"], environment: environment)
        expect(guest, prints: "inside")
        let missing = try nsrun(start + ["host-tool"], environment: environment)
        #expect(missing.status == 127, "\(missing)")
        // Without a PATH there are the usual places.
        expect(try nsrun(start + ["ls", "/work"], environment: environment), prints: "")
    }

    @Test func statusAndOutputAreTheActions() throws {
        let seen = try act("echo out; echo error >&2; exit 3")
        expect(seen, Outcome(status: 3, output: "out", error: "error"))
        expect(try act("kill -SEGV $$"), exits: 128 + SIGSEGV)
    }

    // MARK: What breaks without /proc and /dev

    @Test(arguments: MountPath.allCases, [true, false])
    func toolsFindWhatTheyNeed(path: MountPath, isWritable: Bool) throws {
        if !isWritable { expect(try run(["chmod", "-R", "a-w", root.path]), exits: 0) }
        let script = """
            readlink /proc/self/exe
            bash -c 'cat <(echo substituted)'
            echo piped | cat /dev/stdin
            : >/dev/shm/x && : >/dev/null && ls /dev/shm
            script -qec 'readlink /proc/self/fd/0' /dev/null </dev/null
            """
        let seen = try act(script, path.options)
        #expect(seen.status == 0, "\(seen)")
        #expect(
            seen.output.replacing("\r", with: "")
                == "/bin/readlink\nsubstituted\npiped\nx\n/dev/pts/0")
    }

    // MARK: Network

    @Test func thereIsNoNetworkUnlessAskedFor() throws {
        let devices =
            "while read -r name rest; do case $name in *:) echo $name; esac; done </proc/net/dev"
        expect(try act(devices), prints: "lo:")
        let own = "readlink /proc/self/ns/net"
        for options in [["--network", "host"], ["--share-net"]] {
            expect(try act(own, options), try run(["sh", "-c", own]))
            let seen = try inRoot(own, options + ["--preset", "action"], root: root.path)
            expect(seen, try run(["sh", "-c", own]))
        }
    }

    // MARK: Afterwards

    /// The next step deletes the directory.
    @Test(arguments: MountPath.allCases)
    func theInputRootCanBeDeletedAtOnce(path: MountPath) throws {
        let mounts = try HostState.mounts()
        let script = "mkdir -p /tmp/a /work/b; (setsid sleep 1000 &) ; cd /work/b"
        expect(try act(script, path.options), exits: 0)
        expect(try run(["rm", "-r", root.path]), exits: 0)
        #expect(try HostState.mounts() == mounts)
    }

    @Test func whatTheActionLeavesBehindIsKilled() throws {
        let marker = "86410.\(UInt32.random(in: 0...UInt32.max))"
        let script = """
            sleep \(marker) & (setsid sleep \(marker) &) &
            while [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | grep -ac \(marker)) -lt 1 ]; do :; done
            exit 5
            """
        expect(try act(script), exits: 5)
        #expect(try HostState.processes(marker) == [])
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGINT, SIGHUP], MountPath.allCases)
    func everythingIsKilledWhenCancelled(signal: Int32, path: MountPath) throws {
        let bench = try Bench.current()
        let marker = "86411.\(UInt32.random(in: 0...UInt32.max))"
        let script = "(setsid sleep \(marker) &); echo ready; exec sleep \(marker)"
        let action = try Conversation(
            [bench.nsrun, "--rootfs", root.path, "--preset", "action"] + path.options
                + ["--", "sh", "-c", script])
        #expect(action.line() == "ready")
        action.child.send(signal)
        #expect(action.child.wait() == 128 + signal)
        #expect(try HostState.processesGo(marker))
        expect(try run(["rm", "-r", root.path]), exits: 0)
    }

    /// Those that do not listen are killed as well.
    @Test func whoIgnoresTheSignalGoesWithNsrun() throws {
        let bench = try Bench.current()
        let marker = "86412.\(UInt32.random(in: 0...UInt32.max))"
        let script = "trap '' TERM INT HUP; echo ready; while :; do sleep \(marker); done"
        let action = try Conversation(
            [bench.nsrun, "--rootfs", root.path, "--preset", "action", "--", "sh", "-c", script])
        #expect(action.line() == "ready")
        action.child.send(SIGTERM)
        action.child.send(SIGKILL)
        action.child.wait()
        #expect(try HostState.processesGo(marker))
    }

    @Test func everythingIsKilledWithTheRunner() throws {
        let bench = try Bench.current()
        let marker = "86413.\(UInt32.random(in: 0...UInt32.max))"
        let runner = try Conversation([
            "sh", "-c",
            "\(bench.nsrun) --rootfs \(root.path) --preset action sh -c 'echo ready; exec sleep \(marker)' & wait",
        ])
        #expect(runner.line() == "ready")
        runner.child.send(SIGKILL)
        runner.child.wait()
        #expect(try HostState.processesGo(marker))
    }

    // MARK: Misuse

    @Test func thereMustBeARootfs() throws {
        expect(
            try nsrun(["--preset", "action", "true"]), refuses: "--preset action needs --rootfs",
            remedy: "--rootfs R")
    }
}
