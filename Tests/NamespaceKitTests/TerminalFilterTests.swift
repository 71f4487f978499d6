// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// A command in a rootfs does not type into the terminal that it shares with its caller.
@Suite struct TerminalFilterTests {
    private func hasFilter(_ request: LaunchRequest, onTerminal: Bool = true) throws -> Bool {
        var facts = HostFacts.alice
        facts.hasOpenTerminal = onTerminal
        let program = try SystemCallFilter.terminal()
        return try plan(request, on: facts).steps.contains { $0.action == .filter(program) }
    }

    @Test func whereThereIsOne() throws {
        #expect(try hasFilter(.rootfs()))
        #expect(try !hasFilter(.rootfs(), onTerminal: false))
        #expect(try !hasFilter(.rootfs().with { $0.lifecycle.newSession = true }))
    }

    /// Who may write to his caller's start-up files has other ways.
    @Test func notWhereItWouldBeOfNoUse() throws {
        #expect(try !hasFilter(.rootfs().with { $0.files.home = .bound }))
        #expect(try !hasFilter(LaunchRequest(command: ["true"])))
    }
}
