// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// A world to start from: descriptors of its user and its mount namespace, and of the host's proc.
struct PreparedWorld: Sendable, Equatable {
    private var user: Int32
    private var mount: Int32
    private var proc: Int32

    fileprivate init(_ prepared: nsrun_prepared) {
        (user, mount, proc) = (prepared.user, prepared.mount, prepared.proc)
    }

    var descriptors: nsrun_prepared { nsrun_prepared(user: user, mount: mount, proc: proc) }

    func close() {
        var own = descriptors
        nsrun_close_prepared(&own)
    }

    enum Finding {
        case found(PreparedWorld)
        /// Why the run is launched without.
        case none(String)
    }

    /// Others may found a world or end one at the same time.
    private static let mostAttempts = 8

    /// The world of a plan that has been prepared; it is made where there is none. Throws where another one has its name.
    static func reach(_ plan: LaunchPlan, facts: HostFacts) throws(LaunchError) -> Finding {
        guard let preparation = plan.preparation else { return .none(plan.unprepared ?? "") }
        let lowered = try CPlan(plan.ofWorld, signalMask: 0)
        defer { lowered.free() }
        var strings = CStringArray()
        defer { strings.free() }
        strings.append(preparation.folder)
        strings.append(preparation.reuse.name)
        strings.append(preparation.root)
        strings.append(preparation.note)
        let texts = strings.terminated()
        var key = nsrun_world_key()
        key.folder = UnsafePointer(texts[0])
        key.name = UnsafePointer(texts[1])
        key.root = UnsafePointer(texts[2])
        key.note = UnsafePointer(texts[3])
        key.note_length = preparation.note.count
        key.is_by_content = preparation.reuse.world == .byContent
        var error = withUnsafePointer(to: lowered.plan) { nsrun_know_world(&key, $0) }
        if error < 0 { return .none("its groups cannot be told: \(NamespaceKit.reason(-error))") }
        for _ in 0..<mostAttempts {
            var prepared = nsrun_prepared()
            error = nsrun_ask_for_world(&key, preparation.reuse.idle, &prepared)
            if error == 0 { return .found(PreparedWorld(prepared)) }
            if error != -ENOENT { return .none(reason(error, preparation.folder)) }
            let maker = nsrun_found_world(&key, preparation.reuse.idle)
            switch maker {
            case -EEXIST: continue
            case -EALREADY: throw other(preparation)
            case ..<0: return .none(reason(maker, preparation.folder))
            default:
                if let failure = make(plan, facts: facts, for: maker) { return .none(failure) }
                var now = key
                _ = withUnsafePointer(to: lowered.plan) { nsrun_know_world(&now, $0) }
                if !nsrun_is_same_world(&now, &key) {
                    // Nobody knows which of the two it is.
                    nsrun_end_world(&key)
                    return .none("the host has changed while it was made")
                }
            }
        }
        return .none("who keeps it ends time and again")
    }

    /// Why it could not be made, nil where it was.
    private static func make(_ plan: LaunchPlan, facts: HostFacts, for maker: Int32) -> String? {
        defer { closeDescriptor(maker) }
        var plan = plan.ofWorld
        for index in plan.steps.indices {
            if case .keep(let sealed, let checked, _) = plan.steps[index].action {
                plan.steps[index].action = .keep(sealed: sealed, checked: checked, to: maker)
            }
        }
        do throws(LaunchError) {
            let process = try Launcher().begin(plan, facts: facts, signalMask: 0, life: -1)
            let status = try process.wait()
            return status == .exited(0) ? nil : "the process that makes it has been killed"
        } catch {
            return error.message
        }
    }

    private static func reason(_ error: Int32, _ folder: ByteString) -> String {
        switch -error {
        case EDQUOT: "\(NSRUN_MOST_WORLDS) of them are kept already"
        case EPERM, EACCES: "others than you may enter \(folder.text), or answer there"
        case ETIMEDOUT: "who keeps it does not answer"
        default: "\(folder.text): \(NamespaceKit.reason(-error))"
        }
    }

    private static func other(_ preparation: Preparation) -> LaunchError {
        let name = preparation.reuse.name
        let there = KeptWorld.list(in: preparation.folder).first { $0.name == name }
        let root = there.map { ", of \($0.root.text)," } ?? ""
        return LaunchError(
            .setup,
            "cannot start from the world \(name.text): the one of that name\(root) was made for other options",
            remedy: "give the same options or another name, or end that one: "
                + "\(OptionNames.current.stop) \(name.text)", code: EEXIST)
    }
}
