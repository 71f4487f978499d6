/// How an image wants to be run: what nsrun-rootfs keeps beside a rootfs as `NAME.image`.
///
/// Text, a line a fact: `KEY VALUE`, with `\\` for a backslash and `\n` for a newline in values.
struct ImageSettings: Equatable {
    var environment: [ByteString] = []
    var workingDirectory: ByteString?
    var command: [ByteString] = []

    init(parsing text: [UInt8]) {
        var entryPoint: [ByteString] = []
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            guard let blank = line.firstIndex(of: UInt8(ascii: " ")) else { continue }
            let value = ImageSettings.unescape(line.slice(from: blank + 1))
            switch line.slice(from: 0, to: blank) {
            case "env": environment.append(value)
            case "workdir": workingDirectory = value
            case "entrypoint": entryPoint.append(value)
            case "cmd": command.append(value)
            default: continue
            }
        }
        command = entryPoint + command
    }

    private static func unescape(_ value: ByteString) -> ByteString {
        var result: [UInt8] = []
        var isEscaped = false
        for byte in value.bytes {
            if isEscaped {
                result.append(byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else {
                result.append(byte)
            }
        }
        return ByteString(bytes: result)
    }
}

extension LaunchRequest {
    /// Without a command, does what the image of the rootfs says, as far as it says something.
    public mutating func applyImageSettings() {
        guard command.isEmpty, case .rootfs(let path) = view else { return }
        var top = path.bytes
        while top.count > 1, top.last == UInt8(ascii: "/") { top.removeLast() }
        let file = ByteString(bytes: top) + ".image"
        guard let text = HostFacts.readFile(file, limit: 1 << 20) else { return }
        let settings = ImageSettings(parsing: text)
        guard !settings.command.isEmpty else { return }
        command = settings.command
        if workingDirectory == nil { workingDirectory = settings.workingDirectory }
        var changes: [EnvironmentRequest.Change] = []
        for entry in settings.environment {
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > 0 else { continue }
            changes.append(
                .set(name: entry.slice(from: 0, to: sign), value: entry.slice(from: sign + 1)))
        }
        environment.changes = changes + environment.changes
    }
}
