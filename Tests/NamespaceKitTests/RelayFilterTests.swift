// SPDX-License-Identifier: Apache-2.0

import CHost
import Testing

@testable import NamespaceKit

/// What the relay may do, to which a stranger's program talks.
@Suite struct RelayFilterTests {
    #if arch(x86_64)
        private static let machine: UInt32 = 0xc000_003e
        private static let allowed: [UInt32] = [1, 3, 42, 54, 55, 48, 233, 232, 275, 288, 293, 231]
        /// read, open, openat, mmap, mprotect, execve, kill, ptrace, clone, bind, listen, sendto, sendmsg, recvmsg, unlink,
        /// openat2, io_uring_setup, pidfd_getfd, process_vm_writev.
        private static let denied: [UInt32] = [
            0, 2, 257, 9, 10, 59, 62, 101, 56, 49, 50, 44, 46, 47, 87, 437, 425, 438, 311,
        ]
        private static let socket: UInt32 = 41
    #else
        private static let machine: UInt32 = 0xc000_00b7
        private static let allowed: [UInt32] = [
            64, 57, 203, 208, 209, 210, 21, 22, 76, 242, 59, 94,
        ]
        private static let denied: [UInt32] = [
            63, 56, 222, 226, 221, 129, 117, 220, 200, 201, 206, 211, 212, 35, 437, 425, 438, 271,
        ]
        private static let socket: UInt32 = 198
    #endif
    private static let refused: UInt32 = 0x0005_0001

    private func filter() throws -> BPF {
        var program = [UInt8](repeating: 0, count: 8192)
        let length = program.withUnsafeMutableBytes {
            nsrun_make_filter(
                NSRUN_FILTER_RELAY, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
        }
        try #require(length > 0)
        return BPF(Array(program.prefix(length)))
    }

    @Test func whatRelayingTakes() throws {
        let filter = try filter()
        for number in Self.allowed {
            #expect(filter.result(of: number, arch: Self.machine) == BPF.allow, "\(number)")
        }
    }

    @Test func nothingElse() throws {
        let filter = try filter()
        for number in Self.denied + [9999] {
            #expect(filter.result(of: number, arch: Self.machine) == Self.refused, "\(number)")
        }
    }

    /// Of the internet, and no others.
    @Test func whichSockets() throws {
        let filter = try filter()
        for family: UInt64 in 0..<46 {
            let answer = filter.result(
                of: Self.socket, arch: Self.machine, [family, 1, 0, 0, 0, 0])
            #expect(answer == (family == 2 || family == 10 ? BPF.allow : Self.refused))
        }
    }

    /// Calls by the table of another architecture end it.
    @Test func otherTables() throws {
        #expect(try filter().result(of: 1, arch: 0x4000_0003) == 0)
    }
}
