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
}
