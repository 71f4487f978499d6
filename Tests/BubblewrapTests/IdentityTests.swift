// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Ids, capabilities, and user and pid namespaces of other processes.
@Suite struct IdentityTests {
    static let proc = ["--bind", "/proc", "/proc"]

    @Test func idsAreTheCallersOrThoseAskedFor() throws {
        try expect(sandbox("id -u; id -g"), prints: "\(getuid())\n\(getgid())")
        let options = ["--unshare-user", "--uid", "12", "--gid", "34"]
        try expect(sandbox("id -u; id -g", options), prints: "12\n34")
        try expect(sandbox("id -u", ["--unshare-user-try", "--uid", "0"]), prints: "0")
    }

    @Test func hostNameIsTheNewNamespaces() throws {
        try expect(
            sandbox("uname -n", ["--unshare-uts", "--hostname", "inside"]), prints: "inside")
    }

    private func capabilities(_ options: [String]) throws -> [String: String] {
        let seen = try sandbox("grep ^Cap /proc/self/status", IdentityTests.proc + options)
        #expect(seen.status == 0, "\(seen)")
        return Dictionary(
            uniqueKeysWithValues: seen.lines.map { line in
                let words = line.split(whereSeparator: \.isWhitespace)
                return (String(words[0]), String(words[1]))
            })
    }

    @Test(arguments: [
        [], ["--unshare-user", "--uid", "0"], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"],
        ["--cap-drop", "ALL"], ["--cap-add", "ALL", "--cap-drop", "ALL"],
    ])
    func theCommandHasNoCapabilities(options: [String]) throws {
        for (name, value) in try capabilities(options) {
            #expect(UInt64(value, radix: 16) == 0, "\(name)")
        }
    }

    @Test func theCommandHasTheCapabilitiesAskedFor() throws {
        let one = try capabilities(["--cap-add", "CAP_NET_ADMIN", "--cap-add", "cap_kill"])
        #expect(one["CapEff:"] == "0000000000001020")
        let all = try capabilities(["--cap-add", "ALL", "--cap-drop", "CAP_NET_ADMIN"])
        let bits = UInt64(all["CapEff:"] ?? "", radix: 16) ?? 0
        #expect(bits & 0x1000 == 0 && bits & 0x20 != 0)
    }

    @Test func noNewPrivilegesCanBeGained() throws {
        try expect(
            sandbox("grep NoNewPrivs /proc/self/status", IdentityTests.proc),
            prints: "NoNewPrivs:\t1")
    }

    // MARK: Namespaces of others

    /// A process in a user namespace of its own, where it is uid 0, and maybe in others.
    private func neighbour(_ options: [String] = []) throws -> Conversation {
        let other = try Conversation(
            ["unshare", "--user", "--map-root-user"] + options + ["sh", "-c", "echo; exec cat"])
        #expect(other.line() == "")
        return other
    }

    @Test(arguments: Name.allCases)
    func aUserNamespaceIsEntered(name: Name) throws {
        let other = try neighbour()
        let space = try OpenFile("/proc/\(other.child.pid)/ns/user")
        let script = "id -u; readlink /proc/self/ns/user"
        let seen = try run(
            name.command() + ["--dev-bind", "/proc", "/proc", "--userns", "9", "sh", "-c", script],
            passing: [9: space.number])
        let wanted = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(other.child.pid)/ns/user")
        expect(seen, prints: "0\n\(wanted)")
    }

    @Test func aUserNamespaceIsEnteredAtTheEnd() throws {
        // The inner one is a child of the outer, as its maker needs privilege in both.
        let other = try Conversation([
            "unshare", "--user", "--map-root-user", "sh", "-c",
            "unshare --user --map-root-user sh -c 'echo $$; exec sleep 1000' & wait",
        ])
        let outer = other.child.pid
        let inner = try #require(pid_t(other.line() ?? ""))
        defer { kill(inner, SIGKILL) }
        let first = try OpenFile("/proc/\(outer)/ns/user")
        let second = try OpenFile("/proc/\(inner)/ns/user")
        let seen = try run(
            Name.bwrap.command()
                + [
                    "--dev-bind", "/proc", "/proc", "--userns", "8", "--userns2", "9", "readlink",
                    "/proc/self/ns/user",
                ],
            passing: [8: first.number, 9: second.number])
        let wanted = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(inner)/ns/user")
        expect(seen, prints: wanted)
    }

    @Test func aPidNamespaceIsEntered() throws {
        let other = try neighbour(["--pid", "--fork"])
        let child = try #require(
            try String(
                contentsOfFile: "/proc/\(other.child.pid)/task/\(other.child.pid)/children",
                encoding: .utf8
            ).split(separator: " ").first)
        let user = try OpenFile("/proc/\(child)/ns/user")
        let pids = try OpenFile("/proc/\(child)/ns/pid")
        let seen = try run(
            Name.bwrap.command() + ["--userns", "8", "--pidns", "9", "sh", "-c", "echo $$"],
            passing: [8: user.number, 9: pids.number])
        // There are few others in that namespace.
        let number = Int(seen.output) ?? 0
        #expect(number > 1 && number < 50 && seen.status == 0, "\(seen)")
        withExtendedLifetime(other) {}
    }

    @Test(arguments: ["--userns", "--userns2", "--pidns"])
    func somethingElseIsNoNamespace(option: String) throws {
        expect(
            try sandbox("", [option, "7"], descriptors: [7: "x"]), refusedSaying: "descriptor 7")
        expect(try sandbox("", [option, "77"]), refusedSaying: option)
        expect(try sandbox("", [option, "x"]), refusedSaying: "Invalid fd: x")
    }

    @Test func aNewUserNamespaceAndAnEnteredOneContradict() throws {
        let own = try OpenFile("/proc/self/ns/user")
        let seen = try run(
            Name.bwrap.command() + ["--userns", "9", "--unshare-user", "true"],
            passing: [9: own.number])
        expect(seen, refusedSaying: "--userns", "--unshare-user")
    }

    // MARK: No further user namespaces

    @Test(arguments: [["--unshare-user"], ["--unshare-user", "--unshare-pid", "--uid", "0"]])
    func furtherUserNamespacesAreDisabled(options: [String]) throws {
        let script = "unshare --user true 2>&- || echo refused; id -u"
        let seen = try sandbox(script, options + ["--disable-userns"])
        #expect(seen.lines.first == "refused" && seen.status == 0, "\(seen)")
        try expect(
            sandbox("echo on", options + ["--disable-userns", "--assert-userns-disabled"]),
            prints: "on")
    }

    @Test func disablingIsUndoneByNobodyInside() throws {
        let script = """
            (echo 9 >/proc/sys/user/max_user_namespaces) 2>&-
            unshare --user true 2>&- || echo refused
            """
        let options = ["--unshare-user", "--disable-userns", "--cap-add", "ALL"]
        try expect(sandbox(script, IdentityTests.proc + options), prints: "refused")
    }

    @Test func disablingHasItsConditions() throws {
        expect(
            try sandbox("", ["--disable-userns"]), refusedSaying: "--disable-userns",
            "--unshare-user")
        expect(
            try sandbox("", ["--assert-userns-disabled"]),
            refusedSaying: "creation of new user namespaces was not disabled as requested")
    }
}
