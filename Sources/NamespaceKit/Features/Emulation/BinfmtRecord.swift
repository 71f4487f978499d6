// SPDX-License-Identifier: Apache-2.0

/// A record of binfmt_misc: which programs are handed to which interpreter.
/// See Documentation/admin-guide/binfmt-misc.rst of the kernel.
public struct BinfmtRecord: Sendable, Equatable {
    public var name: ByteString
    public var offset: Int = 0
    public var magic: [UInt8]
    /// Which bits of the magic count; empty for all.
    public var mask: [UInt8]
    public var interpreter: ByteString
    /// `F`: the interpreter is opened at registration; `P`: it is told the program's own argv[0].
    public var flags: ByteString

    /// The record for an architecture, with QEMU as its interpreter.
    init(_ architecture: Architecture, interpreter: ByteString) {
        name = "qemu-" + architecture.text
        magic = architecture.magic
        mask = architecture.mask
        self.interpreter = interpreter
        flags = "PF"
    }

    /// Reads a line as in binfmt.d(5), `:name:M:offset:magic:mask:interpreter:flags`; nil for one that is
    /// no such record.
    init?(line: ByteString) {
        guard let delimiter = line.bytes.first else { return nil }
        let fields = line.slice(from: 1).split(on: delimiter)
        guard fields.count == 7, fields[1] == "M", !fields[0].isEmpty,
            let magic = BinfmtRecord.unescape(fields[3]), !magic.isEmpty,
            let mask = BinfmtRecord.unescape(fields[4])
        else { return nil }
        name = fields[0]
        if !fields[2].isEmpty {
            guard let offset = fields[2].number(), offset < 256 else { return nil }
            self.offset = Int(offset)
        }
        self.magic = magic
        self.mask = mask
        interpreter = fields[5]
        flags = fields[6]
    }

    /// Reads the kernel's own account of a record, a file of a mounted binfmt_misc; nil for one that is
    /// not enabled.
    init?(name: ByteString, status text: [UInt8]) {
        self.name = name
        magic = []
        mask = []
        interpreter = ""
        flags = ""
        var isEnabled = false
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            let words = line.split(on: UInt8(ascii: " "))
            if line == "enabled" { isEnabled = true }
            guard words.count == 2 else { continue }
            switch words[0] {
            case "interpreter": interpreter = words[1]
            case "flags:": flags = words[1]
            case "offset": offset = Int(words[1].number() ?? 0)
            case "magic": magic = BinfmtRecord.hexadecimal(words[1])
            case "mask": mask = BinfmtRecord.hexadecimal(words[1])
            default: continue
            }
        }
        guard isEnabled, !magic.isEmpty else { return nil }
    }

    /// What is written to `register`.
    var line: ByteString {
        // Whatever does not occur in the path may separate.
        let delimiters: [UInt8] = Array(":|,;#".utf8)
        let delimiter = delimiters.first { !interpreter.contains($0) } ?? 1
        let mark = ByteString(bytes: [delimiter])
        var line = mark + name + mark + "M" + mark + ByteString(String(offset)) + mark
        line = line + BinfmtRecord.escape(magic) + mark + BinfmtRecord.escape(mask)
        return line + mark + interpreter + mark + flags
    }

    /// It holds for a program that begins so.
    func matches(_ head: [UInt8]) -> Bool {
        guard offset + magic.count <= head.count else { return false }
        for index in magic.indices {
            let bits = index < mask.count ? mask[index] : 0xff
            if (head[offset + index] ^ magic[index]) & bits != 0 { return false }
        }
        return true
    }

    private static func escape(_ bytes: [UInt8]) -> ByteString {
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            text += [UInt8(ascii: "\\"), UInt8(ascii: "x")]
            text += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return ByteString(bytes: text)
    }

    private static func unescape(_ text: ByteString) -> [UInt8]? {
        var bytes: [UInt8] = []
        var index = 0
        while index < text.count {
            if text.bytes[index] == UInt8(ascii: "\\") {
                guard index + 3 < text.count, text.bytes[index + 1] == UInt8(ascii: "x"),
                    let value = text.slice(from: index + 2, to: index + 4).number(base: 16)
                else { return nil }
                bytes.append(UInt8(value))
                index += 4
            } else {
                bytes.append(text.bytes[index])
                index += 1
            }
        }
        return bytes
    }

    private static func hexadecimal(_ text: ByteString) -> [UInt8] {
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: text.count - 1, by: 2) {
            guard let value = text.slice(from: index, to: index + 2).number(base: 16) else { break }
            bytes.append(UInt8(value))
        }
        return bytes
    }
}
