// SPDX-License-Identifier: Apache-2.0

/// The fully qualified name of a device of the Container Device Interface: `vendor.com/class=device`.
public struct DeviceName: Sendable, Equatable {
    /// `vendor.com/class`.
    public var kind: ByteString
    public var device: ByteString

    public var text: String { "\(kind.text)=\(device.text)" }

    init(kind: ByteString, device: ByteString) {
        self.kind = kind
        self.device = device
    }

    /// Nil where it is no such name.
    public init?(_ text: ByteString) {
        guard let sign = text.firstIndex(of: UInt8(ascii: "=")) else { return nil }
        kind = text.slice(from: 0, to: sign)
        device = text.slice(from: sign + 1)
        guard DeviceName.isKind(kind), DeviceName.isDevice(device) else { return nil }
    }

    /// A vendor and a class: letters, digits, `-`, `_` and `.`, beginning with a letter and ending with a
    /// letter or digit.
    static func isKind(_ text: ByteString) -> Bool {
        let parts = text.split(on: UInt8(ascii: "/"))
        return parts.count == 2
            && parts.allSatisfy { isName($0, marks: "-_.") && isLetter($0.bytes[0]) }
    }

    /// The same with `:`, and it may begin with a digit.
    static func isDevice(_ text: ByteString) -> Bool { isName(text, marks: "-_.:") }

    private static func isName(_ text: ByteString, marks: ByteString) -> Bool {
        guard let first = text.bytes.first, let last = text.bytes.last, text.count <= 253,
            isAlphanumeric(first), isAlphanumeric(last)
        else { return false }
        return text.bytes.allSatisfy { isAlphanumeric($0) || marks.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isLetter(byte) || byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}
