// SPDX-License-Identifier: Apache-2.0

import CHost

/// The engine proot: every system call with a path is translated by ptrace(2). See proot(1).
struct Proot {
    let planner: EnginePlanner
    private let root: ProotRoot
    private let tree: ScratchRoot
    /// Its program; where it is started through a loader of its own, with what comes before its arguments.
    let tool: ByteString
    private let leading: [ByteString]
    /// proot itself.
    var program: ByteString { leading.last ?? tool }
    /// This program's own file, which runs inside as well: proot tells neither which signal ended a command nor
    /// the command of signals.
    private let own: ByteString
    /// How variables of the command's begin that would mean something to proot itself, or to its loader.
    private static let meaningful: [StaticString] = ["LD_", "GLIBC_TUNABLES=", "PROOT_"]
    private static let hiding = ByteString(NSRUN_HIDDEN_VARIABLE)

    init(_ planner: EnginePlanner, tree: ScratchRoot) throws(LaunchError) {
        self.planner = planner
        (tool, leading) = try Proot.find(planner.facts)
        guard let own = HostFile.ownPath else {
            throw .proot("cannot be used: /proc/self/exe cannot be read", "mount /proc")
        }
        self.own = own
        root = try ProotRoot(planner.view, helper: own, in: tree)
        self.tree = root.tree
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
        for candidate in facts.places(ofTool: "proot") where HostFile.isExecutable(candidate) {
            if let path = HostFile.canonicalPath(candidate) { return (path, []) }
        }
        if EngineTools.packLacksProot {
            throw .proot(
                "cannot be used: neither this pack nor this host has a proot",
                "make the pack anew with nsrun-rootfs pack --proot FILE, or set NSRUN_PROOT to one of "
                    + "5.4 or newer")
        }
        throw .proot(
            "cannot be used: there is no proot on this host",
            "install proot 5.4 or newer, or set NSRUN_PROOT to it")
    }

    // MARK: The plan

    private var identity: [ByteString] {
        let request = planner.request
        if request.identity.fakesRoot { return ["-0"] }
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
        arguments += ["-v", "-1", "-r", root.path, "-w", planner.directory]
        for (source, target) in root.binds { arguments += ["-b", source + ":" + target] }
        arguments += ["--kill-on-exit"] + identity + emulator
        arguments += [root.helper, EngineTools.helperWord, "run"]
        arguments.append(ByteString(String(statusDescriptor)))
        let program = planner.program
        if program.isShellScript {
            arguments += [program.path, program.path, program.foundAs]
            arguments += planner.arguments.dropFirst()
        } else {
            arguments.append(program.foundAs)
            arguments += planner.arguments
        }
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
            Step(action: .shareChannel(as: statusDescriptor)), at: plan.steps.count - 1)
        return plan
    }

    // MARK: The canary

    /// Tries whether the calls of newer programs are translated, which older proots pass on to the host's root in
    /// silence. The tree must be there. What has passed is tried `again` only where that is asked for.
    func check(again: Bool) throws(LaunchError) {
        // Asked each time: it is for the run's surroundings to allow.
        guard nsrun_can_trace() else {
            throw .proot(
                "cannot be used: ptrace(2) is refused here",
                "a seccomp filter around nsrun must allow it")
        }
        let stamp = CheckStamp(.proot, [program, own])
        if !again, stamp.isKnown { return }
        let answer = HostTool.run(
            tool,
            leading + [
                "-v", "-1", "-r", tree.root, "-b", own + ":/.nsrun", "/.nsrun",
                EngineTools.helperWord, "see", "/.nsrun", tree.root,
            ], errorsToo: true, environment: environment)
        guard let answer, answer.succeeded else {
            let said = ByteString(bytes: answer?.output ?? []).split(on: UInt8(ascii: "\n"))[0].text
            if !said.isEmpty {
                throw .proot("cannot be used: \(said)", "ptrace(2) must be allowed")
            }
            throw .proot(
                "cannot be trusted: \(program.text) lets statx(2) or faccessat2(2) see the host's root",
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
