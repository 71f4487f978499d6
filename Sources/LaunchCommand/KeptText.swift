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
            rows.append([one.name.text, kind(one), "\(one.pid)", time(one.since), one.root.text])
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
            text += "  {\"name\": \(quote(one.name.text)), \"kind\": \"\(kind(one))\", "
            text += "\"pid\": \(one.pid), \"since\": \"\(time(one.since))\", "
            text += "\"root\": \(quote(one.root.text))}"
        }
        return text + (kept.isEmpty ? "]\n" : "\n]\n")
    }

    private static func kind(_ one: KeptWorld) -> String {
        switch one.kind {
        case .world: "world"
        case .group: "group"
        }
    }

    /// In UTC, as ISO 8601 has it. The days of a calendar whose years begin in March.
    static func time(_ seconds: Int64) -> String {
        let days = seconds / 86400 + 719_468
        let era = days / 146_097
        let day = days % 146_097
        let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365
        let ofYear = day - (365 * year + year / 4 - year / 100)
        let part = (5 * ofYear + 2) / 153
        let month = part < 10 ? part + 3 : part - 9
        let ofDay = seconds % 86400
        func padded(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year + era * 400 + (month <= 2 ? 1 : 0))-\(padded(month))-"
            + "\(padded(ofYear - (153 * part + 2) / 5 + 1))T"
            + "\(padded(ofDay / 3600)):\(padded(ofDay / 60 % 60)):\(padded(ofDay % 60))Z"
    }

    /// A JSON string. `ByteString.text` has escaped control characters already.
    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { quoted += "\\" }
            quoted.unicodeScalars.append(scalar)
        }
        return quoted + "\""
    }
}
