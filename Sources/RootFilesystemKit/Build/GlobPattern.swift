// SPDX-License-Identifier: Apache-2.0

/// A pattern for paths, name by name: `*`, `?`, `[a-z]`, `[^a-z]`, a backslash before what is meant as it is, and `**` for
/// any number of directories.
///
/// https://pkg.go.dev/path/filepath#Match, https://docs.docker.com/build/concepts/context/#syntax
struct GlobPattern: Equatable {
    private let parts: [[UInt8]]

    /// Slashes at either end, and `.`, mean nothing.
    init(_ pattern: ByteString) {
        parts = pattern.bytes.split(separator: UInt8(ascii: "/")).map { Array($0) }
            .filter { $0 != [UInt8(ascii: ".")] }
    }

    /// Whether it is of more than names that are meant as they are.
    var isPlain: Bool {
        parts.allSatisfy { part in !part.contains { "*?[\\".utf8.contains($0) } }
    }

    /// Whether it matches a path, given by its names. Takes as long as the pattern times the path.
    func matches(_ names: [[UInt8]]) -> Bool {
        // Which beginnings of the pattern match the names so far.
        var reached = [Bool](repeating: false, count: parts.count + 1)
        reached[0] = true
        passDirectories(&reached)
        for name in names {
            var next = [Bool](repeating: false, count: parts.count + 1)
            for (index, part) in parts.enumerated() where reached[index] {
                if part == Self.any {
                    next[index] = true
                } else if Self.matches(part, name) {
                    next[index + 1] = true
                }
            }
            reached = next
            passDirectories(&reached)
        }
        return reached[parts.count]
    }

    /// `**` matches no directory, too.
    private func passDirectories(_ reached: inout [Bool]) {
        for (index, part) in parts.enumerated() where reached[index] && part == Self.any {
            reached[index + 1] = true
        }
    }

    private static let any = Array("**".utf8)

    /// One name. Goes back to the last star only, and so takes no longer than the name times the pattern.
    private static func matches(_ pattern: [UInt8], _ name: [UInt8]) -> Bool {
        var (p, n) = (0, 0)
        var star: (pattern: Int, name: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p + 1, n)
                p += 1
            } else if let end = one(pattern, p, name[n]) {
                p = end
                n += 1
            } else if let last = star {
                star = (last.pattern, last.name + 1)
                (p, n) = (last.pattern, last.name + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// Where the pattern goes on if it matches a byte at `start`; nil if it does not.
    private static func one(_ pattern: [UInt8], _ start: Int, _ byte: UInt8) -> Int? {
        guard start < pattern.count else { return nil }
        switch pattern[start] {
        case UInt8(ascii: "?"): return start + 1
        case UInt8(ascii: "["): return range(pattern, start + 1, byte)
        case UInt8(ascii: "\\") where start + 1 < pattern.count:
            return pattern[start + 1] == byte ? start + 2 : nil
        default: return pattern[start] == byte ? start + 1 : nil
        }
    }

    private static func range(_ pattern: [UInt8], _ start: Int, _ byte: UInt8) -> Int? {
        var index = start
        let isNegated = index < pattern.count && "^!".utf8.contains(pattern[index])
        if isNegated { index += 1 }
        var isFound = false
        var isFirst = true
        while index < pattern.count, isFirst || pattern[index] != UInt8(ascii: "]") {
            isFirst = false
            let low = pattern[index]
            var high = low
            if index + 2 < pattern.count, pattern[index + 1] == UInt8(ascii: "-"),
                pattern[index + 2] != UInt8(ascii: "]")
            {
                high = pattern[index + 2]
                index += 2
            }
            if low <= byte && byte <= high { isFound = true }
            index += 1
        }
        guard index < pattern.count else { return nil }
        return isFound != isNegated ? index + 1 : nil
    }
}

/// What of a context is left out: the lines of a `.containerignore`, of which the last that matches counts.
struct IgnoreList: Equatable {
    private var rules: [(pattern: GlobPattern, isException: Bool)] = []
    /// More than anybody writes; each is tried for each file.
    private static let mostRules = 10_000
    static let largestFile = 1 << 20

    init() {}

    /// Lines of patterns; `#` begins a comment, `!` an exception.
    init(_ text: [UInt8]) {
        for line in text.split(separator: UInt8(ascii: "\n")).prefix(Self.mostRules) {
            var line = line.drop { $0 == 0x20 || $0 == 0x09 }
            while let last = line.last, [0x20, 0x09, 0x0d].contains(last) { line.removeLast() }
            if line.first == UInt8(ascii: "#") { continue }
            let isException = line.first == UInt8(ascii: "!")
            if isException { line.removeFirst() }
            let pattern = ByteString(Array(line))
            if pattern.bytes.allSatisfy({ "/.".utf8.contains($0) }) { continue }
            rules.append((GlobPattern(pattern), isException))
        }
    }

    /// Whether a path of the context is left out: it, or a directory that it is in, matches.
    func leavesOut(_ path: EntryPath) -> Bool {
        guard !rules.isEmpty else { return false }
        let names = path.names.map(\.bytes)
        var isOut = false
        for rule in rules where rule.isException == isOut {
            let matches = names.indices.contains { rule.pattern.matches(Array(names[...$0])) }
            if matches { isOut = !rule.isException }
        }
        return isOut
    }

    static func == (left: Self, right: Self) -> Bool {
        left.rules.elementsEqual(right.rules) { $0 == $1 }
    }
}
