// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

@Suite struct ByteStringTests {
    @Test func keepsBytesThatAreNotUTF8() {
        let name = ByteString(bytes: [0x61, 0xff, 0xfe])
        #expect((ByteString("/x/") + name).bytes == [0x2f, 0x78, 0x2f, 0x61, 0xff, 0xfe])
    }

    /// A hostile name must not move the cursor, colour the terminal or begin a line of its own.
    @Test(
        arguments: [
            ([0x61, 0x0a, 0x62], "a\\nb"), ([0x09], "\\t"), ([0x1b, 0x5b, 0x6d], "\\x1b[m"),
            ([0x00], "\\x00"), ([0x7f], "\\x7f"), ([0xc2, 0x9b], "\\x9b"), ([0xc3, 0xa9], "é"),
            ([0x61, 0xff], "a\\xff"),
        ] as [([UInt8], String)])
    func textEscapesWhatATerminalWouldObey(bytes: [UInt8], text: String) {
        #expect(ByteString(bytes: bytes).text == text)
    }

    @Test func splitKeepsEmptyParts() {
        #expect(ByteString(":a::b:").split(on: 0x3a) == ["", "a", "", "b", ""])
        #expect(ByteString("").split(on: 0x3a) == [""])
    }

    @Test(
        arguments: [
            ("0", 10, 0), ("42", 10, 42), ("0755", 8, 0o755),
            ("18446744073709551615", 10, UInt64.max),
            ("18446744073709551616", 10, nil), ("8", 8, nil), ("", 10, nil), ("-1", 10, nil),
            ("+1", 10, nil), (" 1", 10, nil), ("0x10", 10, nil),
        ] as [(String, UInt64, UInt64?)])
    func numbers(text: String, base: UInt64, value: UInt64?) {
        #expect(ByteString(text).number(base: base) == value)
    }

    @Test(arguments: [
        ("/srv", "/etc", "/srv/etc"), ("/srv/", "etc", "/srv/etc"), ("/", "etc", "/etc"),
        ("/srv//", "/etc", "/srv/etc"),
    ])
    func appendingStaysBelow(top: String, path: String, joined: String) {
        #expect(ByteString(top).appending(path: ByteString(path)) == ByteString(joined))
    }

    @Test(arguments: [("/bin/sh", "sh"), ("sh", "sh"), ("/", ""), ("a/b/", "")])
    func lastComponent(path: String, last: String) {
        #expect(ByteString(path).lastComponent == ByteString(last))
    }

    @Test func prefixes() {
        #expect(ByteString("export A").hasPrefix("export "))
        #expect(!ByteString("exp").hasPrefix("export "))
    }
}
