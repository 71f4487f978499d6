// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What `/sys` shows of a network and of control groups of the run's own.
@Suite struct SystemFilesTests {
    private static let devices = "ls /sys/class/net"
    static let networks = [
        ["--network", "none"], ["--unshare-net"], ["--unshare-all"], ["--preset", "test"],
        ["--network", "none", "--ephemeral"], ["--network", "none", "--share-pid"],
        ["--network", "none", "--uid", "0"], ["--network", "none", "--fake-root"],
        ["--network", "none", "--map-auto"], ["--network", "none", "--fake-root", "--ephemeral"],
        ["--network", "none", "--disable-userns"],
        ["--network", "none", "--map-auto", "--uid", "0"],
    ]

    // MARK: Network devices

    @Test(arguments: networks)
    func aNetworkOfOnesOwnHasItsOwnDevices(options: [String]) throws {
        try expect(onHost(SystemFilesTests.devices, options), prints: "lo")
        try expect(inRoot(SystemFilesTests.devices, options), prints: "lo")
    }

    @Test(arguments: MountPath.allCases)
    func byEveryWayOfMounting(path: MountPath) throws {
        for options in [["--network", "none"], ["--network", "none", "--uid", "0"]] {
            try expect(onHost(SystemFilesTests.devices, options + path.options), prints: "lo")
            try expect(inRoot(SystemFilesTests.devices, options + path.options), prints: "lo")
        }
    }

    @Test func withTheHostsNetworkTheHostsAreShown() throws {
        let outside = try run(["sh", "-c", SystemFilesTests.devices])
        try expect(onHost(SystemFilesTests.devices), outside)
        try expect(inRoot(SystemFilesTests.devices), outside)
    }

    /// They are the ones that the run's root makes, and not those of a run inside.
    @Test func devicesComeAndGo() throws {
        let script = """
            ip link add own0 type veth peer name own1 && ls /sys/class/net
            cat /sys/class/net/own0/operstate; ip link delete own0; ls /sys/class/net
            ip link add own2 type veth peer name own3
            \(try Bench.current().nsrun) --network none ls /sys/class/net
            """
        let seen = try onHost(script, ["--network", "none", "--uid", "0"])
        expect(seen, prints: "lo\nown0\nown1\ndown\nlo\nlo")
    }

    /// A group's devices are all its members'.
    @Test func aGroupHasOneNetwork() throws {
        let group = Group()
        let options = ["--join", group.name, "--network", "none"]
        let first = try Conversation(
            [try Bench.current().nsrun] + options + ["sh", "-c", "ls /sys/class/net; read -r _"])
        #expect(first.line() == "lo")
        try expect(onHost(SystemFilesTests.devices, options), prints: "lo")
        first.hangUp()
        first.child.wait()
        #expect(try group.isGone())
    }

    /// The kernel makes no other sysfs where a part of the outer one is covered, as container engines cover some: then
    /// the host's devices are hidden.
    @Test(arguments: [["--network", "none"], ["--network", "none", "--uid", "0"]])
    func belowACoveredOneNoneAreShown(options: [String]) throws {
        let script = """
            ls /sys/class/net; find /sys/devices -path '*/net/*' 2>/dev/null
            [ -d /sys/class/tty ] && echo others
            """
        let bench = try Bench.current()
        for view in [[], ["--rootfs", bench.rootfs]] {
            let inner = [bench.nsrun] + view + options + ["sh", "-c", script]
            try expect(nsrun(["--tmpfs", "/sys/kernel"] + inner), prints: "others")
        }
    }

    /// Control groups and whatever else the host has mounted there.
    @Test(arguments: [["--network", "none"], ["--network", "none", "--uid", "0"]])
    func whatTheHostHasMountedIsThere(options: [String]) throws {
        let script = """
            ls /sys /sys/fs /sys/fs/cgroup /sys/kernel
            awk '$5 ~ "^/sys" { print $5 }' /proc/self/mountinfo | sort -u
            """
        let outside = try run(["sh", "-c", script])
        #expect(outside.status == 0)
        try expect(onHost(script, options), outside)
        try expect(inRoot("ls /sys/fs/cgroup", options), run(["ls", "/sys/fs/cgroup"]))
    }

    @Test(arguments: [[], ["--uid", "0"]])
    func inARootfsItIsReadOnly(options: [String]) throws {
        let seen = try inRoot(
            "awk '$5 ~ \"^/sys\" { print substr($6, 1, 2) }' /proc/self/mountinfo | sort -u",
            ["--network", "none"] + options)
        expect(seen, prints: "ro")
    }

    /// What was asked for lies above it.
    @Test(arguments: [[], ["--uid", "0"]])
    func mountsOfTheCallersStay(options: [String]) throws {
        let options = ["--network", "none"] + options
        try expect(onHost("ls -A /sys", options + ["--tmpfs", "/sys"]), prints: "")
        try expect(
            onHost("ls -A /sys/kernel; [ -d /sys/class ]", options + ["--tmpfs", "/sys/kernel"]),
            prints: "")
    }

    // MARK: Control groups

    /// Each hierarchy's mount, and the directory that stands there: the own group's where it is `own`. Of several mounts
    /// on one place the first is named, which some programs take (Java 17).
    private static let groups = """
        import os, sys
        own, seen = sys.argv[1] == "own", {}
        groups = {}
        for line in open("/proc/self/cgroup"):
            number, names, path = line.rstrip("\\n").split(":", 2)
            groups[frozenset(names.split(",")) if names else "unified"] = path
        for line in open("/proc/self/mountinfo"):
            fields = line.split()
            kind, options = fields[fields.index("-", 6) + 1], fields[-1].split(",")
            if not kind.startswith("cgroup") or not fields[4].startswith("/sys/"): continue
            for names, path in groups.items():
                unified = names == "unified"
                if unified == (kind == "cgroup2") and (unified or names <= set(options)):
                    below = path if own and fields[3] == "/" else "/"
                    seen.setdefault(fields[4], (fields[3], os.stat(fields[4] + below).st_ino))
        print(*sorted((k, v[1]) for k, v in seen.items()), sep="\\n")
        if not own: print({v[0] for v in seen.values()} <= {"/"})
        """

    @Test(arguments: [
        ["--unshare-cgroup"], ["--unshare-cgroup-try"], ["--unshare-all"],
        ["--unshare-cgroup", "--ephemeral"], ["--unshare-cgroup", "--share-pid"],
    ])
    func aNamespaceOfOnesOwnShowsTheOwnGroups(options: [String]) throws {
        let outside = try run(["python3", "-c", SystemFilesTests.groups, "own"])
        #expect(outside.status == 0, "\(outside)")
        let seen = try nsrun(options + ["python3", "-c", SystemFilesTests.groups, "inside"])
        expect(seen, prints: outside.output + "\nTrue")
    }
}
