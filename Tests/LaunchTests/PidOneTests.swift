// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Pid 1 of a run began as a copy of nsrun, and speaks for it: the command must not get at it.
@Suite struct PidOneTests {
    static let identities = [[], ["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"]]

    @Test(
        arguments: identities,
        [[], ["--preset", "test"], ["--network", "none", "--timeout", "60"]])
    func nothingOfItCanBeReadOrWritten(identity: [String], shape: [String]) throws {
        let script = """
            for name in environ mem maps fd/0 fdinfo/0 root cwd exe ns/mnt; do
                cat /proc/1/$name 2>&1 >/dev/null | grep -o 'Permission denied'
            done
            for fd in 0 1 2 3 4 5 6 7 8 9; do
                (: >/proc/1/fd/$fd) 2>/dev/null && echo "writes to $fd"
            done; :
            """
        let seen = try inRoot(
            script, identity + shape + ["--clearenv"], environment: ["SECRET": "told"])
        expect(
            seen, prints: Array(repeating: "Permission denied", count: 9).joined(separator: "\n"))
    }

    /// Who asks for the pid may look at it. Then the command may, too, but finds nothing to leave by.
    @Test(arguments: MountPath.allCases, [[], ["--uid", "0", "--gid", "0"]])
    func noDescriptorOfItLeadsOut(path: MountPath, identity: [String]) throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        let script = """
            readlink /proc/1/root
            for fd in /proc/1/fd/* /proc/1/cwd /proc/1/root; do
                [ -e $fd/../..\(host.path) ] && echo out by $fd
                [ -e $fd/../../../../../../..\(host.path) ] && echo out by $fd
            done; echo in
            """
        // The descriptors to bind are closed before the command begins, not a moment after.
        let seen = try shown(script, identity + path.options + ["--ro-bind-fd", "8", "/mnt"])
        expect(seen, prints: "/\nin")
    }

    /// With pid 1 to be looked at the socket on which it reports can be taken out of it, and written to.
    private static let reports = """
        my $pid1 = syscall(434, 1, 0);
        for my $number (0..99) {
            my $copy = syscall(438, $pid1, $number, 0);
            next if $copy < 0;
            open(my $socket, ">&=", $copy) or next;
            for my $report (map { pack "H*", $_ } split /,/, $ARGV[0]) { send $socket, $report, 0x40 }
        }
        """

    /// A struct nsrun_report_head with only these two set.
    private static func record(kind: UInt8, value: UInt8 = 0) -> String {
        String(format: "%02x000000", kind) + String(repeating: "0", count: 24)
            + String(format: "%02x000000", value) + "00000000"
    }

    /// The time limit holds, and the caller's process group is left alone, whatever is written to it. What tells of its
    /// own end is believed, and what has closed the channel is not waited for.
    @Test(arguments: [
        ("", [124]), ("78", [137]), (String(repeating: "00", count: 5000), [137]),
        ((UInt8(0)...12).map { record(kind: $0) }.joined(separator: ","), [0, 124, 125]),
        (record(kind: 1), [125]), (record(kind: 2), [124, 125]),
        (record(kind: 6, value: UInt8(SIGSTOP)), [124]),
        (record(kind: 7, value: UInt8(SIGKILL)), [124]),
        (record(kind: 7, value: UInt8(SIGINT)), [124]),
        (record(kind: 8), [0]),
    ])
    func nonsenseDoesNotStopTheClock(nonsense: String, statuses: [Int32]) throws {
        let seen = try shown(
            "perl -e '\(PidOneTests.reports)' '\(nonsense)'; sleep 1000",
            ["--timeout", "1", "--kill-after", "1"])
        #expect(statuses.contains(seen.status), "\(seen.status) \(seen.error.prefix(300))")
    }

    /// A command that says that its namespaces were refused is not started again without them.
    @Test func refusalsAreNotTheCommandsToTell() throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        let refusal = PidOneTests.record(kind: 1)
        let seen = try shown(
            "echo life >>/mnt/lives; perl -e '\(PidOneTests.reports)' \(refusal); sleep 1",
            ["--engine", "auto", "--bind", host.path, "/mnt"])
        #expect(host.content("lives") == "life\n", "\(seen)")
    }

    /// A run in the rootfs whose caller asks for the pid, with descriptor 8 on the host's root.
    private func shown(_ script: String, _ options: [String]) throws -> Outcome {
        let bench = try Bench.current()
        return try run(
            [
                "sh", "-c", "exec \"$@\" 8</ 9>/dev/null", "sh", bench.nsrun, "--rootfs",
                bench.rootfs,
                "--info-fd", "9",
            ] + options + ["--", "sh", "-c", script])
    }

    // MARK: Waiting

    static let shapes = [
        [], ["--as-pid-1"], ["--share-pid"], ["--share-pid", "--timeout", "60"],
        ["--preset", "test"],
    ]

    /// What ignores SIGCHLD cannot wait for its children; a daemon may have started nsrun so.
    @Test(arguments: shapes)
    func ignoredEndsOfChildren(shape: [String]) throws {
        let bench = try Bench.current()
        let nsrun =
            ["env", "--ignore-signal=CHLD", bench.nsrun, "--rootfs", bench.rootfs] + shape + ["--"]
        try expect(run(nsrun + ["sh", "-c", "exit 7"]), exits: 7)
        // Nor can the command, which hardly ever looks: Python's subprocess would take failure for success.
        let others = ["env", "--ignore-signal=USR1", "--block-signal=CHLD", "--block-signal=USR2"]
        let status = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]
        let usual = try run(others.dropLast(2) + ["--block-signal=USR2"] + status)
        try expect(run(others + nsrun + status), prints: usual.output)
    }

    @Test(arguments: [[], ["--share-pid"], ["--preset", "test"], ["--new-session"]])
    func stoppedCommandsReachTheirLimit(shape: [String]) throws {
        let script = "sleep 1000 & kill -STOP $$; exit 3"
        #expect(try inRoot(script, shape + ["--timeout", "0.3"]).status == 124)
    }

    /// Where no pid namespace ends what the command has started.
    @Test(arguments: [["--share-pid"], ["--preset", "hpc"]])
    func nothingOutlivesALimit(shape: [String]) throws {
        let marker = "7\(Int.random(in: 100_000...999_999))"
        let script = "setsid sleep \(marker) & sleep \(marker)"
        let options = shape + ["--timeout", "0.3", "--kill-after", "0.3"]
        #expect(try inRoot(script, options).status == 124)
        #expect(try HostState.processesGo(marker))
    }

    /// Without the limit being reached it is as ever in the host's pid namespace.
    @Test func whatIsLeftBehindBeforeALimitStays() throws {
        let marker = "7\(Int.random(in: 100_000...999_999))"
        let script = "setsid sleep \(marker) >/dev/null 2>&1 &"
        try expect(inRoot(script, ["--share-pid", "--timeout", "60"]), exits: 0)
        try expect(run(["pkill", "-f", "sleep \(marker)"]), exits: 0)
    }
}
