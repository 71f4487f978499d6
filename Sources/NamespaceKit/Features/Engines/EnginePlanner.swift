// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What the plans of the engines without namespaces have in common.
struct EnginePlanner {
    let request: LaunchRequest
    let facts: HostFacts
    /// What the kernel would do.
    let original: LaunchPlan
    let view: ResolvedView
    let program: GuestProgram
    /// Where the command starts, inside.
    let directory: ByteString

    init(_ request: LaunchRequest, _ facts: HostFacts) throws(LaunchError) {
        self.request = request
        self.facts = facts
        var alone = request
        alone.reuse = nil
        original = try Planner.plan(alone, on: facts, as: .watcher)
        view = try ResolvedView(EngineView(original))
        let diagnosis = Diagnosis(plan: original, facts: facts)
        var directory: ByteString = "/"
        var candidates: [ByteString] = []
        for step in original.steps {
            if case .execute(let wanted) = step.action { candidates = wanted }
            guard case .changeDirectory(let wanted) = step.action else { continue }
            guard let found = wanted.first(where: { [view] in view.hasDirectory($0) }) else {
                throw diagnosis.directory(wanted, ENOENT)
            }
            directory = found.withoutDots
        }
        self.directory = directory
        let finder = GuestProgramFinder(view: view, directory: directory, diagnosis: diagnosis)
        program = try finder.find(candidates)
    }

    /// The command's arguments, its own name first.
    var arguments: [ByteString] {
        original.arguments.isEmpty ? [program.path] : original.arguments
    }

    /// The plan for a program of the host's that brings the command into its root.
    func plan(
        starting program: ByteString, _ arguments: [ByteString], in place: ByteString,
        environment: [ByteString], tree: ScratchRoot, honours engine: Engine
    ) -> LaunchPlan {
        var plan = original
        if request.reuse != nil { plan.unprepared = "the engine makes no namespaces" }
        plan.shape = .child
        plan.namespaces = []
        plan.steps = []
        plan.commandStart = 0
        plan.arguments = [program] + arguments
        plan.setsPWD = false
        // What comes from another run of an engine, around this one, is not for this one.
        plan.environment =
            original.environment.filter { entry in
                !entry.hasPrefix("PWD=") && !entry.hasPrefix("FAKECHROOT")
                    && !environment.contains { $0.hasSameName(as: entry) }
            } + environment
        if original.setsPWD { plan.environment.append("PWD=" + directory) }
        plan.scratchRoot = tree
        plan.lockedRootfs = original.rootfs
        plan.strays = .ended
        // What nsrun signals is the engine, which hands it to nobody; and no pid 1 watches.
        plan.processGroup = .callers
        if plan.followsLauncher { plan.steps.append(Step(action: .dieWithParent)) }
        for (index, step) in original.steps.enumerated() {
            if step.action == .newSession, index < original.commandStart { continue }
            if case .changeDirectory = step.action {
                plan.steps.append(Step(action: .changeDirectory([place])))
            } else if case .execute = step.action {
                plan.steps.append(Step(action: .execute([program])))
            } else if case .filter = step.action {
                if engine == .fakechroot { plan.steps.append(step) }
            } else if case .same = step.traits().elsewhere {
                plan.steps.append(step)
            }
        }
        return plan
    }
}

extension ByteString {
    /// Both are entries of an environment, for the same variable.
    fileprivate func hasSameName(as other: ByteString) -> Bool {
        guard let end = firstIndex(of: UInt8(ascii: "=")) else { return self == other }
        return other.bytes.starts(with: bytes[...end])
    }
}
