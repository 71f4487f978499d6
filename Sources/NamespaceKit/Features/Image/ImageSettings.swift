// SPDX-License-Identifier: Apache-2.0

/// How an image wants to be run: what nsrun-rootfs keeps in a rootfs, see ``RootRecord``.
///
/// Text, a line a fact: `KEY VALUE`, with `\\` for a backslash and `\n` for a newline in values.
struct ImageSettings: Equatable {
    var environment: [ByteString] = []
    var workingDirectory: ByteString?
    var entryPoint: [ByteString] = []
    /// The entry point, with what the image itself has for arguments.
    var command: [ByteString] = []
    /// A name or a number, perhaps with a colon and a group.
    var user: ByteString?

    init(parsing text: [UInt8]) {
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
    /// Does what the image of the rootfs says, as far as it says something: without a command its own, with one its
    /// environment and directory. Where what it says is not believed, or cannot be done, says so in one line.
    public mutating func applyImageSettings() -> String? {
        do throws(LaunchError) {
            return try useImageSettings()
        } catch {
            return error.message
        }
    }

    /// The same; what cannot be done is an error. The command `isForEntryPoint` if it is arguments for the image's
    /// entry point, which then there must be.
    public mutating func useImageSettings(
        isForEntryPoint: Bool = false
    ) throws(LaunchError) -> String? {
        // A program of the host's was not made for the image's surroundings.
        guard case .rootfs(let path) = root.view, !program.runsHostProgram else { return nil }
        var warning: String?
        var settings: ImageSettings?
        switch ImageSettings.find(in: path) {
        case .none: break
        case .refused(let why): warning = "the image's settings are ignored: \(why)"
        case .unreadable(let why, let code):
            throw LaunchError(
                .setup, "cannot read the image's settings: \(why)",
                remedy: Remedy.general(code, at: path), code: code)
        case .content(let text): settings = ImageSettings(parsing: text)
        }
        if isForEntryPoint {
            guard let entryPoint = settings?.entryPoint, !entryPoint.isEmpty else {
                throw .noEntryPoint(path, warning)
            }
            if !program.command.isEmpty { settings?.command = entryPoint + program.command }
            program.command = []
        }
        if let settings { try apply(settings, of: path) }
        return warning
    }

    private mutating func apply(
        _ settings: ImageSettings, of path: ByteString
    ) throws(LaunchError) {
        let isImages = program.command.isEmpty
        if isImages {
            guard !settings.command.isEmpty else { return }
            try applyUser(settings.user, of: path)
            program.command = settings.command
        }
        if program.workingDirectory == nil, !files.bindsCurrentDirectory, !files.bindsSourceTree,
            let directory = settings.workingDirectory, !directory.isEmpty
        {
            guard directory.isAbsolute else { throw .relativeImageDirectory(directory) }
            program.workingDirectory = directory
            program.startsWhereImageSays = true
        }
        // Whoever asks for an empty environment for his command means that.
        if !isImages, program.environment.start == .empty { return }
        var changes: [EnvironmentRequest.Change] = []
        for entry in settings.environment {
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > 0 else { continue }
            changes.append(
                .set(name: entry.slice(from: 0, to: sign), value: entry.slice(from: sign + 1)))
        }
        program.environment.changes = changes + program.environment.changes
    }

    /// The ids inside become those of the image's user, unless others were asked for.
    private mutating func applyUser(
        _ user: ByteString?, of root: ByteString
    ) throws(LaunchError) {
        guard identity.user == nil, let user, !user.isEmpty else { return }
        let account: RootAccount
        do throws(RootAccount.Unknown) {
            account = try RootAccount(user, of: root)
        } catch {
            throw .unknownImageUser(user, error)
        }
        identity.user = account.user
        identity.isOfImage = true
        if identity.group == nil { identity.group = account.group }
    }
}

extension LaunchError {
    fileprivate static func noEntryPoint(_ root: ByteString, _ why: String?) -> LaunchError {
        LaunchError(
            .usage, "cannot run the entry point of \(root.text): \(why ?? "none is known of it")",
            remedy: "name the command itself; nsrun-rootfs show prints what is known of a rootfs")
    }

    fileprivate static func relativeImageDirectory(_ directory: ByteString) -> LaunchError {
        LaunchError(
            .setup,
            "cannot start in \(directory.text), the image's WORKDIR: it is not an absolute path",
            remedy: "\(OptionNames.current.workingDirectory) to a directory that exists inside")
    }

    fileprivate static func unknownImageUser(
        _ user: ByteString, _ what: RootAccount.Unknown
    ) -> LaunchError {
        let missing =
            switch what {
            case .user(let name): "/etc/passwd of the rootfs has no user \(name.text)"
            case .group(let name): "/etc/group of the rootfs has no group \(name.text)"
            }
        return LaunchError(
            .setup, "cannot run as \(user.text), the image's USER: \(missing)",
            remedy: "\(OptionNames.current.user), or name the command, which then is yours")
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
