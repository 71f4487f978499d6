// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What a program prints, line by line: the last few are kept for an error, however long and many they are.
struct OutputLines {
    /// A line is cut where it gets longer than that, in bytes.
    private static let longest = 64 << 10

    private let kept: Int
    private var pending: [UInt8] = []
    /// The last lines.
    private(set) var last: [String] = []

    /// `kept` is how many of the last lines an error repeats.
    init(keeping kept: Int) { self.kept = kept }

    /// Takes what was read; `line` gets each line that is complete.
    mutating func add(
        _ bytes: ArraySlice<UInt8>, _ line: (ArraySlice<UInt8>) throws -> Void
    ) rethrows {
        var rest = bytes
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            pending += rest[..<end]
            try flush(line)
            rest = rest[(end + 1)...]
        }
        pending += rest
        if pending.count > Self.longest { try flush(line) }
    }

    /// Takes the end of the output.
    mutating func end(_ line: (ArraySlice<UInt8>) throws -> Void) rethrows {
        if !pending.isEmpty { try flush(line) }
    }

    private mutating func flush(_ line: (ArraySlice<UInt8>) throws -> Void) rethrows {
        defer { pending = [] }
        last = last.suffix(kept - 1) + [ByteString(Array(pending.prefix(1000))).printable]
        try line(pending[...])
    }
}
