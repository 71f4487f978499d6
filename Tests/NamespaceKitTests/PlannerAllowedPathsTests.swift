// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// `--allow-read` and `--allow-write`: where among the mounts what they name has its place.
@Suite struct PlannerAllowedPathsTests {
    private func mounts(
        _ places: [AllowedPaths.Place],
        _ change: (inout LaunchRequest) -> Void = { $0.apply(.sandbox) }
    ) throws -> [Step.Action] {
        var facts = HostFacts.alice
        facts.otherDirectories = ["home", "srv", "var"]
        facts.allowedPaths = .found(places)
        return try plan(LaunchRequest(command: ["true"]).with(change), on: facts).actions
    }

    private func read(_ path: ByteString) -> AllowedPaths.Place {
        .init(path: path, isWritable: false)
    }

    private func write(_ path: ByteString, _ lack: AllowedPaths.Lack? = nil) -> AllowedPaths.Place {
        .init(path: path, isWritable: true, lack: lack)
    }

    private func bind(_ path: ByteString, _ options: BindOptions = []) -> Step.Action {
        .bind(.init(source: .path(path), target: path, options: options))
    }

    /// Above the run's own home, and below what was bound in it.
    @Test func itIsPutBelowWhatIsMountedLater() throws {
        let actions = try mounts([read("/home/alice")])
        let place = try #require(actions.firstIndex(of: bind("/home/alice", .readOnly)))
        let home = Step.Action.tmpfs(
            target: "/home/alice", mode: 0o700, size: nil, replacesLink: true)
        #expect(actions[place - 1] == home)
        let here = try #require(
            actions.lastIndex { Step(action: $0).target == "/home/alice/work" })
        #expect(here > place)
    }

    @Test func whatIsShownAlreadyNeedsNothing() throws {
        let places = [
            read("/usr/share"), read("/home/alice/work/a"), write("/home/alice/work/new", .file),
        ]
        #expect(try mounts(places) == mounts([]))
        // In the host view that is all.
        let host = try mounts([write("/home/alice/x", .file), read("/var/x")]) { _ in }
        #expect(try host == mounts([]) { _ in })
    }

    @Test func ofTheSameWhatMayBeWrittenCounts() throws {
        let actions = try mounts([read("/srv/a"), write("/srv/a"), read("/srv/a/b")])
        #expect(actions.contains(bind("/srv/a")))
        #expect(!actions.contains(bind("/srv/a", .readOnly)))
        #expect(!actions.contains(bind("/srv/a/b", .readOnly)))
        let within = try mounts([read("/srv/a"), write("/srv/a/b", .directory)])
        let place = try #require(within.firstIndex(of: bind("/srv/a", .readOnly)))
        #expect(
            Array(within[(place + 1)...(place + 2)]) == [
                .hostPlace("/srv/a/b", .directory), bind("/srv/a/b"),
            ])
    }

    /// A file of the program's directories.
    @Test func readOnlyIsNotEnoughToWrite() throws {
        #expect(try mounts([write("/etc/own")]).contains(bind("/etc/own")))
    }

    /// What was allowed by its name and is called like a pattern.
    @Test func whatIsHiddenIsLookedForInIt() throws {
        let hidden = try mounts([read("/srv/a/.env")]) {
            $0.apply(.sandbox)
            $0.files.hidden = ["**/.env"]
        }
        #expect(
            hidden.contains(
                .hide(Step.Hidden(place: "/srv/a/.env", called: ".env", patterns: ["**/.env"]))))
    }

    @Test(arguments: [
        (0, false, "none"), (5, false, "version 5; abstract"), (6, true, "version 6; sockets"),
        (9, true, "version 9"),
    ])
    func theWallThatTheKernelHas(version: UInt32, works: Bool, words: String) {
        let finding = Doctor.landlock(version: version)
        #expect(finding.works == works && finding.detail.hasPrefix(words), "\(finding)")
    }
}
