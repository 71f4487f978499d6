// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What is to be done.
enum ApptainerVerb: Equatable, CaseIterable {
    case exec, run, shell, test, inspect, pull, build
    case instanceStart, instanceRun, instanceList, instanceStop, cacheList, cacheClean
    case version, help

    /// The word before its name, of those that have one.
    var group: ByteString? {
        switch self {
        case .instanceStart, .instanceRun, .instanceList, .instanceStop: "instance"
        case .cacheList, .cacheClean: "cache"
        case .exec, .run, .shell, .test, .inspect, .pull, .build, .version, .help: nil
        }
    }

    var name: ByteString {
        switch self {
        case .instanceStart: "start"
        case .instanceRun: "run"
        case .instanceList, .cacheList: "list"
        case .instanceStop: "stop"
        case .cacheClean: "clean"
        case .exec: "exec"
        case .run: "run"
        case .shell: "shell"
        case .test: "test"
        case .inspect: "inspect"
        case .pull: "pull"
        case .build: "build"
        case .version: "version"
        case .help: "help"
        }
    }

    /// The options that it takes.
    var options: ApptainerOption.Verbs {
        switch self {
        case .exec, .run, .test: [.general, .action]
        case .shell: [.general, .action, .shell]
        case .inspect: [.general, .inspect]
        case .pull: [.general, .pull]
        case .build: [.general, .build]
        case .instanceStart, .instanceRun: [.general, .action, .instance]
        case .instanceList: [.general, .instanceList]
        case .instanceStop: [.general, .instanceStop]
        case .cacheList: [.general, .cacheList]
        case .cacheClean: [.general, .cacheClean]
        case .version, .help: .general
        }
    }

    /// Apptainer's others.
    static let unknown: [ByteString] = [
        "buildcfg", "capability", "checkpoint", "completion", "config", "delete",
        "key", "keyserver", "oci", "overlay", "plugin", "push", "registry", "remote", "run-help",
        "search",
        "sif", "sign", "verify",
    ]
}

/// A command line as it was given.
struct ApptainerLine {
    struct Given {
        let option: ApptainerOption
        let value: ByteString
        /// As it was typed, for messages.
        let origin: ByteString
    }

    var verb: ApptainerVerb?
    var options: [Given] = []
    /// What follows the options: an image, and what is the command's.
    var words: [ByteString] = []

    func has(_ option: ApptainerOption.General) -> Bool {
        options.contains { $0.option.id == .general(option) && $0.value == "true" }
    }
}

/// Splits a command line as pflag does, Go's library for it: `-eCB d:/mnt`, `--opt VALUE`, `--opt=VALUE`, `--flag=false`;
/// options end at the first word that is none, and all that follows is the command's.
struct ApptainerParser {
    private var result = ApptainerLine()
    private var words: ArraySlice<ByteString>

    static func parse(_ arguments: [ByteString]) throws(ApptainerError) -> ApptainerLine {
        var parser = ApptainerParser(words: arguments[...])
        try parser.run()
        return parser.result
    }

    private init(words: ArraySlice<ByteString>) { self.words = words }

    private var verbs: ApptainerOption.Verbs { result.verb?.options ?? .general }

    private mutating func run() throws(ApptainerError) {
        try readOptions()
        guard let word = words.popFirst() else { return }
        if ApptainerVerb.allCases.contains(where: { $0.group == word }) {
            try readOptions()
            let name = words.popFirst()
            guard
                let verb = ApptainerVerb.allCases.first(where: {
                    $0.group == word && $0.name == name
                })
            else {
                if result.has(.help) { return }
                if let name, name == "stats" {
                    throw ApptainerError(
                        "apptainer \(word.text) stats is not among what nsrun does")
                }
                throw .usage("invalid command", of: word)
            }
            return try read(verb)
        }
        guard
            let verb = ApptainerVerb.allCases.first(where: { $0.name == word && $0.group == nil })
        else {
            if ApptainerVerb.unknown.contains(word) {
                throw ApptainerError(
                    "apptainer \(word.text) is not among what nsrun does",
                    remedy: "it has " + ApptainerHelp.verbs)
            }
            throw .usage("unknown command \"\(word.text)\" for \"apptainer\"")
        }
        try read(verb)
    }

    private mutating func read(_ verb: ApptainerVerb) throws(ApptainerError) {
        result.verb = verb
        try readOptions()
        result.words = Array(words)
    }

    private mutating func readOptions() throws(ApptainerError) {
        while let word = words.first, word.first == UInt8(ascii: "-"), word.count > 1 {
            words.removeFirst()
            if word == "--" { return }
            if word.hasPrefix("--") {
                try readLong(word)
            } else {
                try readLetters(word)
            }
        }
    }

    private mutating func readLong(_ word: ByteString) throws(ApptainerError) {
        let sign = word.firstIndex(of: UInt8(ascii: "="))
        let name = word.slice(from: 2, to: sign)
        guard let option = ApptainerOptions.find(name.bytes[...], for: verbs) else {
            throw .usage("unknown flag: --\(name.text)", of: result.verb?.name)
        }
        let origin = "--" + name
        if let sign {
            try take(option, word.slice(from: sign + 1), origin)
        } else if option.isFlag {
            try take(option, "true", origin)
        } else {
            guard let value = words.popFirst() else {
                throw .usage("flag needs an argument: --\(name.text)", of: result.verb?.name)
            }
            try take(option, value, origin)
        }
    }

    /// Several in one word; the first that takes a value has the rest for it.
    private mutating func readLetters(_ word: ByteString) throws(ApptainerError) {
        var rest = word.bytes[1...]
        while let letter = rest.popFirst() {
            let origin = ByteString(bytes: [UInt8(ascii: "-"), letter])
            guard let option = ApptainerOptions.find(letter: letter, for: verbs) else {
                throw .usage(
                    "unknown shorthand flag: '\(ByteString(bytes: [letter]).text)' in \(word.text)",
                    of: result.verb?.name)
            }
            if option.isFlag {
                var value: ByteString = "true"
                if rest.first == UInt8(ascii: "=") {
                    value = ByteString(bytes: Array(rest.dropFirst()))
                    rest = []
                }
                try take(option, value, origin)
                continue
            }
            if rest.first == UInt8(ascii: "=") { rest.removeFirst() }
            var value = ByteString(bytes: Array(rest))
            if rest.isEmpty {
                guard let next = words.popFirst() else {
                    throw .usage(
                        "flag needs an argument: '\(ByteString(bytes: [letter]).text)' in \(word.text)",
                        of: result.verb?.name)
                }
                value = next
            }
            rest = []
            try take(option, value, origin)
        }
    }

    private mutating func take(
        _ option: ApptainerOption, _ value: ByteString, _ origin: ByteString
    ) throws(ApptainerError) {
        var value = value
        if option.isFlag {
            guard let truth = Self.truth(value) else {
                throw .usage(
                    "invalid argument \"\(value.text)\" for \"\(origin.text)\" flag: not true or false",
                    of: result.verb?.name)
            }
            value = truth ? "true" : "false"
        }
        result.options.append(.init(option: option, value: value, origin: origin))
    }

    /// As Go reads them.
    static func truth(_ text: ByteString) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }
}
