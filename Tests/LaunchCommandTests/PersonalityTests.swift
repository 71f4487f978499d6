// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit
import Testing

@testable import LaunchCommand

/// Under the name `bwrap`: an empty root, no namespaces but those asked for, bubblewrap's own demands.
@Suite struct PersonalityTests {
    private let bubblewrap = Personality(argument0: "bwrap")

    private func build(_ texts: String...) throws -> LaunchRequest {
        try RequestBuilder.build(Parser.parse(words(texts)), as: bubblewrap).request
    }

    private func complaint(_ texts: [String]) -> String? {
        do throws(UsageError) {
            _ = try RequestBuilder.build(Parser.parse(words(texts)), as: bubblewrap)
            return nil
        } catch {
            return error.message
        }
    }

    /// Root needs no user namespace; anybody else gets nowhere without one.
    private let start: NamespaceSet = getuid() == 0 ? [.mount] : [.user, .mount]

    @Test(arguments: [
        ("bwrap", true), ("/usr/bin/bwrap", true), ("./bwrap", true), ("nsrun", false),
        ("flatpak-bwrap", true), ("/a/xbwrap", true), ("bwrap-0.8", false),
        ("/opt/bwrap/nsrun", false), ("", false),
    ])
    func theNameDecides(argument0: String, isBubblewrap: Bool) {
        #expect(Personality(argument0: ByteString(argument0)).isBubblewrap == isBubblewrap)
    }

    @Test(arguments: [
        ("apptainer", true), ("/usr/bin/singularity", true), ("nsrun", false), ("bwrap", false),
        ("apptainer-suid", false), ("/opt/apptainer/nsrun", false), ("myapptainer", false),
    ])
    func orItIsApptainer(argument0: String, isApptainer: Bool) {
        #expect(Personality(argument0: ByteString(argument0)).isApptainer == isApptainer)
        #expect(
            Personality(argument0: "x", file: ByteString(argument0)).isApptainer == isApptainer)
    }

    @Test func failures() {
        let own = Personality(argument0: "nsrun")
        #expect(bubblewrap.prefix == "bwrap: ")
        #expect(own.prefix == "nsrun: ")
        for status: Int32 in [125, 126, 127] {
            #expect(bubblewrap.status(status) == 1)
            #expect(own.status(status) == status)
        }
    }

    @Test func helpBeginsWithTheNameAsInvoked() {
        let help = Help(Personality(argument0: "/opt/bin/bwrap")).text
        #expect(help.hasPrefix("usage: /opt/bin/bwrap [OPTION]..."))
    }

    @Test func theRequestStartsFromNothing() throws {
        var wanted = LaunchRequest(command: ["true"])
        wanted.root.view = .empty
        wanted.namespaces.new = start
        wanted.lifecycle.lingers = true
        wanted.lifecycle.sharesProcessGroup = true
        wanted.lifecycle.tellsCommandPID = false
        #expect(try build("true") == wanted)
    }

    @Test func theirOwnViewIsNsruns() throws {
        let request = try LaunchCommandTests.build(["true"]).request
        #expect(request == LaunchRequest(command: ["true"]))
    }

    @Test func namespacesAreThoseAskedFor() throws {
        #expect(try build("--unshare-pid", "true").namespaces.new == start.union(.pid))
        let all = try build("--unshare-all", "--share-net", "true").namespaces
        #expect(all.new == start.union([.ipc, .pid, .uts]))
        #expect(all.optional == [.user, .cgroup])
    }

    @Test func aUserNamespaceOfAnotherReplacesOnesOwn() throws {
        let namespaces = try build("--userns", "2", "true").namespaces
        #expect(namespaces.new == [.mount])
        #expect(namespaces.enteredUser == 2)
        let all = try build("--unshare-all", "--userns", "2", "true").namespaces
        #expect(!all.new.union(all.optional).contains(.user))
    }

    @Test(arguments: [
        (["--hostname", "x", "true"], "Specifying --hostname requires --unshare-uts"),
        (["--as-pid-1", "true"], "Specifying --as-pid-1 requires --unshare-pid"),
        (
            ["--unshare-pid", "--as-pid-1", "--lock-file", "/l", "true"],
            "Specifying --as-pid-1 and --lock-file is not permitted"
        ),
        (["--disable-userns", "true"], "--disable-userns requires --unshare-user"),
        (
            ["--unshare-all", "--disable-userns", "true"],
            "--disable-userns requires --unshare-user"
        ),
        (
            ["--userns", "2", "--unshare-user", "true"],
            "--userns is not compatible with --unshare-user"
        ),
        (
            ["--userns-block-fd", "2", "--info-fd", "2", "true"],
            "--userns-block-fd requires --unshare-user"
        ),
        (
            ["--unshare-user-try", "--userns", "2", "true"],
            "--userns is not compatible with --unshare-user-try"
        ),
        (["--argv0", "a", "--argv0", "b", "true"], "--argv0 used multiple times"),
        (
            ["--unshare-net", "--netns", "2", "true"],
            "--netns is not compatible with --unshare-net"
        ),
        (
            ["--unshare-user", "--userns-block-fd", "2", "true"],
            "--userns-block-fd requires --info-fd"
        ),
        (
            [
                "--unshare-user", "--disable-userns", "--userns-block-fd", "2", "--info-fd", "2",
                "true",
            ], "--disable-userns is not compatible with --userns-block-fd"
        ),
    ])
    func combinations(options: [String], message: String) {
        #expect(complaint(options) == message)
    }

    @Test(arguments: [
        ["--unshare-uts", "--hostname", "x", "true"], ["--unshare-all", "--hostname", "x", "true"],
        ["--unshare-pid", "--as-pid-1", "true"], ["--unshare-user", "--disable-userns", "true"],
        ["--unshare-user", "--uid", "5", "--gid", "6", "true"],
        ["--userns", "2", "--uid", "5", "x"],
        ["--unshare-user-try", "--uid", "5", "true"], ["--uid", "\(getuid())", "true"],
        ["--unshare-user", "--userns-block-fd", "2", "--info-fd", "2", "true"],
        ["--pidns", "2", "--unshare-pid", "true"], ["--help"], ["--version"],
    ])
    func combinationsThatAreFine(options: [String]) {
        #expect(complaint(options) == nil)
    }

    /// For anybody else there is a user namespace, asked for or not.
    @Test(arguments: [
        (
            ["--uid", "\(getuid() + 1)"], "Specifying --uid requires --unshare-user or --userns"
        ),
        (
            ["--gid", "\(getgid() + 1)"], "Specifying --gid requires --unshare-user or --userns"
        ),
    ])
    func whatRootMustAskFor(options: [String], message: String) {
        #expect(complaint(options + ["true"]) == (getuid() == 0 ? message : nil))
    }

    /// nsrun makes a user namespace anyway: what bubblewrap demands is there.
    @Test(arguments: [
        ["--hostname", "x"], ["--uid", "5"], ["--disable-userns"], ["--as-pid-1"],
        ["--disable-userns", "--unshare-user"],
    ])
    func nsrunDemandsLess(options: [String]) {
        #expect(LaunchCommandTests.complaint(options + ["true"]) == nil)
    }
}
