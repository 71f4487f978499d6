// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The choice of an engine, and what follows where the kernel refuses namespaces.
extension LaunchTool {
    func launchByEngine(_ invocation: Invocation) throws(LaunchError) -> RunEnd {
        switch try choice(invocation) {
        case .only(.namespaces):
            do throws(LaunchError) {
                return try startReducing(invocation, isFinal: true)
            } catch {
                throw personality.isBubblewrap ? error : error.offeringEngines
            }
        case .only(let engine):
            var run = try run(invocation, by: engine)
            prepareTrace(&run.plan, invocation)
            if invocation.requiresIsolation { throw .isolatesLess(run, because: nil) }
            return try perform(run, invocation)
        case .automatic:
            // The probe is the set-up itself: it costs nothing where it succeeds.
            do throws(LaunchError) {
                return try startReducing(invocation, isFinal: false)
            } catch {
                guard error.refusal != nil, !personality.isBubblewrap else { throw error }
                return try fallBack(invocation, from: error)
            }
        }
    }

    private func choice(_ invocation: Invocation) throws(LaunchError) -> EngineChoice {
        if let choice = invocation.engine { return choice }
        guard !personality.isBubblewrap, let name = HostProcess.variable("NSRUN_ENGINE"),
            !name.isEmpty
        else { return invocation.standardEngine }
        if let choice = EngineChoice(named: name) { return choice }
        let error = EngineChoice.unknown(name, from: "NSRUN_ENGINE")
        throw LaunchError(.usage, error.message, remedy: error.remedy)
    }

    /// Namespaces that are only welcome are done without where the kernel refuses them.
    private func startReducing(
        _ invocation: Invocation, isFinal: Bool
    ) throws(LaunchError) -> RunEnd {
        do throws(LaunchError) {
            return try start(invocation, isFinal: isFinal)
        } catch {
            guard let request = invocation.request.reduced(after: error) else { throw error }
            var reduced = invocation
            reduced.request = request
            return try start(reduced, isFinal: isFinal)
        }
    }

    // MARK: Other engines

    /// fakechroot before proot: it costs a millisecond once, where proot makes each call with a path several
    /// times slower. What it cannot do, it refuses or is found out to fail at.
    private func fallBack(
        _ invocation: Invocation, from refusal: LaunchError
    ) throws(LaunchError) -> RunEnd {
        var reasons = ""
        var invocation = invocation
        try invocation.request.readContents()
        var engines = [Engine.fakechroot, .proot]
        while let engine = engines.first {
            engines.removeFirst()
            var run: EngineRun
            do throws(LaunchError) {
                run = try self.run(invocation, by: engine)
                if run.isBetterLeftToProot, engines == [.proot] {
                    engines = [.proot, .fakechroot]
                    continue
                }
                if invocation.requiresIsolation { throw .isolatesLess(run, because: refusal) }
                try run.make()
            } catch {
                // What is wrong with the command is wrong in every engine.
                if error.kind == .notFound || error.kind == .notExecutable { throw error }
                if invocation.requiresIsolation { throw error }
                reasons += "; " + error.message
                continue
            }
            warn(
                "\(refusal.message): running with \(engine.name) instead, which does not isolate "
                    + run.losses, invocation)
            prepareTrace(&run.plan, invocation)
            return try run.run(facts: HostFacts.read(for: invocation.request))
        }
        var error = refusal
        error.remedy =
            EngineTools.packLacksProot
            ? (refusal.remedy.map { $0 + ", or " } ?? "")
                + "make the pack anew with a proot, which it lacks: nsrun-rootfs pack --proot FILE"
            : (refusal.remedy ?? "no engine is left") + reasons
        throw error
    }

    private func run(
        _ invocation: Invocation, by engine: Engine
    ) throws(LaunchError) -> EngineRun {
        OptionNames.current.features = RequestBuilder.features(
            askedForBy: invocation.options, as: personality)
        let facts = HostFacts.read(for: invocation.request)
        return try EngineRun(invocation.request, on: facts, by: engine)
    }

    private func perform(_ run: EngineRun, _ invocation: Invocation) throws(LaunchError) -> RunEnd {
        if case .explain(let json) = invocation.action {
            try HostProcess.print(json ? run.explanation.json : run.explanation.text)
            return .exited(0)
        }
        var run = run
        try run.make()
        return try run.run(facts: HostFacts.read(for: invocation.request))
    }
}

extension LaunchError {
    fileprivate static func isolatesLess(
        _ run: EngineRun, because refusal: LaunchError?
    ) -> LaunchError {
        LaunchError(
            .setup,
            (refusal.map { "\($0.message), and " } ?? "")
                + "the engine \(run.engine.name) does not isolate " + run.losses,
            remedy: refusal?.remedy
                ?? "leave --require isolation out, or --engine \(run.engine.name)")
    }
}
