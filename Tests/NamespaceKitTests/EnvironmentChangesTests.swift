// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What an environment is after changes of which some undo others.
@Suite struct EnvironmentChangesTests {
    private typealias Change = EnvironmentRequest.Change

    @Test func whatIsSetComesWhereItWasSetLast() {
        let changes: [Change] = [
            .set(name: "A", value: "1"), .set(name: "B", value: "2"), .unset(name: "C"),
            .set(name: "A", value: "3"),
        ]
        #expect(
            changes.applied(to: ["C=", "D=4", "AB=5", "A=6", "odd"])
                == ["D=4", "AB=5", "odd", "B=2", "A=3"])
    }

    @Test func clearingForgetsAllSoFar() {
        let changes: [Change] = [
            .set(name: "A", value: "1"), .clear, .set(name: "B", value: "2"),
        ]
        #expect(changes.applied(to: ["C=3"]) == ["B=2"])
        #expect([Change.clear].applied(to: ["C=3"]) == [])
    }

    /// The same as one change after the other would come to, whatever they are.
    @Test func theOutcomeIsThatOfOneAfterTheOther() {
        var random = Numbers()
        for _ in 0..<2000 {
            let environment = (0..<random.next(6)).map { _ in random.entry() }
            let changes = (0..<random.next(9)).map { _ in random.change() }
            #expect(
                changes.applied(to: environment) == oneByOne(changes, environment),
                "\(changes) \(environment)")
        }
    }

    private func oneByOne(_ changes: [Change], _ environment: [ByteString]) -> [ByteString] {
        var entries = environment
        func remove(_ name: ByteString) {
            entries.removeAll { $0.bytes.starts(with: name.bytes + [UInt8(ascii: "=")]) }
        }
        for change in changes {
            switch change {
            case .set(let name, let value):
                remove(name)
                entries.append(name + "=" + value)
            case .unset(let name): remove(name)
            case .clear: entries = []
            }
        }
        return entries
    }

    /// The same ones at each run.
    private struct Numbers {
        var state: UInt64 = 1

        mutating func next(_ limit: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33 % limit)
        }

        mutating func name() -> ByteString { ["A", "B", "AB", "C"][next(4)] }

        mutating func entry() -> ByteString {
            next(8) == 0 ? name() : name() + "=" + ByteString(String(next(3)))
        }

        mutating func change() -> Change {
            switch next(10) {
            case 0: .clear
            case 1, 2: .unset(name: name())
            default: .set(name: name(), value: ByteString(String(next(3))))
            }
        }
    }
}
