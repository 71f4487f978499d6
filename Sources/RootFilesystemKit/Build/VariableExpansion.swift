// SPDX-License-Identifier: Apache-2.0

/// Puts the values of variables into a text, takes quotes off and splits it into words: as the shell would, and as far as a
/// Containerfile knows the shell.
///
/// `$NAME`, `${NAME}`, `${NAME:-WORD}`, `${NAME-WORD}`, `${NAME:+WORD}`, `${NAME+WORD}`, `${NAME:?WORD}`, `${NAME?WORD}`.
/// https://docs.docker.com/reference/dockerfile/#environment-replacement
struct VariableExpansion {
    /// The longest value, in bytes: the most that a variable can have (MAX_ARG_STRLEN). What names itself twice, line after
    /// line, soon has more.
    static let longest = 128 << 10
    private static let deepest = 16

    let line: Int
    let escape: Character
    /// Nil for one that is not set.
    let value: (String) -> String?

    /// One text, quotes taken off.
    func text(_ text: some StringProtocol) throws(ContainerfileError) -> String {
        try expand(text, splits: false).first ?? ""
    }

    /// The words of a text; blanks in quotes and after the escape are no ends. Values are not split.
    func words(_ text: some StringProtocol) throws(ContainerfileError) -> [String] {
        try expand(text, splits: true)
    }

    private func expand(
        _ text: some StringProtocol, splits: Bool
    ) throws(ContainerfileError) -> [String] {
        var reader = Reader(rest: Array(text)[...])
        var words: [String] = []
        var word: String?
        while let character = reader.next() {
            if splits, ContainerfileLines.isBlank(character) {
                if let finished = word { words.append(finished) }
                word = nil
                continue
            }
            word = (word ?? "") + (try piece(character, &reader))
            try check(word ?? "")
        }
        if let finished = word { words.append(finished) }
        return words
    }

    /// What a character and those that belong to it stand for, outside of quotes.
    private func piece(
        _ character: Character, _ reader: inout Reader
    ) throws(ContainerfileError) -> String {
        switch character {
        case "'":
            var text = ""
            while let inner = reader.next() {
                if inner == "'" { return text }
                text.append(inner)
            }
            throw ContainerfileError(line, "a quote (') is not closed")
        case "\"": return try quoted(&reader)
        case "$": return try variable(&reader, depth: 0)
        case escape: return reader.next().map { String($0) } ?? String(escape)
        default: return String(character)
        }
    }

    private func quoted(_ reader: inout Reader) throws(ContainerfileError) -> String {
        var text = ""
        while let inner = reader.next() {
            switch inner {
            case "\"": return text
            case "$": text += try variable(&reader, depth: 0)
            case escape:
                let next = reader.next()
                // There it is itself before most characters.
                if let next, next == "\"" || next == "$" || next == escape {
                    text.append(next)
                } else {
                    text.append(escape)
                    if let next { text.append(next) }
                }
            default: text.append(inner)
            }
            try check(text)
        }
        throw ContainerfileError(line, "a quote (\") is not closed")
    }

    /// What follows a `$`.
    private func variable(
        _ reader: inout Reader, depth: Int
    ) throws(ContainerfileError) -> String {
        guard depth < Self.deepest else {
            throw ContainerfileError(
                line, "variables refer to each other more than \(Self.deepest) deep")
        }
        guard reader.peek == "{" else {
            let name = reader.takeName()
            return name.isEmpty ? "$" : value(name) ?? ""
        }
        _ = reader.next()
        let name = reader.takeName()
        guard !name.isEmpty else { throw ContainerfileError(line, "there is no name after ${") }
        guard let operation = reader.next() else { throw open(name) }
        if operation == "}" { return value(name) ?? "" }
        var isEmptyUnset = false
        var kind = operation
        if operation == ":" {
            isEmptyUnset = true
            guard let next = reader.next() else { throw open(name) }
            kind = next
        }
        guard kind == "-" || kind == "+" || kind == "?" else {
            throw ContainerfileError(
                line, "${\(name)\(operation)…} is not known",
                remedy: "known are ${x:-y}, ${x:+y}, ${x:?y}, and the same without the colon")
        }
        let word = try alternative(name, &reader, depth: depth + 1)
        let found = value(name).flatMap { isEmptyUnset && $0.isEmpty ? nil : $0 }
        switch kind {
        case "-": return found ?? word
        case "+": return found == nil ? "" : word
        default:
            guard let found else {
                throw ContainerfileError(line, "\(name): \(word.isEmpty ? "it is not set" : word)")
            }
            return found
        }
    }

    /// The word up to the closing brace.
    private func alternative(
        _ name: String, _ reader: inout Reader, depth: Int
    ) throws(ContainerfileError) -> String {
        var word = ""
        while let character = reader.next() {
            if character == "}" { return word }
            word +=
                character == "$"
                ? try variable(&reader, depth: depth) : try piece(character, &reader)
            try check(word)
        }
        throw open(name)
    }

    private func open(_ name: String) -> ContainerfileError {
        ContainerfileError(line, "${\(name) is not closed")
    }

    private func check(_ text: String) throws(ContainerfileError) {
        if text.utf8.count > Self.longest {
            throw ContainerfileError(
                line, "a value has more than the \(Self.longest) bytes that a program can be given")
        }
    }

    /// A text on its way.
    private struct Reader {
        var rest: ArraySlice<Character>

        var peek: Character? { rest.first }

        mutating func next() -> Character? { rest.popFirst() }

        mutating func takeName() -> String {
            var name = ""
            while let character = rest.first, character.isASCII,
                character.isLetter || character == "_" || (character.isNumber && !name.isEmpty)
            {
                name.append(character)
                rest.removeFirst()
            }
            return name
        }
    }
}
