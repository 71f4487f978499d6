// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A Containerfile as it is written: which instruction stands in which line, nothing looked up and no variable replaced.
///
/// https://docs.docker.com/reference/dockerfile/, https://github.com/containers/common/blob/main/docs/Containerfile.5.md
struct Containerfile: Equatable {
    /// What is run: words as they are, or a text for the shell.
    enum Command: Equatable {
        case words([String])
        case shell(String)
    }

    /// Files that go into the root.
    struct Transfer: Equatable {
        /// Archives are unpacked: ADD.
        var unpacks: Bool
        /// The stage or image that the files come from; nil for the context.
        var from: String?
        var mode: String?
        var owner: String?
        /// The files, and where to put them.
        var paths: [String]
        /// They were written as JSON: blanks in them are theirs.
        var isList: Bool
    }

    enum Action: Equatable {
        case from(image: String, platform: String?, name: String?)
        case run(Command, network: String?)
        case transfer(Transfer)
        /// `NAME=VALUE`, or `NAME VALUE`, not split yet.
        case environment(String)
        case label(String)
        case argument(String)
        case directory(String)
        case user(String)
        case shell([String])
        case entryPoint(Command)
        case command(Command)
        /// It has no meaning for nsrun, and changes nothing in the root: EXPOSE and its like.
        case nothing(String)
    }

    struct Instruction: Equatable {
        var line: Int
        /// As it is written, without the comments amid it.
        var text: String
        var action: Action
    }

    private static let mostInstructions = 10_000

    let instructions: [Instruction]
    let escape: Character

    init(_ text: String) throws(ContainerfileError) {
        let lines = try ContainerfileLines(text)
        escape = lines.escape
        guard lines.lines.count <= Self.mostInstructions else {
            throw ContainerfileError(
                lines.lines[Self.mostInstructions].number,
                "there are more than \(Self.mostInstructions) instructions")
        }
        var instructions: [Instruction] = []
        for line in lines.lines { instructions.append(try Self.parse(line)) }
        self.instructions = instructions
    }

    // MARK: - One instruction

    private static func parse(
        _ line: ContainerfileLines.Line
    ) throws(ContainerfileError) -> Instruction {
        let word = line.text.prefix { !ContainerfileLines.isBlank($0) }
        let keyword = word.uppercased()
        var rest = Rest(line: line.number, keyword: keyword, text: line.text.dropFirst(word.count))
        let action: Action
        switch keyword {
        case "FROM": action = try from(&rest)
        case "RUN": action = try run(&rest)
        case "COPY", "ADD": action = try transfer(&rest, unpacks: keyword == "ADD")
        case "ENV": action = .environment(try rest.plain())
        case "LABEL": action = .label(try rest.plain())
        case "ARG": action = .argument(try rest.plain())
        case "WORKDIR": action = .directory(try rest.plain())
        case "USER": action = .user(try rest.plain())
        case "ENTRYPOINT": action = .entryPoint(command(try rest.plain(mayBeEmpty: true)))
        case "CMD": action = .command(command(try rest.plain(mayBeEmpty: true)))
        case "SHELL":
            guard case .words(let words) = command(try rest.plain()), !words.isEmpty else {
                throw ContainerfileError(
                    line.number, "SHELL takes a list", remedy: #"write SHELL ["/bin/sh", "-c"]"#)
            }
            action = .shell(words)
        case "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER":
            action = .nothing(keyword)
        default:
            throw ContainerfileError(
                line.number, "there is no instruction \(word.prefix(40))",
                remedy: known.contains(keyword)
                    ? "nsrun-rootfs build does not know it: leave it out" : nearest(to: keyword))
        }
        return Instruction(line: line.number, text: line.text, action: action)
    }

    /// What others know.
    private static let known: Set<String> = ["ONBUILD"]
    private static let own = [
        "FROM", "RUN", "COPY", "ADD", "ENV", "ARG", "WORKDIR", "USER", "LABEL", "SHELL",
        "ENTRYPOINT", "CMD",
    ]
    private static let meaningless = [
        "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "MAINTAINER",
    ]

    private static func nearest(to keyword: String) -> String {
        let near = (own + meaningless).first {
            Set($0).isSuperset(of: keyword) || Set(keyword).isSuperset(of: $0)
        }
        return near.map { "did you mean \($0)?" } ?? "known are \(own.joined(separator: ", "))"
    }

    /// A list in JSON, or else something for the shell.
    private static func command(_ text: String) -> Command {
        guard text.hasPrefix("["),
            let words = try? JSONDecoder().decode([String].self, from: Data(text.utf8))
        else { return .shell(text) }
        return .words(words)
    }

    private static func from(_ rest: inout Rest) throws(ContainerfileError) -> Action {
        let options = try rest.options(["platform"])
        let words = try rest.plain().split(whereSeparator: ContainerfileLines.isBlank)
            .map(String.init)
        let isNamed = words.count == 3 && words[1].uppercased() == "AS"
        guard words.count == 1 || isNamed else {
            throw ContainerfileError(rest.line, "FROM takes IMAGE, or IMAGE AS NAME")
        }
        if isNamed, words[2].lowercased().wholeMatch(of: /[a-z][a-z0-9_.-]*/) == nil {
            throw ContainerfileError(rest.line, "\(words[2]) is no name for a stage")
        }
        return .from(
            image: words[0], platform: options["platform"],
            name: isNamed ? words[2].lowercased() : nil)
    }

    private static func run(_ rest: inout Rest) throws(ContainerfileError) -> Action {
        let options = try rest.options(["network"])
        let text = try rest.plain()
        try refuseHereDocument(text, rest)
        if let network = options["network"], !["default", "host", "none"].contains(network) {
            throw ContainerfileError(rest.line, "there is no network \(network)")
        }
        return .run(command(text), network: options["network"])
    }

    private static func transfer(
        _ rest: inout Rest, unpacks: Bool
    ) throws(ContainerfileError) -> Action {
        var names = ["chown", "chmod", "link"]
        if !unpacks { names.append("from") }
        let options = try rest.options(names)
        let text = try rest.plain()
        try refuseHereDocument(text, rest)
        var transfer = Transfer(
            unpacks: unpacks, from: options["from"], mode: options["chmod"],
            owner: options["chown"], paths: [], isList: false)
        if case .words(let words) = command(text) {
            transfer.paths = words
            transfer.isList = true
        } else {
            transfer.paths = [text]
        }
        return .transfer(transfer)
    }

    /// A word that begins with `<<` and a name.
    private static func refuseHereDocument(
        _ text: String, _ rest: Rest
    ) throws(ContainerfileError) {
        for word in text.split(whereSeparator: ContainerfileLines.isBlank)
        where word.contains("<<")
            && word.wholeMatch(of: /[0-9]*<<-?["']?[A-Za-z_][^<]*/) != nil
        {
            throw ContainerfileError(
                rest.line, "here-documents (\(word.prefix(40))) are not known",
                remedy: "put the text into a file, and COPY that")
        }
    }
}

/// What stands behind an instruction.
private struct Rest {
    let line: Int
    let keyword: String
    var text: Substring

    /// Takes the options that come first, `--NAME=VALUE` or `--NAME`.
    mutating func options(_ known: [String]) throws(ContainerfileError) -> [String: String] {
        var options: [String: String] = [:]
        while true {
            text = text.drop(while: ContainerfileLines.isBlank)
            guard text.hasPrefix("--") else { return options }
            let word = text.prefix { !ContainerfileLines.isBlank($0) }
            text = text.dropFirst(word.count)
            let parts = word.dropFirst(2).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard known.contains(name) else {
                throw ContainerfileError(
                    line, "\(keyword) --\(name.prefix(40)) is not known",
                    remedy: "known are \(known.map { "--\($0)" }.joined(separator: ", "))")
            }
            guard parts.count == 2 || name == "link", options[name] == nil else {
                throw ContainerfileError(line, "\(keyword) --\(name) takes one value, once")
            }
            options[name] = parts.count == 2 ? String(parts[1]) : ""
        }
    }

    /// All of it, without the blanks around.
    func plain(mayBeEmpty: Bool = false) throws(ContainerfileError) -> String {
        var text = text.drop(while: ContainerfileLines.isBlank)
        while let last = text.last, ContainerfileLines.isBlank(last) { text.removeLast() }
        guard !text.isEmpty || mayBeEmpty else {
            throw ContainerfileError(line, "\(keyword) takes something, and there is nothing")
        }
        return String(text)
    }
}
