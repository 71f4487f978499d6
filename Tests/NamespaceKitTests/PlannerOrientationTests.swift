// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What tells the programs and the people in a root where they are.
@Suite struct PlannerOrientationTests {
    private let manager = Step.Action.file(
        .bytes(Array("nsrun\n".utf8)), target: "/run/host/container-manager", mode: 0o444)

    private func onTerminal(_ entry: ByteString? = nil) -> HostFacts {
        var facts = HostFacts.alice
        facts.terminal = "/dev/pts/7"
        facts.terminalEntry = entry
        return facts
    }

    private func value(
        _ name: String, _ request: LaunchRequest, on facts: HostFacts = .alice
    ) throws -> String? {
        let entries = try plan(request, on: facts).environment.map { $0.text }
        return entries.first { $0.hasPrefix(name + "=") }.map {
            String($0.dropFirst(name.count + 1))
        }
    }

    @Test func aRootIsSaidToBeAContainer() throws {
        #expect(try plan(.rootfs()).actions.contains(manager))
        #expect(try value("container", .rootfs()) == "nsrun")
        for view in [LaunchRequest.View.host, .empty] {
            let request = LaunchRequest(command: ["true"]).with { $0.root.view = view }
            #expect(try !plan(request).actions.contains(manager))
            #expect(try value("container", request) == nil)
        }
    }

    @Test func theHostsRootIsInItsPlace() throws {
        let request = LaunchRequest.rootfs().with { $0.files.showsHostRoot = true }
        #expect(try !plan(request).actions.contains(manager))
        #expect(try value("container", request) == "nsrun")
    }

    @Test(arguments: [EnvironmentRequest.Start.clean, .empty])
    func whoStartsFromLittleIsToldLittle(start: EnvironmentRequest.Start) throws {
        let request = LaunchRequest.rootfs().with { $0.program.environment.start = start }
        #expect(try value("container", request) == nil)
        #expect(try value("debian_chroot", request, on: onTerminal()) == nil)
    }

    @Test func theCallersWordCounts() throws {
        let request = LaunchRequest.rootfs().with {
            $0.program.environment.changes = [
                .set(name: "container", value: "mine"), .unset(name: "debian_chroot"),
            ]
        }
        #expect(try value("container", request) == "mine")
        #expect(try value("debian_chroot", request, on: onTerminal()) == nil)
    }

    @Test(
        arguments: [
            ("/srv/debian", "debian"), ("/srv/trixie-2.1_x+y@z", "trixie-2.1_x+y@z"),
            ("/srv/a b", nil),
            ("/srv/$(id)", nil), ("/srv/\u{1b}[31m", nil), ("/srv/\\u", nil), ("/srv/..", nil),
            ("/", nil),
        ] as [(ByteString, String?)])
    func aPromptNamesTheRoot(root: ByteString, name: String?) throws {
        let request = LaunchRequest.rootfs().with { $0.root.view = .rootfs(root) }
        #expect(try value("debian_chroot", request, on: onTerminal()) == name)
        #expect(try value("debian_chroot", request) == nil)
    }

    @Test func theHostsTerminalIsKnown() throws {
        let facts = onTerminal("/usr/lib/kitty/terminfo/x/xterm-kitty")
        let place: ByteString = "/run/host/usr/lib/kitty/terminfo/x/xterm-kitty"
        #expect(
            try sees(.rootfs(), on: facts).contains(
                "\(place.text): \(facts.terminalEntry!.text) ro"))
        #expect(
            try value("TERMINFO_DIRS", .rootfs(), on: facts) == ":/run/host/usr/lib/kitty/terminfo")
        let request = LaunchRequest.rootfs().with { $0.files.showsHostRoot = true }
        #expect(
            try value("TERMINFO_DIRS", request, on: facts) == ":/run/host/usr/lib/kitty/terminfo")
        #expect(try value("TERMINFO_DIRS", .rootfs(), on: onTerminal()) == nil)
    }

    @Test(
        arguments: [
            ("xterm", ["x/xterm", "78/xterm"]), ("", nil), ("../x", nil), (".x", nil), ("a/b", nil),
        ] as [(ByteString, [ByteString]?)])
    func whereAnEntryLies(name: ByteString, files: [ByteString]?) {
        #expect(TerminalEntry.files(of: name) == files)
    }
}
