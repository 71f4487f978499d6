// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// File systems of their own: proc, dev, tmpfs, mqueue.
@Suite struct MountTests {
    @Test(arguments: Kernel.allCases)
    func procIsFreshInAPidNamespaceAndTheCallersElsewhere(kernel: Kernel) throws {
        let count = "ls /proc | grep -c '^[0-9]'"
        let own = try sandbox(count, kernel.options + ["--unshare-pid", "--proc", "/proc"])
        #expect(Int(own.output) ?? 99 < 9, "\(own)")
        let callers = try sandbox(
            "grep -c . /proc/\(getpid())/status && echo seen", ["--proc", "/proc"])
        #expect(callers.lines.last == "seen", "\(callers)")
    }

    @Test(arguments: Kernel.allCases)
    func devHasWhatProgramsNeed(kernel: Kernel) throws {
        let script = """
            ls -x -w 999 /dev; echo x >/dev/null; head -c 3 /dev/zero | wc -c
            readlink /dev/stdin /dev/stdout /dev/stderr /dev/fd /dev/core /dev/ptmx
            stat -c %A /dev /dev/null; (: >/dev/full; echo x >/dev/full) 2>&- || echo full
            """
        let seen = try sandbox(script, kernel.options + ["--dev", "/dev"])
        expect(
            seen,
            prints: """
                core  fd  full	null  ptmx  pts  random  shm  stderr  stdin  stdout  tty  urandom  zero
                3
                /proc/self/fd/0
                /proc/self/fd/1
                /proc/self/fd/2
                /proc/self/fd
                /proc/kcore
                pts/ptmx
                drwxr-xr-x
                crw-rw-rw-
                full
                """)
    }

    @Test func devGivesTerminals() throws {
        let script = "script -qec 'tty' /dev/null </dev/null"
        let seen = try sandbox(script, ["--dev", "/dev", "--unshare-pid", "--proc", "/proc"])
        #expect(seen.output.hasPrefix("/dev/pts/") && seen.status == 0, "\(seen)")
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func tmpfsHasTheModeAndSizeAskedFor(kernel: Kernel, name: Name) throws {
        let options = [
            "--tmpfs", "/a", "--perms", "1777", "--tmpfs", "/b",
            "--perms", "0710", "--size", "65536", "--tmpfs", "/c",
            "--size", "131072", "--perms", "0700", "--tmpfs", "/d",
        ]
        let script = "stat -c %a /a /b /c /d; stat -f -c '%T %S %b' /c /d"
        try expect(
            sandbox(script, kernel.options + options, as: name),
            prints: "755\n1777\n710\n700\ntmpfs 4096 16\ntmpfs 4096 32")
    }

    @Test(arguments: Kernel.allCases)
    func mqueueNeedsItsNamespace(kernel: Kernel) throws {
        let script = "stat -f -c %T /q; : >/q/x; ls /q"
        try expect(
            sandbox(script, kernel.options + ["--unshare-ipc", "--mqueue", "/q"]),
            prints: "mqueue\nx")
        expect(
            try sandbox("", kernel.options + ["--mqueue", "/q"]), refusedSaying: "mqueue",
            "Operation not permitted", "--unshare-ipc")
    }
}
