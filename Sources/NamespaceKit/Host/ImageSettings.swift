/// How an image wants to be run: what nsrun-rootfs keeps in a rootfs, see ``RootRecord``.
///
/// Text, a line a fact: `KEY VALUE`, with `\\` for a backslash and `\n` for a newline in values.
struct ImageSettings: Equatable {
    var environment: [ByteString] = []
    var workingDirectory: ByteString?
    var command: [ByteString] = []
    /// A name or a number, perhaps with a colon and a group.
    var user: ByteString?

    init(parsing text: [UInt8]) {
        var entryPoint: [ByteString] = []
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            guard let blank = line.firstIndex(of: UInt8(ascii: " ")) else { continue }
            let value = ImageSettings.unescape(line.slice(from: blank + 1))
            switch line.slice(from: 0, to: blank) {
            case "env": environment.append(value)
            case "user": user = value
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
    /// The ids inside become those of the image's user, unless others were asked for.
    private mutating func applyUser(_ user: ByteString?, of root: ByteString) {
        guard identity.user == nil, let user, !user.isEmpty else { return }
        let parts = user.split(on: UInt8(ascii: ":"))
        let accounts = AccountFile(text: HostFile.read("/etc/passwd", below: root, limit: 1 << 20))
        let fields = accounts.fields(name: parts[0])
        guard let number = parts[0].number() ?? fields?[2].number(), number < 1 << 31 else {
            return
        }
        identity.user = UInt32(number)
        identity.isOfImage = true
        guard identity.group == nil else { return }
        var group = fields.flatMap { $0.count > 3 ? $0[3].number() : nil }
        if parts.count > 1 {
            let groups = AccountFile(text: HostFile.read("/etc/group", below: root, limit: 1 << 20))
            group = parts[1].number() ?? groups.fields(name: parts[1])?[2].number()
        }
        if let group, group < 1 << 31 { identity.group = UInt32(group) }
    }

    /// Without a command, does what the image of the rootfs says, as far as it says something. Where what it
    /// says is not believed, says so in one line.
    public mutating func applyImageSettings() -> String? {
        guard command.isEmpty, case .rootfs(let path) = view else { return nil }
        switch ImageSettings.find(in: path) {
        case .none: return nil
        case .refused(let why): return "the image's settings are ignored: \(why)"
        case .content(let text): apply(ImageSettings(parsing: text), of: path)
        }
        return nil
    }

    private mutating func apply(_ settings: ImageSettings, of path: ByteString) {
        guard !settings.command.isEmpty else { return }
        command = settings.command
        applyUser(settings.user, of: path)
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

extension ImageSettings {
    /// In the root, or where an older nsrun-rootfs has put it: beside a root of the caller's store.
    static func find(in root: ByteString) -> RootRecord.Finding {
        let limit = RootRecord.largestImage
        let own = RootRecord.read(RootRecord.image, of: root, limit: limit)
        guard own == .none, let store = RootfsStore.directory() else { return own }
        let path = root.withoutDots
        guard path.parent == store.withoutDots else { return own }
        return RootRecord.readBeside(RootRecord.image, path.lastComponent, in: store, limit: limit)
    }
}
