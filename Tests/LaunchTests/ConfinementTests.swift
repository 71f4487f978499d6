// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--preset sandbox` and `--seccomp-profile`: what a program reaches that nobody vouches for. The rows of
/// Documentation/confinement.md, each tried.
@Suite struct ConfinementTests {
    /// A directory of the user's with something to work on.
    private func inSandbox(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:]
    ) throws -> Outcome {
        let work = try TemporaryDirectory(in: NSHomeDirectory())
        _ = try work.write("mine\n", to: "file")
        return try nsrun(
            ["--preset", "sandbox"] + options + ["--", "sh", "-c", script],
            environment: environment, directory: work.path)
    }

    // MARK: Files

    @Test func theCurrentDirectoryIsTheOnePlaceToWriteTo() throws {
        let script = """
            cat file; echo new >file; cat file
            for place in /usr /etc /bin /opt /; do touch $place/nsrun-test 2>/dev/null && echo $place; done
            touch ~/kept /tmp/kept && echo private
            """
        expect(try inSandbox(script), prints: "mine\nnew\nprivate")
    }

    @Test func nothingOfTheUsersIsThere() throws {
        let secret = try TemporaryDirectory(in: NSHomeDirectory())
        let file = try secret.write("secret", to: "key", mode: 0o644)
        let script = """
            cat \(file) 2>/dev/null && echo read
            ls -A ~ | grep -v nsrun; ls -A /root /srv /mnt /media /boot /var 2>/dev/null | grep -v -e '^/' -e '^$' -e '^tmp$'
            ls -A /tmp /var/tmp /dev/shm; ls /run; env | grep -v -e ^HOME= -e ^PATH= -e ^TERM= -e ^LANG= -e ^USER= -e ^PWD=
            """
        let seen = try inSandbox(
            script,
            environment: [
                "SSH_AUTH_SOCK": "/tmp/agent", "AWS_SECRET_ACCESS_KEY": "x", "DISPLAY": ":0",
            ])
        // What lies beside the directory of the test is its alone.
        #expect(!seen.output.contains("read"), "\(seen)")
        let lines = seen.output.split(separator: "\n").filter { !$0.isEmpty && !$0.hasSuffix(":") }
        #expect(lines == ["host"] || lines.allSatisfy { $0 == "host" }, "\(seen)")
    }

    /// Where more than one's work lies.
    @Test(arguments: [
        (NSHomeDirectory(), "your home directory lies in it"),
        (
            URL(filePath: NSHomeDirectory()).deletingLastPathComponent().path,
            "your home directory lies in it"
        ),
        ("/tmp", "it is everybody's"), ("/var/tmp", "it is everybody's"),
        ("/run", "it is everybody's"),
        ("/usr/lib", "it is of the system"), ("/etc", "it is of the system"),
    ])
    func whereItDoesNotStart(place: String, reason: String) throws {
        expect(
            try nsrun(["--preset", "sandbox", "echo", "ran"], directory: place),
            refuses: "cannot let the program write to \(place): \(reason)",
            remedy: "start it in a directory")
    }

    @Test func inTheRootItWritesNowhere() throws {
        let seen = try nsrun([
            "--preset", "sandbox", "sh", "-c", "pwd; touch /x 2>/dev/null || echo no",
        ])
        expect(seen, prints: "/\nno")
    }

    @Test func aRootOfItsOwnCanBeNamed() throws {
        let root = try Bench.current().rootfs
        let script =
            "[ -e /var/lib/dpkg ] && echo whole; cat file; unshare -U true 2>/dev/null || echo no"
        expect(try inSandbox(script, ["--rootfs", root]), prints: "whole\nmine\nno")
    }

    // MARK: Others

    @Test func thereIsNoNetworkNobodyElseAndNoPrivilege() throws {
        let script = """
            ls /sys/class/net; ls -d /proc/[0-9]* | wc -l; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status
            hostname; ulimit -u; unshare -U true 2>/dev/null || echo no namespaces
            """
        let seen = try inSandbox(script)
        let lines = seen.output.split(separator: "\n").map { $0.replacing("\t", with: " ") }
        #expect(lines.first == "lo" && lines.last == "no namespaces", "\(seen)")
        #expect((Int(lines[1]) ?? 99) < 6, "\(seen)")
        #expect(lines.contains("CapEff: 0000000000000000"), "\(seen)")
        #expect(lines.contains("CapBnd: 0000000000000000"), "\(seen)")
        #expect(lines.contains("NoNewPrivs: 1") && lines.contains("Seccomp: 2"), "\(seen)")
        #expect(lines.contains("sandbox"), "\(seen)")
    }

    // MARK: System calls

    /// A call by its number on this machine, and what it answers.
    struct Call: Sendable, CustomStringConvertible {
        let name: String
        let answer: String
        var description: String { name }
    }

    private static let calls =
        [
            "mount", "umount2", "pivot_root", "setns", "unshare", "chroot", "open_by_handle_at",
            "name_to_handle_at",
            "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "bpf",
            "perf_event_open",
            "userfaultfd", "add_key", "request_key", "keyctl", "settimeofday", "clock_settime",
            "clock_adjtime", "swapon",
            "swapoff", "quotactl", "quotactl_fd", "syslog", "acct", "reboot", "vhangup",
            "fanotify_init", "kcmp",
        ].map { Call(name: $0, answer: "EPERM") }
        + [
            "clone3", "io_uring_setup", "io_uring_enter", "io_uring_register", "open_tree",
            "move_mount", "fsopen",
            "fsconfig", "fsmount", "fspick", "mount_setattr",
        ].map { Call(name: $0, answer: "ENOSYS") }

    /// None of them is refused as EPERM or ENOSYS by the kernel itself for these arguments, or it could not be told who did
    /// it: under a profile that logs nothing and allows all they answer otherwise, or the same.
    @Test(arguments: calls) func whatIsDenied(call: Call) throws {
        let script = """
            import ctypes, errno, sys
            lib = ctypes.CDLL("libseccomp.so.2"); libc = ctypes.CDLL(None, use_errno=True)
            number = lib.seccomp_syscall_resolve_name(sys.argv[1].encode())
            assert number >= 0, sys.argv[1]
            bad = ctypes.c_void_p(-1)
            result = libc.syscall(number, bad, bad, bad, bad, bad, bad)
            print(errno.errorcode[ctypes.get_errno()] if result < 0 else result)
            """
        let seen = try nsrun([
            "--seccomp-profile", "default", "--", "python3", "-c", script, call.name,
        ])
        expect(seen, prints: call.answer)
    }

    @Test func whichSocketsThereAre() throws {
        let script = """
            import errno, socket
            allowed = []
            for family in range(1, 46):
                try:
                    socket.socket(family, socket.SOCK_RAW if family == socket.AF_NETLINK else socket.SOCK_STREAM).close()
                    allowed.append(family)
                except OSError as error:
                    if error.errno != errno.EAFNOSUPPORT: allowed.append(family)
            print(allowed)
            """
        expect(
            try nsrun(["--seccomp-profile", "default", "--", "python3", "-c", script]),
            prints: "[1, 2, 10, 16]")
    }

    /// New namespaces by clone(2), and typing into a terminal.
    @Test func whatIsDeniedByItsArguments() throws {
        let script = """
            import ctypes, errno, os
            libc = ctypes.CDLL(None, use_errno=True)
            clone, ioctl = (56, 16) if os.uname().machine == "x86_64" else (220, 29)
            def tell(result): return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"
            for flag in (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x8000000, 0x4000000, 0x2000000):
                result = libc.syscall(clone, flag | 17, None, None, None, None)
                if result == 0: os._exit(0)
                print(tell(result), end=" ")
            print(tell(libc.syscall(ioctl, -1, 0x5412, b"x")), tell(libc.syscall(ioctl, -1, 0x541c, b"x")))
            """
        expect(
            try nsrun(["--seccomp-profile", "default", "--", "python3", "-c", script]),
            prints: Array(repeating: "EPERM", count: 9).joined(separator: " "))
    }

    /// What programs do all day: threads, children, pipes, sockets, timers, memory.
    @Test func ordinaryProgramsRun() throws {
        let script = """
            import asyncio, multiprocessing, socket, subprocess, tempfile, threading, mmap
            thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
            assert subprocess.run(["sh", "-c", "exit 3"]).returncode == 3
            a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
            assert asyncio.run(asyncio.sleep(0, 7)) == 7
            with multiprocessing.Pool(2) as pool: assert pool.map(abs, [-1, -2]) == [1, 2]
            mmap.mmap(-1, 4096).close(); tempfile.TemporaryFile().close()
            print("all")
            """
        let seen = try inSandbox("exec python3 -c '\(script.replacing("'", with: "'\\''"))'")
        expect(seen, prints: "all")
    }

    // MARK: Profiles of a file

    @Test func aProfileOfAFile() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write(
            """
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
             "syscalls": [{"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}
            """, to: "profile.json")
        let seen = try nsrun(["--seccomp-profile", file, "--", "mkdir", "/tmp/x"])
        #expect(seen.status == 1 && seen.error.contains("No space left"), "\(seen)")
        expect(
            try nsrun([
                "--preset", "sandbox", "--seccomp-profile", file, "--", "sh", "-c",
                "mkdir /tmp/x 2>/dev/null || echo no",
            ]),
            prints: "no")
    }

    @Test func aProfileThatIsNone() throws {
        let folder = try TemporaryDirectory()
        let file = try folder.write("{\"defaultAction\": \"SCMP_ACT_NOTIFY\"}", to: "profile.json")
        expect(
            try nsrun(["--seccomp-profile", file, "true"]),
            refuses:
                "cannot take the seccomp profile \(file): line 1: the action SCMP_ACT_NOTIFY is not known here",
            remedy: "runc and podman")
        let seen = try nsrun(["--seccomp-profile", folder.path + "/none", "true"])
        #expect(
            seen.status == 125 && seen.error.contains("cannot read the seccomp profile"), "\(seen)")
    }
}
