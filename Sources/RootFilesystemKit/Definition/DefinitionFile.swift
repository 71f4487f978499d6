// SPDX-License-Identifier: Apache-2.0

/// A definition file of Apptainer's as it is written: its stages, each with what its header and its sections say. Nothing
/// is looked up.
///
/// https://apptainer.org/docs/user/latest/definition_files.html
struct DefinitionFile {
    /// A line, and where it stands, counted from 1.
    struct Line: Equatable {
        var number: Int
        var text: String
    }

    /// What stands in the header.
    struct Field: Equatable {
        var line: Int
        var value: String
    }

    struct Section: Equatable {
        enum Name: String, CaseIterable {
            case help, setup, files, labels, environment, pre, post, runscript, test, startscript
            case arguments
        }

        var name: Name
        /// That of its name.
        var line: Int
        /// What stands behind the name, without a comment.
        var arguments: String
        var lines: [Line]

        /// As a script has it.
        var text: String { lines.map { $0.text + "\n" }.joined() }
    }

    struct Stage: Equatable {
        /// That of its Bootstrap.
        var line: Int
        /// By its key, in lower case.
        var header: [String: Field] = [:]
        /// In the file's order.
        var sections: [Section] = []

        var name: String? { header["stage"]?.value }

        /// All that is said under a name; nil where nothing is.
        func section(_ name: Section.Name) -> Section? {
            let own = sections.filter { $0.name == name }
            guard var first = own.first else { return nil }
            first.lines = own.flatMap(\.lines)
            // The last one's are those that count.
            first.arguments = own.last { !$0.arguments.isEmpty }?.arguments ?? ""
            return first
        }
    }

    /// More than anybody writes, in bytes.
    static let largest = 1 << 20
    private static let mostStages = 100

    private(set) var stages: [Stage] = []
    /// All of it, for whoever asks the image.
    let text: String

    /// `arguments` are those of the command line; `used` gets the names of those that are asked for.
    init(
        _ text: String, arguments: [String: String], used: inout Set<String>
    ) throws(ContainerfileError) {
        self.text = text
        for lines in try Self.split(text) {
            guard stages.count < Self.mostStages else {
                throw ContainerfileError(
                    lines[0].number, "there are more than \(Self.mostStages) stages")
            }
            let defaults = try DefinitionArguments.defaults(in: Self.parse(lines))
            let replaced = try DefinitionArguments(given: arguments, defaults: defaults)
                .replace(in: lines, used: &used)
            let stage = try Self.parse(replaced)
            if let name = stage.header["stage"], stages.contains(where: { $0.name == name.value }) {
                throw ContainerfileError(name.line, "there are two stages \(name.value)")
            }
            stages.append(stage)
        }
        guard !stages.isEmpty else {
            throw ContainerfileError(1, "there is no Bootstrap: in it")
        }
    }

    /// Whether a text is such a file, and not something else.
    static func looksLike(_ text: some StringProtocol) -> Bool {
        text.split(whereSeparator: \.isNewline).contains { isStart($0.drop(while: isBlank)) }
    }

    private static func isBlank(_ character: Character) -> Bool {
        ContainerfileLines.isBlank(character)
    }

    private static func isStart(_ line: some StringProtocol) -> Bool {
        line.prefix(10).lowercased() == "bootstrap:"
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        var rest = text.drop(while: isBlank)
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        return String(rest)
    }

    /// The lines of each stage, which begins with its Bootstrap.
    private static func split(_ text: String) throws(ContainerfileError) -> [[Line]] {
        var stages: [[Line]] = []
        // By scalars: a newline after a carriage return is one character to a String.
        let physical = text.unicodeScalars.drop { $0 == "\u{feff}" }
            .split(separator: "\n", omittingEmptySubsequences: false)
        for (index, scalars) in physical.enumerated() {
            var line = String(scalars)
            if line.unicodeScalars.last == "\r" { line = String(line.unicodeScalars.dropLast()) }
            let isFirst = stages.isEmpty && isStart(line.drop(while: isBlank))
            if isFirst || isStart(line) {
                stages.append([])
            } else if stages.isEmpty {
                let words = trimmed(line)
                guard words.isEmpty || words.hasPrefix("#") else {
                    throw ContainerfileError(index + 1, "there is no Bootstrap: before it")
                }
                continue
            }
            stages[stages.count - 1].append(Line(number: index + 1, text: line))
        }
        // What ends with a newline has no line behind it.
        if stages.last?.last?.text.isEmpty == true { stages[stages.count - 1].removeLast() }
        return stages
    }

    // MARK: - One stage

    private static func parse(_ lines: [Line]) throws(ContainerfileError) -> Stage {
        var stage = Stage(line: lines[0].number)
        var header: [Line] = []
        for line in lines {
            if line.text.drop(while: isBlank).hasPrefix("%") {
                stage.sections.append(try section(line))
            } else if stage.sections.isEmpty {
                header.append(line)
            } else {
                stage.sections[stage.sections.count - 1].lines.append(line)
            }
        }
        try readHeader(header, &stage)
        return stage
    }

    private static func section(_ line: Line) throws(ContainerfileError) -> Section {
        let words = line.text.drop { isBlank($0) || $0 == "%" }
        let word = words.prefix { !isBlank($0) }
        guard let name = Section.Name(rawValue: word.lowercased()) else {
            throw ContainerfileError(
                line.number, "there is no section %\(word.prefix(40))",
                remedy: word.lowercased().hasPrefix("app")
                    ? "nsrun builds no apps: what one of them does can be done in %post"
                    : "there are "
                        + Section.Name.allCases.map { "%" + $0.rawValue }.joined(separator: " "))
        }
        guard line.text.hasPrefix("%") else {
            throw ContainerfileError(
                line.number, "%\(word) does not stand at the beginning of its line")
        }
        let rest = words.dropFirst(word.count).prefix { $0 != "#" }
        return Section(name: name, line: line.number, arguments: trimmed(rest), lines: [])
    }

    /// Of Apptainer's own.
    private static let keys: Set<String> = [
        "bootstrap", "from", "includecmd", "mirrorurl", "updateurl", "osversion", "include",
        "library", "registry", "namespace", "stage", "product", "user", "regcode", "productpgp",
        "registerurl", "modules", "fingerprints", "confurl", "setopt",
    ]

    private static func readHeader(
        _ lines: [Line], _ stage: inout Stage
    ) throws(ContainerfileError) {
        var pending: (key: String, field: Field)?
        for line in lines {
            let words = trimmed(line.text)
            if words.isEmpty || words.hasPrefix("#") { continue }
            let plain = trimmed(words.prefix { $0 != "#" })
            var key: String
            var field: Field
            if let begun = pending {
                (key, field) = begun
                field.value += plain
            } else {
                guard let colon = plain.firstIndex(of: ":") else {
                    throw ContainerfileError(
                        line.number, "\(plain.prefix(40)) is no line of a header",
                        remedy: "a header has lines of KEY: VALUE, and ends where a %section begins"
                    )
                }
                key = trimmed(plain[..<colon]).lowercased()
                field = Field(
                    line: line.number, value: trimmed(plain[plain.index(after: colon)...]))
            }
            pending = nil
            if field.value.hasSuffix("\\") {
                field.value.removeLast()
                pending = (key, field)
                continue
            }
            guard keys.contains(key) else {
                throw ContainerfileError(field.line, "a header has no \(key.prefix(40)):")
            }
            stage.header[key] = field
        }
        if let pending { stage.header[pending.key] = pending.field }
    }
}
