// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Processes, descriptors, and what is left behind: nothing, in any engine.
@Suite(.serialized) struct EngineProcessTests {
    @Test(arguments: TestEngine.allCases)
    func leftoversAreKilledBeforeNsrunReturns(engine: TestEngine) throws {
        let marker = "86400.\(UInt32.random(in: 0...UInt32.max))"
        let script = """
            trap '' HUP TERM; sleep \(marker) & setsid sleep \(marker) & (setsid sleep \(marker) &) &
            while [ $(cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep \(marker)' | wc -l) -lt 3 ]
            do :; done; exit 5
            """
        #expect(try inRoot(by: engine, script).status == 5)
        #expect(try HostState.processes(marker) == [])
    }

    @Test(arguments: TestEngine.allCases)
    func descriptorsArePassedOnAndNoneIsAdded(engine: TestEngine) throws {
        // ls itself has one more, for the directory.
        let script = "cat <&9; cat <&5; ls /proc/self/fd"
        let seen = try inRoot(by: engine, script, descriptors: [5: "five\n", 9: "nine\n"])
        expect(seen, prints: "nine\nfive\n0\n1\n2\n3\n5\n9")
    }

    @Test(arguments: TestEngine.allCases) func nothingMoreIsOpenInside(engine: TestEngine) throws {
        let seen = try nsrun(
            by: engine, ["--rootfs", Bench.current().rootfs, "ls", "/proc/self/fd"])
        expect(seen, prints: "0\n1\n2\n3")
    }

    /// Not by proot, which holds on to what it was started with.
    @Test(arguments: [TestEngine.userns, .fakechroot])
    func whatTheCommandClosesIsClosed(engine: TestEngine) throws {
        try ProcessTests.expectClosed { script, descriptors in
            try Conversation(by: engine, script, passing: descriptors)
        }
    }

    @Test(arguments: [TestEngine.userns, .fakechroot])
    func standardOutputClosedByTheCommandEnds(engine: TestEngine) throws {
        let run = try Conversation(by: engine, "echo last; exec >&-; read -r x; exit 3")
        #expect(run.rest() == ["last"])
        run.say("go on")
        #expect(run.child.wait() == 3)
    }

    @Test(arguments: TestEngine.allCases) func inputOutputAndErrorAreTheCallers(engine: TestEngine)
        throws
    {
        let seen = try nsrun(
            by: engine,
            ["--rootfs", Bench.current().rootfs, "sh", "-c", "tr a-z A-Z; echo err >&2; exit 4"],
            input: "some text\n")
        expect(seen, Outcome(status: 4, output: "SOME TEXT", error: "err"))
    }

    @Test(arguments: ["0<&-", "2>&-", "0<&- 2>&-"], TestEngine.allCases)
    func closedStandardDescriptorsStayClosed(closing: String, engine: TestEngine) throws {
        let engines = try EngineBench.current()
        let inside = "for f in 0 1 2; do [ -e /proc/$$/fd/$f ] && echo $f; done; :"
        let plain = try run(["sh", "-c", "exec sh -c '\(inside)' \(closing)"])
        let command =
            "exec \(engines.bench.nsrun) --engine \(engine) --rootfs \(engines.bench.rootfs)"
        let seen = try run(
            ["sh", "-c", "\(command) sh -c '\(inside)' \(closing)"], environment: engines.tools)
        expect(seen, plain)
    }

    // MARK: The private directory

    @Test(arguments: TestEngine.withoutNamespaces)
    func thePrivateDirectoryIsGoneAfterwards(engine: TestEngine) throws {
        let before = try PrivateTrees.abandoned()
        let script = """
            mkdir -p /tmp/a/b; chmod 0 /tmp/a/b /tmp/a; ln -s / /tmp/l; ls -A /tmp; exit 3
            """
        let seen = try inRoot(by: engine, script)
        #expect(seen.status == 3 && seen.output == "a\nl", "\(seen)")
        #expect(try PrivateTrees.abandoned().subtracting(before) == [])
        // And so it is where nothing was started.
        _ = try nsrun(by: engine, ["--rootfs", Bench.current().rootfs, "no-such-program"])
        #expect(try PrivateTrees.abandoned().subtracting(before) == [])
    }

    /// Places that the rootfs lacks are made somewhere else, and are gone afterwards as well.
    @Test(arguments: TestEngine.allCases)
    func theRootfsStaysAsItIs(engine: TestEngine) throws {
        let root = try TemporaryDirectory()
        let rootfs = try Bench.current().rootfs
        // The smallest part of the rootfs in which the engines run.
        let copy = """
            set -eu; cd "$0"; mkdir -p usr/bin usr/lib etc home tmp
            cp -a "$1"/usr/bin/dash "$1"/usr/bin/sh "$1"/usr/bin/cat usr/bin/
            cp -a "$1"/usr/lib64 usr/; ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
            for lib in "$1"/usr/lib/*-linux-gnu; do
                mkdir usr/lib/${lib##*/}; cp -a $lib/ld-linux* $lib/libc.so.6 $lib/libm.so.6 usr/lib/${lib##*/}/
            done
            """
        try expect(run(["sh", "-c", copy, root.path, rootfs]), exits: 0)
        let host = try TemporaryDirectory()
        try host.write("x\n", to: "file")
        let before = try root.listing()
        for options in [
            [], ["--bind", host.path, "/data"], ["--bind", host / "file", "/etc/a/b"],
            ["--tmpfs", "/home/x/y", "--dir", "/var/z", "--symlink", "a", "/opt/b"], ["--home"],
        ] {
            let seen = try nsrun(
                by: engine, ["--rootfs", root.path] + options + ["sh", "-c", "exec cat /etc/none"])
            #expect(seen.status == 1 && seen.error.contains("No such file"), "\(options) \(seen)")
            #expect(try root.listing() == before)
        }
        expect(
            try nsrun(
                by: engine,
                ["--rootfs", root.path, "--bind", host.path, "/data", "cat", "/data/file"]),
            prints: "x")
    }

    @Test(arguments: TestEngine.withoutNamespaces)
    func aRunThatWasKilledIsTidiedUpAfterByTheNext(engine: TestEngine) throws {
        let script = "exec 3<&0; echo x >/tmp/x; (echo ready; read -r x <&3; cat /tmp/x) & wait"
        let run = try Conversation(by: engine, script)
        #expect(run.line() == "ready")
        let own = try PrivateTrees.of(launcher: run.child.pid)
        #expect(own.count == 1)
        run.child.send(SIGKILL)
        run.child.wait()
        // The command has ended with its launcher; what it had started goes on where nothing traces it, in its root.
        expect(try inRoot(by: engine, "true"), exits: 0)
        if engine == .fakechroot { #expect(try PrivateTrees.of(launcher: run.child.pid) == own) }
        run.say("go on")
        #expect(run.rest() == (engine == .fakechroot ? ["x"] : []))
        #expect(
            try HostState.eventually {
                expect(try inRoot(by: engine, "true"), exits: 0)
                return try PrivateTrees.of(launcher: run.child.pid) == []
            })
    }

    @Test(arguments: TestEngine.allCases)
    func aCommandThatShallDieWithItsCallerDoesSoInItsRoot(engine: TestEngine) throws {
        let marker = "nsrun-dies-\(UInt32.random(in: 0...UInt32.max))"
        let folder = try TemporaryDirectory()
        let script = """
            exec perl -e 'open my $log, ">>", "/opt/inside/log"; $| = 1; print "ready\n"; # \(marker)
            while (1) { -e "/opt/inside" or syswrite $log, "outside\n" }'
            """
        let run = try Conversation(
            by: engine, script, ["--die-with-parent", "--bind", folder.path, "/opt/inside"])
        #expect(run.line() == "ready")
        run.child.send(SIGKILL)
        run.child.wait()
        #expect(try HostState.processesGo(marker))
        #expect(try String(contentsOfFile: folder / "log", encoding: .utf8) == "")
    }

    @Test(arguments: TestEngine.withoutNamespaces)
    func runsAtTheSameTimeDoNotDisturbEachOther(engine: TestEngine) throws {
        let engines = try EngineBench.current()
        let command = [
            engines.bench.nsrun, "--engine", engine.rawValue, "--rootfs", engines.bench.rootfs,
            "sh", "-c", "echo $$ >/tmp/x; sleep 0.1; ls /tmp; test $(cat /tmp/x) = $$",
        ]
        let runs = try (0..<12).map { _ in try Conversation(command, environment: engines.tools) }
        for run in runs {
            #expect(run.rest() == ["x"])
            #expect(run.child.wait() == 0)
        }
    }
}
