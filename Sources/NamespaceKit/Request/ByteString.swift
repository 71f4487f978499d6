// SPDX-License-Identifier: Apache-2.0

import CHost

/// Bytes as the kernel takes them: a path, an argument, an environment entry.
///
/// Linux does not require any of these to be UTF-8, and a launcher must hand them on untouched, so
/// they are kept as bytes and turned into text only for messages.
public struct ByteString: Hashable, Sendable, ExpressibleByStringLiteral {
    public var bytes: [UInt8]

    @inlinable
    public init(bytes: [UInt8]) { self.bytes = bytes }

    public init(_ text: String) { bytes = Array(text.utf8) }

    public init(stringLiteral text: StaticString) {
        bytes = Array(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Copies a C string.
    public init(cString: UnsafePointer<CChar>) {
        var count = 0
        while cString[count] != 0 { count += 1 }
        bytes = cString.withMemoryRebound(to: UInt8.self, capacity: count) {
            Array(UnsafeBufferPointer(start: $0, count: count))
        }
    }

    public var isEmpty: Bool { bytes.isEmpty }
    public var count: Int { bytes.count }
    public var first: UInt8? { bytes.first }
    public var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }

    /// The text for a message: control characters and bytes that are not UTF-8 are escaped, so that
    /// a hostile name cannot pose as something else on a terminal.
    public var text: String {
        let decoded = String(decoding: bytes, as: UTF8.self)
        let isText = !decoded.unicodeScalars.contains("\u{fffd}")
        var result = ""
        if !isText {
            for byte in bytes {
                if byte < 0x80 {
                    ByteString.append(Unicode.Scalar(byte), to: &result)
                } else {
                    result += "\\x" + String(byte, radix: 16)
                }
            }
            return result
        }
        for scalar in decoded.unicodeScalars { ByteString.append(scalar, to: &result) }
        return result
    }

    private static func append(_ scalar: Unicode.Scalar, to result: inout String) {
        switch scalar.value {
        case 0x0a: result += "\\n"
        case 0x09: result += "\\t"
        case 0..<0x20, 0x7f..<0xa0:
            let digits = String(scalar.value, radix: 16)
            result += "\\x" + (digits.utf8.count < 2 ? "0" : "") + digits
        default: result.unicodeScalars.append(scalar)
        }
    }

    public func contains(_ byte: UInt8) -> Bool { bytes.contains(byte) }

    public func firstIndex(of byte: UInt8) -> Int? { bytes.firstIndex(of: byte) }

    public func hasPrefix(_ prefix: StaticString) -> Bool {
        let count = prefix.utf8CodeUnitCount
        guard bytes.count >= count else { return false }
        for index in 0..<count where bytes[index] != prefix.utf8Start[index] { return false }
        return true
    }

    public func slice(from start: Int, to end: Int? = nil) -> ByteString {
        ByteString(bytes: Array(bytes[start..<(end ?? bytes.count)]))
    }

    /// The parts between separators, empty ones included.
    public func split(on separator: UInt8) -> [ByteString] {
        var parts: [ByteString] = []
        var start = 0
        for index in 0..<bytes.count where bytes[index] == separator {
            parts.append(slice(from: start, to: index))
            start = index + 1
        }
        parts.append(slice(from: start))
        return parts
    }

    /// The number that the text spells in the given base, at most 16, or nil.
    public func number(base: UInt64 = 10) -> UInt64? {
        guard !bytes.isEmpty else { return nil }
        var value: UInt64 = 0
        for byte in bytes {
            let start: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): start = UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): start = UInt8(ascii: "a") - 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): start = UInt8(ascii: "A") - 10
            default: return nil
            }
            let digit = UInt64(byte - start)
            guard digit < base else { return nil }
            let (product, over) = value.multipliedReportingOverflow(by: base)
            let (sum, overSum) = product.addingReportingOverflow(digit)
            if over || overSum { return nil }
            value = sum
        }
        return value
    }

    /// The last component of a path.
    public var lastComponent: ByteString {
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return self }
        return slice(from: slash + 1)
    }

    /// The path without repeated and trailing slashes and `.` components. `..` stays, for only the kernel
    /// knows where it leads.
    public var withoutDots: ByteString {
        var result: [UInt8] = isAbsolute ? [UInt8(ascii: "/")] : []
        let slash = UInt8(ascii: "/")
        for part in split(on: slash) where !part.isEmpty && part != "." {
            if let last = result.last, last != slash { result.append(slash) }
            result += part.bytes
        }
        return ByteString(bytes: result)
    }

    /// A path below this one; the other one's leading slash does not lead away.
    public func appending(path: ByteString) -> ByteString {
        var result = bytes
        while result.last == UInt8(ascii: "/") { result.removeLast() }
        if path.first != UInt8(ascii: "/") { result.append(UInt8(ascii: "/")) }
        return ByteString(bytes: result + path.bytes)
    }

    /// The number of bytes to insert, delete or change to get from one to the other (Levenshtein).
    public func distance(to other: ByteString) -> Int {
        var row = Array(0...other.count)
        for (i, left) in bytes.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, right) in other.bytes.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(above + 1, row[j] + 1, diagonal + (left == right ? 0 : 1))
                diagonal = above
            }
        }
        return row[other.count]
    }

    public static func + (left: ByteString, right: ByteString) -> ByteString {
        ByteString(bytes: left.bytes + right.bytes)
    }
}

extension [ByteString] {
    public func joined(by separator: ByteString) -> ByteString {
        var text = ByteString(bytes: [])
        for (index, part) in enumerated() { text = index == 0 ? part : text + separator + part }
        return text
    }
}

extension [UInt8] {
    /// A number in so many bytes, the least significant first.
    public init(littleEndian value: UInt64, count: Int) {
        self = (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    /// The number in so many bytes from `offset` on, the least significant first.
    func littleEndian(at offset: Int, count: Int) -> UInt64 {
        (offset..<(offset + count)).reversed().reduce(0) { $0 << 8 | UInt64(self[$1]) }
    }

    /// The bytes occur somewhere.
    func holds(_ text: ByteString) -> Bool {
        withUnsafeBytes { own in
            text.bytes.withUnsafeBytes { other in
                nsrun_holds(own.baseAddress, own.count, other.baseAddress, other.count)
            }
        }
    }
}
