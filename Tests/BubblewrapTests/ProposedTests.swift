// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What has been proposed for bubblewrap, under both names.
@Suite struct ProposedTests {
    // MARK: Signals

    private static let stubborn = "trap '' TERM; echo ready; read -r x; echo survived"

    /// bubblewrap itself dies of the signal, and `--die-with-parent` takes the run with it.
    @Test(arguments: [[], ["--unshare-pid"], ["--unshare-all"]], [SIGTERM, SIGUSR1, SIGHUP])
    func withDieWithParentASignalEndsTheRun(shape: [String], signal: Int32) throws {
        let run = try Conversation(
            Name.bwrap.command() + shape
                + ["--die-with-parent", "sh", "-c", ProposedTests.stubborn])
        #expect(run.line() == "ready")
        run.child.send(signal)
        #expect(run.child.wait() == 128 + signal)
        run.say("")
        #expect(run.rest() == [])
    }

    @Test func itIsTheSignalThatEndsBubblewrap() throws {
        let look = """
            my $pid = fork // die; exec @ARGV if !$pid; sleep 1; kill 15, $pid; waitpid $pid, 0;
            print $? & 127
            """
        let seen = try run(
            ["perl", "-e", look] + Name.bwrap.command() + ["--die-with-parent", "sleep", "30"])
        expect(seen, prints: "15")
    }

    /// What would not end bubblewrap is handed on as ever.
    @Test func othersReachTheCommand() throws {
        let script = "trap 'echo changed; exit 5' WINCH; echo ready; while :; do sleep 0.02; done"
        let run = try Conversation(
            Name.bwrap.command() + ["--die-with-parent", "sh", "-c", script])
        #expect(run.line() == "ready")
        run.child.send(SIGWINCH)
        #expect(run.line() == "changed")
        #expect(run.child.wait() == 5)
    }

    @Test(arguments: Name.allCases, [[], ["--unshare-pid"]])
    func signalsAreForwarded(name: Name, shape: [String]) throws {
        let run = try Conversation(
            name.command() + shape
                + ["--die-with-parent", "--forward-signals", "--", "sh", "-c"]
                + [LifecycleTests.listener])
        #expect(run.line() == "ready")
        run.child.send(SIGTERM)
        #expect(run.line() == "TERM")
        #expect(run.child.wait() == 5)
    }

    // MARK: Namespaces

    /// A second run in the user and the network namespace of the first.
    @Test(arguments: Name.allCases) func aNetworkNamespaceIsEntered(name: Name) throws {
        let first = try Conversation(
            Name.bwrap.command() + ["--unshare-user", "--unshare-net", "--proc", "/proc"]
                + ["sh", "-c", "readlink /proc/self/ns/net; read -r x"])
        let network = try #require(first.line())
        // bwrap's child, which is in the namespaces.
        let children = "/proc/\(first.child.pid)/task/\(first.child.pid)/children"
        let child = try String(contentsOfFile: children, encoding: .utf8)
            .trimmingCharacters(in: .whitespaces)
        let user = try OpenFile("/proc/\(child)/ns/user")
        let net = try OpenFile("/proc/\(child)/ns/net")
        let files =
            [
                0: try Scratch.openFile(), 7: user.number, 8: net.number,
            ] as [Int32: Int32]
        let proc = name == .bwrap ? ["--proc", "/proc"] : []
        let options = ["--userns", "7", "--netns", "8"] + proc
        let seen = try run(
            name.command() + options + ["--", "readlink", "/proc/self/ns/net"], passing: files)
        expect(seen, prints: network)
        #expect(
            try network
                != FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/ns/net"))
    }

    @Test(arguments: Name.allCases) func aNetworkIsOneOrTheOther(name: Name) throws {
        let seen = try sandbox(
            "", ["--unshare-net", "--netns", "7"], as: name, descriptors: [7: ""])
        expect(seen, refusedSaying: "--netns is not compatible with --unshare-net", by: name)
    }

    @Test(arguments: Name.allCases) func whatIsNoNamespaceIsRefused(name: Name) throws {
        let seen = try sandbox("", ["--netns", "7"], as: name, descriptors: [7: ""])
        expect(seen, refusedSaying: "net namespace of descriptor 7", by: name)
    }

    // MARK: Overlays

    private func layer() throws -> TemporaryDirectory {
        let host = try TemporaryDirectory()
        try host.write("lower", to: "lower/file")
        return host
    }

    @Test(arguments: Kernel.allCases) func optionsReachTheKernel(kernel: Kernel) throws {
        let host = try layer()
        let source = ["--overlay-src", host / "lower"]
        for options in [
            source + ["--overlay-opt", "index=off,xino=off"],
            ["--overlay-opt", "index=off", "--overlay-opt", "xino=off"] + source,
        ] {
            let seen = try sandbox(
                "cat /m/file; grep -o ' /m .*' /proc/self/mountinfo | grep -o xino=off",
                kernel.options + options + ["--tmp-overlay", "/m", "--proc", "/proc"])
            #expect(seen.lines.first == "lower" && seen.error == "", "\(seen)")
        }
    }

    @Test(arguments: Name.allCases) func optionsThatTheKernelRefusesAreFatal(name: Name) throws {
        let host = try layer()
        let seen = try sandbox(
            "",
            ["--overlay-src", host / "lower", "--overlay-opt", "no-such=1", "--tmp-overlay", "/m"],
            as: name)
        expect(seen, refusedSaying: "overlay", by: name)
    }

    @Test(arguments: [[], ["--overlay-src", "/usr"]])
    func optionsThatBelongToNothingAreRefused(before: [String]) throws {
        expect(
            try sandbox("", before + ["--overlay-opt", "index=off", "--dir", "/x"]),
            refusedSaying: "--overlay-", "must be followed by")
    }

    // MARK: Landlock

    /// An abstract socket of the test's own.
    @Test(arguments: ["--scope-abstract-af-unix", "--scope-abstract-af-unix-try"], Name.allCases)
    func abstractSocketsOfOthersAreOutOfReach(option: String, name: Name) throws {
        let address = "nsrun-test-\(getpid())-\(option.count)-\(name)"
        let perl = """
            use Socket; my $at = pack_sockaddr_un("\\0$ARGV[0]");
            socket my $s, AF_UNIX, SOCK_STREAM, 0 or die;
            """
        let server = try Conversation(
            [
                "perl", "-e",
                "\(perl) bind $s, $at or die; listen $s, 5; $| = 1; print qq(on\\n); <STDIN>",
            ]
                + [address])
        #expect(server.line() == "on")
        let client = ["perl", "-e", "\(perl) print connect($s, $at) ? 'reached' : $!", address]
        let command = try name.command() + ["--dev", "/dev"]
        let open = try run(command + ["--"] + client)
        expect(open, prints: "reached")
        // Before Linux 6.12 there is no such wall, and only the one that must be is missed.
        let probe = try run(["perl", "-e", "print syscall(444, 0, 0, 1)"]).output
        let seen = try run(command + [option, "--"] + client)
        if let version = Int(probe), version >= 6 {
            expect(seen, prints: "Operation not permitted")
        } else if option.hasSuffix("-try") {
            expect(seen, prints: "reached")
        } else {
            expect(seen, refusedSaying: "abstract sockets", by: name)
        }
    }

    /// Signals are no matter of theirs.
    @Test func signalsOfOthersStayInReach() throws {
        let target = try Conversation(["sh", "-c", "echo on; exec sleep 30"])
        #expect(target.line() == "on")
        let pid = String(target.child.pid)
        try expect(
            run(
                Name.bwrap.command()
                    + ["--scope-abstract-af-unix-try", "sh", "-c", "kill -TERM \(pid)"]), exits: 0)
        #expect(target.child.wait() == 128 + SIGTERM)
    }
}
