// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// The table of the two views in the command line's contract.
@Suite struct PlannerViewTests {
    // MARK: The host view

    @Test func theHostViewIsTheHostWithPrivatePlaces() throws {
        #expect(
            try sees(LaunchRequest(command: ["true"])) == [
                "/: the host's root rw",
                "/dev/shm: tmpfs private",
                "/proc: proc private",
                "/tmp: tmpfs private",
                "/var/tmp: tmpfs private",
            ])
    }

    @Test func theHostViewAsATranscript() throws {
        #expect(
            try plan(LaunchRequest(command: ["true"])).transcript == """
                start a new session
                write "deny" to /proc/self/setgroups
                write "1000 1000 1" to /proc/self/gid_map
                write "1000 1000 1" to /proc/self/uid_map
                allow 1024 namespaces of each kind below
                start from the host's root
                mount a fresh proc on /proc
                mount a tmpfs on /tmp (mode 01777)
                mount a tmpfs on /var/tmp (mode 01777)
                mount a tmpfs on /dev/shm (mode 01777)
                enter the new root
                make the program in memory that starts the command
                allow no new privileges
                drop all capabilities
                start a new process group
                change directory to /home/alice/work
                run /usr/local/bin/true, else /usr/bin/true

                """)
    }

    @Test func withoutPidNamespaceTheHostsProcStays() throws {
        let request = LaunchRequest(command: ["true"]).with { $0.namespaces.new.remove(.pid) }
        #expect(!(try sees(request).contains { $0.hasPrefix("/proc") }))
    }

    @Test func homeAndCurrentDirectoryAreTheHostsAlready() throws {
        let actions = try plan(LaunchRequest(command: ["true"])).actions
        #expect(!actions.contains { if case .bind = $0 { true } else { false } })
    }

    @Test(arguments: ["/tmp/work", "/var/tmp/work", "/dev/shm/work"] as [ByteString])
    func theCurrentDirectoryBelowAPrivatePlaceIsShown(here: ByteString) throws {
        var facts = HostFacts.alice
        facts.currentDirectory = here
        let request = LaunchRequest(command: ["true"])
        #expect(try sees(request, on: facts).contains("\(here.text): \(here.text) rw"))
        #expect(
            try !sees(request.with { $0.program.workingDirectory = "/" }, on: facts).contains(
                "\(here.text): \(here.text) rw"))
        #expect(
            try plan(request.with { $0.root.layer = .memory }, on: facts).actions.contains(
                .overlay(.init(target: here, lower: [here], upper: .memory))))
        facts.currentDirectory = "/tmp"
        #expect(try sees(request, on: facts) == sees(request))
    }

    // MARK: The rootfs view

    @Test func theRootfsViewIsTheRootfsWithPrivatePlaces() throws {
        #expect(
            try sees(.rootfs()) == [
                "/: /srv/debian ro",
                "/dev: tmpfs private",
                "/dev/full: /dev/full rw",
                "/dev/null: /dev/null rw",
                "/dev/pts: devpts private",
                "/dev/random: /dev/random rw",
                "/dev/tty: /dev/tty rw",
                "/dev/urandom: /dev/urandom rw",
                "/dev/zero: /dev/zero rw",
                "/etc/group: the rootfs's, with your entry ro",
                "/etc/hosts: /etc/hosts ro",
                "/etc/passwd: the rootfs's, with your entry ro",
                "/etc/resolv.conf: /etc/resolv.conf ro",
                "/home/alice: tmpfs private",
                "/proc: proc private",
                "/run: tmpfs private",
                "/sys: /sys ro",
                "/tmp: tmpfs private",
                "/var/tmp: tmpfs private",
            ])
    }

    @Test func devicesHaveTheLinksThatProgramsExpect() throws {
        let actions = try plan(.rootfs()).actions
        for (text, target) in [
            ("pts/ptmx", "/dev/ptmx"), ("/proc/self/fd", "/dev/fd"),
            ("/proc/self/fd/0", "/dev/stdin"), ("/proc/self/fd/1", "/dev/stdout"),
            ("/proc/self/fd/2", "/dev/stderr"),
        ] as [(ByteString, ByteString)] {
            #expect(actions.contains(.symlink(text: text, target: target)))
        }
        #expect(actions.contains(.directory(target: "/dev/shm", mode: 0o1777)))
        // FACTS.md: in a sticky /dev, `echo > /dev/null` is refused.
        #expect(
            actions.contains(.tmpfs(target: "/dev", mode: 0o755, size: nil, replacesLink: true)))
    }

    @Test func theTerminalIsTheConsole() throws {
        var facts = HostFacts.alice
        facts.terminal = "/dev/pts/7"
        #expect(try sees(.rootfs(), on: facts).contains("/dev/console: /dev/pts/7 rw"))
    }

    @Test func temporaryDirectoriesAreForEverybodyAndHomeIsNot() throws {
        let actions = try plan(.rootfs()).actions
        for (target, mode) in [
            ("/tmp", 0o1777), ("/var/tmp", 0o1777), ("/run", 0o755), ("/home/alice", 0o700),
        ] as [(ByteString, UInt32)] {
            #expect(
                actions.contains(
                    .tmpfs(target: target, mode: mode, size: nil, replacesLink: true)))
        }
    }

    @Test func yourEntriesAreAdded() throws {
        let actions = try plan(.rootfs()).actions
        #expect(
            actions.contains(
                .prepend(
                    text: "alice:x:1000:1000::/home/alice:/bin/zsh\n", target: "/etc/passwd")))
        #expect(actions.contains(.prepend(text: "users:x:1000:\n", target: "/etc/group")))
    }

    @Test func entriesFollowTheIDsInside() throws {
        let request = LaunchRequest.rootfs().with { $0.identity = Identity(user: 7, group: 8) }
        #expect(
            try plan(request).actions.contains(
                .prepend(text: "alice:x:7:8::/home/alice:/bin/zsh\n", target: "/etc/passwd")))
    }

    @Test func rootIsInEveryRootfsAlready() throws {
        let request = LaunchRequest.rootfs().with { $0.identity.user = 0 }
        #expect(!(try sees(request).contains { $0.hasPrefix("/etc/passwd") }))
    }

    @Test func withoutPidNamespaceTheHostsProcIsBound() throws {
        let request = LaunchRequest.rootfs().with { $0.namespaces.new.remove(.pid) }
        #expect(try sees(request).contains("/proc: /proc rw"))
    }

    @Test(
        arguments: [
            (.readOnly, "/: /srv/debian ro"), (.writable, "/: /srv/debian rw"),
            (.memory, "/: overlay of /srv/debian private"),
            (.directory("/data/layer"), "/: overlay of /srv/debian and /data/layer/upper rw"),
        ] as [(LaunchRequest.Layer, String)])
    func layers(layer: LaunchRequest.Layer, root: String) throws {
        #expect(try sees(.rootfs(layer)).first == root)
    }

    @Test func theLayersDirectoriesAreMadeBeforeTheOverlay() throws {
        let actions = try plan(.rootfs(.directory("/data/layer"))).particular
        #expect(
            actions.dropFirst(3).prefix(4) == [
                .hostDirectory("/data/layer"), .hostDirectory("/data/layer/upper"),
                .hostDirectory("/data/layer/work"),
                .overlay(
                    .init(
                        target: "/", lower: ["/srv/debian"],
                        upper: .directories(upper: "/data/layer/upper", work: "/data/layer/work"))),
            ])
    }

    // MARK: Places of the caller

    @Test func homeCanBeTheRealOne() throws {
        let request = LaunchRequest.rootfs().with { $0.files.home = .bound }
        #expect(try sees(request).contains("/home/alice: /home/alice rw"))
    }

    @Test func theCurrentDirectoryCanBeBound() throws {
        let request = LaunchRequest.rootfs().with { $0.files.bindsCurrentDirectory = true }
        let plan = try plan(request)
        #expect(try sees(request).contains("/home/alice/work: /home/alice/work rw"))
        #expect(plan.actions.contains(.changeDirectory(["/home/alice/work"])))
    }

    @Test func theHostsRootCanBeSeen() throws {
        let request = LaunchRequest.rootfs().with { $0.files.showsHostRoot = true }
        #expect(try sees(request).contains("/run/host: / ro"))
    }

    /// A home or a current directory of `/` may be refused, but must not hide or replace the rootfs.
    @Test func whatIsTheRootLeavesTheRootAlone() throws {
        var facts = HostFacts.alice
        facts.environment = ["HOME=/"]
        facts.currentDirectory = "/"
        let requests = [
            LaunchRequest.rootfs(), .rootfs().with { $0.files.home = .bound },
            .rootfs().with { $0.files.bindsCurrentDirectory = true },
        ]
        for request in requests where refusal(request, on: facts) == nil {
            #expect(try sees(request, on: facts).first == "/: /srv/debian ro")
        }
        #expect(refusal(requests[0], on: facts) == nil)
    }

    // MARK: Nothing at all

    @Test func theEmptyViewHoldsWhatIsAskedForAlone() throws {
        var request = LaunchRequest(command: ["true"])
        request.root.view = .empty
        request.files.operations = [
            .init(.bind(source: .path("/usr"), target: "/usr", options: .readOnly))
        ]
        #expect(try sees(request) == ["/: tmpfs private", "/usr: /usr ro"])
        #expect(!(try plan(request).mirrors))
    }
}
