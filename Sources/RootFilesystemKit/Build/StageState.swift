// SPDX-License-Identifier: Apache-2.0

/// What a stage of a Containerfile has said so far: what later instructions of it, and the image, go by.
struct StageState: Equatable {
    /// How the image is to be run.
    var record = ImageRecord()
    /// What ARG has declared, with the values that count.
    var arguments: [String: String] = [:]
    var shell = ["/bin/sh", "-c"]
    /// CMD was in this file, and not only in the image that it begins with.
    private(set) var hasOwnCommand = false

    /// The most that the variables may have together, in bytes.
    private static let largestEnvironment = 1 << 20

    /// Another stage begins with what this one has come to: ARG was this one's.
    mutating func startStage() {
        var next = StageState()
        next.record = record
        next.shell = shell
        self = next
    }

    /// The value of a variable; ENV has precedence over ARG.
    func value(_ name: String) -> String? {
        record.environment.last { $0.hasPrefix(name + "=") }
            .map { String($0.dropFirst(name.count + 1)) } ?? arguments[name]
            ?? (name == "PATH" ? TreeRun.standardPath : nil)
    }

    func expansion(_ line: Int, _ escape: Character) -> VariableExpansion {
        VariableExpansion(line: line, escape: escape) { value($0) }
    }

    /// `NAME=VALUE` each, or in the old form `NAME VALUE` with all that follows.
    static func pairs(
        _ text: String, _ keyword: String, _ expansion: VariableExpansion
    ) throws(ContainerfileError) -> [(name: String, value: String)] {
        let first = text.prefix { !ContainerfileLines.isBlank($0) }
        if !first.contains("=") {
            let rest = text.dropFirst(first.count).drop(while: ContainerfileLines.isBlank)
            guard !rest.isEmpty else {
                throw ContainerfileError(expansion.line, "\(keyword) takes NAME=VALUE")
            }
            return [(try expansion.text(first), try expansion.text(rest))]
        }
        var pairs: [(name: String, value: String)] = []
        for word in try expansion.words(text) {
            guard let sign = word.firstIndex(of: "="), sign != word.startIndex else {
                throw ContainerfileError(
                    expansion.line, "\(keyword) takes NAME=VALUE, and \(word.prefix(80)) is none")
            }
            pairs.append((String(word[..<sign]), String(word[word.index(after: sign)...])))
        }
        return pairs
    }

    mutating func setEnvironment(
        _ pairs: [(name: String, value: String)], line: Int
    ) throws(ContainerfileError) {
        for pair in pairs {
            Self.set(pair, in: &record.environment)
        }
        let size = record.environment.reduce(0) { $0 + $1.utf8.count + 1 }
        if size > Self.largestEnvironment {
            throw ContainerfileError(
                line, "the variables have more than \(Self.largestEnvironment) bytes together")
        }
    }

    mutating func setLabels(
        _ pairs: [(name: String, value: String)], line: Int
    ) throws(ContainerfileError) {
        for pair in pairs { Self.set(pair, in: &record.labels) }
        // As they are read from an image, where they have no order.
        record.labels.sort()
        if record.labels.reduce(0, { $0 + $1.utf8.count + 1 }) > Self.largestEnvironment {
            throw ContainerfileError(
                line, "the labels have more than \(Self.largestEnvironment) bytes together")
        }
    }

    private static func set(_ pair: (name: String, value: String), in list: inout [String]) {
        let entry = "\(pair.name)=\(pair.value)"
        if let index = list.firstIndex(where: { $0.hasPrefix(pair.name + "=") }) {
            list[index] = entry
        } else {
            list.append(entry)
        }
    }

    /// The words that a command has: those of the shell form are for the shell.
    func words(_ command: Containerfile.Command) -> [String] {
        switch command {
        case .words(let words): words
        case .shell(let text): text.isEmpty ? [] : shell + [text]
        }
    }

    /// What the image that it began with runs by default was for the entry point that it had.
    mutating func setEntryPoint(_ command: Containerfile.Command) {
        record.entryPoint = words(command)
        if !hasOwnCommand { record.command = [] }
    }

    mutating func setCommand(_ command: Containerfile.Command) {
        record.command = words(command)
        hasOwnCommand = true
    }

    /// The directory that a path is in, beginning where WORKDIR says.
    func absolute(_ path: String) -> String {
        let full = path.hasPrefix("/") ? path : (record.workingDirectory ?? "/") + "/" + path
        var names: [Substring] = []
        for name in full.split(separator: "/") where name != "." {
            if name == ".." { _ = names.popLast() } else { names.append(name) }
        }
        return "/" + names.joined(separator: "/")
    }
}
