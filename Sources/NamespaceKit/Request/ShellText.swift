// SPDX-License-Identifier: Apache-2.0

/// Texts for a POSIX shell.
public enum ShellText {
    /// Nothing in it means anything to the shell.
    public static func quote(_ text: ByteString) -> ByteString {
        let quote = UInt8(ascii: "'")
        var result: [UInt8] = [quote]
        for byte in text.bytes { result += byte == quote ? Array("'\\''".utf8) : [byte] }
        return ByteString(bytes: result + [quote])
    }

    /// A variable can be called that.
    public static func isName(_ text: ByteString) -> Bool {
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        guard let first = text.first, !digits.contains(first) else { return false }
        return text.bytes.allSatisfy { byte in
            byte == UInt8(ascii: "_") || digits.contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
    }
}
