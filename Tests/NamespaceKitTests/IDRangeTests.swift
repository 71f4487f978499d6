// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Ranges of subordinate ids: read from subuid(5), laid out, and asked of newuidmap(1).
@Suite struct IDRangeTests {
    // MARK: Reading

    private func parse(_ text: String, name: ByteString? = "alice") -> [IDRange] {
        SubordinateIDs.parse(Array(text.utf8), user: 1000, name: name)
    }

    private func range(_ inside: UInt32, _ outside: UInt32, _ count: UInt32) -> IDRange {
        IDRange(inside: inside, outside: outside, count: count)
    }

    @Test func linesAreTheCallersByNameOrNumber() {
        let text = """
            bob:100000:65536
            alice:165536:65536
            1000:300000:10
            10001:400000:10
            alicea:500000:10

            """
        #expect(parse(text) == [range(0, 165536, 65536), range(0, 300000, 10)])
        #expect(parse(text, name: nil) == [range(0, 300000, 10)])
    }

    @Test(arguments: [
        "", "\n\n", "alice", "alice:1", "alice:1:2:3", "alice:x:1", "alice:1:x", "alice::1",
        "alice:1:0", "alice:-1:5", "alice:4294967295:1", "alice:1:4294967295",
        "alice:18446744073709551615:1", "alice:1:18446744073709551615", "#alice:1:2", ":1:2",
    ])
    func nonsenseIsPassedOver(text: String) {
        #expect(parse(text) == [])
    }

    // MARK: Layout

    private func map(_ ranges: [IDRange], own: UInt32) -> [IDRange] {
        SubordinateIDs.map(ranges, own: own, caller: 1000)
    }

    @Test func rootIsTheCallerAndTheRangeFollows() {
        #expect(
            map([range(0, 100_000, 65536)], own: 0) == [
                range(0, 1000, 1), range(1, 100_000, 65536),
            ])
    }

    @Test func theRangeGoesAroundTheCallersOwnID() {
        #expect(
            map([range(0, 100_000, 65536)], own: 1000) == [
                range(1000, 1000, 1), range(1, 100_000, 999), range(0, 100_999, 1),
                range(1001, 101_000, 64536),
            ])
    }

    @Test func severalRangesFollowEachOther() {
        #expect(
            map([range(0, 100_000, 5), range(0, 200_000, 5)], own: 7) == [
                range(7, 1000, 1), range(1, 100_000, 5), range(6, 200_000, 1),
                range(0, 200_001, 1), range(8, 200_002, 3),
            ])
        #expect(
            map([range(0, 100_000, 5), range(0, 200_000, 5)], own: 5) == [
                range(5, 1000, 1), range(1, 100_000, 4), range(0, 100_004, 1),
                range(6, 200_000, 5),
            ])
    }

    /// Whatever the files say, no id stands for two and every one of a small range is used.
    @Test(arguments: [0, 1, 4, 5, 9, 10, 11, 1000] as [UInt32])
    func noIDIsMappedTwice(own: UInt32) {
        let lines = map(
            [range(0, 100_000, 5), range(0, 200_000, 1), range(0, 300_000, 4)], own: own)
        let inside = lines.flatMap { Array($0.inside..<$0.inside + $0.count) }
        #expect(Set(inside).count == inside.count)
        #expect(inside.count == 11)
        #expect(lines.allSatisfy { $0.count > 0 })
    }

    /// There are no more ids than numbers for them.
    @Test func rangesBeyondTheLastIDAreCutShort() {
        let whole = range(0, 1, UInt32.max - 1)
        let lines = map([whole, whole], own: 0)
        #expect(lines.reduce(0) { $0 + UInt64($1.count) } <= UInt64(UInt32.max))
    }

    // MARK: Planning

    private func requested(
        _ change: (inout LaunchRequest) -> Void, on facts: HostFacts = .withSubordinates
    ) throws -> Step.Action? {
        try plan(LaunchRequest(command: ["true"]).with(change), on: facts).actions.first {
            if case .requestIDMaps = $0 { true } else { false }
        }
    }

    @Test func oneIDNeedsNoHelp() throws {
        #expect(try requested { $0.identity.user = 0 } == nil)
    }

    @Test func everythingThatTheCallerMayUse() throws {
        #expect(
            try requested {
                $0.identity = Identity(user: 0, group: 0)
                $0.identity.mapsSubordinates = true
            }
                == .requestIDMaps(
                    users: [range(0, 1000, 1), range(1, 100_000, 65536)],
                    groups: [range(0, 1000, 1), range(1, 200_000, 65536)]))
    }

    /// The caller's own id stays mapped beside the ranges.
    @Test func rangesOnRequest() throws {
        #expect(
            try requested { $0.identity.users = [range(0, 100_000, 100)] }
                == .requestIDMaps(
                    users: [range(0, 100_000, 100), range(1000, 1000, 1)],
                    groups: [range(1000, 1000, 1)]))
        #expect(
            try requested {
                $0.identity = Identity(user: 5, group: 6)
                $0.identity.groups = [range(100, 200_000, 2)]
            }
                == .requestIDMaps(
                    users: [range(5, 1000, 1)],
                    groups: [range(100, 200_000, 2), range(6, 1000, 1)]))
    }

    /// The helpers write the maps; a second writer would be refused.
    @Test func nothingElseWritesTheMaps() throws {
        let plan = try plan(
            .rootfs().with { $0.identity.mapsSubordinates = true }, on: .withSubordinates,
            as: .replaceable)
        #expect(!plan.actions.contains { if case .write = $0 { true } else { false } })
        #expect(plan.shape == .childWithInit)
        #expect(
            try NamespaceKitTests.plan(
                .rootfs().with {
                    $0.namespaces.new.remove(.pid)
                    $0.identity.mapsSubordinates = true
                }, on: .withSubordinates, as: .replaceable
            ).shape == .child)
    }

    @Test func withoutRangesTheAdministratorIsAsked() throws {
        let request = LaunchRequest(command: ["true"]).with { $0.identity.mapsSubordinates = true }
        let error = try #require(refusal(request))
        #expect(
            error.message
                == "cannot map ranges of ids: /etc/subuid and /etc/subgid have none for you")
        #expect(error.remedy?.contains("usermod --add-subuids") == true)
        #expect(error.exitStatus == 125)
        var half = HostFacts.withSubordinates
        half.subordinateGroups = []
        #expect(refusal(request, on: half) == error)
    }

    @Test func rootIsToldWhatHeCanDo() throws {
        let request = LaunchRequest(command: ["true"]).with { $0.identity.mapsSubordinates = true }
        let error = try #require(refusal(request, on: .root))
        let remedy = try #require(error.remedy)
        #expect(remedy.contains("--add-subgids 100000-165535 root;"), "\(remedy)")
        #expect(!remedy.contains("administrator"), "\(remedy)")
    }

    /// Who changes a root for real is there what he is outside, as package managers want it.
    @Test func rootHasAllOfHisIDsWhereHeWrites() throws {
        let all = [range(0, 0, .max)]
        func maps(_ request: LaunchRequest, on facts: HostFacts = .root) throws -> Step.Action? {
            try plan(request, on: facts).actions.first {
                if case .requestIDMaps = $0 { true } else { false }
            }
        }
        #expect(try maps(.rootfs(.writable)) == .requestIDMaps(users: all, groups: all))
        let nested = try plan(.rootfs(.writable), on: .root).actions.contains {
            if case .nest(_, users: all, groups: all) = $0 { true } else { false }
        }
        #expect(nested, "what is mounted is out of reach of his capabilities")
        // Nobody else, nowhere else, and nobody who says what he wants.
        #expect(try maps(.rootfs(.writable), on: .alice) == nil)
        #expect(try maps(.rootfs()) == nil)
        #expect(try maps(.rootfs(.memory)) == nil)
        #expect(try maps(.rootfs().with { $0.apply(.action) }) == nil)
        #expect(try maps(.rootfs(.writable).with { $0.identity.user = 0 }) == nil)
        #expect(try maps(.rootfs(.writable).with { $0.identity.fakesRoot = true }) == nil)
        #expect(
            try maps(.rootfs(.writable).with { $0.identity.capabilities = [.dropAll] }) == nil)
    }

    @Test func theStepInWords() {
        let step = Step(
            action: .requestIDMaps(
                users: [range(0, 1000, 1), range(1, 100_000, 9)], groups: [range(0, 1000, 1)]))
        #expect(
            step.description
                == "have newuidmap map users 0:1000:1, 1:100000:9 and newgidmap groups 0:1000:1")
    }
}

extension HostFacts {
    fileprivate static var root: HostFacts {
        var facts = HostFacts.alice
        (facts.userID, facts.groupID) = (0, 0)
        facts.subordinateName = "root"
        facts.ownUsers = [IDRange(inside: 0, outside: 0, count: .max)]
        facts.ownGroups = facts.ownUsers
        return facts
    }

    fileprivate static var withSubordinates: HostFacts {
        var facts = HostFacts.alice
        facts.subordinateUsers = [IDRange(inside: 0, outside: 100_000, count: 65536)]
        facts.subordinateGroups = [IDRange(inside: 0, outside: 200_000, count: 65536)]
        return facts
    }
}
