// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

@Suite struct ArchitectureTests {
    /// A program's first bytes: class, byte order, machine and flags.
    static func head(
        bits: Int, little: Bool, machine: UInt16, flags: UInt32 = 0, type: UInt8 = 2,
        abi: UInt8 = 0
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64)
        bytes.replaceSubrange(
            0..<7, with: [0x7f, 0x45, 0x4c, 0x46, bits == 64 ? 2 : 1, little ? 1 : 2, 1])
        bytes[7] = abi
        bytes[little ? 16 : 17] = type
        let (low, high) = (UInt8(machine & 255), UInt8(machine >> 8))
        bytes[18] = little ? low : high
        bytes[19] = little ? high : low
        let place = bits == 64 ? 48 : 36
        for index in 0..<4 {
            let shift = UInt32(little ? index : 3 - index) * 8
            bytes[place + index] = UInt8(flags >> shift & 255)
        }
        return bytes
    }

    static let programs: [([UInt8], architecture: String, debian: String)] = [
        (head(bits: 32, little: true, machine: 40, flags: 0x500_0400), "arm", "armhf"),
        (head(bits: 32, little: true, machine: 40, flags: 0x500_0200), "arm", "armel"),
        (head(bits: 64, little: true, machine: 183), "aarch64", "arm64"),
        (head(bits: 64, little: true, machine: 243, flags: 5), "riscv64", "riscv64"),
        (head(bits: 64, little: true, machine: 21, flags: 2), "ppc64le", "ppc64el"),
        (head(bits: 64, little: false, machine: 22), "s390x", "s390x"),
        (head(bits: 32, little: true, machine: 8, flags: 0x7000_1007), "mipsel", "mipsel"),
        (head(bits: 32, little: true, machine: 8, flags: 0x2000_0020), "mipsn32el", "mipsn32el"),
        (head(bits: 32, little: false, machine: 8, flags: 0x7000_1007), "mips", "mips"),
        (head(bits: 32, little: true, machine: 3), "i386", "i386"),
        (head(bits: 64, little: true, machine: 62), "x86_64", "amd64"),
    ]

    @Test(arguments: programs)
    func programsAreTold(head: [UInt8], architecture: String, debian: String) throws {
        let program = try #require(ELFHead(bytes: head))
        let found = try #require(Architecture.of(program))
        #expect(found.text == ByteString(architecture))
        #expect(program.debianName == debian)
        #expect(Architecture.named(ByteString(debian)) == found || debian == "mips")
    }

    /// Each program matches the record of its own architecture and no other, whatever kind of
    /// executable it is and whichever ABI it names.
    @Test(arguments: programs)
    func recordsMatchTheirOwn(head: [UInt8], architecture: String, debian: String) {
        var variants = [head, head]
        variants[1][7] = 3  // ELFOSABI_LINUX
        let type = head[5] == 1 ? 16 : 17
        variants.append(head)
        variants[2][type] = 3  // ET_DYN, as position-independent programs are
        for variant in variants {
            for known in Architecture.all {
                let matches = BinfmtRecord(known, interpreter: "/q").matches(variant)
                #expect(matches == (known.text == ByteString(architecture)), "\(known.text)")
            }
        }
        var library = head
        library[type] = 1  // ET_REL
        #expect(!Architecture.all.contains { BinfmtRecord($0, interpreter: "/q").matches(library) })
    }

    @Test(arguments: [
        ("armhf", "arm"), ("armel", "arm"), ("armv7l", "arm"), ("arm64", "aarch64"),
        ("ppc64el", "ppc64le"), ("amd64", "x86_64"), ("i686", "i386"), ("loong64", "loongarch64"),
        ("riscv64", "riscv64"),
    ])
    func names(name: String, architecture: String) {
        #expect(Architecture.named(ByteString(name))?.text == ByteString(architecture))
    }

    @Test func unknownNames() {
        for name: ByteString in ["", "vax", "ARM", "arm "] {
            #expect(Architecture.named(name) == nil)
        }
    }

    @Test func whatTheKernelRunsItself() throws {
        let i386 = try #require(Architecture.named("i386"))
        let arm = try #require(Architecture.named("arm"))
        #expect(i386.isNative(on: "x86_64", runs32BitARM: false))
        #expect(i386.wantsPersonality(on: "x86_64"))
        #expect(!i386.isNative(on: "aarch64", runs32BitARM: true))
        #expect(arm.isNative(on: "aarch64", runs32BitARM: true))
        #expect(!arm.isNative(on: "aarch64", runs32BitARM: false))
        #expect(!arm.isNative(on: "x86_64", runs32BitARM: true))
        #expect(!arm.wantsPersonality(on: "x86_64"))
    }
}
