// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// A small ELF file made by hand: a header, two program headers and the interpreter's name.
struct ELFImage {
    var is64Bit = true
    var isLittleEndian = true
    var machine: UInt64 = 62
    var flags: UInt64 = 0
    var interpreter: String? = "/lib64/ld-linux-x86-64.so.2"
    /// The first program header is that of this note.
    var note: (type: UInt64, owner: String)?

    var bytes: [UInt8] {
        let header = is64Bit ? 64 : 52
        let entry = is64Bit ? 56 : 32
        let word = is64Bit ? 8 : 4
        let name = header + 2 * entry
        var image: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, isLittleEndian ? 1 : 2, 1]
        image += [UInt8](repeating: 0, count: name - image.count)
        func put(_ value: UInt64, at offset: Int, _ size: Int) {
            for index in 0..<size {
                let place = isLittleEndian ? offset + index : offset + size - 1 - index
                image[place] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
            }
        }
        put(machine, at: 18, 2)
        put(UInt64(header), at: is64Bit ? 32 : 28, word)
        put(flags, at: is64Bit ? 48 : 36, 4)
        put(UInt64(entry), at: is64Bit ? 54 : 42, 2)
        put(2, at: is64Bit ? 56 : 44, 2)
        put(1, at: header, 4)  // PT_LOAD
        if let interpreter {
            let second = header + entry
            put(3, at: second, 4)  // PT_INTERP
            put(UInt64(name), at: second + (is64Bit ? 8 : 4), word)
            put(UInt64(interpreter.utf8.count + 1), at: second + (is64Bit ? 32 : 16), word)
            image += Array(interpreter.utf8) + [0]
        }
        if let note {
            let start = image.count
            image += [UInt8](repeating: 0, count: 12) + Array(note.owner.utf8) + [0, 0, 1, 2, 3, 4]
            put(4, at: start, 4)
            put(4, at: start + 4, 4)
            put(note.type, at: start + 8, 4)
            put(4, at: header, 4)  // PT_NOTE
            put(UInt64(start), at: header + (is64Bit ? 8 : 4), word)
            put(UInt64(image.count - start), at: header + (is64Bit ? 32 : 16), word)
        }
        return image
    }
}

@Suite struct ELFHeadTests {
    @Test(arguments: [true, false], [true, false])
    func readsEveryLayout(is64Bit: Bool, isLittleEndian: Bool) throws {
        let image = ELFImage(
            is64Bit: is64Bit, isLittleEndian: isLittleEndian, machine: 0x0102, flags: 0x0304_0506,
            interpreter: "/lib/ld.so")
        let head = try #require(ELFHead(bytes: image.bytes))
        #expect(head.is64Bit == is64Bit)
        #expect(head.isLittleEndian == isLittleEndian)
        #expect(head.machine == 0x0102)
        #expect(head.flags == 0x0304_0506)
        #expect(head.interpreter == "/lib/ld.so")
    }

    @Test func aStaticProgramHasNoInterpreter() throws {
        let head = try #require(ELFHead(bytes: ELFImage(interpreter: nil).bytes))
        #expect(head.interpreter == nil)
    }

    /// Debian's are linked with a C library that they do not use for files.
    @Test(arguments: [true, false], [true, false])
    func whatGoHasBuilt(is64Bit: Bool, isLittleEndian: Bool) throws {
        var image = ELFImage(is64Bit: is64Bit, isLittleEndian: isLittleEndian)
        #expect(try !#require(ELFHead(bytes: image.bytes)).isGo)
        image.note = (4, "Go")
        let head = try #require(ELFHead(bytes: image.bytes))
        #expect(head.isGo && head.interpreter != nil)
        image.note = (3, "Go")
        #expect(try !#require(ELFHead(bytes: image.bytes)).isGo)
        image.note = (4, "GN")
        #expect(try !#require(ELFHead(bytes: image.bytes)).isGo)
    }

    @Test(
        arguments: [
            (62, true, true, "x86_64"), (62, false, true, "x32"), (3, false, true, "i686"),
            (183, true, true, "aarch64"), (40, false, true, "armv7l"), (243, true, true, "riscv64"),
            (21, true, true, "ppc64le"), (21, true, false, "ppc64"), (22, true, false, "s390x"),
            (8, false, true, "mipsel"), (8, true, false, "mips64"),
            (9999, true, true, "machine 9999"),
        ] as [(UInt64, Bool, Bool, String)])
    func machines(number: UInt64, is64Bit: Bool, isLittleEndian: Bool, name: String) throws {
        let image = ELFImage(is64Bit: is64Bit, isLittleEndian: isLittleEndian, machine: number)
        #expect(try #require(ELFHead(bytes: image.bytes)).machineName == name)
    }

    @Test func whatIsNotELF() {
        #expect(ELFHead(bytes: []) == nil)
        #expect(ELFHead(bytes: Array("#!/bin/sh\n".utf8)) == nil)
        #expect(ELFHead(bytes: [UInt8](repeating: 0, count: 200)) == nil)
        for (place, value) in [(0, 0x7e), (4, 0), (4, 3), (5, 0), (5, 3)] as [(Int, UInt8)] {
            var bytes = ELFImage().bytes
            bytes[place] = value
            #expect(ELFHead(bytes: bytes) == nil, "byte \(place) = \(value)")
        }
    }

    /// However much is missing, what is read is right or absent.
    @Test(arguments: [true, false]) func cutShort(is64Bit: Bool) {
        let image = ELFImage(is64Bit: is64Bit)
        let whole = image.bytes
        for length in 0..<whole.count {
            let head = ELFHead(bytes: Array(whole[..<length]))
            #expect(head?.interpreter == nil, "\(length) bytes")
            #expect(head?.machine == nil || head?.machine == 62)
        }
    }

    /// Every byte of the headers may lie. Nothing traps, and nothing outside the bytes is shown.
    @Test(arguments: [true, false], [0x00, 0x01, 0x7f, 0x80, 0xff] as [UInt8])
    func hostile(is64Bit: Bool, value: UInt8) {
        let whole = ELFImage(is64Bit: is64Bit).bytes
        for start in 6..<whole.count {
            for width in [1, 2, 4, 8] where start + width <= whole.count {
                var bytes = whole
                for place in start..<start + width { bytes[place] = value }
                let length = ELFHead(bytes: bytes)?.interpreter?.count ?? 0
                #expect(length < bytes.count)
            }
        }
    }
}

@Suite struct ProgramHeadTests {
    private func interpreter(_ text: String) -> ByteString? {
        guard case .script(let interpreter) = ProgramHead(bytes: Array(text.utf8)).kind else {
            return nil
        }
        return interpreter
    }

    @Test(arguments: [
        ("#!/bin/sh\necho", "/bin/sh"), ("#! \t/usr/bin/env python3 -u\n", "/usr/bin/env"),
        ("#!/bin/sh", "/bin/sh"), ("#!/bin/sh\r\n", "/bin/sh\r"),
    ])
    func scripts(text: String, wanted: String) {
        #expect(interpreter(text) == ByteString(wanted))
    }

    @Test func others() {
        for text in ["", "#", "#!", "#!\n", "echo #!/bin/sh", "echo\n\0"] {
            #expect(ProgramHead(bytes: Array(text.utf8)).kind == .text)
        }
        for text in ["\0", "echo\0\n"] {
            #expect(ProgramHead(bytes: Array(text.utf8)).kind == .other)
        }
    }

    @Test func programs() throws {
        let bytes = ELFImage().bytes
        #expect(ProgramHead(bytes: bytes).kind == .elf(try #require(ELFHead(bytes: bytes))))
    }
}
