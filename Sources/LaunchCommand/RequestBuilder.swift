// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What nsrun is asked to do.
struct Invocation {
    enum Action: Equatable {
        case launch
        case help, shortHelp, version, doctor, kernel, presets
        case explain(json: Bool)
        case generate(ByteString)
        case list(json: Bool)
        case stop(ByteString)
    }

    var action: Action = .launch
    var request = LaunchRequest()
    var isVerbose = false
    var isQuiet = false
    /// Nil where the command line does not say.
    var engine: EngineChoice?
    /// Where nobody says: a pack's maker has chosen that it runs anywhere.
    var standardEngine = EngineChoice.only(.namespaces)
    var requiresIsolation = false
    /// It joins a group by its name alone, with the options that this was set up with.
    var joinsByName = false
    /// nsrun returns when the command has started.
    var isDetached = false
    /// Where what it writes then goes; nil for a place by its name.
    var log: ByteString?
    /// Told when the command has started; -1 for nobody.
    var startDescriptor: Int32 = -1
    /// What the user should know although the run goes on.
    var warnings: [String] = []
    /// The command is arguments for the entry point of the rootfs's image.
    var usesEntryPoint = false
    /// Without a command a shell is started, whatever the rootfs's image would run.
    var startsShell = false
    /// What it was built from, for words on what was asked for.
    var options: [ParsedOption] = []
}

/// Which engine may run the command.
enum EngineChoice: Equatable {
    /// Namespaces, and where the kernel refuses them the others. Only where that is asked for: what they isolate less is
    /// not for a kernel, a root or a neighbour to decide.
    case automatic
    case only(Engine)

    init?(named name: ByteString) {
        if name == "auto" {
            self = .automatic
        } else if let engine = Engine(named: name) {
            self = .only(engine)
        } else {
            return nil
        }
    }

    static func unknown(_ name: ByteString, from origin: String) -> UsageError {
        UsageError(
            "\(origin): unknown engine \"\(name.text)\"",
            remedy: "one of auto, userns, fakechroot, proot")
    }
}

/// Turns parsed options into a request, in their order.
struct RequestBuilder {
    var result = Invocation()
    /// `--perms` and `--size` wait for the option that they modify.
    var perms: UInt32?
    var size: UInt64?
    /// `--overlay-src` collects layers for the overlay that follows, the lowest first.
    var layers: [ByteString] = []
    /// `--overlay-opt` does the same for its options.
    var layerOptions: [ByteString] = []
    /// What was asked for in so many words, for bubblewrap's demands.
    var unsharesUser = false
    var triesUser = false
    var unsharesNetwork = false
    /// Servers to be reached, and what has asked for a network that reaches others.
    var allowedHosts: [AllowedHost] = []
    var otherNetwork: String?
    var forwardsSignals = false
    var followsParent = false
    var unsharesPID = false
    var hasSingleFilter = false
    /// The preset that makes no sense without a rootfs.
    private var rootfsPreset: Preset?
    /// An option chose where changes go, not a preset.
    private var hasLayer = false
    var hasTimeout = false
    var hasKillAfter = false
    /// Options of which bubblewrap takes one.
    var given: [OptionID] = []
    /// What a run is to start from, and how long it is kept.
    private(set) var worldToReuse: Reuse.World?
    private var idleTime: Int64?
    /// Descriptors that have been read to their end by an operation.
    var exhausted: [Int32] = []
    let personality: Personality

    private init(_ personality: Personality) {
        self.personality = personality
        result.request = personality.request
    }

    static func build(
        _ line: ParsedCommandLine, as personality: Personality = Personality(argument0: "nsrun")
    ) throws(UsageError) -> Invocation {
        var builder = RequestBuilder(personality)
        // A preset is what the other options start from, wherever it stands.
        for parsed in line.options where parsed.id == .general(.preset) {
            try builder.applyPreset(parsed.values[0])
        }
        for parsed in line.options where parsed.id != .general(.preset) {
            try builder.apply(parsed)
        }
        builder.result.request.program.command = line.command
        builder.result.options = line.options
        if personality.isBubblewrap { builder.nameItself() }
        builder.result.request.program.closedDescriptors += line.argumentDescriptors
        try builder.finish()
        return builder.result
    }

    /// What engines may refuse, as it was typed: a namespace can be asked for in several ways.
    static func features(
        askedForBy options: [ParsedOption], as personality: Personality
    ) -> [String] {
        var names = OptionNames.commandLine.features
        let namespaces: [EngineFeature] = [.network, .hostname, .ipc, .cgroup]
        for parsed in options {
            var builder = RequestBuilder(personality)
            do throws(UsageError) {
                if parsed.id == .general(.preset) {
                    try builder.applyPreset(parsed.values[0])
                } else {
                    try builder.apply(parsed)
                }
            } catch {
                continue  // it makes sense beside others, and asks for no namespace
            }
            let asked = builder.result.request.engineFeatures
            for feature in namespaces where asked.contains(feature) {
                let hasValue =
                    parsed.id == .namespace(.network) || parsed.id == .general(.preset)
                names[feature.rawValue] =
                    parsed.origin.text + (hasValue ? " " + parsed.values[0].text : "")
            }
        }
        return names
    }

    private mutating func apply(_ parsed: ParsedOption) throws(UsageError) {
        if personality.isBubblewrap { try noteRepetition(of: parsed) }
        if perms != nil || size != nil { try checkModifiers(parsed) }
        if !layers.isEmpty || !layerOptions.isEmpty { try checkLayers(parsed) }
        switch parsed.id {
        case .general(let option): try apply(option, parsed)
        case .report(let option): try apply(option, parsed)
        case .root(let option): try apply(option, parsed)
        case .mount(let option): try apply(option, parsed)
        case .namespace(let option): try apply(option, parsed)
        case .process(let option): try apply(option, parsed)
        }
    }

    private func checkModifiers(_ parsed: ParsedOption) throws(UsageError) {
        if parsed.id == .mount(.perms) && perms != nil || parsed.id == .mount(.size) && size != nil
        {
            throw UsageError("\(parsed.origin.text) given twice for the same action")
        }
        let both: [OptionID.Mount] = [.tmpfs, .perms, .size]
        let withPermissions: [OptionID.Mount] = [.directory, .file, .bindData, .roBindData]
        if case .mount(let option) = parsed.id {
            if both.contains(option) || size == nil && withPermissions.contains(option) { return }
        }
        throw UsageError(
            size != nil
                ? "--size must be followed by --tmpfs"
                : "--perms must be followed by an option that makes a file or directory",
            remedy: "it changes what the very next option makes",
            bubblewrap: size != nil
                ? nil : "--perms must be followed by an option that creates a file")
    }

    private func checkLayers(_ parsed: ParsedOption) throws(UsageError) {
        let overlays: [OptionID.Mount] = [
            .overlaySource, .overlayOptions, .overlay, .tmpOverlay, .roOverlay,
        ]
        guard case .mount(let option) = parsed.id, overlays.contains(option) else {
            throw danglingLayers
        }
    }

    private var danglingLayers: UsageError {
        UsageError(
            layers.isEmpty
                ? "--overlay-opt must be followed by one of --overlay, --tmp-overlay, or --ro-overlay"
                : "--overlay-src must be followed by another --overlay-src or one of --overlay, "
                    + "--tmp-overlay, or --ro-overlay")
    }

    private mutating func finish() throws(UsageError) {
        switch result.action {
        case .launch, .explain: break
        case .help, .shortHelp, .version, .doctor, .kernel, .presets, .generate, .list, .stop:
            return
        }
        if !layers.isEmpty || !layerOptions.isEmpty { throw danglingLayers }
        if result.request.root.view == .host {
            if let rootfsPreset {
                throw UsageError(
                    "--preset \(rootfsPreset.name.text) needs --rootfs",
                    remedy: "--rootfs R says which root is meant")
            }
            if result.usesEntryPoint {
                throw UsageError(
                    "--entrypoint needs --rootfs",
                    remedy: "--rootfs R says whose entry point is meant")
            }
            if result.request.devices.showsNVIDIADriver {
                throw UsageError(
                    "--nvidia needs --rootfs",
                    remedy: "without a rootfs the host's driver is there as it is")
            }
            if result.request.program.runsHostProgram {
                throw UsageError(
                    "--host-exec needs --rootfs",
                    remedy: "without a rootfs every program is the host's")
            }
        }
        if result.usesEntryPoint, result.request.program.runsHostProgram {
            throw UsageError(
                "--entrypoint cannot be combined with --host-exec",
                remedy: "an entry point is a program of the image")
        }
        if result.request.program.runsHostProgram, result.request.program.command.isEmpty {
            throw UsageError("--host-exec needs a command", remedy: "name a program of the host")
        }
        // What would have come next, bubblewrap does not ask.
        if personality.isBubblewrap { (perms, size) = (nil, nil) }
        if size != nil { throw UsageError("--size must be followed by --tmpfs") }
        if !result.request.devices.directories.isEmpty, result.request.devices.names.isEmpty {
            throw UsageError(
                "--cdi-spec-dir needs --device", remedy: "which of the devices there is meant")
        }
        if perms != nil {
            throw UsageError(
                "--perms must be followed by an option that makes a file or directory")
        }
        let request = result.request
        if request.root.layer == .writable, request.root.view == .host {
            throw UsageError(
                "--writable needs --rootfs", remedy: "the host's files are as writable as ever")
        }
        try checkTogether()
        if let worldToReuse {
            result.request.reuse = Reuse(worldToReuse, idle: idleTime ?? Reuse.standardIdle)
        } else if idleTime != nil {
            throw UsageError(
                "--reuse-idle needs --reuse", remedy: "--reuse NAME says which world is kept")
        }
        if result.isDetached { try checkDetached() }
        if result.log != nil, !result.isDetached {
            throw UsageError(
                "--log needs --detach",
                remedy: "what the command writes goes where nsrun's does: nsrun ... >FILE 2>&1")
        }
        if hasKillAfter, !hasTimeout { throw UsageError("--kill-after needs --timeout") }
        // Whatever it is that is given a time has no more than that.
        if request.lifecycle.timeout != nil, request.lifecycle.killAfter == nil {
            result.request.lifecycle.killAfter = 10_000_000_000
        }
    }

    // MARK: General

    private mutating func apply(
        _ option: OptionID.General, _ parsed: ParsedOption
    ) throws(UsageError) {
        switch option {
        case .arguments: break  // the parser has read them
        case .preset: break  // before all others
        case .help: result.action = .help
        case .shortHelp: result.action = .shortHelp
        case .version: result.action = .version
        case .doctor: result.action = .doctor
        case .verbose: result.isVerbose = true
        case .quiet: result.isQuiet = true
        case .engine:
            guard let choice = EngineChoice(named: parsed.values[0]) else {
                throw EngineChoice.unknown(parsed.values[0], from: "--engine")
            }
            result.engine = choice
        case .require:
            guard parsed.values[0] == "isolation" else {
                throw UsageError(
                    "--require: unknown requirement \"\(parsed.values[0].text)\"",
                    remedy: "--require isolation")
            }
            result.requiresIsolation = true
        case .generate: result.action = .generate(parsed.values[0])
        case .list:
            if let format = parsed.values.first, format != "json" {
                throw UsageError(
                    "--list: unknown format \"\(format.text)\"", remedy: "--list=json")
            }
            result.action = .list(json: !parsed.values.isEmpty)
        case .stop: result.action = .stop(parsed.values[0])
        case .explain:
            if let format = parsed.values.first, format != "json" {
                throw UsageError(
                    "--explain: unknown format \"\(format.text)\"", remedy: "--explain=json")
            }
            result.action = .explain(json: !parsed.values.isEmpty)
        case .debug: try applyDebug(parsed.values[0])
        }
    }

    private mutating func applyPreset(_ name: ByteString) throws(UsageError) {
        if name == "list" {
            result.action = .presets
            return
        }
        guard let preset = Preset(named: name) else {
            var names = ""
            for preset in Preset.allCases {
                names += (names.isEmpty ? "one of " : ", ") + preset.name.text
            }
            throw UsageError(
                "unknown preset \"\(name.text)\"",
                remedy: names
                    + "; or a file of that name in ~/.config/nsrun/presets or /etc/nsrun/presets")
        }
        result.request.apply(preset)
        if preset.needsRootfs { rootfsPreset = preset }
        if preset.startsShell { result.startsShell = true }
        if result.request.lifecycle.timeout != nil { hasTimeout = true }
    }

    private mutating func applyDebug(_ name: ByteString) throws(UsageError) {
        if name.hasPrefix("driver-root=") {
            result.request.devices.driverRoot = name.slice(from: 12)
            return
        }
        switch name {
        case "force-classic-mounts": result.request.compatibility.insert(.mountAPI)
        case "force-attached-mounts": result.request.compatibility.insert(.detachedMounts)
        case "force-no-pidfd": result.request.compatibility.insert(.processDescriptors)
        case "force-no-own-binfmt": result.request.compatibility.insert(.ownBinfmt)
        case "force-squashfuse": result.request.compatibility.insert(.kernelImages)
        case "print-assumed-kernel": result.action = .kernel
        case "force-openat-fallback": result.request.compatibility.insert(.openat2)
        case "force-mount-setattr-fallback": result.request.compatibility.insert(.mountAPI)
        default: throw UsageError("--debug-opt: unknown name \"\(name.text)\"")
        }
    }

    // MARK: The root

    private mutating func apply(
        _ option: OptionID.Root, _ parsed: ParsedOption
    ) throws(UsageError) {
        switch option {
        case .rootfs:
            if parsed.values[0].isEmpty { throw UsageError("--rootfs: the path is empty") }
            result.request.root.view = .rootfs(try Self.locateRootfs(parsed.values[0]))
        case .entryPoint:
            result.usesEntryPoint = true
            result.startsShell = false
        case .writable: try setLayer(.writable, parsed)
        case .ephemeral: try setLayer(.memory, parsed)
        case .overlayDirectory:
            if parsed.values[0].isEmpty { throw UsageError("--overlay-dir: the path is empty") }
            try setLayer(.directory(parsed.values[0]), parsed)
        case .home: result.request.files.home = .bound
        case .currentDirectory: result.request.files.bindsCurrentDirectory = true
        case .hostRoot: result.request.files.showsHostRoot = true
        case .architecture:
            result.request.program.emulators.append(.init(architecture: parsed.values[0]))
        case .emulator: result.request.program.emulators.append(try Value.emulator(parsed))
        case .device: result.request.devices.names.append(parsed.values[0])
        case .deviceDirectory:
            if parsed.values[0].isEmpty { throw UsageError("--cdi-spec-dir: the path is empty") }
            result.request.devices.directories.append(parsed.values[0])
        case .nvidia: result.request.devices.showsNVIDIADriver = true
        case .hostExec: result.request.program.runsHostProgram = true
        case .allowSocket:
            if parsed.values[0].isEmpty { throw UsageError("--allow-socket: the path is empty") }
            result.request.files.allowedSockets.append(parsed.values[0])
        case .allowRead:
            if parsed.values[0].isEmpty { throw UsageError("--allow-read: the path is empty") }
            result.request.files.readable.append(parsed.values[0])
        case .allowWrite:
            if parsed.values[0].isEmpty { throw UsageError("--allow-write: the path is empty") }
            result.request.files.writable.append(parsed.values[0])
        case .hide:
            if parsed.values[0].isEmpty { throw UsageError("--hide: the path is empty") }
            result.request.files.hidden.append(parsed.values[0])
        case .reuse:
            let name = parsed.values[0]
            worldToReuse = name == Reuse.contentName ? .byContent : .named(name)
        case .reuseIdle: idleTime = try Value.duration(parsed)
        }
    }

    private static func locateRootfs(_ word: ByteString) throws(UsageError) -> ByteString {
        do throws(LaunchError) {
            return try RootfsStore.locate(word)
        } catch {
            throw UsageError(error.message, remedy: error.remedy)
        }
    }

    private mutating func setLayer(
        _ layer: LaunchRequest.Layer, _ parsed: ParsedOption
    ) throws(UsageError) {
        guard !hasLayer || result.request.root.layer == layer else {
            throw UsageError(
                "\(parsed.origin.text) contradicts an earlier option",
                remedy: "one of --writable, --ephemeral and --overlay-dir")
        }
        result.request.root.layer = layer
        hasLayer = true
    }
}
