// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Filters around a container answer EPERM for calls that they do not know, where a kernel without them answers ENOSYS:
/// what there is another way for is done that way.
@Suite struct RefusedCallTests {
    static let calls = [
        "open_tree", "fsopen", "fsconfig", "fsmount", "move_mount", "mount_setattr", "openat2",
        "close_range", "pidfd_open", "open_tree openat2", "move_mount openat2",
        "open_tree fsopen fsconfig fsmount move_mount mount_setattr openat2 close_range",
    ]

    /// The command where these calls are refused. No other engine is to help out.
    private func refusing(
        _ calls: String, with error: String, _ command: [String]
    ) throws -> Outcome {
        try run(
            ["perl", "-e", Self.filter, error, calls, "--"] + command,
            environment: ["NSRUN_ENGINE": "userns"])
    }

    @Test(arguments: calls, ["EPERM", "ENOSYS"])
    func areDoneWithout(calls: String, error: String) throws {
        let bench = try Bench.current()
        let host = try TemporaryDirectory(in: "/var/tmp")
        try host.write("bound\n", to: "file")
        let root = [bench.nsrun, "--rootfs", bench.rootfs]
        let shapes: [[String]] = [
            root + ["--ro-bind", host.path, "/mnt/deep"],
            root + ["--share-pid", "--ro-bind", host.path, "/mnt/deep"],
            root + ["--ephemeral", "--ro-bind", host.path, "/mnt/deep"],
            root + ["--network", "none", "--bind", host.path, "/mnt/deep"],
            root + ["--preset", "toolbox", "--bind", host.path, "/mnt/deep"],
            root + ["--cap-add", "ALL", "--bind", host.path, "/mnt/deep"],
        ]
        let script = "cat /mnt/deep/file; [ -e /proc/self/exe ] && [ $$ -lt 100000 ] && pwd"
        for shape in shapes {
            let seen = try refusing(
                calls, with: error, shape + ["--chdir", "/mnt", "--", "sh", "-c", script])
            expect(seen, prints: "bound\n/mnt")
        }
        let view = try refusing(
            calls, with: error,
            [bench.nsrun, "--bind", host.path, "/mnt", "--", "sh", "-c", "cat /mnt/file"])
        expect(view, prints: "bound")
        let plain = try refusing(
            calls, with: error, [bench.nsrun, "--", "sh", "-c", "echo own >/tmp/x; ls /tmp"])
        expect(plain, prints: "x")
    }

    /// Where there is no other way, the words are of the calls.
    @Test(arguments: ["open_tree", "fsopen", "mount_setattr"])
    func areNamedWhereMountIsRefusedToo(call: String) throws {
        let bench = try Bench.current()
        let seen = try refusing(
            "\(call) mount", with: "EPERM", [bench.nsrun, "--rootfs", bench.rootfs, "true"])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("\(call)(2) and mount(2)"), "\(seen)")
        #expect(seen.error.contains("\n  "), "\(seen)")
    }

    @Test func isNamedWhereTheRootCannotBeEntered() throws {
        let bench = try Bench.current()
        let seen = try refusing(
            "pivot_root", with: "EPERM", [bench.nsrun, "--rootfs", bench.rootfs, "true"])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("pivot_root(2)"), "\(seen)")
    }

    private static let filter = #"""
        my ($error, $calls) = splice @ARGV, 0, 2; shift;
        my $arm = (`uname -m` =~ /aarch64/);
        my %number = (openat2 => 437, open_tree => 428, move_mount => 429, fsopen => 430, fsconfig => 431,
            fsmount => 432, mount_setattr => 442, close_range => 436, pidfd_open => 434,
            $arm ? (mount => 40, pivot_root => 41) : (mount => 165, pivot_root => 155));
        my $program = pack "S C C L", 0x20, 0, 0, 0;
        for my $call (split / /, $calls) {
            $program .= pack "S C C L", 0x15, 0, 1, $number{$call};
            $program .= pack "S C C L", 0x06, 0, 0, 0x50000 | ($error eq "EPERM" ? 1 : 38);
        }
        $program .= pack "S C C L", 0x06, 0, 0, 0x7fff0000;
        my $prctl = $arm ? 167 : 157;
        syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
        syscall($prctl, 22, 2, pack("S x![P] P", length($program) / 8, $program)) == 0
            or die "seccomp: $!";
        exec @ARGV or die "exec: $!";
        """#
}
