// SPDX-License-Identifier: Apache-2.0

@testable import RootFilesystemKit

/// Tar archives of bytes that a fuzzer has changed, and of text that it can change more easily.
enum Tar {
    /// The input with right checksums in what look like headers: libarchive refuses all others, and a fuzzer would
    /// hardly ever hit upon one. With an end mark.
    static func mended(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let magic = Array("ustar".utf8)
        var start = 0
        while start + 512 <= bytes.count {
            if bytes[(start + 257)...].starts(with: magic) {
                seal(&bytes, start)
                start += 512
            } else {
                start += 1
            }
        }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    private static func seal(_ bytes: inout [UInt8], _ start: Int) {
        for index in 148..<156 { bytes[start + index] = UInt8(ascii: " ") }
        var sum = 0
        for index in start..<(start + 512) { sum += Int(bytes[index]) }
        bytes.replaceSubrange((start + 148)..<(start + 154), with: octal(sum, digits: 6))
        bytes[start + 154] = 0
    }

    /// An entry a line: a letter and the mode in octal digits, the path, and a link's target or a file's content, with
    /// tabs between. Letters: file, directory, link, hard link, pipe, character device, extended attribute of what
    /// follows (its name and value).
    static func described(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in text.split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(
                separator: UInt8(ascii: "\t"), maxSplits: 2, omittingEmptySubsequences: false)
            guard let letter = line.first, fields.count > 1 else { continue }
            let path = Array(fields[1])
            let rest = fields.count > 2 ? Array(fields[2]) : []
            let mode =
                Int(String(decoding: fields[0].dropFirst(), as: UTF8.self), radix: 8) ?? 0o644
            switch letter {
            case UInt8(ascii: "d"): add("5", path, mode, to: &bytes)
            case UInt8(ascii: "l"): add("2", path, mode, target: rest, to: &bytes)
            case UInt8(ascii: "h"): add("1", path, mode, target: rest, to: &bytes)
            case UInt8(ascii: "p"): add("6", path, mode, to: &bytes)
            case UInt8(ascii: "c"): add("3", path, mode, to: &bytes)
            case UInt8(ascii: "x"):
                add("x", [], mode, content: extended(path, rest), to: &bytes)
            default: add("0", path, mode, content: rest, to: &bytes)
            }
        }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    static func archive(of file: String, _ content: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        add("0", Array(file.utf8), 0o644, content: content, to: &bytes)
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    private static func add(
        _ type: Unicode.Scalar, _ path: [UInt8], _ mode: Int, target: [UInt8] = [],
        content: [UInt8] = [], to bytes: inout [UInt8]
    ) {
        if path.count > 100 {
            add("x", [], 0, content: extended(Array("path".utf8), path), to: &bytes)
        }
        if target.count > 100 {
            add("x", [], 0, content: extended(Array("linkpath".utf8), target), to: &bytes)
        }
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ part: some Collection<UInt8>, at offset: Int) {
            header.replaceSubrange(offset..<(offset + part.count), with: part)
        }
        put(path.prefix(100), at: 0)
        put(octal(mode & 0o7777, digits: 7), at: 100)
        put(octal(content.count, digits: 11), at: 124)
        put([UInt8(type.value)], at: 156)
        put(target.prefix(100), at: 157)
        put(Array("ustar\u{0}00".utf8), at: 257)
        let start = bytes.count
        bytes += header
        seal(&bytes, start)
        bytes += content
        bytes += [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
    }

    /// A record of a pax header: its own length first.
    private static func extended(_ key: [UInt8], _ value: [UInt8]) -> [UInt8] {
        let body = Array(" ".utf8) + key + Array("=".utf8) + value + Array("\n".utf8)
        var length = body.count + 1
        while String(length).utf8.count + body.count != length { length += 1 }
        return Array(String(length).utf8) + body
    }

    private static func octal(_ value: Int, digits: Int) -> [UInt8] {
        let text = Array(String(value, radix: 8).utf8.suffix(digits))
        return [UInt8](repeating: UInt8(ascii: "0"), count: digits - text.count) + text
    }
}
