// SPDX-License-Identifier: Apache-2.0

/// What stands for `{{ NAME }}` in a definition file: what the command line says, or else its section %arguments.
struct DefinitionArguments {
    let given: [String: String]
    let defaults: [String: String]

    /// The longest line that may come of it, in bytes.
    private static let longest = 128 << 10

    /// Those of %arguments, `NAME=VALUE` in a line each.
    static func defaults(
        in stage: DefinitionFile.Stage
    ) throws(ContainerfileError) -> [String: String] {
        var found: [String: String] = [:]
        for line in stage.section(.arguments)?.lines ?? [] {
            let text = line.text.drop(while: ContainerfileLines.isBlank)
            if text.isEmpty || text.hasPrefix("#") { continue }
            guard let (name, value) = pair(text) else {
                throw ContainerfileError(
                    line.number, "\(text.prefix(80)) is not NAME=VALUE")
            }
            found[name] = value
        }
        return found
    }

    /// Nil for what is not `NAME=VALUE`.
    static func pair(_ text: some StringProtocol) -> (name: String, value: String)? {
        guard let sign = text.firstIndex(of: "=") else { return nil }
        let name = trimmed(text[..<sign])
        return name.isEmpty ? nil : (name, trimmed(text[text.index(after: sign)...]))
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = text.drop(while: \.isWhitespace)
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }

    /// The lines with what stands for the names. A value of several lines makes several of one number.
    func replace(
        in lines: [DefinitionFile.Line], used: inout Set<String>
    ) throws(ContainerfileError) -> [DefinitionFile.Line] {
        var result: [DefinitionFile.Line] = []
        for line in lines {
            guard line.text.contains("{{") else {
                result.append(line)
                continue
            }
            let text = try replace(in: line, used: &used)
            for part in text.split(separator: "\n", omittingEmptySubsequences: false) {
                result.append(.init(number: line.number, text: String(part)))
            }
        }
        return result
    }

    private func replace(
        in line: DefinitionFile.Line, used: inout Set<String>
    ) throws(ContainerfileError) -> String {
        var result = ""
        var rest = line.text[...]
        while let place = Self.next(in: rest) {
            result += rest[..<place.start]
            // What stands in a comment is left as it is.
            if Self.isCommented(line.text[..<place.start]) {
                result += rest[place.start..<place.end]
            } else {
                used.insert(place.name)
                guard let value = given[place.name] ?? defaults[place.name] else {
                    throw ContainerfileError(
                        line.number,
                        "build var \(place.name) is not defined through either --build-arg "
                            + "(--build-arg-file) or 'arguments' section")
                }
                result += nested(value)
            }
            guard result.utf8.count < Self.longest else {
                throw ContainerfileError(
                    line.number, "more than \(Self.longest) bytes come of it")
            }
            rest = rest[place.end...]
        }
        return result + rest
    }

    /// Names in a value, once: what stands in theirs is a text.
    private func nested(_ value: String) -> String {
        var result = ""
        var rest = value[...]
        while let place = Self.next(in: rest), result.utf8.count < Self.longest {
            result += rest[..<place.start]
            result +=
                given[place.name] ?? defaults[place.name] ?? String(rest[place.start..<place.end])
            rest = rest[place.end...]
        }
        return result + rest
    }

    private static func next(
        in text: Substring
    ) -> (start: String.Index, end: String.Index, name: String)? {
        guard let match = text.firstMatch(of: /\{\{\s*([A-Za-z0-9_]+)\s*\}\}/) else { return nil }
        return (match.range.lowerBound, match.range.upperBound, String(match.1))
    }

    /// A `#` that no `!` follows stands before.
    private static func isCommented(_ text: Substring) -> Bool {
        text.firstMatch(of: /#[^!]/) != nil
    }
}
