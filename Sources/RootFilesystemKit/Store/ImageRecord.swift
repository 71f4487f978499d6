import Glibc

/// What is known of a root file system besides its files: where it came from, and how an image
/// wants to be run. Kept beside the rootfs as `NAME.image`.
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
            + many("package", packages)
    }

    /// Reads the text of such a file; what it does not know it passes over.
    public init(decoding text: String) {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { continue }
            let value = Self.unescape(parts[1])
            switch parts[0] {
            case "origin": origin = value
            case "suite": suite = value
            case "architecture": architecture = value
            case "env": environment.append(value)
            case "workdir": workingDirectory = value
            case "entrypoint": entryPoint.append(value)
            case "cmd": command.append(value)
            case "user": user = value
            case "package": packages.append(value)
            default: continue
            }
        }
    }

    static func escape(_ value: String) -> String {
        value.map { $0 == "\\" ? "\\\\" : $0 == "\n" ? "\\n" : String($0) }.joined()
    }

    static func unescape(_ value: Substring) -> String {
        var result = ""
        var escaped = false
        for character in value {
            if escaped {
                result.append(character == "n" ? "\n" : character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else {
                result.append(character)
            }
        }
        return result
    }
}
