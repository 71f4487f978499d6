// SPDX-License-Identifier: Apache-2.0

/// An architecture that QEMU emulates in user mode, and how its programs are told from others.
public struct Architecture: Sendable, Equatable {
    /// As QEMU names it.
    let name: StaticString
    /// As Debian and uname(2) name it, where they differ.
    let otherNames: [StaticString]
    let is64Bit: Bool
    let isLittleEndian: Bool
    /// `e_machine` of elf(5).
    let machine: UInt16
    /// The bits of the lowest byte of `e_flags` that tell ABIs apart, and what they are here.
    let flagMask: UInt8
    let flags: UInt8

    private init(
        _ name: StaticString, _ otherNames: [StaticString], _ bits: Int, _ order: ByteOrder,
        _ machine: UInt16, flagMask: UInt8 = 0, flags: UInt8 = 0
    ) {
        self.name = name
        self.otherNames = otherNames
        is64Bit = bits == 64
        isLittleEndian = order == .little
        self.machine = machine
        self.flagMask = flagMask
        self.flags = flags
    }

    private enum ByteOrder { case little, big }

    public static func == (left: Architecture, right: Architecture) -> Bool {
        left.text == right.text
    }

    public var text: ByteString { ByteString(stringLiteral: name) }

    public static let all: [Architecture] = [
        Architecture("aarch64", ["arm64"], 64, .little, 183),
        Architecture("aarch64_be", [], 64, .big, 183),
        Architecture("alpha", [], 64, .little, 36902),
        Architecture("arm", ["armhf", "armel", "armv7l", "armv6l", "armv5tel"], 32, .little, 40),
        Architecture("armeb", ["armv7b"], 32, .big, 40),
        Architecture("hexagon", [], 32, .little, 164),
        Architecture("hppa", ["parisc"], 32, .big, 15),
        Architecture("i386", ["i486", "i586", "i686"], 32, .little, 3),
        Architecture("loongarch64", ["loong64"], 64, .little, 258),
        Architecture("m68k", [], 32, .big, 4),
        Architecture("microblaze", [], 32, .big, 189),
        Architecture("microblazeel", [], 32, .little, 189),
        Architecture("mips", [], 32, .big, 8, flagMask: 0x20),
        Architecture("mips64", [], 64, .big, 8),
        Architecture("mips64el", [], 64, .little, 8),
        Architecture("mipsel", [], 32, .little, 8, flagMask: 0x20),
        Architecture("mipsn32", [], 32, .big, 8, flagMask: 0x20, flags: 0x20),
        Architecture("mipsn32el", [], 32, .little, 8, flagMask: 0x20, flags: 0x20),
        Architecture("or1k", [], 32, .big, 92),
        Architecture("ppc", ["powerpc"], 32, .big, 20),
        Architecture("ppc64", [], 64, .big, 21),
        Architecture("ppc64le", ["ppc64el"], 64, .little, 21),
        Architecture("riscv32", [], 32, .little, 243),
        Architecture("riscv64", [], 64, .little, 243),
        Architecture("s390x", [], 64, .big, 22),
        Architecture("sh4", [], 32, .little, 42),
        Architecture("sh4eb", [], 32, .big, 42),
        Architecture("sparc", [], 32, .big, 2),
        Architecture("sparc32plus", [], 32, .big, 18),
        Architecture("sparc64", [], 64, .big, 43),
        Architecture("x86_64", ["amd64"], 64, .little, 62),
        Architecture("xtensa", [], 32, .little, 94),
        Architecture("xtensaeb", [], 32, .big, 94),
    ]

    static func named(_ name: ByteString) -> Architecture? {
        all.first { known in
            let others = known.otherNames
            return known.text == name || others.contains { ByteString(stringLiteral: $0) == name }
        }
    }

    /// The architecture that a program was built for.
    static func of(_ program: ELFHead) -> Architecture? {
        all.first { known in
            known.machine == program.machine && known.is64Bit == program.is64Bit
                && known.isLittleEndian == program.isLittleEndian
                && UInt8(truncatingIfNeeded: program.flags) & known.flagMask == known.flags
        }
    }

    /// The beginning of its programs, as far as it tells them from others.
    var magic: [UInt8] {
        var head: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, isLittleEndian ? 1 : 2, 1]
        head += [UInt8](repeating: 0, count: 9)
        head += bytes(2) + bytes(machine)  // ET_EXEC
        if flagMask != 0 { head += flagBytes(flags) }
        return head
    }

    /// Which bits of ``magic`` count: not the ABI's name and version, nor whether a program is
    /// position-independent.
    var mask: [UInt8] {
        var mask = [UInt8](repeating: 0xff, count: 7) + [0, 0]
        mask += [UInt8](repeating: 0xff, count: 7)
        mask += bytes(0xfffe) + bytes(0xffff)  // ET_EXEC and ET_DYN differ in the lowest bit
        if flagMask != 0 { mask += flagBytes(flagMask) }
        return mask
    }

    /// A half-word in the byte order of its programs.
    private func bytes(_ value: UInt16) -> [UInt8] {
        let (low, high) = (UInt8(value & 0xff), UInt8(value >> 8))
        return isLittleEndian ? [low, high] : [high, low]
    }

    /// What lies between `e_machine` and `e_flags` of a 32-bit program counts for nothing.
    private func flagBytes(_ value: UInt8) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 20)
        bytes[isLittleEndian ? 16 : 19] = value
        return bytes
    }

    /// The kernel of this machine runs its programs itself.
    func isNative(on machine: ByteString, runs32BitARM: Bool) -> Bool {
        if machine == text { return true }
        if machine == "x86_64" { return text == "i386" }
        if machine == "aarch64" { return text == "arm" && runs32BitARM }
        return false
    }

    /// uname(2) should call the machine otherwise than it does on its own.
    func wantsPersonality(on machine: ByteString) -> Bool {
        (machine == "x86_64" && text == "i386") || (machine == "aarch64" && text == "arm")
    }
}

extension ELFHead {
    /// As Debian calls the architecture: the ABI of 32-bit ARM is in the flags.
    var debianName: String {
        switch Architecture.of(self)?.text {
        case "arm": flags & 0x400 != 0 ? "armhf" : "armel"
        case "aarch64": "arm64"
        case "x86_64": "amd64"
        case "ppc64le": "ppc64el"
        case "loongarch64": "loong64"
        case let name?: name.text
        case nil: machineName
        }
    }
}
