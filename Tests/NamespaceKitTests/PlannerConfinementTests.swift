// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// `--preset sandbox`: what is shown of the host, and where it starts.
@Suite struct PlannerConfinementTests {
    private let request = LaunchRequest(command: ["true"]).with { $0.apply(.sandbox) }

    private func facts(in directory: ByteString) -> HostFacts {
        var facts = HostFacts.alice
        facts.currentDirectory = directory
        facts.otherDirectories = ["home", "srv", "var"]
        return facts
    }

    @Test func whatIsNotForProgramsIsCovered() throws {
        let seen = try sees(request, on: facts(in: "/home/alice/work"))
        for place in ["/home", "/srv", "/var", "/home/alice", "/tmp", "/run"] {
            #expect(seen.contains("\(place): tmpfs private"), "\(place)")
        }
        #expect(seen.contains("/: / ro"))
        #expect(seen.contains("/home/alice/work: /home/alice/work rw"))
        #expect(seen.filter { $0.hasSuffix(" rw") && !$0.hasPrefix("/dev/") }.count == 1)
    }

    @Test(
        arguments: [
            ("/home/alice", "your home directory lies in it"),
            ("/home", "your home directory lies in it"),
            ("/tmp", "it is everybody's"),
            ("/var/tmp", "it is everybody's"), ("/run/user/1000", "it is everybody's"),
            ("/usr/local", "it is of the system"),
            ("/etc", "it is of the system"),
        ] as [(ByteString, String)])
    func whereMoreLiesThanOnesWork(directory: ByteString, reason: String) throws {
        let error = #expect(throws: LaunchError.self) {
            try plan(request, on: facts(in: directory))
        }
        #expect(error?.message == "cannot let the program write to \(directory.text): \(reason)")
    }

    @Test(arguments: ["/home/alice/work", "/srv/data/x", "/tmp/x", "/"] as [ByteString])
    func whereItStarts(directory: ByteString) throws {
        _ = try plan(request, on: facts(in: directory))
    }

    @Test func anotherRootIsShownAsItIs() throws {
        let other = request.with { $0.root.view = .rootfs("/srv/debian") }
        #expect(!other.confinesToPrograms && request.confinesToPrograms)
    }
}
