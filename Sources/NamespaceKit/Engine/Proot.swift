import CNamespace

/// The engine proot: every system call with a path is translated by ptrace(2). See proot(1).
struct Proot {
    let planner: EnginePlanner
    private(set) var tree: PrivateTree
    /// Its program; where it is started through a loader of its own, with what comes before its arguments.
    let tool: ByteString
    private let leading: [ByteString]
    /// This program's own file, which runs inside as well: proot tells neither which signal ended a command nor
    /// the command of signals.
    private let own: ByteString
    private static let inside: ByteString = "/.nsrun"
    /// How variables of the command's begin that would mean something to proot itself, or to its loader.
    private static let meaningful: [StaticString] = ["LD_", "GLIBC_TUNABLES=", "PROOT_"]
    private static let hiding = ByteString(NSRUN_HIDDEN_VARIABLE)

    init(_ planner: EnginePlanner, tree: PrivateTree) throws(LaunchError) {
        self.planner = planner
        self.tree = tree
        (tool, leading) = try Proot.find(planner.facts)
        guard let own = HostFile.ownPath else {
            throw .proot("cannot be used: /proc/self/exe cannot be read", "mount /proc")
        }
        self.own = own
        for place in planner.view.places { self.tree.addOwn(place, of: planner.view) }
        for bind in binds where bind.contains(UInt8(ascii: ":")) {
            throw .proot(
                "cannot show \(bind.text): it knows no paths with a colon", "rename it")
        }
    }

    /// Given by NSRUN_PROOT; else the pack's; else on the PATH.
    private static func find(
        _ facts: HostFacts
    ) throws(LaunchError) -> (ByteString, [ByteString]) {
        if let given = facts.variable("NSRUN_PROOT"), !given.isEmpty {
            guard HostFile.isExecutable(given), let path = HostFile.canonicalPath(given) else {
                throw .proot(
                    "cannot be used: NSRUN_PROOT names \(given.text), which is no program",
                    "unset it, or name a proot")
            }
            return (path, [])
        }
        if let folder = EngineTools.folder?.appending(path: "proot") {
            let program = folder.appending(path: "proot")
            let loader = folder.appending(path: "ld.so")
            if HostFile.isExecutable(loader) {
                return (loader, ["--library-path", folder, program])
            }
            if HostFile.isExecutable(program) { return (program, []) }
        }
        var candidates: [ByteString] = []
        let search = facts.variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for folder in search.split(on: UInt8(ascii: ":")) where folder.isAbsolute {
            candidates.append(folder.appending(path: "proot"))
        }
        for candidate in candidates where HostFile.isExecutable(candidate) {
            if let path = HostFile.canonicalPath(candidate) { return (path, []) }
        }
        throw .proot(
            "cannot be used: there is no proot on this host",
            "install proot 5.4 or newer, or set NSRUN_PROOT to it")
    }

    // MARK: The plan

    /// What is shown: places of the host's, and those of the run's own that lie in no other such.
    private var binds: [ByteString] {
        var list: [ByteString] = []
        for place in planner.view.places {
            switch place.content {
            case .host(let source): list += [source, place.path]
            default:
                let isHeld = planner.view.places.contains { other in
                    !other.isHost && other.path != place.path
                        && place.path.below(other.path) != nil
                }
                if !isHeld { list += [tree.hostPath(of: place.path), place.path] }
            }
        }
        return list
    }

    private var identity: [ByteString] {
        let request = planner.request
        if request.fakesRoot { return ["-0"] }
        guard request.identity.user != nil || request.identity.group != nil else { return [] }
        let user = request.identity.user ?? planner.facts.userID
        let group = request.identity.group ?? planner.facts.groupID
        return ["-i", ByteString("\(user):\(group)")]
    }

    private var emulator: [ByteString] {
        guard let record = planner.facts.emulation.records.first else { return [] }
        return ["-q", record.interpreter]
    }

    private var environment: [ByteString] {
        // With its own seccomp filter, proot misses calls of newer kernels.
        ["PROOT_NO_SECCOMP=1", "PROOT_TMP_DIR=" + tree.path]
    }

    func plan(statusDescriptor: Int32) -> LaunchPlan {
        var arguments = leading
        arguments += ["-v", "-1", "-r", planner.view.root, "-w", planner.directory]
        arguments += ["-b", own + ":" + Proot.inside]
        let binds = binds
        for index in stride(from: 0, to: binds.count, by: 2) {
            arguments += ["-b", binds[index] + ":" + binds[index + 1]]
        }
        arguments += ["--kill-on-exit"] + identity + emulator
        arguments += [Proot.inside, EngineTools.helperWord, "run"]
        arguments += [ByteString(String(statusDescriptor)), planner.program.foundAs]
        arguments += planner.arguments
        var plan = planner.plan(
            starting: tool, arguments, in: "/", environment: environment, tree: tree,
            honours: .proot)
        for index in plan.environment.indices {
            let entry = plan.environment[index]
            let isProots = environment.contains(entry)
            if !isProots, Proot.meaningful.contains(where: { entry.hasPrefix($0) }) {
                plan.environment[index] = Proot.hiding + entry
            }
        }
        plan.statusDescriptor = statusDescriptor
        plan.steps.insert(
            Step(action: .shareStatus(as: statusDescriptor)), at: plan.steps.count - 1)
        return plan
    }

    // MARK: The canary

    /// Tries whether the calls of newer programs are translated, which older proots pass on to the host's root in
    /// silence. The tree must be there.
    func check() throws(LaunchError) {
        let stamp = CheckStamp(.proot, [leading.last ?? tool, own])
        if stamp.isKnown { return }
        let answer = HostTool.run(
            tool,
            leading + [
                "-v", "-1", "-r", tree.root, "-b", own + ":" + Proot.inside, Proot.inside,
                EngineTools.helperWord, "see", Proot.inside, tree.root,
            ], errorsToo: true, environment: environment)
        guard let answer, answer.succeeded else {
            let said = ByteString(bytes: answer?.output ?? []).split(on: UInt8(ascii: "\n"))[0].text
            if !said.isEmpty {
                throw .proot("cannot be used: \(said)", "ptrace(2) must be allowed")
            }
            throw .proot(
                "cannot be trusted: \(tool.text) lets statx(2) or faccessat2(2) see the host's root",
                "Debian's 5.1.0 does; 5.4.0 is right: set NSRUN_PROOT to it")
        }
        stamp.note()
    }
}

extension LaunchError {
    static func proot(_ message: String, _ remedy: String) -> LaunchError {
        LaunchError(.setup, "the engine proot " + message, remedy: remedy, code: ENOEXEC)
    }
}
