// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Where records are registered, and by whom.
@Suite struct PlannerEmulationTests {
    private static let record = BinfmtRecord(
        Architecture.named("arm")!, interpreter: "/opt/qemu-arm")
    /// Alice's host, with a root for ARM.
    private static let foreign: HostFacts = {
        var facts = HostFacts.alice
        facts.emulation.records = [record]
        return facts
    }()
    private static let step = Step.Action.binfmt([record], target: "/proc/sys/fs/binfmt_misc")

    private let command = LaunchRequest.rootfs()

    private func actions(
        _ request: LaunchRequest, as role: Planner.Role = .parent
    ) throws -> [Step.Action] {
        try plan(request, on: Self.foreign, as: role).particular
    }

    /// The maps of a namespace: first the groups', then the users'.
    private func maps(_ group: String, _ user: String) -> [Step.Action] {
        [
            .write(text: "deny", file: "/proc/self/setgroups"),
            .write(text: ByteString("\(group) 1\n"), file: "/proc/self/gid_map"),
            .write(text: ByteString("\(user) 1\n"), file: "/proc/self/uid_map"),
        ]
    }

    /// What lies between the new root and the command's own process, but for its privileges.
    private func afterRoot(_ request: LaunchRequest) throws -> [Step.Action] {
        let plan = try plan(request, on: Self.foreign)
        let enter = try #require(plan.actions.firstIndex(of: .enterRoot))
        return plan.actions[(enter + 1)..<plan.commandStart].dropLast(2)
            .filter { !$0.isOfEveryRun }
    }

    // MARK: Who registers

    /// Root of the outer namespace does, and the command lives as who it is in one below.
    @Test func rootRegistersAndTheCommandIsWhoItIs() throws {
        #expect(Array(try actions(command).prefix(3)) == maps("0 1000", "0 1000"))
        #expect(try afterRoot(command) == [.unshare(.user)] + maps("1000 0", "1000 0"))
        let other = command.with { $0.identity = Identity(user: 5, group: 6) }
        #expect(Array(try actions(other).prefix(3)) == maps("0 1000", "0 1000"))
        #expect(try afterRoot(other) == [.unshare(.user)] + maps("6 0", "5 0"))
    }

    /// Root's group is needed as much.
    @Test func eitherIDCounts() throws {
        let user = command.with {
            $0.identity.user = 0
            $0.root.layer = .memory
        }
        // Root of the command's own has power over its mounts as well.
        #expect(try afterRoot(user) == [.unshare([.user, .mount])] + maps("1000 0", "0 0"))
        let group = command.with { $0.identity.group = 0 }
        #expect(try afterRoot(group) == [.unshare(.user)] + maps("0 0", "1000 0"))
    }

    @Test func whoIsRootInsideNeedsNoFurtherNamespace() throws {
        for layer: LaunchRequest.Layer in [.memory, .readOnly] {
            let request = command.with {
                $0.root.layer = layer
                $0.identity = Identity(user: 0, group: 0)
            }
            #expect(try afterRoot(request) == (try afterRootNatively(request)))
            #expect(Array(try actions(request).prefix(3)) == maps("0 1000", "0 1000"))
        }
        let fake = command.with { $0.identity.fakesRoot = true }
        #expect(try afterRoot(fake) == (try afterRootNatively(fake)))
    }

    private func afterRootNatively(_ request: LaunchRequest) throws -> [Step.Action] {
        let plan = try plan(request)
        let enter = try #require(plan.actions.firstIndex(of: .enterRoot))
        return plan.actions[(enter + 1)..<plan.commandStart].dropLast(2)
            .filter { !$0.isOfEveryRun }
    }

    /// Ranges of ids have root among them, whoever the command is.
    @Test func rangesNeedNoFurtherNamespace() throws {
        var facts = Self.foreign
        let range = IDRange(inside: 0, outside: 100_000, count: 65536)
        facts.subordinateUsers = [range]
        facts.subordinateGroups = [range]
        let own = command.with { $0.identity.mapsSubordinates = true }
        let byHand = command.with {
            $0.identity.users = [range]
            $0.identity.groups = [range]
        }
        for request in [own, byHand] {
            let plan = try plan(request, on: facts)
            #expect(!plan.actions.contains(.unshare(.user)))
            #expect(plan.actions.contains(Self.step))
        }
    }

    /// Where they have none, nobody could write the records.
    @Test func rangesWithoutRoot() {
        let some = IDRange(inside: 5, outside: 100_000, count: 10)
        let root = IDRange(inside: 0, outside: 100_000, count: 1)
        func refusal(_ users: [IDRange], _ groups: [IDRange], _ identity: Identity) -> String? {
            NamespaceKitTests.refusal(
                command.with {
                    $0.identity = identity
                    $0.identity.users = users
                    $0.identity.groups = groups
                }, on: Self.foreign)?.lines
        }
        let wanted = """
            an emulator can be registered only where the ids 0 are mapped
              map a range to user and group 0 as well
            """
        for (users, groups) in [([some], [some]), ([root], []), ([], [root]), ([root], [some])] {
            #expect(refusal(users, groups, Identity()) == wanted)
        }
        #expect(refusal([root], [root], Identity()) == nil)
        // The caller may be it.
        #expect(refusal([some], [some], Identity(user: 0, group: 0)) == nil)
        #expect(refusal([some], [root], Identity(user: 0)) == nil)
    }

    /// Only then is the limit set, or there would be none for the command's own.
    @Test func furtherNamespacesAreForbiddenLast() throws {
        let request = command.with { $0.namespaces.forbidsNestedUser = true }
        #expect(
            try afterRoot(request) == [.unshare(.user)] + maps("1000 0", "1000 0") + [
                .write(text: "1\n", file: "/proc/sys/user/max_user_namespaces"), .unshare(.user),
            ] + maps("1000 1000", "1000 1000"))
    }

    // MARK: Where

    /// Below the proc that the run has, before anything is mounted into it.
    @Test func theTableComesRightAfterProc() throws {
        for request in [command, LaunchRequest(command: ["true"])] {
            let actions = try actions(request)
            let proc = try #require(actions.firstIndex(of: .fileSystem(.proc, target: "/proc")))
            #expect(actions[proc + 1] == Self.step)
            #expect(actions.count { $0 == Self.step } == 1)

            let shared = try self.actions(request.with { $0.namespaces.new.remove(.pid) })
            let table = try #require(shared.firstIndex(of: Self.step))
            #expect(try table < #require(shared.firstIndex(of: .enterRoot)))
        }
    }

    @Test func anEmptyRootHasItBelowItsOwnProc() throws {
        let request = LaunchRequest(command: ["true"]).with { $0.root.view = .empty }
        let error = refusal(request, on: Self.foreign)
        #expect(
            error?.lines == """
                an emulator can be registered only where a proc is mounted
                  mount one on /proc
                """)
        let mounted = request.with { $0.files.operations = [.init(.proc(target: "/p"))] }
        let table = Step.Action.binfmt([Self.record], target: "/p/sys/fs/binfmt_misc")
        #expect(try actions(mounted).contains(table))
    }

    @Test func itIsShown() throws {
        #expect(
            try sees(command, on: Self.foreign).contains(
                "/proc/sys/fs/binfmt_misc: binfmt_misc private"))
        let words =
            "mount a binfmt_misc of its own on /proc/sys/fs/binfmt_misc and register qemu-arm "
            + "(/opt/qemu-arm, PF)\n"
        #expect(try plan(command, on: Self.foreign).transcript.contains(words))
    }

    // MARK: Nothing to do

    @Test func withoutRecordsThePlanIsAsEver() throws {
        let plan = try plan(command)
        #expect(!plan.transcript.contains("binfmt"))
        #expect(!plan.actions.contains(.unshare(.user)))
        #expect(!plan.actions.contains(.personality32))
        #expect(Array(plan.particular.prefix(3)) == maps("1000 1000", "1000 1000"))
    }

    /// In the command's own process, before what could forbid it.
    @Test func thirtyTwoBitsAreNamedByTheCommandsProcess() throws {
        var facts = HostFacts.alice
        facts.emulation.names32Bit = true
        let plan = try plan(command.with { $0.program.filters = [[1]] }, on: facts)
        let place = try #require(plan.actions.firstIndex(of: .personality32))
        #expect(place >= plan.commandStart)
        #expect(try place < #require(plan.actions.firstIndex(of: .filter([1]))))
        #expect(!plan.transcript.contains("binfmt"))
        #expect(!plan.actions.contains(.unshare(.user)))
    }

    // MARK: Refusals

    /// The host's table is never touched.
    @Test(
        arguments: [
            { $0.namespaces.new = [.mount, .pid] }, { $0.namespaces.new.remove(.user) },
            { $0.namespaces.enteredUser = 7 },
            {
                $0.lifecycle.mapsDescriptor = 5
                $0.lifecycle.infoDescriptor = 6
            },
        ] as [@Sendable (inout LaunchRequest) -> Void])
    func onlyInANamespaceOfTheRunsOwn(
        change: @escaping @Sendable (inout LaunchRequest) -> Void
    ) throws {
        let request = command.with(change)
        func refusal(on facts: HostFacts) -> LaunchError? {
            do throws(LaunchError) {
                _ = try plan(request, on: facts, as: .replaceable)
                return nil
            } catch {
                return error
            }
        }
        let error = refusal(on: Self.foreign)
        #expect(error?.kind == .usage)
        #expect(
            error?.lines == """
                an emulator can be registered only in a user namespace of the run's own
                  leave out the options that enter or prepare another one
                """)
        #expect(refusal(on: .alice) == nil)
    }

    @Test func whatCannotBeHadIsSaid() {
        var facts = HostFacts.alice
        facts.emulation.refusal = .unknownArchitecture("vax")
        #expect(refusal(command, on: facts) == .unknownArchitecture("vax"))
    }
}
