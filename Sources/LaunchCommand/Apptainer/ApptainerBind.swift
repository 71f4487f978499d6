// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// A directory or file of the host's that is to be seen inside.
struct ApptainerBind: Equatable {
    var source: ByteString
    var target: ByteString
    var isReadOnly = false

    /// `SRC[:DEST[:OPTS]]`, several separated by commas, as options are from each other. A backslash takes the meaning
    /// from the colon or comma that follows.
    static func parse(
        _ text: ByteString, from origin: ByteString
    ) throws(ApptainerError) -> [ApptainerBind] {
        var parts: [ByteString] = []
        for part in split(text, on: UInt8(ascii: ",")) {
            if isOption(part), let last = parts.popLast() {
                parts.append(last + "," + part)
            } else {
                parts.append(part)
            }
        }
        var result: [ApptainerBind] = []
        for part in parts where !part.isEmpty {
            result.append(try one(part, of: text, from: origin))
        }
        return result
    }

    private static func isOption(_ part: ByteString) -> Bool {
        part == "ro" || part == "rw" || part.hasPrefix("image-src=") || part.hasPrefix("id=")
    }

    private static func one(
        _ part: ByteString, of text: ByteString, from origin: ByteString
    ) throws(ApptainerError) -> ApptainerBind {
        var fields = split(part, on: UInt8(ascii: ":"))
        guard fields.count <= 3, let source = fields.first, !source.isEmpty else {
            throw ApptainerError(
                "cannot use \(origin.text) \(text.text): \(part.text) is not SRC[:DEST[:OPTS]]")
        }
        fields = fields.map(unescape)
        let target = fields.count > 1 && !fields[1].isEmpty ? fields[1] : fields[0]
        var bind = ApptainerBind(source: fields[0], target: target)
        guard fields.count > 2 else { return bind }
        for option in fields[2].split(on: UInt8(ascii: ",")) {
            switch option {
            case "ro": bind.isReadOnly = true
            case "rw": bind.isReadOnly = false
            default:
                if option.hasPrefix("image-src=") || option.hasPrefix("id=") {
                    throw ApptainerError(
                        "cannot use \(origin.text) \(text.text): nsrun binds nothing from inside of an image",
                        remedy: "unpack that, and bind the directory: nsrun-rootfs import FILE DIR")
                }
                throw ApptainerError(
                    "cannot use \(origin.text) \(text.text): \(option.text) is not a valid bind option",
                    remedy: "ro or rw")
            }
        }
        return bind
    }

    /// `type=bind,source=S,destination=D[,ro]`.
    static func parse(
        mount text: ByteString, from origin: ByteString
    ) throws(ApptainerError) -> ApptainerBind {
        var bind = ApptainerBind(source: "", target: "")
        var kind: ByteString = ""
        func failure(_ cause: String) -> ApptainerError {
            ApptainerError(
                "cannot use \(origin.text) \(text.text): \(cause)",
                remedy: "as in type=bind,source=/data,destination=/mnt,ro")
        }
        for field in quoted(text) {
            let sign = field.firstIndex(of: UInt8(ascii: "="))
            let name = field.slice(from: 0, to: sign)
            let value: ByteString = sign.map { field.slice(from: $0 + 1) } ?? ""
            switch name {
            case "type": kind = value
            case "source", "src": bind.source = value
            case "destination", "dst", "target": bind.target = value
            case "ro", "readonly":
                guard let truth = value.isEmpty ? true : ApptainerParser.truth(value) else {
                    throw failure("\(name.text) is true or false, and not \(value.text)")
                }
                bind.isReadOnly = truth
            case "rw": bind.isReadOnly = false
            case "bind-propagation": throw failure("one mount has no propagation of its own")
            default: throw failure("\(name.text) is not known")
            }
        }
        if kind != "bind" { throw failure("the type is not bind") }
        if bind.source.isEmpty { throw failure("there is no source") }
        if bind.target.isEmpty { throw failure("there is no destination") }
        return bind
    }

    /// The fields of a line of CSV: what is in double quotes keeps its commas.
    private static func quoted(_ text: ByteString) -> [ByteString] {
        var fields: [ByteString] = [""]
        var isQuoted = false
        for byte in text.bytes {
            switch byte {
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: ",") where !isQuoted: fields.append("")
            default: fields[fields.count - 1].bytes.append(byte)
            }
        }
        return fields
    }

    /// The parts between separators that no backslash stands before.
    private static func split(_ text: ByteString, on separator: UInt8) -> [ByteString] {
        var parts: [ByteString] = [""]
        var isEscaped = false
        for byte in text.bytes {
            if byte == separator, !isEscaped {
                parts.append("")
            } else {
                parts[parts.count - 1].bytes.append(byte)
            }
            isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
        }
        return parts
    }

    private static func unescape(_ text: ByteString) -> ByteString {
        var result: [UInt8] = []
        for byte in text.bytes {
            let isSeparator = byte == UInt8(ascii: ":") || byte == UInt8(ascii: ",")
            if isSeparator, result.last == UInt8(ascii: "\\") { result.removeLast() }
            result.append(byte)
        }
        return ByteString(bytes: result)
    }
}
