// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Hosts that refuse: each cause is told apart, by refusals that are real.
@Suite struct RefusalTests {
    /// No other engine is to help out.
    private func run(_ command: [String]) throws -> Outcome {
        try LaunchTests.run(command, environment: ["NSRUN_ENGINE": "userns"])
    }

    private func nested(_ setUp: String, then arguments: String) throws -> Outcome {
        let bench = try Bench.current()
        let user = "--map-user=\(getuid()) --map-group=\(getgid())"
        let script = "\(setUp); exec unshare \(user) \(bench.nsrun) \(arguments)"
        return try run(["unshare", "-Urm", "sh", "-c", script])
    }

    @Test func limitOfUserNamespacesReached() throws {
        let seen = try nested(
            "echo 1 >/proc/sys/user/max_user_namespaces",
            then: "--rootfs \(Bench.current().rootfs) true")
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error.hasPrefix(
                "nsrun: cannot create user, mount, pid namespaces: the limit of this machine or of an outer "
                    + "namespace is reached\n  end what holds them"), "\(seen)")
        #expect(
            seen.error.contains("ask the administrator for a higher sysctl user.max_*_namespaces"),
            "\(seen)")
    }

    /// Files bound over sysctls say what Debian's and Ubuntu's kernels say; a seccomp filter refuses.
    @Test(arguments: [
        ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "AppArmor"),
    ])
    func sysctlsOfDistributions(name: String, value: String, word: String) throws {
        let path = "/proc/sys/\(name)"
        let fake = try TemporaryDirectory()
        try fake.write(value + "\n", to: "value")
        let bench = try Bench.current()
        let inner = RefusalTests.refusing("unshare clone clone3", [bench.nsrun, "true"])
        let script: String
        if FileManager.default.fileExists(atPath: path) {
            script = "mount --bind \(fake / "value") \(path)"
        } else {
            let leaf = (path as NSString).lastPathComponent
            script =
                "mount -t tmpfs none /proc/sys/kernel && echo \(value) >/proc/sys/kernel/\(leaf)"
        }
        let seen = try run(["unshare", "-Urm", "sh", "-c", script + "; exec \"$@\"", "sh"] + inner)
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot create a user namespace: "), "\(seen)")
        #expect(seen.error.contains(word), "\(seen)")
    }

    @Test(arguments: [[], ["--share-pid"]])
    func outerSeccompFilter(shape: [String]) throws {
        let bench = try Bench.current()
        let seen = try run(
            RefusalTests.refusing(
                "unshare clone clone3", [bench.nsrun, "--rootfs", bench.rootfs] + shape + ["true"]))
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error.hasPrefix("nsrun: cannot create a user namespace: a seccomp filter"),
            "\(seen)")
        #expect(seen.error.contains("\n  start the container with a seccomp profile"), "\(seen)")
    }

    /// Docker's and podman's /proc: parts of it are mounted over.
    private func masked(_ arguments: [String]) throws -> Outcome {
        let bench = try Bench.current()
        let script = "mount -t tmpfs none /proc/tty && exec \"$@\""
        return try run(["unshare", "-Urm", "sh", "-c", script, "sh", bench.nsrun] + arguments)
    }

    @Test(arguments: MountPath.allCases)
    func freshProcRefusedBecauseTheOuterOneIsMasked(path: MountPath) throws {
        let bench = try Bench.current()
        let seen = try masked(["--rootfs", bench.rootfs] + path.options + ["true"])
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error.hasPrefix(
                "nsrun: cannot mount a fresh proc on /proc: parts of the outer /proc"), "\(seen)")
        #expect(seen.error.contains("\n  --share-pid"), "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func offeredFallbackWorksUnderAMaskedProc(path: MountPath) throws {
        let bench = try Bench.current()
        let seen = try masked(
            ["--rootfs", bench.rootfs, "--share-pid"] + path.options + [
                "readlink", "/proc/self/exe",
            ])
        expect(seen, prints: "/usr/bin/readlink")
    }

    /// Who has said so gets the outer one beside processes of the run's own, and is told.
    @Test(arguments: MountPath.allCases)
    func theOuterProcIsShownWhereThatIsWelcome(path: MountPath) throws {
        let bench = try Bench.current()
        let script = "[ -e /proc/tty/drivers ] || echo masked; readlink /proc/self/exe; echo $$"
        let options = ["--proc-fallback", "--rootfs", bench.rootfs] + path.options
        let seen = try masked(options + ["sh", "-c", script])
        #expect(seen.status == 0, "\(seen)")
        #expect(seen.output == "masked\n/usr/bin/readlink\n2", "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: parts of the outer /proc are masked"), "\(seen)")
        // The host view has it there already.
        let view = try masked(
            ["--quiet", "--proc-fallback"] + path.options + ["sh", "-c", script])
        expect(view, prints: "masked\n/usr/bin/readlink\n2")
        let files = try masked(
            ["--quiet", "--proc-fallback", "--rootfs", bench.rootfs, "--file", "0", "/tmp/none"]
                + path.options + ["true"])
        expect(files, exits: 0)
    }

    /// And elsewhere nothing changes.
    @Test func theOuterProcIsNotShownWithoutNeed() throws {
        let bench = try Bench.current()
        let seen = try nsrun([
            "--proc-fallback", "--rootfs", bench.rootfs, "sh", "-c", "cd /proc; echo [0-9]*",
        ])
        expect(seen, prints: "1 2")
    }

    @Test func idMapRefused() throws {
        let bench = try Bench.current()
        // A /proc that is read-only as a whole takes no id map.
        let script = "mount -o remount,bind,ro /proc && exec \"$@\""
        let seen = try run([
            "unshare", "-Urm", "sh", "-c", script, "sh", bench.nsrun, "--rootfs", bench.rootfs,
            "true",
        ])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot write /proc/"), "\(seen)")
        #expect(seen.error.contains("read-only") && seen.error.contains("\n  "), "\(seen)")
    }

    @Test func chrootRefusesUserNamespaces() throws {
        let root = try BareRoot()
        let bench = try Bench.current()
        // By a process of its own: a file that this one has open for writing, and hands on to whatever
        // another test starts at the moment, cannot be run.
        try expect(run(["cp", bench.nsrun, root.path + "/bin/nsrun"]), exits: 0)
        let seen = try run([
            "unshare", "-Ur", "--root=\(root.path)", "/bin/nsrun", "--share-pid", "sh", "-c",
            "true",
        ])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("\n  "), "\(seen)")
    }

    @Test(arguments: ["openat2", "open_tree fsopen fsmount move_mount mount_setattr openat2"])
    func kernelsWithoutTheNewCallsAreServed(missing: String) throws {
        let bench = try Bench.current()
        let root = try BareRoot()
        for rootfs in [bench.rootfs, root.path] {
            let seen = try run(
                RefusalTests.refusing(
                    missing,
                    [bench.nsrun, "--rootfs", rootfs, "--dir", "/tmp/x", "sh", "-c", "echo x"],
                    with: "ENOSYS"))
            expect(seen, prints: "x")
        }
    }

    @Test func doctorTellsWhatWorks() throws {
        let seen = try nsrun(["--doctor"])
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        #expect(seen.lines.contains { $0.hasPrefix("ok") && $0.contains("user, mount and pid") })
        #expect(seen.lines.contains { $0.contains("devices (CDI)") }, "\(seen)")
        #expect(seen.lines.count >= 8, "\(seen)")
    }

    @Test func doctorTellsWhatToAskFor() throws {
        let seen = try nested("echo 1 >/proc/sys/user/max_user_namespaces", then: "--doctor")
        #expect(seen.status == 1, "\(seen)")
        #expect(seen.output.contains("sysctl user.max_*_namespaces"), "\(seen)")
    }

    /// The command under a seccomp filter that refuses these system calls. For clone only with
    /// CLONE_NEWUSER; clone3, whose flags no filter can see, is not there at all, as in containers.
    private static func refusing(
        _ calls: String, _ command: [String], with error: String = "EPERM"
    ) -> [String] {
        ["perl", "-e", filter, error, calls, "--"] + command
    }

    private static let filter = #"""
        use Errno; my ($error, $calls) = splice @ARGV, 0, 2; shift;
        my $arm = (`uname -m` =~ /aarch64/);
        my %number = (clone3 => 435, openat2 => 437, open_tree => 428, move_mount => 429,
            fsopen => 430, fsmount => 432, mount_setattr => 442,
            $arm ? (unshare => 97, clone => 220) : (unshare => 272, clone => 56));
        my $refuse = 0x50000 | ($error eq "EPERM" ? 1 : 38);
        my $program = "";
        sub op { $program .= pack "S C C L", @_ }
        op(0x20, 0, 0, 0);
        for my $call (split / /, $calls) {
            if ($call eq "clone") {
                op(0x15, 0, 4, $number{clone}); op(0x20, 0, 0, 16); op(0x45, 0, 1, 0x10000000);
                op(0x06, 0, 0, $refuse); op(0x06, 0, 0, 0x7fff0000);
            } else {
                op(0x15, 0, 1, $number{$call});
                op(0x06, 0, 0, $call eq "clone3" ? 0x50000 | 38 : $refuse);
            }
        }
        op(0x06, 0, 0, 0x7fff0000);
        my $prctl = $arm ? 167 : 157;
        syscall($prctl, 38, 1, 0, 0, 0) == 0 or die "no_new_privs: $!";
        syscall($prctl, 22, 2, pack("S x![P] P", length($program) / 8, $program)) == 0
            or die "seccomp: $!";
        exec @ARGV or die "exec: $!";
        """#
}
