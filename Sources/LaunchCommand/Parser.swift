// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// One option as it was given.
struct ParsedOption {
    let option: Option
    let values: [ByteString]

    var id: OptionID { option.id }
    /// Nothing is run where it is given.
    var answersAtOnce: Bool {
        id == .general(.help) || id == .general(.shortHelp) || id == .general(.version)
    }

    /// The option as it was typed, for messages.
    var origin: ByteString { ByteString(stringLiteral: option.name) }
}

/// What the command line says, in its own order and not yet judged.
struct ParsedCommandLine {
    var options: [ParsedOption] = []
    var command: [ByteString] = []
    /// Neither a command nor an option that needs none.
    var asksForNothing: Bool {
        command.isEmpty
            && !options.contains { $0.answersAtOnce || $0.id == .general(.debug) }
    }

    /// Messages begin with their level.
    var hasLevelPrefix: Bool { options.contains { $0.id == .report(.levelPrefix) } }

    /// Where arguments came from: not the command's business.
    var argumentDescriptors: [Int32] = []
}

/// Splits a command line into options and the command.
///
/// Options end at `--` or at the first word that is not an option. `@FILE` among them is replaced by
/// FILE's lines, one argument a line, without quoting; `--args FD` by the NUL-separated arguments
/// that the descriptor gives. For bubblewrap these are options alone: what follows them is dropped.
struct Parser {
    private let personality: Personality
    private var result = ParsedCommandLine()
    /// What is still to be read, last first.
    private var pending: [ByteString]
    private var expansions = 0

    static func parse(
        _ arguments: [ByteString], as personality: Personality = Personality(argument0: "nsrun")
    ) throws(UsageError) -> ParsedCommandLine {
        var parser = Parser(arguments, personality)
        do throws(UsageError) {
            try parser.run()
        } catch {
            var error = error
            error.hasLevelPrefix = parser.result.hasLevelPrefix
            throw error
        }
        return parser.result
    }

    private init(_ arguments: [ByteString], _ personality: Personality) {
        self.personality = personality
        pending = arguments.reversed()
        result.options.reserveCapacity(pending.count / 2)
    }

    private mutating func run() throws(UsageError) {
        while let word = pending.popLast() {
            if word.first == UInt8(ascii: "@"), word.count > 1 {
                try push(ArgumentFile.read(word.slice(from: 1)))
                continue
            }
            guard word.first == UInt8(ascii: "-"), word.count > 1 else {
                result.command = [word] + pending.reversed()
                return
            }
            if word == "--" {
                result.command = pending.reversed()
                return
            }
            try parse(word)
        }
    }

    /// A file that names itself would go on for ever.
    private mutating func push(_ words: [ByteString]) throws(UsageError) {
        expansions += 1
        if expansions > 10_000 { throw UsageError("argument files are nested too deeply") }
        pending.append(contentsOf: words.reversed())
    }

    private mutating func parse(_ word: ByteString) throws(UsageError) {
        if let option = OptionTable.find(word.bytes[...]),
            !(option.isShort && personality.isBubblewrap)
        {
            let arity = option.arity
            guard pending.count >= arity else {
                throw UsageError(
                    "\(word.text) needs \(arity == 1 ? "a value" : "\(arity) values")",
                    remedy: "\(word.text) \(option.arguments.text)",
                    bubblewrap: "\(word.text) takes \(Parser.count(option))")
            }
            var values: [ByteString] = []
            for _ in 0..<arity { values.append(pending.removeLast()) }
            return try take(ParsedOption(option: option, values: values))
        }
        guard let sign = word.firstIndex(of: UInt8(ascii: "=")),
            let option = OptionTable.find(word.bytes[..<sign])
        else { throw Suggestion.unknown(word) }
        if option.arity > 1 {
            throw UsageError(
                "\(option.name.text) takes \(option.arity) values, as words of their own",
                remedy: Help.synopsis(option))
        }
        guard option.arity == 1 || option.isOptionalValue else {
            throw UsageError("\(option.name.text) takes no value")
        }
        try take(ParsedOption(option: option, values: [word.slice(from: sign + 1)]))
    }

    /// How many arguments, in bubblewrap's words.
    private static func count(_ option: Option) -> String {
        let withOne: [OptionID] = [
            .process(.chdir), .process(.argument0), .mount(.remountReadOnly),
        ]
        return switch option.arity {
        case 2: "two arguments"
        case 3: "three arguments"
        default: withOne.contains(option.id) ? "one argument" : "an argument"
        }
    }

    private mutating func take(_ parsed: ParsedOption) throws(UsageError) {
        if personality.isBubblewrap, parsed.answersAtOnce {
            pending = []  // it answers at once
        }
        if parsed.id == .general(.arguments) {
            let descriptor = try Value.descriptor(parsed, 0)
            result.argumentDescriptors.append(descriptor)
            let words = try ArgumentFile.read(descriptor: descriptor)
            guard personality.isBubblewrap else { return try push(words) }
            let outer = pending
            pending = []
            try push(words)
            try run()
            result.command = []
            pending = outer
        } else if parsed.id == .general(.preset),
            let words = try PresetFile.words(named: parsed.values[0])
        {
            try push(words)
        } else {
            result.options.append(parsed)
        }
    }
}

/// A command line that makes no sense.
struct UsageError: Error {
    var message: String
    var remedy: String?
    /// What bubblewrap says in this case, where that is something else.
    var bubblewrap: String?
    /// What came before the mistake asks for messages with their level.
    var hasLevelPrefix = false

    init(_ message: String, remedy: String? = nil, bubblewrap: String? = nil) {
        self.message = message
        self.remedy = remedy
        self.bubblewrap = bubblewrap
    }
}

extension UsageError {
    static func emptyPath(_ parsed: ParsedOption) -> UsageError {
        UsageError(
            "\(parsed.origin.text): the path is empty",
            bubblewrap: "\(parsed.origin.text) does not take an empty path argument")
    }
}

/// The nearest known option to one that is not known.
enum Suggestion {
    /// An option and its values in one word, as a line of an @FILE has them.
    private static func inOneLine(_ word: ByteString) -> String? {
        guard let blank = word.firstIndex(of: UInt8(ascii: " ")),
            let option = OptionTable.find(word.bytes[..<blank]), option.arity > 0
        else { return nil }
        return "each argument is a word of its own, and in an @FILE a line of its own: "
            + option.name.text + ", then \(option.arguments.text)"
    }

    static func unknown(_ word: ByteString) -> UsageError {
        let name =
            word.firstIndex(of: UInt8(ascii: "=")).map { word.slice(from: 0, to: $0) } ?? word
        // A word that differs more in length alone is near to none, be it as long as it likes.
        let most = max(2, name.count / 3)
        var best: (distance: Int, name: String)?
        for option in OptionTable.options
        where option.section != .hidden && !option.isShort
            && abs(option.name.utf8CodeUnitCount - name.count) <= most
        {
            let distance = name.distance(to: ByteString(stringLiteral: option.name))
            if distance < best?.distance ?? Int.max { best = (distance, option.name.text) }
        }
        let near = best.flatMap { $0.distance <= most ? $0.name : nil }
        return UsageError(
            "unknown option \(name.text)",
            remedy: inOneLine(word) ?? ForeignWords.remedy(for: name)
                ?? near.map { "did you mean \($0)?" } ?? "--help lists the options",
            bubblewrap: "Unknown option \(name.text)")
    }
}
