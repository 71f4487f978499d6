// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The exit status: the command's own, 128 and the signal, or what nsrun has to say.
@Suite struct StatusTests {
    static let shapes: [[String]] = [[], ["--share-pid"], ["--as-pid-1"]]

    @Test(arguments: shapes)
    func statusIsTheCommandsOwn(shape: [String]) throws {
        for status: Int32 in [0, 1, 2, 42, 124, 125, 126, 127, 128, 143, 254, 255] {
            try expect(inRoot("exit \(status)", shape), exits: status)
        }
    }

    /// Who asked for reports has gone, before the run or while it lasts: that is no business of the command's.
    @Test(
        arguments: [[], ["--share-pid"], ["--die-with-parent"], ["--unshare-all"]],
        ["--json-status-fd", "--info-fd"])
    func readersOfReportsMayLeave(shape: [String], option: String) throws {
        let script = """
            import os, subprocess, sys
            for late in False, True:
                for command in "exit 0", "exit 7", "sleep 0.05; exit 3", "kill -KILL $$":
                    reader, writer = os.pipe()
                    if not late: os.close(reader)
                    run = subprocess.Popen(sys.argv[1:] + [str(writer), "sh", "-c", command], pass_fds=[writer])
                    os.close(writer)
                    if late: os.read(reader, 8); os.close(reader)
                    print(run.wait())
            """
        let seen = try run(
            ["python3", "-c", script, Bench.current().nsrun] + shape + [option])
        expect(seen, prints: "0\n7\n3\n137\n0\n7\n3\n137")
    }

    @Test func everyStatusIsPassedOn() throws {
        for status: Int32 in 0...255 { try expect(inRoot("exit \(status)"), exits: status) }
    }

    @Test(arguments: [SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGTERM, SIGUSR1])
    func signalIs128AndItsNumber(signal: Int32) throws {
        for shape in [[], ["--share-pid"]] {
            try expect(inRoot("kill -\(signal) $$", shape), exits: 128 + signal)
        }
    }

    @Test(arguments: shapes)
    func unknownProgramIs127(shape: [String]) throws {
        let bench = try Bench.current()
        let seen = try nsrun(["--rootfs", bench.rootfs] + shape + ["no-such-program"])
        #expect(seen.status == 127, "\(seen)")
    }

    @Test(arguments: shapes)
    func fileThatIsNoProgramIs126(shape: [String]) throws {
        let bench = try Bench.current()
        for path in ["/etc/debian_version", "/etc"] {
            let seen = try nsrun(["--rootfs", bench.rootfs] + shape + [path])
            #expect(seen.status == 126, "\(seen)")
        }
    }

    @Test func misuseIs125() throws {
        #expect(try nsrun(["--no-such-option", "true"]).status == 125)
        #expect(try nsrun(["--rootfs", "/no/such/root", "true"]).status == 125)
    }

    /// To a pid 1 the kernel delivers only what it listens to, so that shape is not among these.
    @Test(arguments: [[], ["--share-pid"]])
    func timeLimitIs124(shape: [String]) throws {
        try expect(inRoot("exec sleep 100", ["--timeout", "0.2"] + shape), exits: 124)
    }

    @Test(arguments: shapes)
    func timeLimitLetsTheCommandTidyUp(shape: [String]) throws {
        let script = "trap 'kill $!; echo tidy; exit 3' TERM; sleep 100 & wait"
        let seen = try inRoot(script, ["--timeout", "2000ms"] + shape)
        #expect(seen.status == 124 && seen.output == "tidy", "\(seen)")
    }

    @Test(arguments: shapes)
    func killFollowsForThoseWhoDoNotListen(shape: [String]) throws {
        let script = "trap '' TERM; while :; do sleep 0.05; done"
        let options = ["--timeout", "0.2", "--kill-after", "0.2"] + shape
        try expect(inRoot(script, options), exits: 124)
    }

    @Test func stoppedCommandEndsAtItsTimeLimit() throws {
        let run = try Conversation(
            inRoot: "kill -STOP $$; exec sleep 1000", ["--timeout", "4"])
        // nsrun stops with its command, for the shell to see.
        #expect(HostState.waits(for: run.child.pid, toBe: "T"))
        run.child.send(SIGCONT)
        #expect(run.child.wait() == 124)
    }

    @Test(arguments: ["30", "1.5m", "2h", "1d", "500s"])
    func aRunThatIsQuickerIsLeftAlone(limit: String) throws {
        try expect(inRoot("echo x", ["--timeout", limit]), prints: "x")
    }
}
