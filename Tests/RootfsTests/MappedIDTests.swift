// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Ranges of subordinate ids: files really have the owners that the command gives them.
@Suite struct MappedIDTests {
    private static let root = ["--uid", "0", "--gid", "0"]

    @Test func mapAutoCountsFromTheCallersRange() throws {
        let folder = try TemporaryDirectory()
        let (users, groups) = (
            try SubordinateRange.first(), try SubordinateRange.first("/etc/subgid")
        )
        let seen = try inRoot(
            "cd /tmp/x; echo text >f; chown 5:7 f; stat -c '%u %g' . f",
            ["--map-auto", "--bind", folder.path, "/tmp/x"] + Self.root)
        expect(seen, prints: "0 0\n5 7")
        // Inside 1 is the first of the range, because 0 is the caller.
        let outside = try run(["stat", "-c", "%u %g", folder / "f"])
        expect(outside, prints: "\(users + 4) \(groups + 6)")
    }

    @Test func rootInsideDoesAllThatDpkgWants() throws {
        _ = try SubordinateRange.first()
        let script = """
            set -e; cd /tmp; touch f; chown 33:33 f; chmod 6755 f; stat -c '%a %u:%g' f
            setpriv --reuid 33 --regid 33 --clear-groups id -u
            setpriv --reuid 33 --regid 33 --groups 4,5 id -G
            """
        expect(
            try inRoot(script, ["--map-auto"] + Self.root), prints: "6755 33:33\n33\n33 4 5")
    }

    @Test func theCallerKeepsTheirId() throws {
        _ = try SubordinateRange.first()
        let seen = try inRoot("id -u; id -g; grep CapEff /proc/self/status", ["--map-auto"])
        expect(seen, prints: "\(getuid())\n\(getgid())\nCapEff:\t0000000000000000")
    }

    @Test func rangesByHand() throws {
        let (users, groups) = (
            try SubordinateRange.first(), try SubordinateRange.first("/etc/subgid")
        )
        let seen = try inRoot(
            "cat /proc/self/uid_map /proc/self/gid_map",
            [
                "--map-users", "5000:\(users):10", "--map-users=6000:\(users + 10):1",
                "--map-groups", "7000:\(groups):20",
            ])
        let rows = seen.lines.map { $0.split(separator: " ").joined(separator: " ") }
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        #expect(
            Set(rows) == [
                "5000 \(users) 10", "6000 \(users + 10) 1", "\(getuid()) \(getuid()) 1",
                "7000 \(groups) 20", "\(getgid()) \(getgid()) 1",
            ])
    }

    @Test(arguments: ["--map-users", "--map-groups"])
    func aRangeThatIsNotTheCallersIsRefused(option: String) throws {
        let seen = try inRoot("true", [option, "5000:4000000000:10"])
        let tool = option == "--map-users" ? "newuidmap: uid" : "newgidmap: gid"
        let map = "[5000-5010) -> [4000000000-4000000010)"
        expect(
            seen, refuses: "cannot map ranges of ids: \(tool) range \(map) not allowed",
            remedy: "/etc/subuid", "/etc/subgid")
    }

    @Test(arguments: ["5000:100000", "a:100000:1", "5000:100000:0", "5000:100000:1:1", ""])
    func whatIsNoRangeIsRefused(text: String) throws {
        expect(
            try inRoot("true", ["--map-users=\(text)"]),
            refuses: "--map-users: \"\(text)\" is no range of ids", remedy: "0:100000:65536")
    }

    /// As an account that has no range, on a machine where files say so: its /etc is another one.
    @Test func withoutARangeTheErrorSaysWhoCanHelp() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory()
        try folder.write("", to: "none")
        let seen = try nsrun(
            [
                "--ro-bind", folder / "none", "/etc/subuid", "--ro-bind", folder / "none",
                "/etc/subgid", "--", bench.nsrun, "--rootfs", bench.rootfs, "--map-auto", "true",
            ])
        expect(
            seen,
            refuses: "cannot map ranges of ids: /etc/subuid and /etc/subgid have none for you",
            remedy: "usermod --add-subuids", "--fake-root")
    }

    /// Whoever waits for the helpers goes on to wait for signals, and for the end of the time.
    @Test func theCommandIsWithinReach() throws {
        _ = try SubordinateRange.first()
        let talk = try Conversation(
            inRoot: "trap 'echo heard; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
            ["--map-auto"])
        #expect(talk.line() == "ready")
        talk.child.send(SIGTERM)
        #expect(talk.line() == "heard")
        #expect(talk.child.wait() == 3)
        expect(try inRoot("sleep 60", ["--map-auto", "--timeout", "0.05"]), exits: 124)
    }

    @Test func withoutNewuidmapTheErrorNamesItsPackage() throws {
        _ = try SubordinateRange.first()
        let bench = try Bench.current()
        let folder = try TemporaryDirectory()
        // The tools, with none that sets ids.
        let script = """
            mkdir bin
            for tool in /usr/bin/*; do ln -s "/tmp/usr-bin/${tool##*/}" bin/; done
            rm bin/newuidmap bin/newgidmap
            """
        expect(try run(["sh", "-c", script], directory: folder.path), exits: 0)
        let seen = try nsrun(
            [
                "--ro-bind", "/usr/bin", "/tmp/usr-bin", "--ro-bind", folder / "bin", "/usr/bin",
                "--", bench.nsrun, "--rootfs", bench.rootfs, "--map-auto", "true",
            ])
        #expect(seen.status == 125)
        #expect(seen.error.hasPrefix("nsrun: cannot map ranges of ids: /usr/bin/new"), "\(seen)")
        #expect(seen.error.contains("is not installed\n  install the package uidmap"), "\(seen)")
    }
}
