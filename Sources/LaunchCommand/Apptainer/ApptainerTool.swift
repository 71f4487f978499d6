// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// nsrun under the names `apptainer` and `singularity`: Apptainer 1.4, rootless, without its helper programs.
struct ApptainerTool {
    var notes = ApptainerNotes()

    /// Runs the tool with the arguments that follow its name. Returns the exit status.
    static func run(_ arguments: [ByteString]) -> Int32 {
        var tool = ApptainerTool()
        do throws(ApptainerError) {
            return try tool.perform(ApptainerParser.parse(arguments))
        } catch {
            tool.notes.flush()
            HostProcess.printError(error.text)
            return error.status
        }
    }

    private mutating func perform(_ line: ApptainerLine) throws(ApptainerError) -> Int32 {
        for given in line.options where given.value == "true" {
            guard case .general(let option) = given.option.id else { continue }
            switch option {
            case .quiet: notes.level = 0
            case .silent: notes.level = -1
            case .verbose: notes.level = 2
            case .debug: notes.level = 3
            case .help, .version, .noColor: continue
            }
        }
        if line.has(.help) { return try print(ApptainerHelp.text) }
        if line.has(.version) { return try print("apptainer version \(ApptainerHelp.version)\n") }
        guard let verb = line.verb else {
            _ = try print(ApptainerHelp.text)
            return 1
        }
        switch verb {
        case .help: return try print(ApptainerHelp.text)
        case .version: return try print("\(ApptainerHelp.version)\n")
        case .exec, .run, .shell, .test: return try start(verb, line)
        case .inspect: return try inspect(line)
        case .pull, .build: return try ApptainerMaking.run(verb, line, &notes)
        case .instanceStart, .instanceRun: return try startInstance(verb, line)
        case .instanceList: return try listInstances(line)
        case .instanceStop: return try stopInstances(line)
        case .cacheList, .cacheClean: return try ApptainerMaking.cache(verb, line, &notes)
        }
    }

    func print(_ text: String) throws(ApptainerError) -> Int32 {
        do throws(LaunchError) {
            try HostProcess.print(text)
        } catch {
            throw ApptainerError(error)
        }
        return 0
    }

    // MARK: Starting something

    private mutating func start(
        _ verb: ApptainerVerb, _ line: ApptainerLine
    ) throws(ApptainerError) -> Int32 {
        let least = verb == .exec ? 2 : 1
        guard line.words.count >= least else {
            throw .usage(
                "requires at least \(least) arg(s), only received \(line.words.count)",
                of: verb.name)
        }
        let options = try options(of: line, for: verb)
        let words = verb == .shell ? [] : Array(line.words.dropFirst())
        if let name = words.first, name.isEmpty, verb == .exec {
            throw ApptainerError("\"\": executable file not found in $PATH")
        }
        if let name = Self.instanceName(line.words[0]) {
            return try enter(name, verb, words, options)
        }
        let settings = try settings(options, of: verb)
        try fetch(line, options)
        let image = try ApptainerImage.find(line.words[0])
        let made = try ApptainerRequest.make(
            settings, of: image, for: verb, on: .read(for: settings), &notes)
        notes.flush()
        if !settings.keepsUmask { HostProcess.setMask(0o022) }
        return try start(made, verb, words)
    }

    /// Those of the command line, behind those of the caller's variables.
    mutating func options(
        of line: ApptainerLine, for verb: ApptainerVerb
    ) throws(ApptainerError) -> [ApptainerLine.Given] {
        let variables = ApptainerVariables(HostProcess.environment)
        return try variables.options(beside: line, of: verb, &notes) + line.options
    }

    /// Does not return where the image is elsewhere.
    mutating func fetch(
        _ line: ApptainerLine, _ options: [ApptainerLine.Given]
    ) throws(ApptainerError) {
        if ApptainerImage.scheme(of: line.words[0]) == nil { return }
        notes.flush()
        // The words are the last of the arguments.
        let index = HostProcess.arguments.count - line.words.count
        try ApptainerMaking.fetch(options, at: index, notes)
    }

    func settings(
        _ options: [ApptainerLine.Given], of verb: ApptainerVerb
    ) throws(ApptainerError) -> ApptainerSettings {
        do throws(ApptainerError) {
            return try ApptainerSettings(options)
        } catch {
            throw error.isUsage ? .usage(error.message, of: verb.name) : error
        }
    }

    /// A directory is looked into before; of a file it shows only once it is mounted whether it has a shell.
    mutating func start(
        _ made: ApptainerRequest, _ verb: ApptainerVerb, _ words: [ByteString]
    ) throws(ApptainerError) -> Int32 {
        let image = made.image
        let isPlain = image.isDirectory && !image.hasScripts && made.environment.isPlain
        if isPlain || !image.mayHaveShell, let request = made.directly(verb, words) {
            return try launch(request, words[0], isFinal: true)
        }
        let request = made.throughShell(verb, words, isQuiet: notes.level < 1)
        do throws(LaunchError) {
            return try launch(request, isFinal: image.isDirectory)
        } catch {
            guard error.kind == .notFound, let request = made.directly(verb, words) else {
                throw error.kind == .notFound
                    ? ApptainerError(
                        "/bin/sh does not exist in container, which \(verb.name.text) needs")
                    : ApptainerError(error)
            }
            return try launch(request, words[0], isFinal: true)
        }
    }

    /// As Apptainer's callers know it: some look for these words.
    private func launch(
        _ request: LaunchRequest, _ name: ByteString, isFinal: Bool
    ) throws(ApptainerError) -> Int32 {
        do throws(LaunchError) {
            return try launch(request, isFinal: isFinal)
        } catch {
            guard error.kind == .notFound else { throw ApptainerError(error) }
            throw ApptainerError(
                name.contains(UInt8(ascii: "/"))
                    ? "stat \(name.text): no such file or directory"
                    : "\"\(name.text)\": executable file not found in $PATH")
        }
    }

    /// `channel`: where the start is told, of a run that goes on by itself.
    func launch(
        _ request: LaunchRequest, isFinal: Bool, tellingStartTo channel: Int32 = -1
    ) throws(LaunchError) -> Int32 {
        OptionNames.current = .apptainer
        let facts = HostFacts.read(for: request)
        let role: Planner.Role = isFinal && channel < 0 ? .replaceable : .watcher
        var plan = try Planner.plan(request, on: facts, as: role)
        plan.isAttempt = !isFinal
        plan.detach(tellingStartTo: channel)
        plan.messagePrefix = "FATAL:   "
        plan.failureStatus = 255
        plan.repeatsSignals = !request.namespaces.new.contains(.pid)
        if notes.level >= 2 {
            for omission in plan.omissions {
                HostProcess.printError(
                    "VERBOSE: left out \(omission.what.text): \(omission.reason)\n")
            }
        }
        if plan.shape == .inPlace {
            do throws(LaunchError) {
                try Launcher().runInPlace(plan, facts: facts)
            } catch {
                throw error.inPlace
            }
        }
        return try Supervisor.run(plan, facts: facts).status()
    }
}

extension OptionNames {
    /// The options of Apptainer, where it has one for the purpose.
    static var apptainer: OptionNames {
        var words = OptionNames.commandLine
        words.memoryLayer = "add --writable-tmpfs"
        words.workingDirectory = "set --pwd"
        words.user = "add --fakeroot"
        words.optionalBind = "a source that is there for --bind"
        words.ephemeral = "--writable-tmpfs"
        words.overlayDirectory = "--overlay"
        words.currentDirectory = ""
        words.network = "--network"
        words.hostNetwork = "leave --net out"
        words.nvidia = "--nv"
        words.directory = "--pwd"
        words.idRanges = "--fakeroot"
        words.fakeRoot = "--fakeroot"
        words.rootfs = ""
        return words
    }
}
