// SPDX-License-Identifier: Apache-2.0

import CHost

/// Sets of capabilities, a bit for each (capabilities(7)), by way of libcap.
enum Capabilities {
    static var all: UInt64 { nsrun_capability_all() }

    /// Nothing for a number that no capability has.
    static func bit(_ number: Int32) -> UInt64 {
        number >= 0 && number < 64 ? 1 << UInt64(number) : 0
    }

    static func number(named name: ByteString) -> Int32? {
        let value = (name.bytes + [0]).withUnsafeBufferPointer {
            $0.withMemoryRebound(to: CChar.self) { nsrun_capability_named($0.baseAddress!) }
        }
        return value >= 0 ? value : nil
    }

    /// In upper case, in the order of their numbers.
    static var names: [ByteString] {
        var names: [ByteString] = []
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            for number in 0..<Int32(64) {
                let length = nsrun_capability_name(number, buffer.baseAddress!, buffer.count)
                if length > 0 { names.append(ByteString(cString: buffer.baseAddress!)) }
            }
        }
        return names
    }
}
