// SPDX-License-Identifier: Apache-2.0

/// Rows of cells, under each other.
enum TextTable {
    /// `gap`: the blanks behind the widest cell of each column but the last.
    static func text(_ rows: [[String]], gap: Int) -> String {
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                text += cell
                guard column < row.count - 1 else { continue }
                let width = rows.reduce(0) { max($0, $1[column].utf8.count) }
                text += String(repeating: " ", count: width - cell.utf8.count + gap)
            }
            text += "\n"
        }
        return text
    }
}
