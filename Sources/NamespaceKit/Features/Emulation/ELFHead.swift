// SPDX-License-Identifier: Apache-2.0

/// The beginning of an ELF file (elf(5)), read with suspicion: every offset may lie.
public struct ELFHead: Sendable, Equatable {
    public var is64Bit: Bool
    public var isLittleEndian: Bool
    /// `e_machine`.
    public var machine: UInt16
    /// `e_flags`.
    public var flags: UInt32
    /// The program interpreter, where it lies within the bytes given.
    public var interpreter: ByteString?
    /// It has the build id of Go's linker, where that lies within the bytes given: it makes its system calls by itself,
    /// even where it is linked with a C library.
    public var isGo = false

    public init?(bytes: [UInt8]) {
        guard bytes.count >= 52, bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]),
            bytes[4] == 1 || bytes[4] == 2, bytes[5] == 1 || bytes[5] == 2
        else { return nil }
        let is64Bit = bytes[4] == 2
        let isLittleEndian = bytes[5] == 1
        self.is64Bit = is64Bit
        self.isLittleEndian = isLittleEndian

        func number(_ offset: Int, _ size: Int) -> UInt64? {
            bytes.number(at: offset, size: size, isLittleEndian: isLittleEndian)
        }
        let word = is64Bit ? 8 : 4
        guard let machine = number(18, 2), let flags = number(is64Bit ? 48 : 36, 4),
            let table = number(is64Bit ? 32 : 28, word),
            let size = number(is64Bit ? 54 : 42, 2), let count = number(is64Bit ? 56 : 44, 2)
        else { return nil }
        self.machine = UInt16(machine)
        self.flags = UInt32(flags)
        guard table < UInt64(bytes.count), size >= 32 else { return }
        // Type 4 of the owner "Go", in a section that its linker calls .note.go.buildid.
        var goNote = [0, 0, 0, 0] + Array("Go\0\0".utf8)
        goNote[isLittleEndian ? 0 : 3] = 4
        for index in 0..<Int(min(count, 64)) {
            let entry = Int(table) + index * Int(size)
            guard let type = number(entry, 4), type == 3 || type == 4,
                let offset = number(entry + (is64Bit ? 8 : 4), word),
                let length = number(entry + (is64Bit ? 32 : 16), word),
                offset < UInt64(bytes.count), length > 1, length <= UInt64(bytes.count) - offset
            else { continue }
            let part = bytes[Int(offset)..<Int(offset + length)]
            if type == 4 {  // PT_NOTE
                isGo = isGo || Array(part).holds(ByteString(bytes: goNote))
            } else if interpreter == nil {  // PT_INTERP
                interpreter = ByteString(bytes: Array(part.prefix { $0 != 0 }))
            }
        }
    }

    /// The machine as uname(2) names it.
    public var machineName: String {
        switch machine {
        case 3: "i686"
        case 62: is64Bit ? "x86_64" : "x32"
        case 40: isLittleEndian ? "armv7l" : "armv7b"
        case 183: isLittleEndian ? "aarch64" : "aarch64_be"
        case 243: is64Bit ? "riscv64" : "riscv32"
        case 21: isLittleEndian ? "ppc64le" : "ppc64"
        case 20: "ppc"
        case 22: is64Bit ? "s390x" : "s390"
        case 8: (is64Bit ? "mips64" : "mips") + (isLittleEndian ? "el" : "")
        case 258: "loongarch64"
        case 43: "sparc64"
        case 4: "m68k"
        case 36902: "alpha"
        case 15: "parisc"
        case 42: "sh4"
        case 94: "xtensa"
        default: "machine \(machine)"
        }
    }
}

extension [UInt8] {
    /// A number of an ELF file, nil where it does not lie within the bytes.
    func number(at offset: Int, size: Int, isLittleEndian: Bool) -> UInt64? {
        guard offset >= 0, offset <= count - size else { return nil }
        var value: UInt64 = 0
        for index in 0..<size {
            let at = isLittleEndian ? offset + size - 1 - index : offset + index
            value = value << 8 | UInt64(self[at])
        }
        return value
    }
}
