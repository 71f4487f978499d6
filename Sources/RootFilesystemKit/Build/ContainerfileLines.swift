// SPDX-License-Identifier: Apache-2.0

/// What is wrong in a Containerfile, and in which line.
struct ContainerfileError: Error, Equatable {
    /// Counted from 1.
    var line: Int
    var cause: String
    var remedy: String?

    init(_ line: Int, _ cause: String, remedy: String? = nil) {
        self.line = line
        self.cause = cause
        self.remedy = remedy
    }

    /// In the user's words. `file` is what the Containerfile is called.
    func described(in file: String) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "build", file, because: "line \(line): \(cause.harmlessLine)", remedy: remedy)
    }
}

/// The lines of a Containerfile put together to instructions: comments taken out, continued lines joined.
///
/// https://docs.docker.com/reference/dockerfile/#format
struct ContainerfileLines {
    /// An instruction before anybody has looked at what it is.
    struct Line: Equatable {
        /// Where it begins, counted from 1.
        var number: Int
        var text: String
    }

    /// More than anybody writes; each may be long. In bytes.
    static let largestFile = 1 << 20

    let lines: [Line]
    /// What takes the meaning from the character after it, and continues a line: `\`, or a backtick.
    let escape: Character

    init(_ text: String) throws(ContainerfileError) {
        // By scalars: a newline after a carriage return is one character to a String. Without the mark that some editors
        // put first.
        let physical = text.unicodeScalars.drop { $0 == "\u{feff}" }
            .split(separator: "\n", omittingEmptySubsequences: false)
            .map { Self.withoutReturn(String($0)) }
        escape = try Self.escape(physical)
        var lines: [Line] = []
        var pending: Line?
        for (index, raw) in physical.enumerated() {
            let trimmed = raw.drop(while: Self.isBlank)
            // Also amid a line that goes on.
            if trimmed.isEmpty || trimmed.hasPrefix("#") { continue }
            let piece = pending == nil ? trimmed : raw[...]
            let (text, goesOn) = Self.continued(piece, escape)
            var line = pending ?? Line(number: index + 1, text: "")
            line.text += text
            pending = goesOn ? line : nil
            if !goesOn { lines.append(line) }
        }
        if let pending, !pending.text.allSatisfy(Self.isBlank) { lines.append(pending) }
        self.lines = lines
    }

    static func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }

    private static func withoutReturn(_ line: String) -> String {
        line.unicodeScalars.last == "\r" ? String(line.unicodeScalars.dropLast()) : line
    }

    /// The line without what says that it goes on.
    private static func continued(
        _ line: Substring, _ escape: Character
    ) -> (text: String, goesOn: Bool) {
        var rest = line
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        guard rest.last == escape else { return (String(line), false) }
        return (String(rest.dropLast()), true)
    }

    /// The directive `# escape=`, in the comments at the beginning.
    private static func escape(_ lines: [String]) throws(ContainerfileError) -> Character {
        for (index, line) in lines.enumerated() {
            let trimmed = line.drop(while: isBlank)
            guard trimmed.hasPrefix("#") else { break }
            let words = trimmed.dropFirst().split(separator: "=", maxSplits: 1)
            guard words.count == 2 else { break }
            let name = words[0].filter { !isBlank($0) }.lowercased()
            let value = words[1].filter { !isBlank($0) }
            // Another directive; anything else is a comment, after which there are none.
            guard name.allSatisfy({ $0.isLetter && $0.isASCII }), !name.isEmpty else { break }
            guard name == "escape" else { continue }
            guard value == "\\" || value == "`" else {
                throw ContainerfileError(index + 1, "escape can be \\ or ` and not \(value)")
            }
            return Character(value)
        }
        return "\\"
    }
}
