// SPDX-License-Identifier: Apache-2.0

import Foundation
import NamespaceKit
import Testing

@testable import LaunchCommand

/// What is written of engines follows from the list that they refuse by.
@Suite struct EngineTextTests {
    @Test func thePageTellsOfEnginesAndTheirVariables() {
        for name in ["userns", "fakechroot", "proot"] {
            #expect(ManualPage.text.contains("\n.TP\n.B \(name)\n"))
        }
        for name in ["NSRUN_ENGINE", "NSRUN_FAKECHROOT", "NSRUN_PROOT"] {
            #expect(ManualPage.text.contains("\n.TP\n.B \(name)\n"))
        }
        for name in OptionNames.commandLine.features {
            #expect(ManualPage.text.contains(name.replacing("-", with: "\\-")), "\(name)")
        }
    }

    @Test func featuresAreSortedByWhoHonoursThem() {
        #expect(
            EngineSummary.options(honouredBy: [.fakechroot]) == ["--seccomp and --seccomp-profile"])
        #expect(
            EngineSummary.list(EngineSummary.options(honouredBy: [.proot]))
                == "--uid and --gid, --fake-root, --arch, --writable and --host-root")
        let all = [[], [.fakechroot], [.proot], [.fakechroot, .proot]] as [[Engine]]
        let sorted = all.flatMap { EngineSummary.options(honouredBy: $0) }
        #expect(sorted.sorted() == OptionNames.commandLine.features.sorted())
    }

    /// The table in Documentation/engines.md is what the engines refuse by.
    @Test func theDocumentationSaysTheSame() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Documentation/engines.md").standardizedFileURL
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        for engines in [[.fakechroot], [.proot], []] as [[Engine]] {
            let names = EngineSummary.options(honouredBy: engines).map { name in
                name.hasPrefix("--") ? "`\(name.replacing(" and ", with: "` and `"))`" : name
            }
            let answers = EngineSummary.others.map { engines.contains($0) ? "yes" : "error" }
            let cells = [names.joined(separator: ", "), "yes"] + answers
            let row = "| \(cells.joined(separator: " | ")) |"
            #expect(lines.contains { $0 == row }, "engines.md lacks the row\n\(row)")
        }
    }
}
