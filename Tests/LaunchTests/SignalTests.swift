// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What reaches nsrun reaches the command, once; and nsrun does not go before the command does.
@Suite struct SignalTests {
    /// Says each signal that it gets, and ends when its input does. A shell would hold a signal back while it waits for its input; perl tells it at once.
    static let listener = """
        exec perl -e '
            $| = 1;
            use POSIX qw(:signal_h);
            for my $s (qw(TERM INT HUP QUIT USR1 USR2 WINCH ALRM)) {
                POSIX::sigaction(eval "POSIX::SIG$s()" || 28,
                    POSIX::SigAction->new(sub { syswrite STDOUT, "$s\\n" }));
            }
            print "ready\\n";
            while (1) {
                my $n = sysread STDIN, my $b, 100;
                next if !defined $n;
                last if !$n;
                syswrite STDOUT, $b;
            }
            print "done\\n";'
        """

    static let signals: [(String, Int32)] = [
        ("TERM", SIGTERM), ("INT", SIGINT), ("HUP", SIGHUP), ("QUIT", SIGQUIT), ("USR1", SIGUSR1),
        ("USR2", SIGUSR2), ("WINCH", SIGWINCH), ("ALRM", SIGALRM),
    ]
    static let shapes: [[String]] = [
        [], ["--as-pid-1"], ["--share-pid"], ["--share-pid", "--timeout", "50"],
    ]

    @Test(arguments: signals, shapes)
    func signalReachesTheCommandOnce(signal: (String, Int32), shape: [String]) throws {
        let run = try Conversation(inRoot: SignalTests.listener, shape)
        SignalTests.expectOnce(signal, by: run)
    }

    /// The listener is told of a signal to its launcher, and once.
    static func expectOnce(_ signal: (String, Int32), by run: Conversation) {
        #expect(run.line() == "ready")
        run.child.send(signal.1)
        #expect(run.line() == signal.0)
        // A second copy would be told before the answer.
        run.say("more")
        #expect(run.line() == "more")
        run.hangUp()
        #expect(run.rest() == ["done"])
        #expect(run.child.wait() == 0)
    }

    /// A C library keeps some of them for itself, which are signals like others to a command.
    @Test(arguments: [34, 35, 40, 63, 64], shapes.filter { $0 != ["--as-pid-1"] })
    func realTimeSignalsToo(number: Int32, shape: [String]) throws {
        let run = try Conversation(inRoot: "echo ready; exec sleep 1000", shape)
        #expect(run.line() == "ready")
        run.child.send(number)
        #expect(run.child.wait() == 128 + number)
    }

    @Test(arguments: [[], ["--share-pid"]])
    func signalsToTheWholeGroupArriveOnce(shape: [String]) throws {
        let run = try Conversation(inRoot: SignalTests.listener, shape)
        #expect(run.line() == "ready")
        for _ in 0..<5 {
            kill(-run.child.pid, SIGUSR1)
            #expect(run.line() == "USR1")
            run.say("more")
            #expect(run.line() == "more")
        }
        run.hangUp()
        #expect(run.rest() == ["done"])
    }

    @Test func manySignalsAllArrive() throws {
        let run = try Conversation(inRoot: SignalTests.listener)
        #expect(run.line() == "ready")
        for _ in 0..<20 {
            run.child.send(SIGUSR1)
            #expect(run.line() == "USR1")
        }
        run.hangUp()
        #expect(run.rest() == ["done"])
    }

    @Test(arguments: shapes)
    func commandThatIgnoresASignalGoesOn(shape: [String]) throws {
        let run = try Conversation(
            inRoot: "trap '' TERM INT HUP; echo ready; read -r x; echo $x; exit 7", shape)
        #expect(run.line() == "ready")
        for signal in [SIGTERM, SIGINT, SIGHUP] { run.child.send(signal) }
        run.say("alive")
        #expect(run.line() == "alive")
        #expect(run.child.wait() == 7)
    }

    @Test(arguments: [[], ["--share-pid"]])
    func commandKilledByTheSignalIsReportedSo(shape: [String]) throws {
        for (_, number) in SignalTests.signals where number != SIGWINCH {
            let run = try Conversation(inRoot: "echo ready; exec sleep 100", shape)
            #expect(run.line() == "ready")
            run.child.send(number)
            #expect(run.child.wait() == 128 + number)
        }
    }

    @Test func signalsIgnoredByTheCallerStayIgnored() throws {
        let bench = try Bench.current()
        let script =
            "trap '' HUP USR1; exec \(bench.nsrun) --rootfs \(bench.rootfs) grep SigIgn /proc/self/status"
        let seen = try run(["sh", "-c", script])
        let plain = try run(["sh", "-c", "trap '' HUP USR1; grep SigIgn /proc/self/status"])
        expect(seen, plain)
    }

    @Test(arguments: [[], ["--share-pid"], ["--as-pid-1"]])
    func commandStartsWithTheCallersSignals(shape: [String]) throws {
        let script = "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status"
        try expect(inRoot(script, shape), run(["sh", "-c", script]))
    }

    @Test func stopAndContinueReachTheCommand() throws {
        let run = try Conversation(inRoot: "echo ready; while read -r x; do echo $x; done")
        #expect(run.line() == "ready")
        run.child.send(SIGTSTP)
        #expect(HostState.waits(for: run.child.pid, toBe: "T"))
        run.child.send(SIGCONT)
        run.say("on")
        #expect(run.line() == "on")
        run.hangUp()
        #expect(run.child.wait() == 0)
    }

    @Test func commandThatStopsItselfStopsNsrun() throws {
        let run = try Conversation(inRoot: "echo ready; kill -STOP $$; echo on")
        #expect(run.line() == "ready")
        #expect(HostState.waits(for: run.child.pid, toBe: "T"))
        run.child.send(SIGCONT)
        #expect(run.rest() == ["on"])
        #expect(run.child.wait() == 0)
    }

    /// Whoever has let it go on does not do so again: a shell whose `fg` comes before nsrun has heard of the stop.
    @Test(arguments: [[], ["--new-session"], ["--as-pid-1"]])
    func aStopThatIsOverIsNotFollowed(shape: [String]) throws {
        let marker = "over-\(UUID().uuidString)"
        // Pid 1 gets no SIGSTOP of its own.
        let script =
            "echo ready; read -r x; sh -c 'kill -STOP $PPID'; echo on; read -r x; echo again"
        let run = try Conversation(inRoot: script, shape + ["--argv0", marker])
        #expect(run.line() == "ready")
        run.child.send(SIGSTOP)
        #expect(HostState.waits(for: run.child.pid, toBe: "T"))
        run.say("stop")
        func others() throws -> [Character] {
            try HostState.processes(marker).compactMap { pid_t($0) }
                .filter { $0 != run.child.pid }.compactMap { HostState.state(of: $0) }
        }
        if shape != ["--as-pid-1"] {
            #expect(try HostState.eventually { try others().contains("T") })
        }
        run.child.send(SIGCONT)
        #expect(run.line() == "on")
        run.say("go on")
        #expect(run.rest() == ["again"])
        #expect(run.child.wait() == 0)
    }
}
