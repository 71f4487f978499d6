// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// How a run ends, and what reaches the command, is the same in every engine.
@Suite struct EngineStatusTests {
    // MARK: Exit status

    @Test(arguments: TestEngine.allCases) func statusIsTheCommandsOwn(engine: TestEngine) throws {
        for status: Int32 in [0, 1, 42, 124, 125, 126, 127, 128, 143, 255] {
            try expect(inRoot(by: engine, "exit \(status)"), exits: status)
        }
    }

    @Test(arguments: TestEngine.allCases) func signalIs128AndItsNumber(engine: TestEngine) throws {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1] {
            try expect(inRoot(by: engine, "kill -\(signal) $$"), exits: 128 + signal)
        }
    }

    /// The words, too, are the kernel's engine's.
    @Test(
        arguments: TestEngine.withoutNamespaces,
        [
            ["no-such-program"], ["/etc/debian_version"], ["/etc"], ["/bin/no/such"], ["/bin/sh/x"],
            ["--chdir", "/nowhere", "true"], ["./sh"], ["--chdir", "/etc", "./passwd"],
        ])
    func whatCannotBeRunIsSaidInTheSameWords(engine: TestEngine, words: [String]) throws {
        let arguments = try ["--rootfs", Bench.current().rootfs] + words
        let wanted = try nsrun(by: .userns, arguments)
        #expect(wanted.status >= 125 && !wanted.error.isEmpty, "\(wanted)")
        try expect(nsrun(by: engine, arguments), wanted)
    }

    /// A script whose interpreter is missing, a script without a first line, one for another one.
    @Test(arguments: TestEngine.allCases) func scriptsRunAsByTheKernel(engine: TestEngine) throws {
        let folder = try TemporaryDirectory()
        try folder.write("#!/no/such\n", to: "orphan", mode: 0o755)
        try folder.write("#!/opt/s/inner -x\n", to: "outer", mode: 0o755)
        try folder.write("#! /bin/sh -e\necho \"$0|$#|$*\"\n", to: "inner", mode: 0o755)
        try folder.write("echo \"$0|$#|$*\"\n", to: "text", mode: 0o755)
        try folder.write("neither\0\n", to: "data", mode: 0o755)
        func outcome(_ name: String) throws -> Outcome {
            try nsrun(
                by: engine,
                [
                    "--rootfs", Bench.current().rootfs, "--bind", folder.path, "/opt/s",
                    "/opt/s/\(name)", "a", "b c",
                ])
        }
        try expect(outcome("inner"), prints: "/opt/s/inner|2|a b c")
        try expect(outcome("outer"), prints: "/opt/s/inner|4|-x /opt/s/outer a b c")
        let orphan = try outcome("orphan")
        #expect(orphan.status == 126 && orphan.error.contains("/no/such"), "\(orphan)")
        try expect(outcome("text"), prints: "/opt/s/text|2|a b c")
        let data = try outcome("data")
        #expect(data.status == 126 && data.error.contains("cannot run /opt/s/data"), "\(data)")
    }

    @Test(arguments: TestEngine.allCases) func timeLimitIs124(engine: TestEngine) throws {
        try expect(inRoot(by: engine, "exec sleep 100", ["--timeout", "0.5"]), exits: 124)
        let tidy = "trap 'kill $!; echo tidy; exit 3' TERM; sleep 100 & wait"
        let seen = try inRoot(by: engine, tidy, ["--timeout", "1"])
        #expect(seen.status == 124 && seen.output == "tidy", "\(seen)")
        let deaf = "trap '' TERM; while :; do sleep 0.05; done"
        try expect(
            inRoot(by: engine, deaf, ["--timeout", "0.5", "--kill-after", "0.2"]), exits: 124)
    }

    /// What an engine makes of the host ends with the command, not before it.
    @Test(arguments: TestEngine.allCases) func theRootIsThereToTheEnd(engine: TestEngine) throws {
        let folder = try TemporaryDirectory()
        let script = """
            exec perl -e '$SIG{TERM} = "IGNORE"; while (1) { -e "/opt/inside" or warn "outside" }'
            """
        let options = [
            "--bind", folder.path, "/opt/inside", "--timeout", "0.5", "--kill-after", "0.2",
        ]
        for _ in 0..<3 { try expect(inRoot(by: engine, script, options), exits: 124) }
    }

    // MARK: Signals

    @Test(arguments: TestEngine.allCases, SignalTests.signals)
    func signalReachesTheCommandOnce(engine: TestEngine, signal: (String, Int32)) throws {
        let run = try Conversation(by: engine, SignalTests.listener)
        SignalTests.expectOnce(signal, by: run)
    }

    @Test(arguments: TestEngine.allCases)
    func commandKilledByTheSignalIsReportedSo(engine: TestEngine) throws {
        for signal in [SIGTERM, SIGINT, SIGUSR1] {
            let run = try Conversation(by: engine, "echo ready; exec sleep 100")
            #expect(run.line() == "ready")
            run.child.send(signal)
            #expect(run.child.wait() == 128 + signal)
        }
    }

    @Test(arguments: TestEngine.allCases)
    func commandThatIgnoresASignalGoesOn(engine: TestEngine) throws {
        let run = try Conversation(
            by: engine, "trap '' TERM INT HUP; echo ready; read -r x; echo $x; exit 7")
        #expect(run.line() == "ready")
        for signal in [SIGTERM, SIGINT, SIGHUP] { run.child.send(signal) }
        run.say("alive")
        #expect(run.line() == "alive")
        #expect(run.child.wait() == 7)
    }

    /// Whenever the signal comes, the run ends, and by it.
    @Test(arguments: TestEngine.allCases) func aSignalAtAnyMomentEndsTheRun(engine: TestEngine)
        throws
    {
        let engines = try EngineBench.current()
        for moment in 0..<20 {
            let run = try Conversation(
                [
                    engines.bench.nsrun, "--engine", engine.rawValue, "--rootfs",
                    engines.bench.rootfs, "sleep", "100",
                ], environment: engines.tools)
            usleep(UInt32(moment * 500))
            run.child.send(SIGTERM)
            #expect(run.child.wait() == 128 + SIGTERM)
        }
    }

    @Test(arguments: TestEngine.allCases)
    func signalsIgnoredOrBlockedByNobodyAreNeither(engine: TestEngine) throws {
        let root = try Bench.current().rootfs
        let seen = try nsrun(
            by: engine, ["--rootfs", root, "grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"])
        try expect(seen, run(["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"]))
    }

    @Test(arguments: TestEngine.allCases) func stoppingAndContinuing(engine: TestEngine) throws {
        let run = try Conversation(by: engine, "echo ready; while read -r x; do echo $x; done")
        #expect(run.line() == "ready")
        run.child.send(SIGTSTP)
        #expect(HostState.waits(for: run.child.pid, toBe: "T"))
        run.child.send(SIGCONT)
        run.say("on")
        #expect(run.line() == "on")
        run.hangUp()
        #expect(run.child.wait() == 0)
    }

    /// proot lets a process that stopped itself go on at once, until it is stopped in turn: what takes no time
    /// would be over by then.
    @Test(arguments: TestEngine.allCases)
    func commandThatStopsItselfStopsNsrun(engine: TestEngine) throws {
        let run = try Conversation(by: engine, "echo ready; kill -STOP $$; sleep 1; echo on")
        #expect(run.line() == "ready")
        #expect(HostState.waits(for: run.child.pid, toBe: "T"))
        run.child.send(SIGCONT)
        #expect(run.rest() == ["on"])
        #expect(run.child.wait() == 0)
    }
}
