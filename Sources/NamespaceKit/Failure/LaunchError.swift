// SPDX-License-Identifier: Apache-2.0

/// Why a launch did not happen: one line that names the operation, its object and the cause, and one
/// with the remedy where there is one.
public struct LaunchError: Error, Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// The request makes no sense; nothing has been touched.
        case usage
        /// The world could not be set up.
        case setup
        /// The program was found but could not be run.
        case notExecutable
        /// The program was not found.
        case notFound
    }

    public var kind: Kind
    public var message: String
    public var remedy: String?
    /// The `errno` behind it, 0 where no system call failed.
    public var code: Int32 = 0

    public init(_ kind: Kind, _ message: String, remedy: String? = nil, code: Int32 = 0) {
        self.kind = kind
        self.message = message
        self.remedy = remedy
        self.code = code
    }

    /// The whole of what bubblewrap says in this case, where its callers may look for it.
    public var bubblewrapWords: String?

    /// What the kernel refused, where another engine might do without it.
    public enum Refusal: Sendable, Equatable {
        /// To make the namespaces; nothing has been touched.
        case namespaces
        /// The id map or the first mount in a namespace that it let be made.
        case setup
    }

    public var refusal: Refusal?

    /// The host's mounts were not as they had been looked up before: they may have changed in between, and the same launch
    /// may well succeed when they are looked up again.
    var mayBeOutdated = false
    /// A proc of the run's own cannot be had, since the outer one does not show everything.
    var isOfMaskedProc = false

    /// The run had come no further than its set-up, in a world that it started from: it can be launched without.
    var isOfWorld = false

    /// The same of a process that has turned itself into something else on the way, and cannot go back.
    public var inPlace: LaunchError {
        guard refusal == .setup else { return self }
        var error = offeringEngines
        error.refusal = nil
        return error
    }

    /// The same with the other engines in its remedy, where it is the kernel that refuses.
    public var offeringEngines: LaunchError {
        guard refusal != nil else { return self }
        var error = self
        let way =
            "\(OptionNames.current.engine) fakechroot or proot does without, and isolates less"
        error.remedy = remedy.map { $0 + "; or " + way } ?? way
        return error
    }

    /// The command had been started.
    public internal(set) var hasStarted = false
    /// Somebody has a group of the name that this one was to have.
    public internal(set) var isOfTakenName = false

    /// The exit status that says it to a shell: 125, 126 or 127.
    public var exitStatus: Int32 {
        switch kind {
        case .usage, .setup: 125
        case .notExecutable: 126
        case .notFound: 127
        }
    }
}

/// What the planner refuses.
extension LaunchError {
    static func unreadable(_ what: String, _ code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot read \(what): \(reason(code))", remedy: Remedy.general(code, at: nil),
            code: code)
    }

    static func nulByte(in what: String, _ text: ByteString) -> LaunchError {
        LaunchError(.usage, "\(what) \"\(text.text)\" contains a NUL byte")
    }

    static let emptyCommand = LaunchError(
        .usage, "cannot run the command: its name is empty",
        remedy: "name a program, or leave the command out for a shell")

    static func emptyPath(of what: String) -> LaunchError {
        var error = LaunchError(.usage, "\(what): the path is empty")
        error.bubblewrapWords = "\(what) does not take an empty path argument"
        return error
    }

    static func needsNamespace(_ what: String, _ namespace: NamespaceSet) -> LaunchError {
        let name = namespace.list
        let article = namespace == .ipc ? "an" : "a"
        return LaunchError(
            .usage, "\(what) needs \(article) \(name) namespace of its own",
            remedy: "add \(OptionNames.current.unshare)\(name)")
    }

    static func badVariable(_ name: ByteString, unset: Bool = false) -> LaunchError {
        var error = LaunchError(
            .usage, "cannot \(unset ? "un" : "")set the environment variable \"\(name.text)\"",
            remedy: "a name is not empty and has no =, newline or NUL byte; a value has no NUL byte"
        )
        error.bubblewrapWords = unset ? "unsetenv failed" : "setenv failed"
        return error
    }

    static func badHostname(_ name: ByteString) -> LaunchError {
        LaunchError(
            .usage, "cannot set the host name \"\(name.text)\"",
            remedy: "1 to 64 printable characters without spaces and slashes")
    }

    static var lostDirectory: LaunchError {
        LaunchError(
            .setup, "cannot start in the current directory: it has been removed",
            remedy: "\(OptionNames.current.workingDirectory), or change to one that exists")
    }

    static var deepDirectory: LaunchError {
        LaunchError(
            .setup, "cannot start in the current directory: its path is longer than 4095 bytes",
            remedy: "\(OptionNames.current.workingDirectory), or start from a directory above it")
    }

    static func noHome(_ cause: String) -> LaunchError {
        LaunchError(
            .usage, "cannot bind the home directory: \(cause)",
            remedy: "set HOME to the directory that you mean")
    }

    static func noSubordinates(_ user: UInt32, named name: ByteString?) -> LaunchError {
        let command =
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
            + (name?.text ?? "\(user)")
        return LaunchError(
            .setup, "cannot map ranges of ids: /etc/subuid and /etc/subgid have none for you",
            remedy: user == 0
                ? "give yourself some: \(command); or leave the option out: what you change in a "
                    + "rootfs for real (\(OptionNames.current.features[EngineFeature.writableRoot.rawValue])) has all of your ids"
                : "ask the administrator for: \(command); or use \(OptionNames.current.fakeSingle)")
    }

    static var noSELinux: LaunchError {
        var error = LaunchError(
            .usage, "cannot set a label: SELinux is not enabled on this machine",
            remedy: "leave the label options out")
        error.bubblewrapWords = "labeling not supported on this system"
        return error
    }

    static let disableNeedsUser = LaunchError(
        .usage, "forbidding user namespaces inside needs one around the command")

    static var twoPIDNamespaces: LaunchError {
        LaunchError(
            .usage, "a run in another pid namespace cannot make one of its own",
            remedy: OptionNames.current.shareProcesses)
    }

    static let needsOneThread = LaunchError(
        .usage, "a namespace can be entered by its descriptor only by a program with one thread",
        remedy: "start nsrun for it")

    static let endsByOwnSignals = LaunchError(
        .usage, "a run ends by the signals of the program that starts it only where that is nsrun",
        remedy: "what a program does about its signals is its own to say: RunningProcess.kill()")

    static let hostProgramWithoutRootfs = LaunchError(
        .usage, "a program of the host's can be started so only in a rootfs")

    static let layerOverDescriptor = LaunchError(
        .usage, "a layer cannot lie over a rootfs that is given as a descriptor")

    static let layerWithoutView = LaunchError(
        .usage, "a layer needs the host or a rootfs below it")
}

extension NamespaceSet {
    /// The members' names, such as `user, mount, pid`.
    var list: String {
        var names = ""
        for (member, name) in NamespaceSet.names where contains(member) {
            if !names.isEmpty { names += ", " }
            names += name
        }
        return names
    }
}
