// SPDX-License-Identifier: Apache-2.0

import FuzzParts
import Glibc

/// Faults on purpose, one of each kind: `Scripts/fuzz.sh --self-test` sees that they are found.
extension FuzzTarget {
    static let planted: [FuzzTarget] = [
        FuzzTarget(name: "planted-nothing") { bytes in
            withExactBytes(bytes) { demand($0.count == bytes.count, "some are missing") }
        },
        FuzzTarget(name: "planted-beyond") { bytes in
            withExactBytes(bytes) { text in
                if says(text, "beyond") { _ = fuzz_read_beyond(text.baseAddress, text.count) }
            }
        },
        FuzzTarget(name: "planted-nowhere") { bytes in
            withExactBytes(bytes) { text in
                if says(text, "nowhere") { _ = fuzz_point_nowhere(text.baseAddress, text.count) }
            }
        },
        FuzzTarget(name: "planted-trap") { bytes in
            withExactBytes(bytes) { text in
                if says(text, "trap") { _ = bytes[bytes.count] }
            }
        },
        FuzzTarget(name: "planted-demand") { bytes in
            withExactBytes(bytes) { text in demand(!says(text, "demand"), "as planted") }
        },
        FuzzTarget(name: "planted-escape", makesFiles: true) { bytes in
            Scratch.use {
                withExactBytes(bytes) { text in
                    if says(text, "out") {
                        close(creat(Scratch.directory + "/neighbour/new", 0o644))
                    }
                }
            }
        },
        // Minutes of work, so that no machine is quick enough to be through before libFuzzer looks at its clock.
        FuzzTarget(name: "planted-square", growsTo: 4 << 20) { bytes in
            let lines = bytes.split(separator: UInt8(ascii: "\n"))
            var distinct: [ArraySlice<UInt8>] = []
            for line in lines where !distinct.contains(line) { distinct.append(line) }
        },
    ]

    private static func says(_ text: UnsafeBufferPointer<CChar>, _ word: String) -> Bool {
        fuzz_says(text.baseAddress, text.count, word) != 0
    }
}

/// The bytes in memory of their own, behind whose end AddressSanitizer waits.
func withExactBytes(_ bytes: [UInt8], _ body: (UnsafeBufferPointer<CChar>) -> Void) {
    let memory = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    defer { memory.deallocate() }
    for (index, byte) in bytes.enumerated() { memory[index] = CChar(bitPattern: byte) }
    body(UnsafeBufferPointer(start: memory, count: bytes.count))
}
