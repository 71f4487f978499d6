// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// What is known of a root file system besides its files: where it came from, and how an image
/// wants to be run. Kept in the rootfs, see ``RecordFile``.
///
/// The file is text: a line a fact, `KEY VALUE`, keys repeated for lists, in order. In values a
/// backslash is written `\\` and a newline `\n`.
public struct ImageRecord: Equatable, Sendable {
    /// Where the rootfs came from: a path, or a mirror and suite.
    public var origin: String?
    /// The distribution's release, `bookworm`.
    public var suite: String?
    /// The architecture by Debian's name, `amd64`.
    public var architecture: String?
    /// `NAME=VALUE` each.
    public var environment: [String] = []
    public var workingDirectory: String?
    public var entryPoint: [String] = []
    public var command: [String] = []
    /// As the image has it: a name or number, perhaps with `:GROUP`.
    public var user: String?
    /// `NAME=VALUE` each: what the image's maker says of it, which nsrun makes nothing of.
    public var labels: [String] = []
    /// `NAME VERSION` of each package that was unpacked.
    public var packages: [String] = []

    public init() {}

    /// The text of the file.
    public var encoded: String {
        lines.map { "\($0.key) \(Self.escape($0.value))\n" }.joined()
    }

    /// Every fact in the order of the file.
    public var lines: [(key: String, value: String)] {
        func one(_ key: String, _ value: String?) -> [(key: String, value: String)] {
            value.map { [(key, $0)] } ?? []
        }
        func many(_ key: String, _ values: [String]) -> [(key: String, value: String)] {
            values.map { (key, $0) }
        }
        return one("origin", origin) + one("suite", suite) + one("architecture", architecture)
            + many("env", environment) + one("workdir", workingDirectory)
            + many("entrypoint", entryPoint) + many("cmd", command) + one("user", user)
            + many("label", labels) + many("package", packages)
    }

    /// The labels by their names.
    var labelPairs: [String: String] {
        let pairs = labels.map { label in
            let parts = label.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
        return Dictionary(pairs) { $1 }
    }

    /// What goes along when the root is packed: how it wants to be run. Not where it came from, nor what its files tell: so
    /// the same tree gives the same bytes.
    var portable: ImageRecord {
        var record = ImageRecord()
        record.environment = environment
        record.workingDirectory = workingDirectory
        record.entryPoint = entryPoint
        record.command = command
        record.user = user
        record.labels = labels
        return record
    }

    /// The same as the text of a file; nil where nothing is known.
    var portableText: [UInt8]? {
        let record = portable
        return record == ImageRecord() ? nil : Array(record.encoded.utf8)
    }

    /// The same for a terminal: what a value holds of control characters is escaped too, as `\x1b`.
    public var printable: String {
        lines.map { "\($0.key) \(Self.escape($0.value).harmless)\n" }.joined()
    }

    /// What was found where a record may be; `warn` hears why it is not believed.
    init(_ finding: RootRecord.Finding, warn: (String) -> Void) {
        switch finding {
        case .none: self.init()
        case .content(let bytes): self.init(decoding: bytes)
        case .refused(let why), .unreadable(let why, _):
            warn("the record is ignored: \(why)")
            self.init()
        }
    }

    /// Reads the text of such a file; what it does not know it passes over.
    public init(decoding text: [UInt8]) {
        // By bytes: to a String a newline after a carriage return is another character.
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let blank = line.firstIndex(of: UInt8(ascii: " ")) else { continue }
            let value = Self.unescape(line[(blank + 1)...])
            switch String(decoding: line[..<blank], as: UTF8.self) {
            case "origin": origin = value
            case "suite": suite = value
            case "architecture": architecture = value
            case "env": environment.append(value)
            case "workdir": workingDirectory = value
            case "entrypoint": entryPoint.append(value)
            case "cmd": command.append(value)
            case "user": user = value
            case "label": labels.append(value)
            case "package": packages.append(value)
            default: continue
            }
        }
    }

    private static func escape(_ value: String) -> String {
        String(decoding: RecordText.escape(Array(value.utf8)), as: UTF8.self)
    }

    private static func unescape(_ value: ArraySlice<UInt8>) -> String {
        String(decoding: RecordText.unescape(value), as: UTF8.self)
    }
}

/// How values stand in the lines of a record.
enum RecordText {
    static func escape(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\\"): result += [UInt8(ascii: "\\"), UInt8(ascii: "\\")]
            case UInt8(ascii: "\n"): result += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
            default: result.append(byte)
            }
        }
        return result
    }

    static func unescape(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var escaped = false
        for byte in bytes {
            if escaped {
                result.append(byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
