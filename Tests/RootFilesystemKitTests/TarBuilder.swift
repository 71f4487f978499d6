// SPDX-License-Identifier: Apache-2.0

/// Writes tar archives by hand, also such as no sane program would.
struct TarBuilder {
    private(set) var bytes: [UInt8] = []

    /// With the end mark.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    mutating func file(
        _ name: String, _ contents: String = "", mode: Int = 0o644, claiming size: Int? = nil
    ) {
        add(name, type: "0", contents: Array(contents.utf8), mode: mode, size: size)
    }

    mutating func directory(_ name: String, mode: Int = 0o755) {
        add(name, type: "5", mode: mode)
    }

    mutating func symlink(_ name: String, to target: String) {
        add(name, type: "2", target: Array(target.utf8))
    }

    mutating func hardLink(_ name: String, to target: String) {
        add(name, type: "1", target: Array(target.utf8))
    }

    mutating func device(_ name: String, contents: String = "") {
        add(name, type: "3", contents: Array(contents.utf8), mode: 0o4666)
    }

    /// A file that is one hole, in the form of GNU tar 1.0: a map of no stretches before no data.
    mutating func sparse(_ name: String, size: Int) {
        extended(
            [
                ("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"),
                ("GNU.sparse.name", name), ("GNU.sparse.realsize", String(size)),
            ].map { ($0, Array($1.utf8)) })
        let map = Array("0\n".utf8)
        add("GNUSparseFile/x", type: "0", contents: map + [UInt8](repeating: 0, count: 510))
    }

    /// A pax extended header for the entry that follows. pax(1)
    mutating func extended(_ key: String, _ value: [UInt8]) { extended([(key, value)]) }

    mutating func extended(_ records: [(key: String, value: [UInt8])]) {
        var contents: [UInt8] = []
        for record in records {
            let body = Array(" \(record.key)=".utf8) + record.value + [UInt8(ascii: "\n")]
            var length = body.count + 1
            while String(length).utf8.count + body.count != length { length += 1 }
            contents += Array(String(length).utf8) + body
        }
        add("PaxHeader", type: "x", contents: contents)
    }

    mutating func add(
        _ name: String, type: Character, contents: [UInt8] = [], target: [UInt8] = [],
        mode: Int = 0o644, size: Int? = nil
    ) {
        add(
            Array(name.utf8), type: type, contents: contents, target: target, mode: mode, size: size
        )
    }

    /// A header in the ustar format, and the contents in blocks of 512 bytes.
    mutating func add(
        _ name: [UInt8], type: Character, contents: [UInt8] = [], target: [UInt8] = [],
        mode: Int = 0o644, size: Int? = nil
    ) {
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: [UInt8], at offset: Int) {
            header.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
        }
        func octal(_ value: Int, digits: Int) -> [UInt8] {
            let text = String(value, radix: 8)
            return Array((String(repeating: "0", count: digits - text.count) + text).utf8)
        }
        put(Array(name.prefix(100)), at: 0)
        put(octal(mode, digits: 7), at: 100)
        put(octal(0, digits: 7), at: 108)
        put(octal(0, digits: 7), at: 116)
        put(octal(size ?? contents.count, digits: 11), at: 124)
        put(octal(1_500_000_000, digits: 11), at: 136)
        put(Array(String(type).utf8), at: 156)
        put(Array(target.prefix(100)), at: 157)
        put(Array("ustar\u{0}00".utf8), at: 257)
        put([UInt8](repeating: UInt8(ascii: " "), count: 8), at: 148)
        put(octal(header.reduce(0) { $0 + Int($1) }, digits: 6) + [0], at: 148)
        bytes += header + contents
        bytes += [UInt8](repeating: 0, count: (512 - contents.count % 512) % 512)
    }
}

func tar(_ build: (inout TarBuilder) -> Void) -> [UInt8] {
    var builder = TarBuilder()
    build(&builder)
    return builder.finished
}
