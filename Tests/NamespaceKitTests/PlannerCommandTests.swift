// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Environment, working directory, privileges and the program itself.
@Suite struct PlannerCommandTests {
    private let command = LaunchRequest(command: ["true", "-x"])

    // MARK: Environment

    private func environment(
        _ host: [ByteString], view: LaunchRequest.View = .host,
        start: EnvironmentRequest.Start = .inherited, _ changes: [EnvironmentRequest.Change] = []
    ) throws -> [ByteString] {
        var facts = HostFacts()
        facts.environment = host
        let request = command.with {
            $0.root.view = view
            $0.program.environment.start = start
            $0.program.environment.changes = changes
        }
        return try plan(request, on: facts).environment
    }

    private let misleading: [ByteString] = [
        "LD_PRELOAD=x.so", "LD_LIBRARY_PATH=/l", "LD_AUDIT=a", "LOCPATH=/l", "GCONV_PATH=/g",
        "TMPDIR=/scratch",
    ]

    @Test func theEnvironmentIsInherited() throws {
        #expect(try environment(["A=1", "B="] + misleading) == ["A=1", "B="] + misleading)
    }

    @Test func aForeignRootIsNotMisdirected() throws {
        let kept: [ByteString] = ["A=1", "LD_PRELOADED=1", "TMPDIRS=1"]
        #expect(
            try environment(misleading + kept, view: .rootfs("/r")) == kept + ["container=nsrun"])
    }

    @Test func settingPutsAVariableBack() throws {
        #expect(
            try environment(
                misleading, view: .rootfs("/r"), [.set(name: "TMPDIR", value: "/t")])
                == ["container=nsrun", "TMPDIR=/t"])
    }

    @Test func aCleanStartKeepsFive() throws {
        let kept: [ByteString] = ["HOME=/h", "PATH=/p", "TERM=t", "LANG=C", "USER=u"]
        #expect(try environment(["A=1", "HOMER=1", "LC_ALL=C"] + kept, start: .clean) == kept)
        #expect(try environment(kept, start: .empty) == [])
    }

    @Test func changesApplyInOrder() throws {
        let changes: [EnvironmentRequest.Change] = [
            .set(name: "A", value: "2"), .set(name: "B", value: "x=y"), .unset(name: "C"),
        ]
        #expect(try environment(["A=1", "C=3", "CC=4"], changes) == ["CC=4", "A=2", "B=x=y"])
        #expect(try environment(["A=1"], [.clear, .set(name: "B", value: "")]) == ["B="])
        #expect(try environment(["A=1"], [.set(name: "B", value: "1"), .clear]) == [])
    }

    @Test func valuesMayHaveNewlines() throws {
        #expect(try environment([], [.set(name: "A", value: "1\n2")]) == ["A=1\n2"])
    }

    // MARK: Working directory

    private func directories(
        _ request: LaunchRequest, on facts: HostFacts = .alice
    ) throws -> [ByteString] {
        for case .changeDirectory(let candidates) in try plan(request, on: facts).actions {
            return candidates
        }
        return []
    }

    @Test func theHostViewKeepsTheDirectoryOrFails() throws {
        #expect(try directories(command) == ["/home/alice/work"])
    }

    @Test func theRootfsViewFallsBackToHomeThenRoot() throws {
        #expect(try directories(.rootfs()) == ["/home/alice/work", "/home/alice", "/"])
        var homeless = HostFacts()
        homeless.currentDirectory = "/data"
        #expect(try directories(.rootfs(), on: homeless) == ["/data", "/"])
    }

    @Test func anotherDirectoryOnRequest() throws {
        #expect(try directories(command.with { $0.program.workingDirectory = "/srv" }) == ["/srv"])
    }

    // MARK: Privileges

    @Test func noPrivilegesAreLeft() throws {
        let plan = try plan(command)
        #expect(plan.actions.contains(.noNewPrivileges))
        #expect(plan.capabilities == .init(held: 0, ambient: 0, bounding: 0))
    }

    @Test func uidZeroKeepsAllCapabilities() throws {
        let sets = try plan(command.with { $0.identity.user = 0 }).capabilities
        #expect(sets == .init(held: Capabilities.all, ambient: 0, bounding: Capabilities.all))
    }

    /// As bubblewrap: in an empty root, only a caller who is root keeps what he has, and no more.
    @Test func anEmptyRootGivesNoPrivileges() throws {
        func held(_ user: UInt32, _ namespaces: NamespaceSet) throws -> UInt64? {
            var facts = HostFacts.alice
            facts.userID = user
            facts.capabilities = 0b1011
            let request = command.with {
                $0.root.view = .empty
                $0.namespaces.new = namespaces
                $0.identity.user = namespaces.contains(.user) ? 0 : nil
            }
            return try plan(request, on: facts).capabilities?.held
        }
        #expect(try held(1000, [.user, .mount]) == 0)
        #expect(try held(0, [.user, .mount]) == 0b1011)
        #expect(try held(0, [.mount]) == 0b1011)
    }

    /// As bubblewrap: who names any finds them in every set, root or not.
    @Test(arguments: [0, 1000] as [UInt32]) func whatIsNamedIsAmbientInAnEmptyRoot(user: UInt32)
        throws
    {
        var facts = HostFacts.alice
        facts.userID = user
        facts.capabilities = user == 0 ? 0b1011 : 0
        func sets(_ changes: [CapabilityChange]) throws -> Step.CapabilitySets? {
            try plan(
                command.with {
                    $0.root.view = .empty
                    $0.namespaces.new = [.user, .mount]
                    $0.identity.user = 0
                    $0.identity.capabilities = changes
                }, on: facts
            ).capabilities
        }
        let dropped = try #require(try sets([.addAll, .drop(5)]))
        #expect(dropped.ambient == dropped.held && dropped.held == Capabilities.all & ~(1 << 5))
        let rest = try #require(try sets([.drop(0)]))
        #expect(rest.held == (user == 0 ? 0b1010 : 0) && rest.ambient == rest.held)
        #expect(try sets([])?.ambient == 0)
    }

    /// Without a user namespace there are no capabilities but the caller's.
    @Test func capabilitiesThatTheCallerLacksAreNotGiven() throws {
        var facts = HostFacts.alice
        facts.userID = 0
        facts.capabilities = 0b1001
        let request = command.with {
            $0.namespaces.new = [.mount]
            $0.identity.capabilities = [.dropAll, .add(0), .add(1)]
        }
        #expect(try plan(request, on: facts).capabilities?.held == 1)
    }

    /// Somebody who is not root keeps capabilities over execve(2) only as ambient ones.
    @Test func addedCapabilitiesAreAmbient() throws {
        let sets = try plan(command.with { $0.identity.capabilities = [.add(12), .add(0)] })
            .capabilities
        #expect(sets == .init(held: 0x1001, ambient: 0x1001, bounding: 0x1001))
    }

    @Test func laterCapabilityOptionsWin() throws {
        func held(_ user: UInt32?, _ changes: [CapabilityChange]) throws -> UInt64? {
            try plan(
                command.with {
                    $0.identity.user = user
                    $0.identity.capabilities = changes
                }
            ).capabilities?.held
        }
        #expect(try held(0, [.dropAll]) == 0)
        #expect(try held(0, [.dropAll, .add(3)]) == 8)
        #expect(try held(nil, [.add(3), .dropAll]) == 0)
        #expect(try held(nil, [.addAll, .drop(0)]) == Capabilities.all & ~1)
    }

    /// Pid 1 must not keep what the command may not have.
    @Test func pidOneGivesUpItsPrivilegesToo() throws {
        let plan = try plan(command)
        let drop = try #require(
            plan.actions.firstIndex { if case .capabilities = $0 { true } else { false } })
        #expect(plan.shape == .childWithInit)
        #expect(drop < plan.commandStart)
    }

    @Test func limitsAndSessionAreTheCommandsOwn() throws {
        let limit = ResourceLimit(resource: 7, soft: 10, hard: 20)
        let plan = try plan(
            command.with {
                $0.program.limits = [limit]
                $0.lifecycle.newSession = true
            })
        #expect(plan.actions[plan.commandStart...].contains(.limit(limit)))
        #expect(plan.actions[plan.commandStart...].contains(.newSession))
    }

    /// In this order each is taken before a later one could overwrite it, and once the command's own
    /// process is there: pid 1 keeps the caller's.
    @Test func standardDescriptorsCanBeReplaced() throws {
        let plan = try plan(
            command.with {
                $0.program.standardError = 9
                $0.program.standardInput = 7
            })
        #expect(
            plan.actions[plan.commandStart...].prefix(2) == [
                .redirect(descriptor: 7, to: 0), .redirect(descriptor: 9, to: 2),
            ])
        #expect(!(try NamespaceKitTests.plan(command).transcript.contains("descriptor")))
    }

    @Test func descriptorsOfTheCallersCanBeKeptFromTheCommand() throws {
        #expect(
            try plan(command.with { $0.program.closedDescriptors = [5, 6] }).closedDescriptors == [
                5, 6,
            ])
    }

    @Test func filtersComeLastForTheyMayForbidTheRest() throws {
        let plan = try plan(command.with { $0.program.filters = [[1, 2], [3]] })
        #expect(plan.actions.suffix(3).prefix(2) == [.filter([1, 2]), .filter([3])])
    }

    // MARK: Program

    private func programs(
        _ words: [ByteString], _ environment: [ByteString] = []
    ) throws -> [ByteString]? {
        var facts = HostFacts()
        facts.environment = environment
        return try plan(LaunchRequest(command: words), on: facts).programs
    }

    @Test func aPathIsTakenAsItIs() throws {
        #expect(try programs(["/bin/true"], ["PATH=/usr/bin"]) == ["/bin/true"])
        #expect(try programs(["./true"], ["PATH=/usr/bin"]) == ["./true"])
    }

    @Test func aNameIsLookedUpOnThePath() throws {
        #expect(try programs(["true"], ["PATH=/a:/b/"]) == ["/a/true", "/b/true"])
    }

    @Test func anEmptyPartOfThePathIsTheWorkingDirectory() throws {
        #expect(try programs(["true"], ["PATH=:/a"]) == ["true", "/a/true"])
    }

    @Test func withoutPathThereIsAUsualOne() throws {
        #expect(try programs(["true"])?.contains("/usr/bin/true") == true)
        #expect(try programs(["true"])?.contains("/bin/true") == true)
    }

    @Test func thePathIsTheCommandsOwn() throws {
        let request = command.with {
            $0.program.environment.changes = [.set(name: "PATH", value: "/inside")]
        }
        #expect(try plan(request).programs == ["/inside/true"])
    }

    @Test func argumentsAreTheCommandsUntouched() throws {
        let words: [ByteString] = ["true", "--", "", "a\nb", ByteString(bytes: [0xff])]
        #expect(try plan(LaunchRequest(command: words)).arguments == words)
    }

    @Test func argumentZeroCanBeAnother() throws {
        let plan = try plan(command.with { $0.program.argument0 = "-sh" })
        #expect(plan.arguments == ["-sh", "-x"])
        #expect(plan.programs?.last == "/usr/bin/true")
    }

    @Test func withoutCommandAShell() throws {
        #expect(try programs([], ["SHELL=/bin/zsh"]) == ["/bin/zsh", "/bin/bash", "/bin/sh"])
        #expect(try programs([], ["SHELL=zsh"]) == ["/bin/bash", "/bin/sh"])
    }

    @Test func aShellCanHaveAnotherNameToo() throws {
        #expect(
            try plan(LaunchRequest().with { $0.program.argument0 = "-bash" }).arguments == ["-bash"]
        )
    }
}
