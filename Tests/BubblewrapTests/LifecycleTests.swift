// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Signals, ends and what stays behind.
@Suite struct LifecycleTests {
    static let listener = """
        trap 'echo TERM; exit 5' TERM; trap 'echo USR1; exit 6' USR1
        echo ready; while :; do sleep 0.02; done
        """

    /// In bubblewrap the monitor dies of these, and the command lives on without it.
    @Test(
        arguments: [(SIGTERM, "TERM", 5), (SIGUSR1, "USR1", 6)],
        [[], ["--unshare-pid"], ["--unshare-all"]])
    func signalsToTheMonitorReachTheCommand(
        signal: (Int32, String, Int32), options: [String]
    ) throws {
        let run = try Conversation(
            Name.bwrap.command() + options + ["sh", "-c", LifecycleTests.listener])
        #expect(run.line() == "ready")
        run.child.send(signal.0)
        #expect(run.line() == signal.1)
        #expect(run.child.wait() == signal.2)
    }

    @Test(arguments: [[], ["--unshare-pid"]])
    func aCommandThatIgnoresTheSignalKeepsItsMonitor(options: [String]) throws {
        let run = try Conversation(
            Name.bwrap.command() + options
                + ["sh", "-c", "trap '' TERM USR1; echo ready; read -r x; echo $x; exit 7"])
        #expect(run.line() == "ready")
        for signal in [SIGTERM, SIGUSR1] { run.child.send(signal) }
        run.say("alive")
        #expect(run.line() == "alive")
        #expect(run.child.wait() == 7)
    }

    /// The sandbox lives as long as anything in it; its caller need not wait for that.
    @Test(arguments: [[], ["--unshare-pid"], ["--unshare-all", "--json-status-fd", "2"]])
    func backgroundChildrenLiveOn(options: [String]) throws {
        let mark = try Pipe.make()
        let gate = try Pipe.make()
        defer { for end in [mark.read, gate.write] { close(end) } }
        let child = try Child(
            Name.bwrap.command() + options
                + [
                    "--dev", "/dev", "sh", "-c", "(read -r x <&8; echo late >&9) >&- 2>&- & exit 3",
                ],
            descriptors: [
                0: try Scratch.openFile(), 1: try Scratch.openFile(), 2: try Scratch.openFile(),
                8: gate.read, 9: mark.write,
            ])
        for end in [gate.read, mark.write] { close(end) }
        #expect(child.wait() == 3)
        _ = write(gate.write, "go\n", 3)
        #expect(Pipe.isReadable(mark.read))
        var buffer = [UInt8](repeating: 0, count: 16)
        #expect(read(mark.read, &buffer, buffer.count) == 5)
    }

    /// Under its own name a run ends whole.
    @Test func underItsOwnNameNothingLivesOn() throws {
        let mark = "sleep 1000.\(getpid())"
        let seen = try sandbox("\(mark) >&- 2>&- & exit 3", as: .nsrun)
        #expect(seen.status == 3)
        #expect(try HostState.processesGo(mark))
    }

    /// Whoever adopts the sandbox's pid 1 may not reap: then a zombie would stay for good.
    @Test(arguments: [[], ["--unshare-pid"], ["--unshare-all"]])
    func noZombieIsLeftToAnAdopterThatDoesNotReap(options: [String]) throws {
        let script = """
            use strict; my $PR_SET_CHILD_SUBREAPER = 36;
            syscall(157, $PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 or die;
            my $pid = fork // die;
            exec @ARGV if !$pid;
            waitpid $pid, 0;
            select undef, undef, undef, 0.1;
            open my $list, "<", "/proc/$$/task/$$/children" or die;
            print "left: ", <$list>, "\\n";
            """
        let seen = try run(["perl", "-e", script] + Name.bwrap.command() + options + ["true"])
        expect(seen, prints: "left: ")
    }

    @Test(arguments: [[], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"]])
    func theRunDiesWithItsParent(options: [String]) throws {
        let mark = "sleep 2000.\(getpid())"
        let parent = try Conversation(
            ["sh", "-c", "\"$@\" & echo started; wait", "sh"] + Name.bwrap.command() + options
                + ["--dev", "/dev", "--die-with-parent", "sh", "-c", "\(mark) & echo inside; wait"])
        let lines = Set([parent.line(), parent.line()])
        #expect(lines == ["started", "inside"])
        kill(parent.child.pid, SIGKILL)
        #expect(try HostState.processesGo(mark))
    }

    @Test func theRunDiesWithItsMonitor() throws {
        let mark = "sleep 3000.\(getpid())"
        let run = try Conversation(
            Name.bwrap.command()
                + ["--dev", "/dev", "--die-with-parent", "sh", "-c", "\(mark) & echo on; wait"])
        #expect(run.line() == "on")
        run.child.send(SIGKILL)
        #expect(try HostState.processesGo(mark))
    }

    /// The parent ends before the run can ask to be told of it: the run must see that by itself.
    @Test func aParentThatIsGoneAlreadyIsNoticed() throws {
        for round in 0..<20 {
            let mark = "sleep 4000.\(getpid()).\(round)"
            let command =
                try Name.bwrap.command() + ["--die-with-parent", "sh", "-c", "exec \(mark)"]
            _ = try run(["sh", "-c", "\"$@\" >/dev/null 2>&1 & exit 0", "sh"] + command)
            #expect(try HostState.processesGo(mark))
        }
    }

    @Test func theMonitorStaysWhileTheCommandRuns() throws {
        let run = try Conversation(
            Name.bwrap.command() + ["--unshare-pid", "sh", "-c", "echo on; read -r x; exit 9"])
        #expect(run.line() == "on")
        #expect(["R", "S"].contains(HostState.state(of: run.child.pid)))
        run.say("")
        #expect(run.child.wait() == 9)
    }

    /// bubblewrap stays, and exits whatever became of the command: who looks at its wait status sees no signal.
    @Test(arguments: [[], ["--unshare-pid"], ["--unshare-all"], ["--die-with-parent"]])
    func aSignalsEndIsAnExitStatus(options: [String]) throws {
        let look = "system @ARGV; print $? & 127, ' ', $? >> 8"
        for signal in [SIGTERM, SIGKILL, SIGSEGV] {
            let command = try Name.bwrap.command() + options + ["sh", "-c", "kill -\(signal) $$"]
            expect(try run(["perl", "-e", look] + command), prints: "0 \(128 + signal)")
        }
    }

    @Test(arguments: [["--unshare-pid"], ["--unshare-pid", "--as-pid-1"]])
    func pidsAreTheNamespacesOwn(options: [String]) throws {
        let pid = options.contains("--as-pid-1") ? "1" : "2"
        try expect(sandbox("echo $$", options), prints: pid)
    }

    @Test func nothingIsMountedOnTheHost() throws {
        let before = try HostState.mounts()
        try expect(sandbox("", ["--dev", "/dev", "--tmpfs", "/a", "--bind", "/", "/b"]), exits: 0)
        #expect(try HostState.mounts() == before)
    }
}
