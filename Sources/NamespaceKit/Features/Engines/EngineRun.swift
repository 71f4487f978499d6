// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// A run by an engine that has no namespaces: the same request, and a plan that is watched over in the same
/// way, around a private directory that is made before and removed after it.
public struct EngineRun {
    public let engine: Engine
    public var plan: LaunchPlan
    private let check: Check
    private let view: ResolvedView

    private enum Check {
        case fakechroot(Fakechroot)
        case proot(Proot)
    }

    /// Plans it. Refuses what the engine cannot honour; makes nothing.
    public init(
        _ request: LaunchRequest, on facts: HostFacts, by engine: Engine
    ) throws(LaunchError) {
        self.engine = engine
        // Where files lie is asked of it.
        guard HostFile.exists("/proc/self/fd") else {
            throw LaunchError(
                .setup, "the engine \(engine.name) cannot be used: there is no /proc",
                remedy: "mount it: mount -t proc proc /proc", code: ENOENT)
        }
        for feature in request.engineFeatures where !feature.isHonoured(by: engine) {
            throw .notHonoured(feature, by: engine)
        }
        if facts.rootImage != .none { throw .notHonoured(.images, by: engine) }
        if request.root.view == .empty { throw .notHonoured(.otherNamespaces, by: engine) }
        for place in facts.allowedPaths.places where place.lack != nil {
            throw .notHonoured("making \(place.path.text)", by: engine)
        }
        var request = request
        try request.readContents()
        var facts = facts
        if engine == .proot, facts.emulation.records.isEmpty {
            facts.emulation = EmulationFinder(request: request, facts: facts).find(forTracer: true)
            // proot would start the programs all the same, and say nothing of why they do not run.
            if let lack = facts.emulation.lack { throw lack }
        }
        if engine == .fakechroot { facts.emulation = Emulation() }
        let planner = try EnginePlanner(request, facts)
        for step in planner.original.steps {
            guard case .refused = step.traits().elsewhere else { continue }
            throw .notHonoured(step.origin?.text ?? step.plainDescription, by: engine)
        }
        view = planner.view
        let tree = ScratchRoot(path: ScratchRoot.choosePath(facts))
        if engine == .fakechroot {
            let fakechroot = try Fakechroot(planner, tree: tree)
            plan = fakechroot.plan
            check = .fakechroot(fakechroot)
        } else {
            let proot = try Proot(planner, tree: tree)
            var number: Int32 = 200
            while HostFile.isOpen(number) { number += 1 }
            plan = proot.plan(statusDescriptor: number)
            check = .proot(proot)
        }
    }

    /// What the run does not have that namespaces would have given it, in words.
    public var losses: String {
        "the host's processes, read-only files, "
            + (engine == .fakechroot ? "static programs, " : "")
            + "and programs that mean to leave the root"
    }

    /// The program asks where it lies, as `java` does, and the engine cannot tell it: what the kernel has started is the
    /// loader. The pack has a proot, which can.
    public var isBetterLeftToProot: Bool {
        guard case .fakechroot(let fakechroot) = check else { return false }
        return EngineTools.packHasProot && fakechroot.planner.program.asksForItsPlace
    }

    /// What the command sees, for ``Explanation``.
    var mounts: MountTree { MountTree(view) }

    public var explanation: Explanation { Explanation(plan, mounts: mounts) }

    /// Makes the private directory and tries the engine, unless these very files have passed before.
    /// ``run(facts:)`` must follow.
    public mutating func make() throws(LaunchError) { try make(again: false) }

    private mutating func make(again: Bool) throws(LaunchError) {
        guard let tree = plan.scratchRoot else { return }
        ScratchRoot.sweep(tree.path.parent ?? "/tmp", user: getuid())
        plan.launcherDescriptors.append(try tree.make())
        do throws(LaunchError) {
            switch check {
            case .fakechroot(let fakechroot):
                plan.launcherDescriptors.append(try fakechroot.mirror.make())
                try fakechroot.makeLinks()
                try fakechroot.check(again: again)
            case .proot(let proot): try proot.check(again: again)
            }
        } catch {
            discard()
            throw error
        }
    }

    private func discard() {
        plan.scratchRoot?.remove()
        for descriptor in plan.launcherDescriptors where descriptor >= 0 {
            closeDescriptor(descriptor)
        }
    }

    /// Tries the engine, even if it has passed before, and leaves nothing. Returns what it works with.
    func probe() throws(LaunchError) -> ByteString {
        var run = self
        try run.make(again: true)
        run.discard()
        return switch check {
        case .fakechroot(let fakechroot): fakechroot.library
        case .proot(let proot): proot.program
        }
    }

    /// Runs it to its end.
    public func run(facts: HostFacts) throws(LaunchError) -> RunEnd {
        defer { plan.scratchRoot?.remove() }
        return try Supervisor.run(plan, facts: facts)
    }
}

extension LaunchError {
    fileprivate static func notHonoured(_ feature: EngineFeature, by engine: Engine) -> LaunchError
    {
        notHonoured(OptionNames.current.features[feature.rawValue], by: engine)
    }

    fileprivate static func notHonoured(_ what: String, by engine: Engine) -> LaunchError {
        LaunchError(
            .usage, "the engine \(engine.name) cannot honour \(what)",
            remedy:
                "it needs namespaces: \(OptionNames.current.engine) userns, or leave it out")
    }
}
