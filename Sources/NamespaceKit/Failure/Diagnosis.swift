// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Turns the executor's record of a failure into an error: from the step the operation, from errno and
/// the facts of the host the likely cause and the remedy. Nowhere else is a launch failure worded.
struct Diagnosis {
    let plan: LaunchPlan
    let facts: HostFacts
    let words = OptionNames.current

    /// What the executor reported.
    struct Record {
        var step: Int
        var code: Int32
        var call: UInt32
        var text: [UInt8]
    }

    func explain(_ record: Record) -> LaunchError {
        var error = word(record)
        // A cause in words of its own has the remedy that fits it, or none.
        if error.message.hasSuffix(reason(record.code)) {
            let object = object(of: record)
            error.remedy =
                Remedy.always(record.code, at: object) ?? error.remedy
                ?? Remedy.general(record.code, at: object)
        }
        if plan.layersHost, plan.steps.indices.contains(record.step) {
            error.mayBeOutdated = plan.steps[record.step].origin == nil
        }
        return error
    }

    private func word(_ record: Record) -> LaunchError {
        guard record.step >= 0, record.step < plan.steps.count else {
            return LaunchError(.setup, "cannot set up the run: \(reason(record.code))")
        }
        let step = plan.steps[record.step]
        let call = nsrun_call(rawValue: record.call)
        if call == NSRUN_CALL_WAIT {
            return error(
                "cannot wait for the command", record.code,
                record.code == ECHILD ? nil : "a seccomp filter must allow wait4(2)")
        }
        if call == NSRUN_CALL_FORK {
            return error(
                "cannot start the command", record.code, record.code == EAGAIN ? limitRemedy : nil)
        }
        if record.code == EFBIG {
            return error("cannot \(step.plainDescription)", EFBIG, remedy(forSizeIn: step))
        }
        if let damage = damage(step, record) { return damage }
        if isTableFull(step, record) { return tableFull(step, record) }
        if isRefusedMount(step, record) { return mountsRefused(step, record) }
        if let special = special(step, record) { return special }
        if record.code == EACCES, call == NSRUN_CALL_DESTINATION, step.origin == nil,
            let root = plan.rootfs
        {
            return rootfs(root.text, record)
        }
        if let place = destination(step, record, call) { return place }
        return error("cannot \(step.plainDescription)", record.code, hint(step, record.code))
    }

    /// What a step's failure says by itself.
    private func special(_ step: Step, _ record: Record) -> LaunchError? {
        let call = nsrun_call(rawValue: record.call)
        switch step.traits().failure {
        case .ofStep: return nil
        case .namespaces(let set): return namespaces(set, record.code)
        case .idMap(let file): return idMap(file, record.code)
        case .nestedAllowed:
            let words = "creation of new user namespaces was not disabled as requested"
            var error = LaunchError(.setup, words, code: record.code)
            error.bubblewrapWords = words
            return error
        case .entering(let descriptor, let set):
            return error(
                "cannot enter the \(set.list) namespace of descriptor \(descriptor)", record.code,
                "it must be a descriptor of /proc/PID/ns/\(set.list) of a namespace that you own")
        case .proc(let target): return proc(target, record)
        case .program(let candidates): return program(candidates, record)
        case .image(let image): return self.image(image, record)
        case .glibc(let need): return glibc(need, record)
        case .emulator: return binfmt(step, record.code, call)
        case .group(let name, let folder): return join(name, folder, record)
        case .sharing: return share(record.code)
        case .directory(let candidates): return directory(candidates, record.code, step.origin)
        case .overlay(let overlay):
            if call == NSRUN_CALL_STEP { return self.overlay(overlay, record.code) }
            guard call == NSRUN_CALL_SOURCE else { return nil }
            if overlay.target == "/" { return rootfs(overlay.lower.first?.text ?? "", record) }
            return record.code == ENOTDIR
                ? error(
                    "cannot \(step.plainDescription)", ENOTDIR,
                    "each of its layers must be a directory") : nil
        case .rootfs(let source): return rootfs(source, record)
        case .hidden(let place): return hidden(place, record.code)
        }
    }

    /// The file that a step is about, on the host: its source, or what its target lies on.
    private func object(of record: Record) -> ByteString? {
        guard plan.steps.indices.contains(record.step) else { return nil }
        return plan.steps[record.step].traits().hostObject ?? plan.rootfs
    }

    /// A refusal by clone(2) itself, before the first step.
    func explainClone(_ code: Int32) -> LaunchError {
        let ofGroup = plan.limits.isEmpty ? nil : GroupRefusal.clone(plan, code)
        return ofGroup ?? namespaces(plan.namespaces, code)
    }

    func error(_ message: String, _ code: Int32, _ remedy: String? = nil) -> LaunchError {
        LaunchError(.setup, "\(message): \(reason(code))", remedy: remedy, code: code)
    }

    // MARK: Namespaces

    private let limitRemedy = "raise the limit on processes (ulimit -u)"

    private func remedy(forSizeIn step: Step) -> String {
        let limit =
            "raise the limit of file sizes (ulimit -f), which counts what is made in memory, too"
        if case .prepend = step.action {
            return limit + "; and of the root's file 256 MiB are taken"
        }
        return limit
    }

    /// A want of processes or memory is no refusal, and neither is a limit that has been used up, perhaps by a command
    /// that means the next run to isolate less.
    private func namespaces(_ set: NamespaceSet, _ code: Int32) -> LaunchError {
        var error = namespaceFailure(set, code)
        switch code {
        case EPERM, EACCES, EINVAL, ENOSYS: error.refusal = .namespaces
        case ENOSPC: if HostRefusal.forbidden(set) != nil { error.refusal = .namespaces }
        default: break  // passes, or is the caller's own limit
        }
        return error
    }

    private func namespaceFailure(_ set: NamespaceSet, _ code: Int32) -> LaunchError {
        let what = "cannot create a user namespace"
        switch code {
        case ENOSPC:
            if let sysctl = HostRefusal.forbidden(set) {
                return LaunchError(
                    .setup, "cannot create \(set.list) namespaces: the sysctl \(sysctl) is 0",
                    remedy: "ask the administrator for sysctl \(sysctl)=65536", code: code)
            }
            if let (kind, sysctl) = HostRefusal.exhausted(set) {
                return LaunchError(
                    .setup,
                    "cannot create \(kind.list) namespaces: the limit \(sysctl) of this machine or of "
                        + "an outer namespace is reached",
                    remedy:
                        "end what holds them, as a rule processes of yours (lsns tells); or ask the "
                        + "administrator for a higher sysctl \(sysctl)", code: code)
            }
            return LaunchError(
                .setup,
                "cannot create \(set.list) namespaces: the limit of this machine or of an outer "
                    + "namespace is reached",
                remedy:
                    "end what holds them, as a rule processes of yours (lsns tells); or ask the "
                    + "administrator for a higher sysctl user.max_*_namespaces; at most 32 levels of "
                    + "them can be nested", code: code)
        case EUSERS:
            return LaunchError(
                .setup, "\(what): 32 levels of them are nested already",
                remedy: "start it from outside of some of these runs or containers", code: code)
        case EPERM:
            let (cause, remedy) = HostRefusal.find().words
            return LaunchError(.setup, "\(what): \(cause)", remedy: remedy, code: code)
        case EINVAL:
            return LaunchError(
                .setup, "cannot create \(set.list) namespaces: this kernel lacks one of them",
                remedy: "\(words.doctor) tells which", code: code)
        case EAGAIN: return error("cannot start a process", code, limitRemedy)
        default: return error(what, code)
        }
    }

    /// What may pass, such as a want of descriptors, is no refusal.
    private func idMap(_ file: ByteString, _ code: Int32) -> LaunchError {
        guard [EPERM, EINVAL, EROFS, ENOENT, EACCES].contains(code) else {
            return error("cannot write \(file.text)", code)
        }
        var error: LaunchError
        if code == EROFS || code == ENOENT || code == EACCES {
            error = LaunchError(
                .setup, "cannot write \(file.text): \(reason(code))",
                remedy: "the outer /proc must be mounted, and writable; a container that mounts it "
                    + "read-only must be started without that", code: code)
        } else {
            let (cause, remedy) = HostRefusal.find().words
            error = LaunchError(
                .setup, "cannot write \(file.text): the kernel refuses the id map (\(cause))",
                remedy: remedy, code: code)
        }
        error.refusal = .setup
        return error
    }

    // MARK: Roots and places

    private func rootfs(_ path: String, _ record: Record) -> LaunchError {
        let what = "cannot use the rootfs \(path)"
        switch record.code {
        case ENOENT:
            return error(what, ENOENT, "give the directory that holds its usr, bin and etc")
        case ENOTDIR: return error(what, ENOTDIR, "give a directory or a squashfs file")
        case EACCES:
            return error(what, EACCES, "every directory on the way must be searchable by you")
        case EPERM:
            let (cause, remedy) = HostRefusal.find().words
            return LaunchError(
                .setup, "\(what): mounting is refused (\(cause))", remedy: remedy, code: EPERM)
        default: return error(what, record.code)
        }
    }

    /// The root that paths of steps are below, in words.
    var rootName: String {
        plan.isHostView ? "the host" : plan.rootfs == nil ? "the new root" : "the rootfs"
    }

    func destination(_ step: Step, _ record: Record, _ call: nsrun_call) -> LaunchError? {
        let what = "cannot \(step.plainDescription)"
        let name = step.target?.text ?? "the destination"
        func error(
            _ cause: String, remedy: String? = nil, bubblewrap: String? = nil
        ) -> LaunchError {
            var error = LaunchError(
                .setup, "\(what): \(cause)", remedy: remedy, code: record.code)
            error.bubblewrapWords = bubblewrap
            return error
        }
        switch call {
        case NSRUN_CALL_TYPE:
            return record.code == EISDIR
                ? error(
                    "\(name) is a directory in the new root, but a file is wanted",
                    remedy: "a directory goes onto a directory, a file onto a file",
                    bubblewrap: "Destination is not a file \(name)")
                : error(
                    "\(name) is not a directory in the new root, but a directory is wanted",
                    remedy: "a directory goes onto a directory, a file onto a file",
                    bubblewrap: "Destination is not a directory \(name)")
        case NSRUN_CALL_LINK:
            return error(
                "\(name) is a symbolic link", remedy: "name the place that it points to",
                bubblewrap: wordsOnLink(step, name))
        case NSRUN_CALL_OTHER_LINK:
            let there = ByteString(bytes: record.text).text
            return error(
                there.isEmpty
                    ? "\(name) exists already and is not a symlink"
                    : "\(name) exists already and points to \(there)",
                remedy: "leave it as it is, or make the link before what brings it",
                bubblewrap: there.isEmpty
                    ? "Can't make symlink at \(name): destination exists and is not a symlink"
                    : "Can't make symlink at \(name): existing destination is \(there)")
        case NSRUN_CALL_SPARED:
            return error(
                "no such directory on the host, where nsrun makes none",
                remedy: "create it, or \(words.memoryLayer)")
        case NSRUN_CALL_CREATE, NSRUN_CALL_MIRROR:
            let cause: String =
                switch record.code {
                case EROFS: "no such directory in \(rootName), which is read-only"
                case ENOTDIR: "a part of \(name) is not a directory"
                case EOVERFLOW:
                    "it cannot be made there, in a directory of a user or group that is not mapped"
                default: "it cannot be made there: \(reason(record.code))"
                }
            return error(
                cause,
                remedy: !Self.wantOfRights.contains(record.code)
                    ? nil
                    : plan.rootfs == nil
                        ? "make it in what is bound there, or mount something writable above it"
                        : "\(words.memoryLayer), or create the directory in the rootfs",
                bubblewrap: wordsOnMaking(step, name, record.code))
        case NSRUN_CALL_DESTINATION:
            let cause: String =
                switch record.code {
                case ENOTDIR: "a part of \(name) is not a directory"
                case ENOENT: "\(name) does not exist in the new root"
                default: "\(name): \(reason(record.code))"
                }
            return error(cause, bubblewrap: wordsOnChanging(step, name, record.code))
        case NSRUN_CALL_SOURCE: return source(step, record)
        default: return nil
        }
    }

    /// Something cannot be made there.
    static let wantOfRights = [EROFS, EACCES, EPERM, ENOENT, ENOTDIR, EOVERFLOW]

    private func wordsOnLink(_ step: Step, _ name: String) -> String {
        if case .directory = step.action { return "Destination is not a directory \(name)" }
        if case .changeMode(_, let mode) = step.action {
            return "Can't chmod 0\(String(mode, radix: 8)) \(name): \(systemReason(EOPNOTSUPP))"
        }
        return "Can't mount on symlink destination \(name)"
    }

    private func wordsOnMaking(_ step: Step, _ name: String, _ code: Int32) -> String? {
        let words = "Can't create file \(name): \(systemReason(code))"
        if case .file = step.action { return words }
        if case .directory = step.action { return words }
        return nil
    }

    private func wordsOnChanging(_ step: Step, _ name: String, _ code: Int32) -> String? {
        guard case .changeMode = step.action else { return nil }
        return "Can't open \(name): \(systemReason(code))"
    }

    private func source(_ step: Step, _ record: Record) -> LaunchError? {
        guard case .bind(let bind) = step.action else { return nil }
        let plain = "cannot \(step.plainDescription)"
        let bubblewrap = "Can't find source path \(bind.sourceText)"
        if record.code != ENOENT {
            return error("\(plain): cannot open \(bind.sourceText)", record.code)
                .sayingAsBubblewrap(bubblewrap)
        }
        return LaunchError(
            .setup, "\(plain): \(bind.sourceText) does not exist on the host",
            remedy: "create it, or use \(words.optionalBind), which passes over what is missing",
            code: ENOENT
        ).sayingAsBubblewrap(bubblewrap)
    }

    private func hint(_ step: Step, _ code: Int32) -> String? {
        step.traits(in: words).remedies.first { $0.codes.contains(code) }?.text
    }

    func directory(
        _ candidates: [ByteString], _ code: Int32, _ origin: ByteString? = nil
    ) -> LaunchError {
        let name = candidates.last ?? "/"
        let saying = origin == Planner.imageDirectory ? ", \(Planner.imageDirectory.text)" : ""
        let isOwn = plan.isHostView && name == facts.currentDirectory
        if plan.joinIndex != nil, name == facts.currentDirectory, code == ENOENT {
            return error(
                "cannot start in \(name.text)", code,
                "the group's first process was elsewhere, and what it shows all of them see: bind it for "
                    + "all, or \(words.workingDirectory)")
        }
        return error(
            "cannot start in \(name.text)\(saying)", code,
            isOwn && code == ENOENT
                ? "a mount of this run hides it: bind it after that one, or \(words.workingDirectory)"
                : code == EACCES
                    ? "every directory on the way must be searchable by you"
                    : "\(words.workingDirectory) to a directory that exists inside"
        ).sayingAsBubblewrap("Can't chdir to \(name.text)")
    }

    func program(_ candidates: [ByteString], _ record: Record) -> LaunchError {
        if candidates.count > 1, record.text.firstIndex(of: 0) == nil, let root = plan.rootfs,
            plan.image == nil, HostFile.isDirectory(root),
            !HostFile.exists(root.appending(path: "usr")),
            !HostFile.exists(root.appending(path: "bin"))
        {
            return LaunchError(
                .setup,
                "cannot use the rootfs \(root.text): it is none, for it has no usr and no bin",
                remedy: "give the directory that holds its usr, bin and etc", code: ENOENT)
        }
        return ProgramDiagnosis(
            name: candidates.count == 1 ? candidates[0] : candidates[0].lastComponent,
            candidates: candidates, machine: facts.machine, root: rootName,
            lack: facts.emulation.lack,
            size: CommandSize(arguments: plan.arguments, environment: plan.environment)
        ).explain(record).sayingAsBubblewrap(
            "execvp \((candidates.count == 1 ? candidates[0] : candidates[0].lastComponent).text)")
    }
}
