// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Records as the kernel and binfmt.d(5) write them.
@Suite struct BinfmtRecordTests {
    static let arm: ByteString = #"""
        :qemu-arm:M::\x7f\x45\x4c\x46\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/libexec/qemu-binfmt/arm-binfmt-P:OPF
        """#

    @Test func aLineIsReadAndWritten() throws {
        let record = try #require(BinfmtRecord(line: BinfmtRecordTests.arm))
        #expect(record.name == "qemu-arm")
        #expect(record.offset == 0)
        #expect(record.magic == Architecture.named("armhf")?.magic)
        #expect(record.interpreter == "/usr/libexec/qemu-binfmt/arm-binfmt-P")
        #expect(record.flags == "OPF")
        #expect(BinfmtRecord(line: record.line) == record)
    }

    @Test(arguments: [
        "", ":", ":x:M::", ":x:E::txt::/bin/sh:", "::M::a::/bin/sh:", ":x:M:999:a::/bin/sh:F",
        ":x:M:a:a::/bin/sh:F", ":x:M::::/bin/sh:F", #":x:M::\x4::/bin/sh:F"#,
        #":x:M::\xzz::/bin/sh:F"#, ":x:M::a::/bin/sh:F:more",
    ])
    func whatIsNoRecordOfMagic(line: String) {
        #expect(BinfmtRecord(line: ByteString(line)) == nil)
    }

    /// A path may hold the usual separator.
    @Test func thePathChoosesTheSeparator() throws {
        let arm = try #require(Architecture.named("arm"))
        for path: ByteString in ["/opt/a:b/qemu", "/opt/a:b|c/qemu", "/opt/a:b|c,d;e#f/qemu"] {
            let record = BinfmtRecord(arm, interpreter: path)
            #expect(BinfmtRecord(line: record.line) == record)
        }
    }

    @Test func theKernelsAccountIsRead() throws {
        let text = """
            enabled
            interpreter /usr/bin/qemu-arm-static
            flags: POCF
            offset 0
            magic 7f454c4601010100000000000000000002002800
            mask ffffffffffffff00fffffffffffffffffeffffff

            """
        let record = try #require(BinfmtRecord(name: "qemu-arm", status: Array(text.utf8)))
        let expected = try #require(BinfmtRecord(line: BinfmtRecordTests.arm))
        #expect(record.magic == expected.magic)
        #expect(record.mask == expected.mask)
        #expect(record.flags == "POCF")
        #expect(record.interpreter == "/usr/bin/qemu-arm-static")
        let disabled = "disabled" + text.dropFirst("enabled".count)
        #expect(BinfmtRecord(name: "qemu-arm", status: Array(disabled.utf8)) == nil)
        #expect(BinfmtRecord(name: "x", status: Array("enabled\nextension .txt\n".utf8)) == nil)
    }
}
