// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit

/// A SIF byte by byte, right or wrong as a test wants it.
struct SIFBuilder {
    struct Part {
        var kind: UInt32 = 0x4004
        var used: UInt8 = 1
        var fileSystem: UInt32 = 1
        var use: UInt32 = 2
        var architecture = "02"
        var name = ""
        var content: [UInt8] = RootImage.empty
        /// What the descriptor says instead of the truth.
        var offset: UInt64?
        var size: UInt64?
    }

    var launch = "#!/usr/bin/env run-singularity\n"
    var magic = "SIF_MAGIC"
    var version = "01"
    var architecture = "02"
    var parts = [Part()]
    var places: UInt64?
    var tableStart: UInt64?
    var tableLength: UInt64?
    var alignment = 4096

    static func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    private static func field(_ text: String, _ count: Int) -> [UInt8] {
        Array((Array(text.utf8) + [UInt8](repeating: 0, count: count)).prefix(count))
    }

    var bytes: [UInt8] {
        let start = 128
        let length = parts.count * SIFFile.descriptorLength
        var content: [UInt8] = []
        var table: [UInt8] = []
        for (index, part) in parts.enumerated() {
            while (start + length + content.count) % alignment != 0 { content.append(0) }
            let offset = part.offset ?? UInt64(start + length + content.count)
            let size = part.size ?? UInt64(part.content.count)
            content += part.content
            table += Self.bytes(UInt64(part.kind), 4) + [part.used]
            table += Self.bytes(UInt64(index + 1), 4) + Self.bytes(0xf000_0001, 4)
            table += Self.bytes(0, 4) + Self.bytes(offset, 8) + Self.bytes(size, 8)
            table += Self.bytes(size, 8) + [UInt8](repeating: 0, count: 32)
            table += Self.field(part.name, 128)
            table += Self.bytes(UInt64(part.fileSystem), 4) + Self.bytes(UInt64(part.use), 4)
            table += Self.field(part.architecture, 376)
        }
        var head = Self.field(launch, 32) + Self.field(magic, 10) + Self.field(version, 3)
        head += Self.field(architecture, 3) + [UInt8](repeating: 7, count: 16)
        head += [UInt8](repeating: 0, count: 24)
        head += Self.bytes(places ?? UInt64(parts.count), 8)
        head += Self.bytes(tableStart ?? UInt64(start), 8)
        head += Self.bytes(tableLength ?? UInt64(length), 8)
        head += Self.bytes(UInt64(start + length), 8) + Self.bytes(UInt64(content.count), 8)
        return head + table + content
    }

    func with(_ change: (inout SIFBuilder) -> Void) -> SIFBuilder {
        var copy = self
        change(&copy)
        return copy
    }
}
