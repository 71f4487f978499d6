// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A loop in a loop over the input shows only where the input is large, which no fuzzer comes to by itself: the end of
/// it is repeated, from the line of the first `%` on, or from some line. Each `%` is a number that counts, so that what
/// must differ does. libFuzzer's limit of time for one input does the rest.
enum Growth {
    /// Nanoseconds, since the first input.
    nonisolated(unsafe) private static var spent: Int64 = 0
    private static let start = now()
    /// A finding is tried again with every input grown.
    private static let isAlways = getenv("NSRUN_FUZZ_GROW") != nil

    /// Takes no more than a fourth of the time.
    static func run(_ bytes: [UInt8], upTo size: Int, _ body: ([UInt8]) -> Void) {
        let before = now()
        guard !bytes.isEmpty, isAlways || spent * 4 < before - start else { return }
        body(grown(bytes, size))
        spent += now() - before
    }

    private static func grown(_ bytes: [UInt8], _ size: Int) -> [UInt8] {
        var starts = [0]
        for index in bytes.indices.dropLast() where bytes[index] == UInt8(ascii: "\n") {
            starts.append(index + 1)
        }
        let counter = bytes.firstIndex(of: UInt8(ascii: "%"))
        let start =
            counter.flatMap { counter in starts.last { $0 <= counter } }
            ?? starts[bytes.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff } % starts.count]
        var result = Array(bytes[..<start])
        var number = 0
        while result.count < size {
            for byte in bytes[start...] {
                if byte == UInt8(ascii: "%") {
                    result += Array(String(number).utf8)
                } else {
                    result.append(byte)
                }
            }
            number += 1
        }
        return result
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
