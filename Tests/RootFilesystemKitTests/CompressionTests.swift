// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Every compression that archives come in, whatever the file is called.
@Suite struct CompressionTests {
    let workspace: Workspace
    let image: SavedImage
    private static let archive = tar {
        $0.file("etc/hosts", String(repeating: "127.0.0.1 localhost\n", count: 500))
    }

    init() throws {
        workspace = try Workspace()
        image = SavedImage(workspace: workspace)
    }

    private func compressed(_ how: String) throws -> [UInt8] {
        let plain = Self.archive
        return switch how {
        case "lzip": try lzip(plain)
        case "zstd --long=31": Self.zstdFrame(plain)
        case "zstd, frames":
            Self.zstdFrame(Array(plain[..<700]))
                + [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
                + Self.zstdFrame(Array(plain[700...]))
        case "lz4 -l": try image.packed(plain, "lz4", ["-l", "-c"])
        default: try image.packed(plain, how, ["-c"])
        }
    }

    static let all = [
        "gzip", "bzip2", "xz", "lzma", "lzip", "lz4", "lz4 -l", "zstd", "zstd --long=31",
        "zstd, frames",
    ]

    @Test(arguments: all) func isUndone(_ how: String) throws {
        try workspace.importRoot(workspace.write("a", compressed(how)))
        #expect(workspace.read("root/etc/hosts")?.utf8.count == 10_000)
    }

    @Test(arguments: all) func whatIsCutShortIsRefused(_ how: String) throws {
        let whole = try compressed(how)
        for cut in [whole.count / 2, whole.count - 1] {
            let error = failure {
                try workspace.importRoot(workspace.write("a", Array(whole[..<cut])))
            }
            #expect(error != nil, "cut to \(cut) of \(whole.count) bytes")
            #expect(try workspace.names() == ["a"])
        }
    }

    /// A frame as `zstd --long=31` makes it of its standard input, which takes gigabytes to ask it for: a window
    /// of 2 GiB, and blocks that are not compressed. RFC 8878, 3.1.1
    private static func zstdFrame(_ bytes: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8]
        let last = bytes.count << 3 | 1
        frame += [UInt8(last & 0xff), UInt8(last >> 8 & 0xff), UInt8(last >> 16)]
        return frame + bytes
    }

    /// The member of a .lz file: a head, a stream of LZMA, and sums. lzip(1), "File format"
    private func lzip(_ bytes: [UInt8]) throws -> [UInt8] {
        let stream = try image.packed(bytes, "xz", ["--format=raw", "--lzma1=dict=64KiB", "-c"])
        func little(_ value: Int, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
        }
        var sum = UInt32.max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xedb8_8320 }
        }
        let head = Array("LZIP".utf8) + [1, 16]
        let size = head.count + stream.count + 20
        return head + stream + little(Int(~sum), 4) + little(bytes.count, 8) + little(size, 8)
    }
}
