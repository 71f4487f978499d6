// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What long work shows: a bar on a terminal, plain lines elsewhere, nothing where that is asked for.
@Suite struct ProgressTests {
    private static let steps = [
        "running apt-get update", "downloading packages", "extracting archives",
        "installing essential packages", "installing remaining packages", "cleaning package lists",
    ]
    /// mmdebstrap, as far as it is heard.
    private static let narrator = """
        for step in "\(steps.joined(separator: "\" \""))"; do echo "I: $step..." >&2; done
        """

    private let folder: TemporaryDirectory
    private let command: [String]

    init() throws {
        folder = try TemporaryDirectory()
        command = ["debian", "--variant", "extract", "bookworm", folder / "roots/new"]
    }

    @Test func plainLinesInAPipe() throws {
        let environment = try RootfsTool.environment(mmdebstrap: Self.narrator, in: folder)
        let seen = try rootfsTool(command, environment: environment)
        let lines = ["building Debian bookworm"] + Self.steps.map { "  \($0)" }
        let text = lines.map { "nsrun-rootfs: \($0)" }.joined(separator: "\n")
        expect(seen, Outcome(status: 0, output: "", error: text))
    }

    @Test func nothingWhenQuiet() throws {
        let environment = try RootfsTool.environment(mmdebstrap: Self.narrator, in: folder)
        expect(try rootfsTool(command + ["--quiet"], environment: environment), exits: 0)
    }

    /// What script(1) saw on a terminal of its own.
    private func onATerminal(_ mmdebstrap: String, _ options: [String] = []) throws -> Outcome {
        var environment = try RootfsTool.environment(mmdebstrap: mmdebstrap, in: folder)
        environment["TERM"] = "dumb"
        let words = [try RootfsTool.path()] + command + options
        return try run(
            ["script", "-qec", words.joined(separator: " "), "/dev/null"], environment: environment)
    }

    @Test func aBarOnATerminal() throws {
        let seen = try onATerminal(Self.narrator)
        #expect(seen.status == 0, "\(seen)")
        let drawn = seen.output.split(separator: "\r\u{1B}[K")
        #expect(drawn.count > 4 && drawn.count <= 1 + Self.steps.count, "\(seen)")
        for bar in drawn {
            #expect(bar.wholeMatch(of: /building Debian bookworm \[#*\.*\] \d+%/) != nil, "\(bar)")
        }
        #expect(drawn.last?.hasSuffix(" 95%") == true)
        #expect(seen.output.hasSuffix("\r\u{1B}[K"), "the bar is gone at the end")
    }

    @Test func noBarWhenQuiet() throws {
        expect(try onATerminal(Self.narrator, ["--quiet"]), exits: 0)
    }

    private static let failing = """
        \(narrator); for number in $(seq 30); do echo "E: trouble $number"; done; exit 25
        """

    @Test func anErrorEndsWithTheToolsLastLines() throws {
        let environment = try RootfsTool.environment(mmdebstrap: Self.failing, in: folder)
        let seen = try rootfsTool(command + ["--quiet"], environment: environment)
        #expect(seen.status == 125)
        let lines = seen.error.split(separator: "\n").map(String.init)
        #expect(
            lines.first
                == "nsrun-rootfs: cannot build Debian bookworm: mmdebstrap failed with status 25")
        #expect(lines.count > 5)
        #expect(
            lines.dropFirst() == (32 - lines.count...30).map { "  E: trouble \($0)" }[...],
            "\(seen)")
        #expect(try folder.names(in: "roots") == [])
    }

    @Test func anErrorStartsOnALineOfItsOwn() throws {
        let seen = try onATerminal(Self.failing)
        #expect(seen.status == 125)
        #expect(seen.output.contains("\r\u{1B}[Knsrun-rootfs: cannot build"), "\(seen)")
    }
}
