// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// The first line of a script, as execve(2) reads it.
@Suite struct ShebangLineTests {
    private func parse(_ text: String) -> ShebangLine? { ShebangLine(bytes: Array(text.utf8)) }

    @Test(
        arguments: [
            ("#!/bin/sh\necho", "/bin/sh", nil), ("#!/bin/sh", "/bin/sh", nil),
            ("#! /bin/sh\n", "/bin/sh", nil), ("#!\t /bin/sh \t\n", "/bin/sh", nil),
            ("#!/bin/sh -e\n", "/bin/sh", "-e"), ("#!/bin/sh  -e -u \n", "/bin/sh", "-e -u"),
            ("#!/usr/bin/env\tpython3\n", "/usr/bin/env", "python3"),
            ("#!/usr/bin/env -S perl -w\nx\n", "/usr/bin/env", "-S perl -w"),
            ("#!sh\n", "sh", nil), ("#!/bin/sh\r\n", "/bin/sh\r", nil),
            ("#!\n", "", nil), ("#!", "", nil),
        ] as [(String, ByteString, ByteString?)])
    func interpreterAndOneArgument(
        text: String, interpreter: ByteString, argument: ByteString?
    ) throws {
        let line = try #require(parse(text))
        #expect(line.interpreter == interpreter)
        #expect(line.argument == argument)
    }

    @Test(arguments: ["", "#", " #!/bin/sh\n", "\u{7f}ELF", "echo x\n#!/bin/sh\n"])
    func othersHaveNone(text: String) { #expect(parse(text) == nil) }
}
