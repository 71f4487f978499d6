// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Pid 1, what becomes of the processes of a run, and of its descriptors.
@Suite struct ProcessTests {
    @Test func commandIsAChildOfPidOne() throws {
        try expect(inRoot("echo $$ $PPID"), prints: "2 1")
    }

    @Test func commandCanBePidOneItself() throws {
        try expect(inRoot("echo $$", ["--as-pid-1"]), prints: "1")
    }

    @Test func pidOneReapsOrphans() throws {
        let script = """
            for i in 1 2 3 4 5; do (sh -c 'exit 3' &) ; done; sleep 0.2
            cat /proc/[0-9]*/stat | grep -c ') Z '
            """
        let seen = try inRoot(script)
        #expect(seen.output == "0", "\(seen)")
    }

    @Test func pidOneIsSmall() throws {
        let seen = try inRoot("grep -E '^(RssAnon|Threads)' /proc/1/status | tr -dc '0-9\\n'")
        let numbers = seen.lines.compactMap { Int($0) }
        #expect(numbers.count == 2 && numbers[0] < 2048 && numbers[1] == 1, "\(seen)")
    }

    @Test(arguments: [[], ["--as-pid-1"]])
    func leftoversAreKilledBeforeNsrunReturns(shape: [String]) throws {
        let marker = "86400.\(UInt32.random(in: 0...UInt32.max))"
        let script = """
            trap '' HUP TERM; sleep \(marker) & setsid sleep \(marker) & (setsid sleep \(marker) &) &
            while [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep \(marker)' | wc -l) -lt 3 ]
            do :; done; exit 5
            """
        #expect(try inRoot(script, shape).status == 5)
        #expect(try HostState.processes(marker) == [])
    }

    @Test func sharePIDKeepsThePidAndLeavesNothingResident() throws {
        let run = try Conversation(
            inRoot: "echo $$; read -r c </proc/$$/comm; echo $c; read -r x", ["--share-pid"])
        #expect(run.line() == "\(run.child.pid)")
        #expect(run.line() == "sh")
        let children = try String(
            contentsOfFile: "/proc/\(run.child.pid)/task/\(run.child.pid)/children", encoding: .utf8
        )
        #expect(children == "")
    }

    @Test(arguments: MountPath.allCases)
    func sharePIDShowsTheHostsProc(path: MountPath) throws {
        let script = "[ -d /proc/\(getpid()) ] && echo host"
        try expect(inRoot(script, ["--share-pid"] + path.options), prints: "host")
    }

    @Test(arguments: [[], ["--as-pid-1"], ["--share-pid"]])
    func killedWithItsLauncher(shape: [String]) throws {
        let marker = "86401.\(UInt32.random(in: 0...UInt32.max))"
        let run = try Conversation(
            inRoot: "echo ready; trap '' TERM HUP; exec sleep \(marker)",
            ["--die-with-parent"] + shape)
        #expect(run.line() == "ready")
        run.child.send(SIGKILL)
        run.child.wait()
        #expect(try HostState.processesGo(marker))
    }

    @Test(arguments: [[], ["--as-pid-1"], ["--share-pid"]])
    func killedWithTheCallerOfNsrun(shape: [String]) throws {
        let bench = try Bench.current()
        let marker = "86402.\(UInt32.random(in: 0...UInt32.max))"
        let command = [bench.nsrun, "--rootfs", bench.rootfs, "--die-with-parent"] + shape
        let script =
            "\(command.joined(separator: " ")) sh -c 'echo ready; exec sleep \(marker)' & wait"
        let caller = try Conversation(["sh", "-c", script])
        #expect(caller.line() == "ready")
        caller.child.send(SIGKILL)
        caller.child.wait()
        #expect(try HostState.processesGo(marker))
    }

    /// Whenever the blow comes, nobody is left behind.
    @Test func killedAtAnyMomentOfTheLaunch() throws {
        let bench = try Bench.current()
        let marker = "86403.\(UInt32.random(in: 0...UInt32.max))"
        for moment in 0..<60 {
            let run = try Conversation(
                [bench.nsrun, "--rootfs", bench.rootfs, "--die-with-parent", "sleep", marker])
            usleep(UInt32(moment * 100))
            run.child.send(SIGKILL)
            run.child.wait()
        }
        #expect(try HostState.processesGo(marker))
    }

    @Test(arguments: [[], ["--share-pid"], ["--as-pid-1"]] + MountPath.allCases.map(\.options))
    func descriptorsArePassedOnAndNoneIsAdded(shape: [String]) throws {
        // ls itself has one more, for the directory.
        let script = "cat <&9; cat <&5; ls /proc/self/fd"
        let seen = try inRoot(script, shape, descriptors: [5: "five\n", 9: "nine\n"])
        expect(seen, prints: "nine\nfive\n0\n1\n2\n3\n5\n9")
    }

    @Test(arguments: [[], ["--share-pid"], ["--as-pid-1"], ["--debug-opt=force-classic-mounts"]])
    func nothingMoreIsOpenInside(shape: [String]) throws {
        let bench = try Bench.current()
        // ls itself has one more, for the directory.
        let seen = try nsrun(["--rootfs", bench.rootfs] + shape + ["ls", "/proc/self/fd"])
        expect(seen, prints: "0\n1\n2\n3")
    }

    /// Before Linux 5.9 there is no close_range(2).
    @Test(arguments: [[], ["--share-pid"]])
    func oneByOneTheyAreClosedToo(shape: [String]) throws {
        let bench = try Bench.current()
        let seen = try run(
            [
                "sh", "-c", "exec \"$@\" 9</", "sh", bench.nsrun, "--rootfs", bench.rootfs,
                "--ro-bind-fd",
                "9", "/mnt", "--info-fd", "8",
            ] + shape + [
                "--", "sh", "-c",
                "ls /proc/self/fd; sleep 0.3; for f in /proc/1/fd/9 /proc/1/fd/8; do readlink $f; done; :",
            ], refusing: "close_range=ENOSYS", descriptors: [8: ""])
        #expect(seen.output == "0\n1\n2\n3", "\(seen)")
    }

    @Test func pidOneHoldsNoDescriptorOfTheCaller() throws {
        // Pid 1 closes them while the command starts, so it may take a moment.
        let script = """
            for i in 1 2 3 4 5 6 7 8 9 10; do
                count=$(readlink /proc/1/fd/* | grep -c /nsrun-test-)
                [ "$count" = 0 ] && break
                sleep 0.1
            done
            echo $count
            """
        try expect(inRoot(script, ["--info-fd", "8"], descriptors: [7: "x", 8: ""]), prints: "0")
    }

    @Test(arguments: [[], ["--as-pid-1"], ["--share-pid"], ["--timeout", "50"]])
    func whatTheCommandClosesIsClosed(shape: [String]) throws {
        try ProcessTests.expectClosed { script, descriptors in
            try Conversation(inRoot: script, shape, passing: descriptors)
        }
    }

    /// When the command closes a descriptor of the caller's, nobody of the run has it open.
    static func expectClosed(
        by start: (_ script: String, _ descriptors: [Int32: Int32]) throws -> Conversation
    ) throws {
        let pipe = try Pipe.make()
        let run = try start("exec 7>&-; echo closed; read -r x", [7: pipe.write])
        close(pipe.write)
        defer { close(pipe.read) }
        #expect(run.line() == "closed")
        #expect(Pipe.isReadable(pipe.read))
        var byte: UInt8 = 0
        #expect(read(pipe.read, &byte, 1) == 0)
        #expect(HostState.state(of: run.child.pid) != nil)
    }

    @Test func standardOutputClosedByTheCommandEnds() throws {
        let run = try Conversation(inRoot: "echo last; exec >&-; read -r x; exit 3")
        #expect(run.rest() == ["last"])
        run.say("go on")
        #expect(run.child.wait() == 3)
    }

    @Test(arguments: ["0<&-", "2>&-", "0<&- 2>&-"])
    func closedStandardDescriptorsStayClosed(closing: String) throws {
        let bench = try Bench.current()
        let inside = "for f in 0 1 2; do [ -e /proc/$$/fd/$f ] && echo $f; done; :"
        let plain = try run(["sh", "-c", "exec sh -c '\(inside)' \(closing)"])
        let start = "exec \(bench.nsrun) --rootfs \(bench.rootfs) sh -c '\(inside)' \(closing)"
        try expect(run(["sh", "-c", start]), plain)
    }
}
