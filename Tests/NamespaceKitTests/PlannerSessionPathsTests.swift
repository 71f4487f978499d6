// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// Places of the caller's and of the host's in a rootfs, and what is left out.
@Suite struct PlannerSessionPathsTests {
    private let toolbox = LaunchRequest.rootfs().with { $0.apply(.toolbox) }
    private let suite = LaunchRequest.rootfs().with { $0.apply(.test) }

    /// Alice's desk with a desktop on it.
    private func desk(
        _ more: [ByteString] = [], missing: [ByteString] = [],
        here: ByteString? = "/home/alice/work"
    ) -> HostFacts {
        var facts = HostFacts.alice
        facts.environment += more
        facts.missing = missing
        facts.currentDirectory = here
        return facts
    }

    private func leftOut(_ request: LaunchRequest, on facts: HostFacts) throws -> [String] {
        try plan(request, on: facts).omissions.map { "\($0.what.text): \($0.reason)" }
    }

    // MARK: A toolbox

    @Test func aToolboxIsTheRootfsWithTheHostsPlaces() throws {
        var facts = desk(["XDG_RUNTIME_DIR=/run/user/1000"])
        facts.settings = [.init(name: "localtime", path: "/usr/share/zoneinfo/CET")]
        facts.missing = PlannerSessionPathsTests.services
        #expect(
            try sees(toolbox, on: facts) == [
                "/: /srv/debian ro",
                "/dev: /dev rw",
                "/etc/group: the rootfs's, with your entry ro",
                "/etc/localtime: link to /run/host/usr/share/zoneinfo/CET ro",
                "/etc/passwd: the rootfs's, with your entry ro",
                "/home/alice: /home/alice rw",
                "/media: /media rw",
                "/mnt: /mnt rw",
                "/proc: /proc rw",
                "/run: tmpfs private",
                "/run/host: / ro",
                "/run/media: /run/media rw",
                "/run/user/1000: /run/user/1000 rw",
                "/sys: /sys ro",
                "/tmp: /tmp rw",
                "/var/tmp: /var/tmp rw",
            ])
    }

    private static let services: [ByteString] = [
        "/run/dbus/system_bus_socket", "/run/avahi-daemon", "/run/cups", "/run/pcscd",
        "/run/systemd/journal", "/run/systemd/resolve", "/run/systemd/sessions",
        "/run/systemd/users", "/run/udev",
    ]

    @Test func nothingMissingIsBoundAndAllOfItIsNamed() throws {
        let missing: [ByteString] = ["/home/alice", "/media", "/run/user/1000", "/etc/timezone"]
        let facts = desk(["XDG_RUNTIME_DIR=/run/user/1000"], missing: missing, here: "/")
        let places = try sees(toolbox, on: facts)
        let leftOut = try leftOut(toolbox, on: facts)
        for place in missing {
            #expect(!places.contains { $0.hasPrefix("\(place.text):") }, "\(place.text)")
            #expect(leftOut.contains("\(place.text): there is none on this host"))
        }
        #expect(leftOut.count == missing.count)
    }

    /// Root replaces files of /etc, packages do so, and what is a mount point cannot be replaced.
    @Test func rootKeepsTheRootfssSettings() throws {
        var facts = desk()
        facts.settings = [.init(name: "localtime", path: "/usr/share/zoneinfo/CET")]
        let request = toolbox.with { $0.identity.user = 0 }
        let places = try sees(request, on: facts)
        #expect(!places.contains { $0.hasPrefix("/etc/localtime") })
        #expect(places.contains("/etc/hosts: /etc/hosts ro"))
        let leftOut = try leftOut(request, on: facts)
        #expect(leftOut == ["/etc/localtime: to root the rootfs's own belongs"])
    }

    @Test func nothingIsLeftOutWhereAllIsThere() throws {
        #expect(try leftOut(toolbox, on: desk()) == [])
        #expect(try leftOut(.rootfs(), on: desk(missing: ["/home/alice"])) == [])
    }

    @Test func supplementaryGroupsHaveTheirNames() throws {
        var facts = desk()
        facts.groups = [
            .init(name: "audio", id: 29), .init(name: "users", id: 1000),
            .init(name: "kvm", id: 108),
        ]
        #expect(
            try plan(toolbox, on: facts).actions.contains(
                .prepend(
                    text: "users:x:1000:\naudio:x:29:alice\nkvm:x:108:alice\n", target: "/etc/group"
                )))
    }

    @Test func theAccountsShellServesWithoutTheVariable() throws {
        var facts = desk()
        facts.environment = ["HOME=/home/alice"]
        let request = toolbox.with { $0.program.command = [] }
        #expect(try plan(request, on: facts).programs == ["/bin/zsh", "/bin/bash", "/bin/sh"])
    }

    @Test func modulesForOtherLibrariesAreNotLoaded() throws {
        let kept: [ByteString] = ["DISPLAY=:0", "XDG_DATA_DIRS=/usr/share", "GTK_THEME=dark"]
        let facts = desk(["GTK_PATH=/g", "QT_PLUGIN_PATH=/q", "LD_PRELOAD=x", "TMPDIR=/t"] + kept)
        let environment = try plan(toolbox, on: facts).environment
        let callers = HostFacts.alice.environment.filter { !$0.hasPrefix("PATH=") }
        #expect(
            environment.filter { !$0.hasPrefix("PATH=") } == callers + kept + ["container=nsrun"])
        #expect(try plan(.rootfs(), on: facts).environment.contains("GTK_PATH=/g"))
    }

    // MARK: The desktop's places

    private func places(_ environment: [ByteString]) -> [ByteString] {
        var facts = HostFacts()
        facts.environment = environment
        return SessionPaths.desktop(of: facts).filter {
            !PlannerSessionPathsTests.services.contains($0)
        }
    }

    @Test func variablesNameThePlaces() {
        #expect(places([]) == [])
        #expect(
            places([
                "XDG_RUNTIME_DIR=/r", "DBUS_SESSION_BUS_ADDRESS=unix:path=/bus",
                "WAYLAND_DISPLAY=/wayland", "PULSE_SERVER=unix:/pulse", "DISPLAY=:0",
                "XAUTHORITY=/cookie", "SSH_AUTH_SOCK=/agent",
            ]) == ["/r", "/bus", "/wayland", "/pulse", "/tmp/.X11-unix", "/cookie", "/agent"])
    }

    @Test func whatIsInTheRuntimeDirectoryComesWithIt() {
        #expect(
            places([
                "XDG_RUNTIME_DIR=/r", "DBUS_SESSION_BUS_ADDRESS=unix:path=/r/bus",
                "WAYLAND_DISPLAY=wayland-0", "PULSE_SERVER=/r/pulse/native", "SSH_AUTH_SOCK=/rx",
            ]) == ["/r", "/rx"])
    }

    @Test(
        arguments: [
            ("unix:path=/bus,guid=0123", ["/bus"]), ("tcp:host=x;unix:path=/bus", ["/bus"]),
            ("unix:guid=0123,path=/bus", ["/bus"]), ("unix:abstract=/bus", []), ("unix:path=", []),
            ("", []), ("/bus", []), ("unix:path=/a;unix:path=/b", ["/a", "/b"]),
        ] as [(ByteString, [ByteString])])
    func addressesOfTheSessionBus(address: ByteString, wanted: [ByteString]) {
        #expect(places(["DBUS_SESSION_BUS_ADDRESS=" + address]) == wanted)
    }

    @Test(arguments: ["", "relative", "./x"])
    func namesAreNoPlaces(name: ByteString) {
        #expect(
            places([
                "XDG_RUNTIME_DIR=" + name, "WAYLAND_DISPLAY=" + name, "PULSE_SERVER=" + name,
                "XAUTHORITY=" + name, "SSH_AUTH_SOCK=" + name,
            ]) == [])
    }

    /// The host's /tmp holds them already.
    @Test func socketsBelowTmpNeedNoMount() throws {
        let facts = desk(["DISPLAY=:0", "SSH_AUTH_SOCK=/tmp/ssh/agent"])
        #expect(!(try sees(toolbox, on: facts).contains { $0.hasPrefix("/tmp/") }))
    }

    @Test(arguments: ["/tmp", "/tmp/", "//tmp", "/tmp/."])
    func socketsBelowAPrivateTmpAreShown(target: ByteString) throws {
        let facts = desk(["DISPLAY=:0", "SSH_AUTH_SOCK=/tmp/ssh/agent"])
        let request = toolbox.with {
            $0.files.operations = [.init(.tmpfs(target: target, mode: 0o1777, size: nil))]
        }
        let places = try sees(request, on: facts)
        #expect(places.contains("/tmp/.X11-unix: /tmp/.X11-unix rw"))
        #expect(places.contains("/tmp/ssh/agent: /tmp/ssh/agent rw"))
    }

    // MARK: Home and current directory

    @Test func aToolboxCanDoWithoutAHome() throws {
        var facts = desk(here: "/")
        for (home, what) in [("/", "/: it is /"), ("/gone", "/gone: there is none on this host")] {
            facts.environment = [ByteString("HOME=" + home)]
            facts.missing = ["/gone"]
            #expect(try leftOut(toolbox, on: facts) == [what])
        }
        facts.environment = []
        facts.account = nil
        #expect(try leftOut(toolbox, on: facts) == ["$HOME: it is not known"])
        // Who asks for it in so many words has it or an error.
        #expect(refusal(.rootfs().with { $0.files.home = .bound }, on: facts) != nil)
    }

    private func start(_ request: LaunchRequest, on facts: HostFacts) throws -> [ByteString] {
        for case .changeDirectory(let candidates) in try plan(request, on: facts).actions {
            return candidates
        }
        return []
    }

    @Test func belowHomeTheDirectoryIsThereAlready() throws {
        let facts = desk()
        #expect(!(try sees(toolbox, on: facts).contains { $0.hasPrefix("/home/alice/work:") }))
        #expect(try start(toolbox, on: facts) == ["/home/alice/work"])
    }

    @Test(arguments: ["/srv", "/data/x", "/home/alice2", "/opt/x", "/var/home/bob"])
    func otherDirectoriesAreBound(here: ByteString) throws {
        var facts = desk(here: here)
        facts.ownsCurrentDirectory = true
        #expect(try sees(toolbox, on: facts).contains("\(here.text): \(here.text) rw"))
        #expect(try start(toolbox, on: facts) == [here])
        #expect(try leftOut(toolbox, on: facts) == [])
    }

    @Test(arguments: [
        "/usr", "/usr/share/x", "/etc", "/bin", "/lib64/x", "/home", "/var", "/var/lib",
    ])
    func theSystemsDirectoriesAreNot(here: ByteString) throws {
        for isOwn in [true, false] {
            var facts = desk(here: here)
            facts.ownsCurrentDirectory = isOwn
            #expect(!(try sees(toolbox, on: facts).contains { $0.hasPrefix("\(here.text):") }))
            #expect(
                try leftOut(toolbox, on: facts)
                    == ["\(here.text): the rootfs has a system of its own there"])
            #expect(try start(toolbox, on: facts) == [here, "/home/alice", "/"])
        }
    }

    /// The state of packages, logs: there what is the caller's tells the two apart.
    @Test(arguments: ["/var/lib/dpkg/info", "/var/cache/apt", "/var/home/bob/x"])
    func whatIsNotOnesOwnBelowVarIsTheSystems(here: ByteString) throws {
        var facts = desk(here: here)
        #expect(!(try sees(toolbox, on: facts).contains { $0.hasPrefix("\(here.text):") }))
        facts.ownsCurrentDirectory = true
        #expect(try sees(toolbox, on: facts).contains("\(here.text): \(here.text) rw"))
    }

    @Test(arguments: ["/", "/usr", "/etc/x", "/run", "/home/"])
    func noPlaceOfTheSessionReplacesTheSystem(place: ByteString) throws {
        for name in ["XDG_RUNTIME_DIR=", "SSH_AUTH_SOCK=", "WAYLAND_DISPLAY="] as [ByteString] {
            let facts = desk([name + place])
            #expect(try sees(toolbox, on: facts) == sees(toolbox, on: desk()), "\(name.text)")
            #expect(
                try leftOut(toolbox, on: facts)
                    == ["\(place.text): the rootfs has a system of its own there"])
        }
    }

    /// The host's own are there, so nothing is left out.
    @Test(arguments: ["/", "/tmp/x", "/var/tmp/x", "/dev/shm", "/media/disk", "/run/media/disk"])
    func placesOfTheHostsNeedNoBind(here: ByteString) throws {
        let facts = desk(here: here)
        #expect(try leftOut(toolbox, on: facts) == [])
        #expect(try start(toolbox, on: facts).first == here)
    }

    @Test func aLostDirectoryIsLeftOut() throws {
        let facts = desk(here: nil)
        #expect(try leftOut(toolbox, on: facts) == ["the current directory: it has been removed"])
        #expect(try start(toolbox, on: facts) == ["/home/alice", "/"])
        #expect(refusal(.rootfs().with { $0.files.bindsCurrentDirectory = true }, on: facts) != nil)
    }

    // MARK: The source tree

    private func tree(_ top: ByteString?, here: ByteString) -> HostFacts {
        var facts = desk(here: here)
        facts.sourceTree = top
        return facts
    }

    @Test func theTopOfTheSourceTreeIsShown() throws {
        let facts = tree("/home/alice/src", here: "/home/alice/src/build")
        #expect(try sees(suite, on: facts).contains("/home/alice: tmpfs private"))
        #expect(try sees(suite, on: facts).contains("/home/alice/src: /home/alice/src rw"))
        #expect(try start(suite, on: facts) == ["/home/alice/src/build"])
        #expect(try leftOut(suite, on: facts) == [])
    }

    @Test func withoutATopTheDirectoryIs() throws {
        let facts = tree(nil, here: "/data/x")
        #expect(try sees(suite, on: facts).contains("/data/x: /data/x rw"))
    }

    @Test func aTreeInMemoryStaysAsItIs() throws {
        let facts = tree("/data", here: "/data/x")
        let request = suite.with { $0.root.layer = .memory }
        #expect(try sees(request, on: facts).contains("/data: overlay of /data private"))
    }

    /// A home that is a working copy is not shown as a whole for what is below it.
    @Test func aHomeUnderVersionControlStaysPrivate() throws {
        let below = tree("/home/alice", here: "/home/alice/work")
        #expect(try sees(suite, on: below).contains("/home/alice: tmpfs private"))
        #expect(try sees(suite, on: below).contains("/home/alice/work: /home/alice/work rw"))
        let above = tree("/home", here: "/home/alice/work")
        #expect(!(try sees(suite, on: above).contains { $0.hasPrefix("/home: ") }))
        let itself = tree("/home/alice", here: "/home/alice")
        #expect(try sees(suite, on: itself).contains("/home/alice: /home/alice rw"))
        #expect(
            try leftOut(suite, on: itself)
                == ["/home/alice: the source tree is there, so it is not empty"])
    }

    @Test func theRootIsNoSourceTree() throws {
        #expect(try sees(suite, on: tree(nil, here: "/")).first == "/: /srv/debian ro")
        #expect(refusal(suite, on: desk(here: nil)) != nil)
    }

    // MARK: Reading

    @Test func theTopIsTheNearestMark() throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try FileManager.default.createDirectory(
            atPath: folder + "/.git/x", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: folder + "/a/b/c", withIntermediateDirectories: true)
        try Data().write(to: URL(filePath: folder + "/a/b/.git"))
        for (here, top) in [("", ""), ("/a", ""), ("/a/b", "/a/b"), ("/a/b/c", "/a/b")] {
            var facts = desk(here: ByteString(folder + here))
            facts.readPlaces(for: suite)
            #expect(facts.sourceTree == ByteString(folder + top))
        }
    }

    @Test func whatIsMissingIsSeen() {
        var facts = desk(["XDG_RUNTIME_DIR=/nonexistent/run", "SSH_AUTH_SOCK=/dev/null"])
        facts.environment[0] = "HOME=/nonexistent/home"
        facts.readPlaces(for: toolbox)
        #expect(facts.lacks("/nonexistent/run"))
        #expect(facts.lacks("/nonexistent/home"))
        #expect(!facts.lacks("/dev/null"))
        #expect(facts.settings.contains { $0.name == "hosts" })
        #expect(
            !facts.settings.contains { facts.lacks(ByteString("/etc/").appending(path: $0.name)) })
    }

    @Test func nothingIsLookedForWithoutBeingAskedFor() {
        var facts = desk(["XDG_RUNTIME_DIR=/nonexistent/run"])
        let before = facts
        facts.readPlaces(for: .rootfs())
        #expect(facts == before)
    }

    // MARK: Paths

    @Test(
        arguments: [
            ("/a", "/a", true), ("/a/b", "/a", true), ("/ab", "/a", false), ("/a", "/a/b", false),
            ("/a", "/", true), ("/", "/", true), ("/", "/a", false), ("a", "/a", false),
        ] as [(ByteString, ByteString, Bool)])
    func atOrBelow(path: ByteString, other: ByteString, isBelow: Bool) {
        #expect(path.isAtOrBelow(other) == isBelow)
    }

    @Test(
        arguments: [("/a/b", "/a"), ("/a", "/"), ("/", nil), ("a/b", nil), ("", nil)]
            as [(ByteString, ByteString?)])
    func parents(path: ByteString, parent: ByteString?) { #expect(path.parent == parent) }

    // MARK: Explanations

    @Test func explanationsNameWhatIsLeftOut() throws {
        let facts = desk(missing: ["/media"])
        let explanation = Explanation(try plan(toolbox, on: facts))
        #expect(
            explanation.text.contains("\nLeft out:\n  /media: there is none on this host\n\nThe"))
        let json = try JSONSerialization.jsonObject(with: Data(explanation.json.utf8))
        let omissions = try #require((json as? [String: Any])?["omissions"] as? [[String: String]])
        #expect(omissions == [["what": "/media", "reason": "there is none on this host"]])
    }
}
