// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What is kept of the user's, in print: a line each, or JSON.
struct KeptText {
    let text: String

    init(_ kept: [KeptWorld], json: Bool) {
        let kept = kept.sorted { ($0.since, $0.pid) < ($1.since, $1.pid) }
        text = json ? Self.json(kept) : Self.table(kept)
    }

    private static func table(_ kept: [KeptWorld]) -> String {
        var rows = [["NAME", "KIND", "PID", "SINCE", "PROCESSES", "ROOT", "OPTIONS"]]
        for one in kept {
            rows.append([
                one.name.text, kind(one), "\(one.pid)", HostProcess.time(one.since),
                one.processes.isEmpty ? "-" : numbers(one, ","), one.root.text,
                options(one).isEmpty ? "-" : options(one).joined(separator: " "),
            ])
        }
        if kept.isEmpty { return "" }
        return TextTable.text(rows, gap: 2)
    }

    private static func json(_ kept: [KeptWorld]) -> String {
        var text = "["
        for (index, one) in kept.enumerated() {
            text += index == 0 ? "\n" : ",\n"
            text += "  {\"name\": \(JSONText.quote(one.name.text)), \"kind\": \"\(kind(one))\", "
            text += "\"pid\": \(one.pid), \"since\": \"\(HostProcess.time(one.since))\", "
            text += "\"processes\": [\(numbers(one, ", "))], "
            text += "\"root\": \(JSONText.quote(one.root.text)), "
            let options = GroupWords.words(in: one.note).map { JSONText.quote($0.text) }
            text += "\"options\": [\(options.joined(separator: ", "))]}"
        }
        return text + (kept.isEmpty ? "]\n" : "\n]\n")
    }

    private static func numbers(_ one: KeptWorld, _ separator: String) -> String {
        one.processes.map { String($0) }.joined(separator: separator)
    }

    /// As a shell would take them.
    private static func options(_ one: KeptWorld) -> [String] {
        GroupWords.words(in: one.note).map { word in
            let isPlain = word.bytes.allSatisfy { byte in
                byte > 0x20 && byte < 0x7f && !"\"'\\$&|;<>()*?[]#~`!{}".utf8.contains(byte)
            }
            return isPlain && !word.isEmpty ? word.text : ShellText.quote(word).text
        }
    }

    private static func kind(_ one: KeptWorld) -> String {
        switch one.kind {
        case .world: "world"
        case .group: "group"
        }
    }
}
