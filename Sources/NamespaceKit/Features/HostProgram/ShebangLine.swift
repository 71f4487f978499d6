// SPDX-License-Identifier: Apache-2.0

/// The first line of a script, as execve(2) reads it: an interpreter and at most one argument.
struct ShebangLine: Equatable {
    var interpreter: ByteString
    var argument: ByteString?

    /// Nil where the file does not begin with `#!`.
    init?(bytes: [UInt8]) {
        guard bytes.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) else { return nil }
        let isBlank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let line = bytes[2...].prefix { $0 != UInt8(ascii: "\n") }.drop(while: isBlank)
        let word = line.prefix { !isBlank($0) }
        interpreter = ByteString(bytes: Array(word))
        var rest = Array(line.dropFirst(word.count).drop(while: isBlank))
        while let last = rest.last, isBlank(last) { rest.removeLast() }
        if !rest.isEmpty { argument = ByteString(bytes: rest) }
    }

    /// What starts text that has no such line, or names nothing in it: the shell, as execvp(3) has it.
    static let standard = ShebangLine(bytes: Array("#!/bin/sh".utf8))!

    /// Whether a file that begins with these bytes is the shell's.
    static func isShells(_ bytes: [UInt8]) -> Bool {
        guard let line = ShebangLine(bytes: bytes) else { return isText(bytes) }
        return line.interpreter.isEmpty && isText(bytes)
    }

    /// Whether bytes that begin a file are text, by their first line.
    static func isText(_ bytes: [UInt8]) -> Bool {
        !bytes.prefix { $0 != UInt8(ascii: "\n") }.contains(0)
    }
}
