// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// `instance start`, `run`, `list` and `stop`; and what is run in an instance.
extension ApptainerTool {
    // MARK: Starting one

    mutating func startInstance(
        _ verb: ApptainerVerb, _ line: ApptainerLine
    ) throws(ApptainerError) -> Int32 {
        guard line.words.count >= 2 else {
            throw .usage(
                "requires at least 2 arg(s), only received \(line.words.count)", of: verb.name)
        }
        let name = line.words[1]
        try ApptainerInstance.check(name)
        let options = try options(of: line, for: verb)
        var settings = try self.settings(options, of: verb)
        // A group has none of its own: it would end with its first process.
        settings.namespaces.remove(.pid)
        try fetch(line, options)
        let image = try ApptainerImage.find(line.words[0])
        if try ApptainerInstance.all().contains(where: { $0.name == name }) {
            throw Self.exists(name)
        }
        var made = try ApptainerRequest.make(
            settings, of: image, for: verb, on: .read(for: settings), &notes)
        made.environment.addInstance(name)
        notes.flush()
        if !settings.keepsUmask { HostProcess.setMask(0o022) }
        var request = made.throughShell(verb, Array(line.words.dropFirst(2)), isQuiet: true)
        request.namespaces.join = .new(ApptainerInstance.group(name))
        request.note = ApptainerInstance.note(settings)
        try startDetached(request, name)
        if let given = options.last(where: { $0.option.id == .instance(.pidFile) }) {
            let pid = try ApptainerInstance.named(name).pid
            if let reason = HostFile.replace(given.value, with: ByteString("\(pid)\n")) {
                throw ApptainerError("cannot write \(given.value.text): \(reason)")
            }
        }
        notes.info("instance started successfully")
        notes.flush()
        return 0
    }

    private static func exists(_ name: ByteString) -> ApptainerError {
        ApptainerError("instance \(name.text) already exists")
    }

    /// Returns when it has started.
    private func startDetached(
        _ request: LaunchRequest, _ name: ByteString
    ) throws(ApptainerError) {
        let place = ApptainerInstance.logs(of: name)
        do throws(LaunchError) {
            let output = try DetachedRun.openOwnLog(place.output, above: 5)
            defer { HostFile.close(output.descriptor) }
            let error = try DetachedRun.openOwnLog(place.error, above: 0)
            defer { HostFile.close(error.descriptor) }
            guard
                let channel = try DetachedRun.split(
                    log: output.descriptor, errors: error.descriptor)
            else { return }
            // From here on in the process that stays.
            do throws(LaunchError) {
                HostProcess.exit(try launch(request, isFinal: true, tellingStartTo: channel))
            } catch {
                if !error.hasStarted { DetachedRun.tell(error, error.remedy, on: channel) }
                HostProcess.exit(255)
            }
        } catch {
            if error.isOfTakenName { throw Self.exists(name) }
            if error.kind == .notFound {
                throw ApptainerError(
                    "/bin/sh does not exist in container, which an instance needs")
            }
            throw ApptainerError(error)
        }
    }

    // MARK: In one

    /// The name in `instance://NAME`; nil for every other word.
    static func instanceName(_ word: ByteString) -> ByteString? {
        let scheme: ByteString = "instance://"
        return word.bytes.starts(with: scheme.bytes) ? word.slice(from: scheme.count) : nil
    }

    mutating func enter(
        _ name: ByteString, _ verb: ApptainerVerb, _ words: [ByteString],
        _ options: [ApptainerLine.Given]
    ) throws(ApptainerError) -> Int32 {
        let instance = try ApptainerInstance.named(name)
        for given in options where given.option.id.shapesTheWorld && given.value != "false" {
            notes.warn(
                "\(given.origin.text) means nothing to an instance, which is what it was started as"
            )
        }
        let kept = try ApptainerParser.parse(["exec"] + instance.options + [instance.image])
        var settings = try self.settings(
            kept.options + options.filter { !$0.option.id.shapesTheWorld }, of: verb)
        settings.namespaces = try self.settings(kept.options, of: verb).namespaces
        let image = ApptainerImage(path: instance.image)
        let host = ApptainerHost.read(for: settings)
        var made = try ApptainerRequest.make(
            settings, of: image, for: verb, in: ApptainerInstance.group(name), on: host, &notes)
        made.environment.addInstance(name)
        notes.flush()
        if !settings.keepsUmask { HostProcess.setMask(0o022) }
        return try start(made, verb, words)
    }

    // MARK: Those that there are

    func listInstances(_ line: ApptainerLine) throws(ApptainerError) -> Int32 {
        let (_, isOn) = try asked(line, "list")
        let found = try ApptainerInstance.all(matching: line.words.first)
        if isOn(.json), isOn(.logs) {
            throw ApptainerError("more than one flags have been set")
        }
        if isOn(.json) { return try print(ApptainerInstanceText.json(found)) }
        return try print(
            isOn(.logs) ? ApptainerInstanceText.logs(found) : ApptainerInstanceText.table(found))
    }

    mutating func stopInstances(_ line: ApptainerLine) throws(ApptainerError) -> Int32 {
        let (given, isOn) = try asked(line, "stop")
        guard isOn(.all) || !line.words.isEmpty else { throw .usage("invalid command", of: "stop") }
        var seconds = 10
        var isKilled = isOn(.force)
        for one in given {
            if one.option.id == .instance(.timeout) {
                guard let number = one.value.number() else {
                    throw .usage(
                        "invalid argument \"\(one.value.text)\" for \"\(one.origin.text)\" flag",
                        of: "stop")
                }
                seconds = Int(min(number, 1 << 20))
            }
            if one.option.id == .instance(.signal) {
                switch one.value {
                case "TERM", "SIGTERM", "15", "INT", "SIGINT", "2": continue
                case "KILL", "SIGKILL", "9": isKilled = true
                default:
                    throw ApptainerError(
                        "cannot stop an instance by \(one.value.text): nsrun ends all of one by TERM, or by KILL",
                        remedy:
                            "kill -\(one.value.text) PID, with a PID of: apptainer instance list"
                    )
                }
            }
        }
        let found = try ApptainerInstance.all(matching: isOn(.all) ? nil : line.words[0])
        guard !found.isEmpty else { throw .usage("no instance found", of: "stop") }
        for one in found {
            notes.info(
                "Stopping \(one.name.text) instance of \(one.image.text) (PID=\(one.pid))")
            notes.flush()
            do throws(LaunchError) {
                try KeptWorld.stop(
                    ApptainerInstance.group(one.name),
                    killAfter: isKilled ? 0 : Int64(seconds) * 1_000_000_000)
            } catch {
                // It has ended by itself meanwhile.
                if error.code != HostFile.missing { throw ApptainerError(error) }
            }
        }
        return 0
    }

    private func asked(
        _ line: ApptainerLine, _ verb: ByteString
    ) throws(ApptainerError) -> ([ApptainerLine.Given], (ApptainerOption.Instance) -> Bool) {
        guard line.words.count < 2 else {
            throw .usage(
                "accepts between 0 and 1 arg(s), received \(line.words.count)", of: verb)
        }
        let given = line.options
        for one in given where one.option.id == .instance(.refused) {
            throw ApptainerError(
                "\(one.origin.text) is not among what nsrun does under the name of Apptainer",
                remedy: "it shows the instances of whoever calls it")
        }
        return (
            given,
            { wanted in
                given.contains { $0.option.id == .instance(wanted) && $0.value == "true" }
            }
        )
    }
}

extension ApptainerOption.ID {
    /// It says what the command sees, and not how it is started there.
    fileprivate var shapesTheWorld: Bool {
        switch self {
        case .general, .make, .inspect, .instance, .cache: false
        case .action(let option):
            switch option {
            case .directory, .contain, .containAll, .compatible, .cleanEnvironment, .environment,
                .environmentFile, .userNamespace, .noEvaluation, .noUmask, .shell, .noInit,
                .underlay, .noPrivileges, .addCapabilities, .dropCapabilities, .refused:
                false
            case .bind, .mount, .home, .noHome, .nvidia, .writable, .memoryLayer, .overlay,
                .fakeRoot, .pid, .network, .networkKind, .ipc, .uts, .hostname, .workDirectory,
                .scratch, .noMount, .device:
                true
            }
        }
    }
}
