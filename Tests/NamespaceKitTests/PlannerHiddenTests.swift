// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What is covered of what is shown, and by how many names.
@Suite struct PlannerHiddenTests {
    @Test(
        arguments: [
            ("~/.ssh", "/home/a/.ssh", ""), ("~", "/home/a", ""), ("**/.env", nil, "**/.env"),
            ("/a//b/./c*/d", "/a/b", "c*/d"), ("./x?", "/work", "x?"), ("keys", nil, "keys"),
            ("/*", "/", "*"), ("~/w/[ab]", "/home/a/w", "[ab]"), ("/a/b/", "/a/b", ""),
        ] as [(ByteString, ByteString?, ByteString)])
    func howAPatternIsRead(text: ByteString, base: ByteString?, rest: ByteString) throws {
        let pattern = try HiddenPattern(text, home: "/home/a", here: "/work")
        #expect(pattern.base == base && pattern.rest == rest)
    }

    @Test(arguments: ["/", "..", "/a/../b", ".", "~/..", "a/.."] as [ByteString])
    func whatIsNone(text: ByteString) {
        let error = #expect(throws: LaunchError.self) {
            try HiddenPattern(text, home: "/home/a", here: "/work")
        }
        #expect(error?.message.hasPrefix("cannot hide \(text.text): ") == true)
    }

    private func hidden(
        _ patterns: [ByteString], canonical: [CanonicalPath] = [],
        _ change: (inout LaunchRequest) -> Void = { _ in }
    ) throws -> [Step.Hidden] {
        var request = LaunchRequest(command: ["true"])
        request.root.view = .rootfs("/srv/root")
        request.files.hidden = patterns
        change(&request)
        var facts = HostFacts.alice
        facts.canonicalPaths = canonical
        return try plan(request, on: facts).actions.compactMap {
            if case .hide(let hidden) = $0 { hidden } else { nil }
        }
    }

    private func bind(_ source: ByteString, _ target: ByteString) -> FileSystemOperation {
        FileSystemOperation(.bind(source: .path(source), target: target, options: []))
    }

    /// By its own name, by that of what it lies in, and what is shown of it alone.
    @Test func everyNameOfTheSame() throws {
        let places = try hidden(["/data/secrets"]) {
            $0.files.operations = [
                bind("/data", "/mnt"), bind("/data/secrets/one", "/one"),
                bind("/data/secretsx", "/x"),
            ]
        }
        #expect(places.map(\.place) == ["/data/secrets", "/mnt/secrets", "/one"])
    }

    @Test func whatAPatternSeesOfAPart() throws {
        let places = try hidden(["/data/**/.env"]) {
            $0.files.operations = [bind("/data/a/b", "/b")]
        }
        #expect(
            places == [
                Step.Hidden(place: "/data", patterns: ["**/.env"]),
                Step.Hidden(place: "/b", called: "a/b", patterns: ["**/.env"]),
            ])
    }

    @Test func linksOnTheWay() throws {
        let places = try hidden(
            ["/home/alice/key"],
            canonical: [CanonicalPath(path: "/home/alice/key", canonical: "/keys/1")]
        ) { $0.files.operations = [bind("/keys", "/k")] }
        #expect(places.map(\.place) == ["/home/alice/key", "/k/1"])
    }

    /// The root is what was asked for by name, whatever it lies in.
    @Test func theRootIsNotCovered() throws {
        let places = try hidden(["/srv"])
        #expect(!places.contains { $0.place == "/" })
    }

    @Test func patternsOfOnePlaceAreLookedForAtOnce() throws {
        let places = try hidden(["**/.env", "*.pem"]) {
            $0.files.operations = [bind("/data", "/mnt")]
        }
        #expect(places == [Step.Hidden(place: "/mnt", patterns: ["**/.env", "*.pem"])])
    }

    @Test func itIsTheLastOfTheRoot() throws {
        var request = LaunchRequest(command: ["true"])
        request.files.hidden = ["/etc/shadow"]
        let actions = try plan(request, on: .alice).actions
        let index = try #require(actions.firstIndex(of: .enterRoot))
        #expect(actions[index - 1] == .hide(Step.Hidden(place: "/etc/shadow")))
    }
}
