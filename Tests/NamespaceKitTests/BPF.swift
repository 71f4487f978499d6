// SPDX-License-Identifier: Apache-2.0

/// Runs a seccomp program as the kernel would (seccomp(2), classic BPF).
struct BPF {
    static let allow: UInt32 = 0x7fff_0000
    /// `SECCOMP_RET_ERRNO` with 0: the call is not made, and its result is 0.
    static let succeed: UInt32 = 0x0005_0000

    private struct Instruction {
        let code: UInt16
        let ifTrue: Int
        let ifFalse: Int
        let value: UInt32
    }

    private let instructions: [Instruction]

    /// A sequence of `struct sock_filter`.
    init(_ program: [UInt8]) {
        precondition(program.count % 8 == 0)
        instructions = program.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: 8).map { start in
                Instruction(
                    code: bytes.loadUnaligned(fromByteOffset: start, as: UInt16.self),
                    ifTrue: Int(bytes[start + 2]), ifFalse: Int(bytes[start + 3]),
                    value: bytes.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self))
            }
        }
    }

    /// What the program answers to a call; nil where it does what no seccomp program may.
    func result(
        of number: UInt32, arch: UInt32, _ arguments: [UInt64] = [0, 0, 0, 0, 0, 0]
    ) -> UInt32? {
        // struct seccomp_data, a word each: number, architecture, instruction pointer, arguments.
        var data = [number, arch, 0, 0]
        for argument in arguments {
            data += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var next = 0
        while next < instructions.count {
            let instruction = instructions[next]
            let value = instruction.value
            var isTrue: Bool?
            switch instruction.code {
            case 0x20: accumulator = data[Int(value) / 4]  // load a word
            case 0x54: accumulator &= value
            case 0x15: isTrue = accumulator == value
            case 0x25: isTrue = accumulator > value
            case 0x35: isTrue = accumulator >= value
            case 0x45: isTrue = accumulator & value != 0
            case 0x05: next += Int(value)
            case 0x06: return value
            default: return nil
            }
            if let isTrue { next += isTrue ? instruction.ifTrue : instruction.ifFalse }
            next += 1
        }
        return nil
    }
}
