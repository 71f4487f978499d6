// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// `nsrun --help`, from the option table.
struct Help {
    private let name: String

    init(_ personality: Personality) { name = personality.name.text }

    var text: String {
        var text = """
            usage: \(name) [OPTION]... [--] COMMAND [ARG]...

            Run COMMAND in its own root file system or in the host's, with a fresh /proc and a private
            /tmp. Without COMMAND, run a shell. @FILE stands for the lines of FILE.

            """
        for section in Section.allCases where section != .hidden {
            let options = OptionTable.options.filter { $0.section == section }
            if options.isEmpty { continue }
            text += "\n\(section.title):\n"
            for option in options { text += Help.line(option) }
        }
        text += """

            Exit status: the command's own; 128+N if signal N ended it; 124 at the time limit;
            125 if nsrun failed; 126 if the command cannot be run, 127 if it was not found.

            """
        return text
    }

    private static let column = 30

    static func line(_ option: Option) -> String {
        var head = "  " + Help.synopsis(option)
        if head.utf8.count >= column - 1 {
            head += "\n" + String(repeating: " ", count: column)
        } else {
            head += String(repeating: " ", count: column - head.utf8.count)
        }
        return head + Help.wrap(option.help.text, indent: column, width: 96) + "\n"
    }

    /// The option and its arguments, as in `--bind SRC DEST`.
    static func synopsis(_ option: Option) -> String {
        let name = option.name.text
        if option.arguments.utf8CodeUnitCount == 0 { return name }
        return name + (option.isOptionalValue ? "" : " ") + option.arguments.text
    }

    static func wrap(_ text: String, indent: Int, width: Int) -> String {
        var result = ""
        var used = indent
        for word in text.split(separator: " ") {
            if used > indent, used + 1 + word.utf8.count > width {
                result += "\n" + String(repeating: " ", count: indent)
                used = indent
            } else if used > indent {
                result += " "
                used += 1
            }
            result += word
            used += word.utf8.count
        }
        return result
    }
}
