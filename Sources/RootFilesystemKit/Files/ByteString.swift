// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// File names, paths and link targets are bytes here as everywhere in nsrun.
public typealias ByteString = NamespaceKit.ByteString

extension NamespaceKit.ByteString: Comparable {
    init(_ bytes: [UInt8]) { self.init(bytes: bytes) }

    /// Calls `body` with the bytes and a terminating NUL.
    func withCString<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        try withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
            for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
            buffer[bytes.count] = 0
            // The allocation has at least one element, so it has a base address.
            guard let start = UnsafePointer(buffer.baseAddress) else { return try body("") }
            return try body(start)
        }
    }

    /// For messages.
    var printable: String { text }

    /// The same without the middle of what is very long.
    var abbreviated: String {
        let most = 240
        guard bytes.count > most else { return text }
        let start = Self(Array(bytes.prefix(most / 2))).text
        return start + "..." + Self(Array(bytes.suffix(most / 2))).text
    }

    public static func < (left: Self, right: Self) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}
