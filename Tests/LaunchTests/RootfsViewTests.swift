// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The table of the two starting views, cell by cell: `nsrun --rootfs R CMD`.
@Suite struct RootfsViewTests {
    @Test(arguments: MountPath.allCases)
    func rootIsTheRootfs(path: MountPath) throws {
        let bench = try Bench.current()
        let release = try String(
            contentsOfFile: bench.rootfs + "/usr/lib/os-release", encoding: .utf8)
        let seen = try inRoot("cat /etc/os-release", path.options)
        #expect(seen.output + "\n" == release)
        #expect(seen.error == "")
    }

    @Test(arguments: MountPath.allCases)
    func rootIsReadOnly(path: MountPath) throws {
        let script = """
            for place in / /etc /usr /usr/bin /var /home /opt; do
                (: >$place/new) 2>&1 | grep -q 'Read-only file system' || echo $place
            done
            """
        try expect(inRoot(script, path.options), prints: "")
    }

    @Test(arguments: MountPath.allCases)
    func procIsFresh(path: MountPath) throws {
        let script = """
            stat -f -c %T /proc; cat /proc/1/comm; readlink /proc/self/exe; echo $$
            for process in /proc/[0-9]*; do echo ${process#/proc/}; done
            """
        try expect(inRoot(script, path.options), prints: "proc\nnsrun\n/usr/bin/readlink\n2\n1\n2")
    }

    @Test(arguments: MountPath.allCases, ["/tmp", "/var/tmp", "/dev/shm", "/run"])
    func scratchIsPrivateAndEmpty(path: MountPath, place: String) throws {
        let script = "ls -A \(place); stat -f -c %T \(place); echo x >\(place)/x; cat \(place)/x"
        // Programs ask there what runs them.
        let own = place == "/run" ? "host\n" : ""
        try expect(inRoot(script, path.options), prints: own + "tmpfs\nx")
    }

    @Test(arguments: ["/tmp", "/var/tmp", "/dev/shm"])
    func scratchIsForEverybody(place: String) throws {
        try expect(inRoot("stat -c %a \(place)"), prints: "1777")
    }

    @Test(arguments: MountPath.allCases)
    func devHoldsTheseAndNoMore(path: MountPath) throws {
        try expect(
            inRoot("ls /dev | tr '\\n' ' '", path.options),
            prints: "core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ")
    }

    @Test(arguments: MountPath.allCases)
    func deviceNodesWork(path: MountPath) throws {
        let script = """
            echo lost >/dev/null && head -c2 /dev/zero | od -An -tx1
            head -c4 /dev/urandom | wc -c; head -c4 /dev/random | wc -c
            head -c1 /dev/zero 2>&1 >/dev/full | grep -o 'No space left'
            (: </dev/tty) 2>&1 | grep -o 'No such device or address'
            echo in | cat /dev/stdin; (echo out >/dev/stdout) | cat; (echo err >/dev/stderr) 2>&1 | cat
            """
        // Whoever runs this may have a terminal.
        try expect(
            inRoot(script, path.options + ["--new-session"]),
            prints: " 00 00\n4\n4\nNo space left\nNo such device or address\nin\nout\nerr")
    }

    @Test(arguments: MountPath.allCases)
    func pseudoTerminalsAreTheRunsOwn(path: MountPath) throws {
        let script = "script -qec 'tty; ls /dev/pts' /dev/null </dev/null | tr -d '\\r'"
        try expect(inRoot(script, path.options), prints: "/dev/pts/0\n0  ptmx")
    }

    @Test(arguments: MountPath.allCases)
    func sysIsTheHostsReadOnly(path: MountPath) throws {
        let host = try run(["ls", "/sys"])
        try expect(inRoot("ls /sys", path.options), host)
        let writable = """
            while read -r _ _ _ _ point options rest; do
                case $point in /sys|/sys/*) case $options in ro,*) ;; *) echo $point; esac; esac
            done </proc/self/mountinfo
            """
        try expect(inRoot(writable, path.options), prints: "")
    }

    @Test(arguments: MountPath.allCases)
    func callersEntriesAreAdded(path: MountPath) throws {
        let ids = try run(["sh", "-c", "id -u; id -g; id -un; id -gn"])
        #expect(try inRoot("id -u; id -g; id -un; id -gn", path.options) == ids)
        let script = "getent passwd root | cut -d: -f1; getent group nogroup | cut -d: -f1"
        try expect(inRoot(script, path.options), prints: "root\nnogroup")
        let home = try inRoot("getent passwd $(id -u) | cut -d: -f6", path.options)
        expect(home, prints: NSHomeDirectory())
    }

    @Test(arguments: MountPath.allCases, ["resolv.conf", "hosts"])
    func nameServiceFilesAreTheHosts(path: MountPath, name: String) throws {
        try expect(inRoot("cat /etc/\(name)", path.options), run(["cat", "/etc/\(name)"]))
        let attempt = try inRoot("echo x >>/etc/\(name)", path.options)
        #expect(attempt.status != 0)
    }

    @Test func directoryIsKeptWhereItExistsInside() throws {
        try expect(inRoot("pwd; echo $PWD", directory: "/usr/bin"), prints: "/usr/bin\n/usr/bin")
    }

    @Test func elseTheRunStartsAtHome() throws {
        let elsewhere = try TemporaryDirectory()
        let home = NSHomeDirectory()
        try expect(inRoot("pwd; echo $PWD", directory: elsewhere.path), prints: "\(home)\n\(home)")
    }

    @Test func elseTheRunStartsAtTheRoot() throws {
        let elsewhere = try TemporaryDirectory()
        let seen = try inRoot(
            "pwd; echo $PWD", ["--unsetenv", "HOME"], directory: elsewhere.path)
        expect(seen, prints: "/\n/")
    }

    @Test func staleDirectoryVariableIsCorrected() throws {
        try expect(
            inRoot("/usr/bin/printenv PWD", environment: ["PWD": "/nowhere"], directory: "/usr"),
            prints: "/usr")
    }

    @Test(arguments: MountPath.allCases)
    func homeIsPrivateAndEmpty(path: MountPath) throws {
        let script = "cd; pwd; ls -A; stat -c %a .; echo x >x; cat x"
        try expect(inRoot(script, path.options), prints: "\(NSHomeDirectory())\n700\nx")
    }

    @Test func misleadingVariablesAreDropped() throws {
        let names = [
            "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LOCPATH", "GCONV_PATH", "TMPDIR",
        ]
        let host = Dictionary(uniqueKeysWithValues: names.map { ($0, Optional("")) })
        let script = "env | grep -E '^(\(names.joined(separator: "|")))='"
        try expect(inRoot(script, environment: host), exits: 1)
        try expect(
            inRoot(script, ["--setenv", "LOCPATH", "/y"], environment: host), prints: "LOCPATH=/y")
    }

    @Test func commandHasNoPrivileges() throws {
        let script = "grep -E '^(Cap|NoNewPrivs)' /proc/self/status | tr -d '\\t'"
        try expect(
            inRoot(script),
            prints: ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"]
                .map { $0 + "0000000000000000" }.joined(separator: "\n")
                + "\nNoNewPrivs:1")
    }

    @Test func pidOneHasNoPrivilegesEither() throws {
        let script = "grep -E '^CapEff' /proc/1/status | tr -d '\\t'"
        try expect(inRoot(script), prints: "CapEff:0000000000000000")
    }

    @Test func networkIsTheHosts() throws {
        try expect(inRoot("readlink /proc/self/ns/net"), run(["readlink", "/proc/self/ns/net"]))
    }

    @Test func withoutCommandTheShellRuns() throws {
        let root = try Bench.current().rootfs
        try Terminal.expectShell(
            "/usr/bin/dash", ["--rootfs", root], environment: ["SHELL": "/bin/dash"])
    }

    @Test func withoutTheCallersShellBashRuns() throws {
        let root = try Bench.current().rootfs
        try Terminal.expectShell(
            "/usr/bin/bash", ["--rootfs", root], environment: ["SHELL": "/usr/bin/fish"])
    }

    @Test func withoutBashShRuns() throws {
        let root = try BareRoot(with: ["readlink"])
        try Terminal.expectShell(
            "/bin/sh", ["--rootfs", root.path], environment: ["SHELL": "/usr/bin/fish"])
    }
}
