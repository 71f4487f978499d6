// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Namespaces, identity and capabilities.
@Suite struct NamespaceTests {
    @Test func aPidNamespaceToEnterIsNotOneToMake() throws {
        let bench = try Bench.current()
        let seen = try run(
            [
                "sh", "-c", "exec \"$@\" 9</proc/self/ns/pid", "sh", bench.nsrun, "--rootfs",
                bench.rootfs,
            ]
                + ["--pidns", "9", "true"])
        expect(
            seen, refuses: "a run in another pid namespace cannot make one of its own",
            remedy: "--share-pid")
    }

    static let kinds = ["user", "ipc", "pid", "net", "uts", "cgroup"]

    @Test(arguments: kinds)
    func askedForNamespaceIsNew(kind: String) throws {
        let host = try run(["readlink", "/proc/self/ns/\(kind)"])
        let seen = try inRoot("readlink /proc/self/ns/\(kind)", ["--unshare-\(kind)"])
        #expect(seen.status == 0 && seen.output != host.output, "\(seen)")
    }

    @Test func allNamespacesAreNew() throws {
        let script = "cd /proc/self/ns; readlink cgroup ipc mnt net pid user uts"
        let host = try run(["sh", "-c", script]).lines
        let seen = try inRoot(script, ["--unshare-all"]).lines
        #expect(seen.count == 7 && Set(seen).isDisjoint(with: host))
        let shared = try inRoot(script, ["--unshare-all", "--share-net"]).lines
        #expect(shared.filter(host.contains) == host.filter { $0.hasPrefix("net") })
    }

    @Test(arguments: ["--unshare-user-try", "--unshare-cgroup-try"])
    func tryFormsWork(option: String) throws {
        try expect(inRoot("echo x", [option]), prints: "x")
    }

    @Test(arguments: [["--network", "none"], ["--unshare-net"], ["--network=none"]])
    func ownNetworkHasLoopbackUp(options: [String]) throws {
        let script = """
            grep -c : /proc/net/dev; exec perl -MSocket -e '
            socket(my $s, PF_INET, SOCK_DGRAM, 0); my $to = sockaddr_in(9, inet_aton("127.0.0.1"));
            print defined send($s, "x", 0, $to) ? "up" : "down: $!"'
            """
        try expect(inRoot(script, options), prints: "1\nup")
    }

    @Test func networkNameIsChecked() throws {
        let seen = try inRoot("true", ["--network", "magic"])
        expect(seen, refuses: "--network: unknown kind \"magic\"", remedy: "none")
    }

    @Test(arguments: [[], ["--share-pid"]])
    func identityIsAsAskedFor(shape: [String]) throws {
        try expect(inRoot("id -u; id -g", ["--uid", "0", "--gid", "0"] + shape), prints: "0\n0")
        try expect(
            inRoot("id -u; id -g", ["--uid", "4711", "--gid", "815"] + shape), prints: "4711\n815")
    }

    @Test func filesMadeByAnotherIdBelongToTheCaller() throws {
        let host = try TemporaryDirectory()
        try expect(inRoot(": >/mnt/x", ["--uid", "0", "--bind", host.path, "/mnt"]), prints: "")
        try expect(run(["stat", "-c", "%u", host / "x"]), run(["id", "-u"]))
    }

    @Test(arguments: ["-1", "x", "", "4294967295", "99999999999"])
    func badIdsAreRefused(id: String) throws {
        for option in ["--uid", "--gid"] {
            let seen = try inRoot("true", [option, id])
            #expect(seen.status == 125, "\(seen)")
            #expect(seen.error.hasPrefix("nsrun: \(option): \"\(id)\" is no id"), "\(seen)")
        }
    }

    @Test func rootInsideHasAllCapabilitiesInside() throws {
        let seen = try inRoot("grep CapEff /proc/self/status", ["--uid", "0"])
        let host = try String(contentsOfFile: "/proc/sys/kernel/cap_last_cap", encoding: .utf8)
        let last = UInt64(host.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
        let mask = String((UInt64(2) << last) - 1, radix: 16)
        #expect(seen.output.hasSuffix(mask), "\(seen)")
    }

    static let sets = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2 | sort -u"

    @Test(arguments: ["CAP_NET_ADMIN", "net_admin", "cap_net_admin"])
    func capabilityIsAdded(name: String) throws {
        try expect(inRoot(NamespaceTests.sets, ["--cap-add", name]), prints: "0000000000001000")
    }

    @Test func capabilityIsDropped() throws {
        let script = "grep -E 'Cap(Eff|Bnd)' /proc/self/status | cut -f2 | sort -u"
        let all = try inRoot(script, ["--uid", "0"]).output
        let some = try inRoot(script, ["--uid", "0", "--cap-drop", "CAP_SYS_ADMIN"]).output
        let number = { (text: String) in UInt64(text, radix: 16) ?? 0 }
        #expect(number(all) & ~number(some) == 1 << 21, "\(all) \(some)")
        try expect(inRoot(script, ["--uid", "0", "--cap-drop", "ALL"]), prints: "0000000000000000")
    }

    @Test func capabilitiesApplyInOrder() throws {
        let script = "grep CapEff /proc/self/status | cut -f2"
        try expect(
            inRoot(script, ["--cap-add", "ALL", "--cap-drop", "ALL", "--cap-add", "chown"]),
            prints: "0000000000000001")
    }

    @Test func unknownCapabilityIsRefused() throws {
        let seen = try inRoot("true", ["--cap-add", "CAP_MAGIC"])
        expect(
            seen, refuses: "--cap-add: unknown capability \"CAP_MAGIC\"", remedy: "CAP_NET_ADMIN")
    }

    @Test func newSessionIsOne() throws {
        let script = "cut -d' ' -f6 /proc/self/stat"
        // Without a terminal there is nothing to share a session for, see TerminalTests.
        try expect(inRoot(script), prints: "1")
        try expect(inRoot(script, ["--share-pid"]), prints: "\(getsid(0))")
        let seen = try inRoot(script, ["--new-session"])
        #expect(["1", "2"].contains(seen.output), "\(seen)")
    }

    @Test func pidOneNeedsAPidNamespace() throws {
        let seen = try inRoot("true", ["--share-pid", "--as-pid-1"])
        #expect(seen.status == 125 && seen.error.contains("--unshare-pid"), "\(seen)")
    }
}
