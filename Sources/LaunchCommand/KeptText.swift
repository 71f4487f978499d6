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
        var rows = [["NAME", "KIND", "PID", "SINCE", "ROOT"]]
        for one in kept {
            rows.append([
                one.name.text, kind(one), "\(one.pid)", HostProcess.time(one.since), one.root.text,
            ])
        }
        if kept.isEmpty { return "" }
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                let width = rows.reduce(0) { max($0, $1[column].utf8.count) }
                text += cell
                if column < row.count - 1 {
                    text += String(repeating: " ", count: width - cell.utf8.count + 2)
                }
            }
            text += "\n"
        }
        return text
    }

    private static func json(_ kept: [KeptWorld]) -> String {
        var text = "["
        for (index, one) in kept.enumerated() {
            text += index == 0 ? "\n" : ",\n"
            text += "  {\"name\": \(JSONText.quote(one.name.text)), \"kind\": \"\(kind(one))\", "
            text += "\"pid\": \(one.pid), \"since\": \"\(HostProcess.time(one.since))\", "
            text += "\"root\": \(JSONText.quote(one.root.text))}"
        }
        return text + (kept.isEmpty ? "]\n" : "\n]\n")
    }

    private static func kind(_ one: KeptWorld) -> String {
        switch one.kind {
        case .world: "world"
        case .group: "group"
        }
    }
}
