// SPDX-License-Identifier: Apache-2.0

import CHost
import Testing

/// Whether a pid 1 can work behind a seccomp program, which is run here to find out.
@Suite struct PidOneFilterTests {
    private static let allow: UInt32 = 0x7fff_0000
    private static let kill: UInt32 = 0x8000_0000
    #if arch(arm64)
        private static let poll: UInt32 = 73
        private static let machine: UInt32 = 0xc000_00b7
    #else
        private static let poll: UInt32 = 271
        private static let machine: UInt32 = 0xc000_003e
    #endif

    private typealias Instruction = (code: UInt16, then: UInt8, otherwise: UInt8, value: UInt32)
    private static let loadCall: Instruction = (0x20, 0, 0, 0)
    private static let loadMachine: Instruction = (0x20, 0, 0, 4)

    private static func answer(_ value: UInt32) -> Instruction { (0x06, 0, 0, value) }

    private func allows(_ program: [Instruction]) -> Bool {
        var bytes: [UInt8] = []
        for instruction in program {
            withUnsafeBytes(of: instruction.code) { bytes += $0 }
            bytes += [instruction.then, instruction.otherwise]
            withUnsafeBytes(of: instruction.value) { bytes += $0 }
        }
        return bytes.withUnsafeBytes { nsrun_filter_allows_pid_one($0.baseAddress, $0.count) }
    }

    @Test(
        arguments: [
            (allow, true), (0x7ffc_0000, true), (kill, false), (0x0005_0001, false),
            (0x0003_0000, false),
            (0x7ff0_0000, false),
        ] as [(UInt32, Bool)])
    func oneAnswerToAll(value: UInt32, wanted: Bool) {
        #expect(allows([Self.answer(value)]) == wanted)
    }

    @Test func oneCallIsEnough() {
        let list = { (call: UInt32) -> [Instruction] in
            [
                Self.loadCall, (0x15, 0, 1, call), Self.answer(Self.kill), Self.answer(Self.allow),
            ]
        }
        #expect(!allows(list(Self.poll)))
        #expect(allows(list(9999)))
    }

    /// As libseccomp begins: the machine first, then a search among the calls.
    @Test func otherMachinesDoNotMatter() {
        let program: [Instruction] = [
            Self.loadMachine, (0x15, 1, 0, Self.machine), Self.answer(Self.kill), Self.loadCall,
            (0x35, 0, 1, 100_000), Self.answer(Self.kill), Self.answer(Self.allow),
        ]
        #expect(allows(program))
    }

    @Test func calculationsAreMade() {
        // x = 7; m[3] = call; a = m[3]; a &= 0; a += x; a == 7?
        let program: [Instruction] = [
            (0x01, 0, 0, 7), Self.loadCall, (0x02, 0, 0, 3), (0x60, 0, 0, 3), (0x54, 0, 0, 0),
            (0x0c, 0, 0, 0), (0x15, 0, 1, 7), Self.answer(Self.allow), Self.answer(Self.kill),
        ]
        #expect(allows(program))
    }

    /// Filters that look at arguments may allow or forbid; and the kernel will say what it thinks of the rest.
    @Test(
        arguments: [
            [(0x20, 0, 0, 16), (0x06, 0, 0, 0x7fff_0000)], [(0x20, 0, 0, 0)], [],
            [(0x05, 0, 0, 0xffff_ffff), (0x06, 0, 0, 0x7fff_0000)],
            [(0x02, 0, 0, 16), (0x06, 0, 0, 0x7fff_0000)],
            [(0x60, 0, 0, 0xffff_ffff), (0x06, 0, 0, 0x7fff_0000)],
        ] as [[(UInt16, UInt8, UInt8, UInt32)]])
    func whatCannotBeToldIsNo(program: [(UInt16, UInt8, UInt8, UInt32)]) {
        #expect(!allows(program.map { ($0.0, $0.1, $0.2, $0.3) }))
    }
}
