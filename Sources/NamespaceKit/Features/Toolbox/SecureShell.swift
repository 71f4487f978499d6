// SPDX-License-Identifier: Apache-2.0

import CHost

/// The files that the configuration of the host's ssh(1) includes. It takes them only from root or from its own user, and
/// in a user namespace without root's id what is root's is nobody's.
struct SecureShell {
    struct File: Sendable, Equatable {
        var path: ByteString
        var content: [UInt8]
        var mode: UInt32
    }

    private static let folder: ByteString = "/etc/ssh"
    /// What one file includes another may include, and that one the first.
    private static let most = 64

    private var seen: [ByteString] = []
    private var files: [File] = []

    /// Those that ssh would take outside, where they are root's.
    static func readIncludedFiles() -> [File] {
        var reader = SecureShell()
        let main = folder.appending(path: "ssh_config")
        if HostFile.isRegular(main), case .content(let text) = HostFile.read(main, limit: 1 << 20) {
            reader.follow(text)
        }
        return reader.files
    }

    private mutating func follow(_ text: [UInt8]) {
        for pattern in SecureShell.includes(in: ByteString(bytes: text)) {
            for path in SecureShell.paths(matching: pattern) { add(path) }
        }
    }

    private mutating func add(_ name: ByteString) {
        guard seen.count < SecureShell.most, let path = HostFile.canonicalPath(name),
            !seen.contains(path)
        else { return }
        seen.append(path)
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        guard mode >= 0, mode & 0o170000 == 0o100000, mode & 0o022 == 0,
            withCString(path, { nsrun_owner($0) }) == 0,
            case .content(let text) = HostFile.read(path, limit: 1 << 20)
        else { return }
        files.append(File(path: path, content: text, mode: UInt32(mode) & 0o777))
        follow(text)
    }

    // MARK: ssh_config(5)

    /// The patterns of the lines that include files, as absolute paths.
    static func includes(in text: ByteString) -> [ByteString] {
        var patterns: [ByteString] = []
        for line in text.split(on: UInt8(ascii: "\n")) {
            var words = words(in: line)
            guard let keyword = words.first, isInclude(keyword) else { continue }
            words.removeFirst()
            for word in words where !word.isEmpty && word.first != UInt8(ascii: "~") {
                patterns.append(word.isAbsolute ? word : folder.appending(path: word))
            }
        }
        return patterns
    }

    private static func isInclude(_ word: ByteString) -> Bool {
        let small = word.bytes.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 }
        return small == Array("include".utf8)
    }

    /// Parted by blanks, and the first from the others by `=` as well; up to a comment. Quotes hold a word together.
    private static func words(in line: ByteString) -> [ByteString] {
        var words: [ByteString] = []
        var word: [UInt8] = []
        var isQuoted = false
        for byte in line.bytes + [UInt8(ascii: " ")] {
            let isBlank =
                byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
                || byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "=") && words.count < 2
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if isBlank, !isQuoted {
                if !word.isEmpty { words.append(ByteString(bytes: word)) }
                word = []
            } else if byte == UInt8(ascii: "#"), word.isEmpty, !isQuoted {
                break
            } else {
                word.append(byte)
            }
        }
        return words
    }

    /// glob(7), in the last component.
    private static func paths(matching pattern: ByteString) -> [ByteString] {
        let name = pattern.lastComponent
        guard let directory = pattern.parent,
            name.bytes.contains(where: { ByteString("*?[").contains($0) })
        else { return [pattern] }
        return HostFile.names(in: directory)
            .filter { $0.first != UInt8(ascii: ".") && matches($0.bytes[...], name.bytes[...]) }
            .map { directory.appending(path: $0) }
    }

    /// A bracket counts as any byte: what is copied needlessly does no harm.
    static func matches(_ name: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        let rest = pattern.dropFirst()
        switch first {
        case UInt8(ascii: "*"):
            return matches(name, rest) || !name.isEmpty && matches(name.dropFirst(), pattern)
        case UInt8(ascii: "?"): return !name.isEmpty && matches(name.dropFirst(), rest)
        case UInt8(ascii: "["):
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            return !name.isEmpty && matches(name.dropFirst(), rest[(end + 1)...])
        case let byte: return name.first == byte && matches(name.dropFirst(), rest)
        }
    }
}
