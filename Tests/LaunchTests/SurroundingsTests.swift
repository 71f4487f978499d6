// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What is around a run and not of it: servers that listen on sockets, the caller's keys and processes. A view or a
/// preset that hides them does so whatever the command tries.
@Suite struct SurroundingsTests {
    // MARK: The machine

    /// A caller who is to take the machine for a smaller one, or its kernel for an older one, has the same programs.
    @Test(arguments: [["linux32"], ["linux32", "--uname-2.6"], ["linux64", "--uname-2.6"]])
    func whatTheMachineIsSaidToBe(personality: [String]) throws {
        let bench = try Bench.current()
        func asTold(_ command: [String]) throws -> Outcome {
            try run(["setarch"] + personality + command)
        }
        for view in [[], ["--rootfs", bench.rootfs]] {
            try expect(
                asTold([bench.nsrun] + view + ["uname", "-mr"]), asTold(["uname", "-mr"]))
            let plan = try asTold([bench.nsrun, "--explain"] + view + ["true"])
            #expect(plan.status == 0 && !plan.output.contains("emulator"), "\(plan)")
            #expect(!plan.output.contains("binfmt"), "\(plan)")
        }
        let root = [bench.nsrun, "--rootfs", bench.rootfs, "--ephemeral"]
        try expect(asTold(root + ["/bin/sh", "-c", "exit 3"]), exits: 3)
    }

    // MARK: Sockets

    /// Who has no network has none to the host's servers either, wherever they listen: the session's bus starts
    /// programs outside.
    @Test(arguments: [
        ["--preset", "test"], ["--preset", "test", "--share-net"],
        ["--preset", "test", "--ephemeral"],
        ["--network", "none"], ["--unshare-net"], ["--network", "none", "--ephemeral"],
        ["--network", "none", "--uid", "0"],
    ])
    func serversOfTheHostDoNotAnswer(shape: [String]) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let places = [folder / "bus", folder / "another"]
        let sockets = try places.map(Session.listen)
        defer { for socket in sockets { close(socket) } }
        let outside = try run(["sh", "-c", Session.connect(places)])
        expect(outside, prints: "connected\nconnected")
        let seen = try onHost(Session.connect(places), shape)
        #expect(seen.status == 0 && seen.lines.count == 2, "\(seen)")
        #expect(!seen.output.contains("connected"), "\(seen)")
    }

    /// With the host's root at `/run/host` neither.
    @Test(arguments: [[], ["--network", "none"], ["--ephemeral"]])
    func norBelowTheHostsRoot(shape: [String]) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let socket = try Session.listen(at: folder / "bus")
        defer { close(socket) }
        let options = shape + ["--host-root", "--setenv", "PATH", "/usr/bin:/bin"]
        let seen = try inRoot(Session.connect(["/run/host" + folder / "bus"]), options)
        #expect(seen.lines == ["/run/host\(folder / "bus"): Connection refused"], "\(seen)")
    }

    /// What was asked for is there.
    @Test(arguments: [["--network", "none"], ["--preset", "test"]])
    func aSocketThatIsBoundAnswers(shape: [String]) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let socket = try Session.listen(at: folder / "bus")
        defer { close(socket) }
        let options = shape + ["--bind", folder / "bus", folder / "bus"]
        try expect(onHost(Session.connect([folder / "bus"]), options), prints: "connected")
    }

    /// A server that ends while a run is set up is in nobody's way.
    @Test func serversComeAndGo() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let script = """
            import os, socket, sys
            print("ready", flush=True)
            while True:
                for name in "abcd":
                    path = sys.argv[1] + "/" + name
                    server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()
                    os.unlink(path)
            """
        let busy = try Conversation(["python3", "-c", script, folder.path])
        #expect(busy.line() == "ready")
        for _ in 0..<60 { try expect(onHost("echo on", ["--network", "none"]), prints: "on") }
        busy.child.send(SIGKILL)
        busy.child.wait()
    }

    /// Names in the abstract namespace belong to the network, and with that shared to a wall of its own (Linux 6.12).
    @Test(arguments: [
        (["--network", "none"], false), (["--preset", "test"], false),
        (["--preset", "test", "--share-net"], false), ([], true),
    ])
    func abstractNamesAnswerOnlyWhereTheNetworkIsShared(shape: [String], answers: Bool) throws {
        let name = "nsrun-test-\(UUID().uuidString)"
        let server = """
            import socket, sys, time
            s = socket.socket(socket.AF_UNIX); s.bind("\\0" + sys.argv[1]); s.listen()
            print("ready", flush=True); time.sleep(1000)
            """
        let outside = try Conversation(["python3", "-c", server, name])
        #expect(outside.line() == "ready")
        let client = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX)
            try: s.connect("\\0" + sys.argv[1]); print("connected")
            except OSError as e: print("refused")
            """
        let seen = try nsrun(shape + ["--", "python3", "-c", client, name])
        expect(seen, prints: answers ? "connected" : "refused")
        outside.child.send(SIGKILL)
        outside.child.wait()
    }

    // MARK: Keys

    /// The caller's session keyring (session-keyring(7)) stays outside of a root that is not his own surroundings.
    @Test(arguments: [
        ([], true, false), (["--network", "none"], true, false),
        (["--preset", "action"], true, false),
        (["--uid", "0"], true, false), (["--share-pid"], true, false),
        (["--preset", "test"], true, false),
        (["--preset", "test"], false, false), (["--preset", "toolbox"], true, true),
        (["--preset", "hpc"], true, true), ([], false, true),
    ])
    func keysOfTheCallers(shape: [String], inRoot: Bool, areFound: Bool) throws {
        let bench = try Bench.current()
        // keyctl(2) by number: its library is not in every root.
        let outside = """
            use POSIX; my ($add, $ctl) = (POSIX::uname())[4] eq "x86_64" ? (248, 250) : (217, 219);
            syscall($ctl, 1, 0) > 0 or die $!;
            my ($type, $name, $key) = ("user", "nsrun-test", "secret");
            syscall($add, $type, $name, $key, 6, -3) > 0 or die $!;
            exec @ARGV;
            """
        let inside = """
            use POSIX; my $ctl = (POSIX::uname())[4] eq "x86_64" ? 250 : 219;
            my ($type, $name, $key) = ("user", "nsrun-test", "x" x 6);
            my $found = syscall($ctl, 10, -3, $type, $name, 0);
            print syscall($ctl, 11, $found, $key, 6) == 6 && $found > 0 ? $key : "none";
            """
        let options = (inRoot ? ["--rootfs", bench.rootfs] : []) + shape
        let seen = try run(
            ["perl", "-e", outside, bench.nsrun] + options
                + ["--setenv", "PATH", "/usr/bin:/bin", "--", "perl", "-e", inside])
        expect(seen, prints: areFound ? "secret" : "none")
    }

    // MARK: The caller's processes

    /// `--die-with-parent` means the process: one of its threads may start a run and end.
    @Test(arguments: [
        ["--die-with-parent"], ["--preset", "test"], ["--die-with-parent", "--share-pid"],
    ])
    func theThreadThatStartedARunMayEnd(shape: [String]) throws {
        let script = """
            import subprocess, sys, threading
            def start():
                global run
                run = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)
                run.stdout.readline()
            thread = threading.Thread(target=start); thread.start(); thread.join()
            print(run.communicate()[0].strip(), run.returncode)
            """
        let command = ["--", "sh", "-c", "echo started; sleep 1; echo lives"]
        let nsrun = try Bench.current().nsrun
        try expect(
            run(["python3", "-c", script, nsrun] + shape + command), prints: "lives 0")
    }

    /// And when the process ends, the run does.
    @Test(arguments: [
        ["--die-with-parent"], ["--preset", "test"],
        ["--preset", "action", "--setenv", "PATH", "/bin"],
        ["--die-with-parent", "--share-pid"], ["--die-with-parent", "--as-pid-1"],
    ])
    func theRunEndsWithTheProcessThatStartedIt(shape: [String]) throws {
        let marker = "86407.\(UInt32.random(in: 0...UInt32.max))"
        let script = """
            import os, signal, subprocess, sys
            run = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE)
            print(run.stdout.readline().decode().strip(), flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
            """
        let inside = "trap '' HUP INT TERM; echo started; sleep 3; sleep 60 # \(marker)"
        let bench = try Bench.current()
        let seen = try run(
            ["python3", "-c", script, bench.nsrun, "--rootfs", bench.rootfs] + shape
                + ["--", "sh", "-c", inside])
        #expect(seen.output == "started", "\(seen)")
        #expect(try HostState.processesGo(marker))
    }

    /// A time limit holds, whatever the command does to whom.
    @Test(arguments: [
        [], ["--as-pid-1"], ["--preset", "test"], ["--new-session"], ["--share-pid"],
    ])
    func theTimeLimitOutlivesLauncherAndCaller(shape: [String]) throws {
        let marker = "86408.\(UInt32.random(in: 0...UInt32.max))"
        let bench = try Bench.current()
        let inside = "trap '' TERM HUP; kill -9 $PPID; sleep 3; sleep 60 # \(marker)"
        _ = try run(
            [
                "setsid", "--wait", "sh", "-c", "\"$@\"; :", "sh", bench.nsrun, "--rootfs",
                bench.rootfs,
            ]
                + shape + ["--timeout", "1", "--kill-after", "0.5", "--", "sh", "-c", inside])
        #expect(try HostState.processesGo(marker))
    }
}
