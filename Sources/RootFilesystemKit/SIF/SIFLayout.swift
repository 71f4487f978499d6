// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// What stands before the root in a SIF: header, table of descriptors, and the documents, as Apptainer lays them out. See
/// ``SIFFile`` for who reads it.
struct SIFLayout {
    /// A part before the root.
    struct Document {
        var kind: SIFFile.Kind
        var name: String
        var bytes: [UInt8]
    }

    /// As many places as Apptainer's tables have.
    private static let places = 48
    private static let tableStart = 4096
    private static var dataStart: Int { tableStart + places * SIFFile.descriptorLength }
    /// The only group of all parts.
    private static let group: UInt64 = 0xf000_0001

    let documents: [Document]
    let architecture: SIFArchitecture
    /// Seconds since 1970.
    let time: Int

    /// Where the squashfs begins: at a page, so that a loop device can have it.
    var rootOffset: Int {
        let end = documents.reduce(Self.dataStart) { $0 + $1.bytes.count }
        return (end + 4095) / 4096 * 4096
    }

    /// All bytes up to the root, which has this many.
    func bytes(rootSize: Int) -> [UInt8] {
        var table: [UInt8] = []
        var data: [UInt8] = []
        for (index, document) in documents.enumerated() {
            table += descriptor(
                index, document.kind, offset: Self.dataStart + data.count,
                size: document.bytes.count, padded: document.bytes.count, name: document.name,
                extra: [])
            data += document.bytes
        }
        let padding = rootOffset - Self.dataStart - data.count
        table += descriptor(
            documents.count, .partition, offset: rootOffset, size: rootSize,
            padded: padding + rootSize, name: "squashfs.img",
            extra: number(1, 4) + number(2, 4) + field(architecture.code.text, 3))
        let used = documents.count + 1
        table += [UInt8](repeating: 0, count: (Self.places - used) * SIFFile.descriptorLength)
        data += [UInt8](repeating: 0, count: padding)
        let head = header(used: used, dataLength: data.count + rootSize)
        return head + [UInt8](repeating: 0, count: Self.tableStart - head.count) + table + data
    }

    private func header(used: Int, dataLength: Int) -> [UInt8] {
        var head = field("#!/usr/bin/env run-singularity\n", 32) + field("SIF_MAGIC", 10)
        head += field("01", 3) + field(architecture.code.text, 3) + identity
        head += number(time, 8) + number(time, 8)
        head += number(Self.places - used, 8) + number(Self.places, 8)
        head += number(Self.tableStart, 8)
        head += number(Self.places * SIFFile.descriptorLength, 8)
        return head + number(Self.dataStart, 8) + number(dataLength, 8)
    }

    /// Of what is in it and not of chance, so that the same tree gives the same bytes.
    private var identity: [UInt8] {
        var hash = SHA256()
        for document in documents { hash.update(document.bytes) }
        var bytes = Array(hash.finishBytes().prefix(16))
        // Version 4, variant 1: RFC 4122.
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        return bytes
    }

    private func descriptor(
        _ index: Int, _ kind: SIFFile.Kind, offset: Int, size: Int, padded: Int, name: String,
        extra: [UInt8]
    ) -> [UInt8] {
        var bytes = number(UInt64(kind.rawValue), 4) + [1] + number(index + 1, 4)
        bytes += number(Self.group, 4) + number(0, 4)
        bytes += number(offset, 8) + number(size, 8) + number(padded, 8)
        bytes += number(time, 8) + number(time, 8) + number(0, 8) + number(0, 8)
        bytes += field(name, 128) + extra
        return bytes + [UInt8](repeating: 0, count: SIFFile.descriptorLength - bytes.count)
    }

    private func number(_ value: Int, _ size: Int) -> [UInt8] { number(UInt64(value), size) }

    private func number(_ value: UInt64, _ size: Int) -> [UInt8] {
        [UInt8](littleEndian: value, count: size)
    }

    private func field(_ text: String, _ size: Int) -> [UInt8] {
        Array((Array(text.utf8) + [UInt8](repeating: 0, count: size)).prefix(size))
    }
}
