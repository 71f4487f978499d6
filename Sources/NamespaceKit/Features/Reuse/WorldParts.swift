// SPDX-License-Identifier: Apache-2.0

/// Divides a plan: what all runs can have in common is made ahead, and nobody can write to it; what a run may change, or
/// what says who it is, it makes itself.
///
/// Each place of its own is read-only and empty ahead. What is shown of the host inside of such a place is mounted there
/// all the same, for in a run there is no host to mount it from: the run takes hold of it, makes the place anew, and puts
/// it back.
struct WorldParts {
    private(set) var ahead: [Step] = []
    private(set) var run: [Step] = []
    private(set) var commandStart = 0

    /// What is done before there is a root: a run's ids and network.
    private var first: [Step] = []
    /// The file systems that the kernel makes up, of which a proc must be there before the others.
    private var processes: [Step] = []
    /// Each run has its own here.
    private var own: [ByteString] = []
    /// Of these, what is made ahead to be mounted on.
    private var placeholders: [ByteString] = []
    /// Directories of devices, which are shared.
    private var devices: [ByteString] = []
    /// What was mounted on one of the run's own places ahead.
    private var carried: [ByteString] = []
    /// Where something is put ahead that a symlink of the root could lead to a place of the run's own.
    private var checked: [ByteString] = []

    init(user: UInt32, group: UInt32) {
        let maps: [(ByteString, ByteString)] = [
            ("deny", "/proc/self/setgroups"),
            (ByteString("\(group) \(group) 1\n"), "/proc/self/gid_map"),
            (ByteString("\(user) \(user) 1\n"), "/proc/self/uid_map"),
        ]
        for (text, file) in maps { ahead.append(Step(action: .write(text: text, file: file))) }
    }

    mutating func divide(_ plan: LaunchPlan) throws(Unprepared) {
        guard let enter = plan.steps.firstIndex(where: { $0.action == .enterRoot }) else {
            throw Unprepared(reason: "there is no root to enter")
        }
        for step in plan.steps[..<enter] {
            if case .fileSystem(.devpts, let target) = step.action, let parent = target.parent {
                devices.append(parent)
            }
        }
        for step in plan.steps[..<enter] { try place(step) }
        guard carried.count <= 16 else {
            throw Unprepared(reason: "more than 16 mounts lie in places that are the run's own")
        }
        ahead.append(plan.steps[enter])
        // Of what is covered by a mount of the host's nothing is to be seen, and that is not to be sealed.
        let sealed = (placeholders + devices).filter { !carried.contains($0) }
        ahead.append(Step(action: .keep(sealed: sealed, checked: checked, to: -1)))
        run = first + [Step(action: .preparedRoot(carried: carried))] + processes + run
        run.append(plan.steps[enter])
        commandStart = run.count + plan.commandStart - enter - 1
        for step in plan.steps[(enter + 1)...] {
            if case .enterNamespace = step.action {
                throw Unprepared(reason: "the run enters namespaces of somebody else's")
            }
            // It is told once, and the run could not be launched again.
            if case .await = step.action { throw Unprepared(reason: "somebody else starts it") }
            run.append(step)
        }
    }

    private func isOwn(_ target: ByteString) -> Bool { innermostOwn(of: target.withoutDots) != nil }

    private func innermostOwn(of target: ByteString) -> ByteString? {
        var innermost: ByteString?
        for place in own where target.isAtOrBelow(place) && place.count >= innermost?.count ?? 0 {
            innermost = place
        }
        return innermost
    }

    private func isDevices(_ target: ByteString) -> Bool {
        let target = target.withoutDots
        return devices.contains { target.isAtOrBelow($0) }
    }

    /// A mount of what is not the run's, which it may have to put back.
    private mutating func mountAhead(_ step: Step, _ target: ByteString) {
        ahead.append(step)
        let target = target.withoutDots
        guard let place = innermostOwn(of: target) else {
            if !isDevices(target) { checked.append(target) }
            return
        }
        // With what it is mounted on.
        if carried.contains(where: { $0.isAtOrBelow(place) && target.isAtOrBelow($0) }) { return }
        var back = step
        back.action = .putBack(target: target, number: carried.count)
        carried.append(target)
        run.append(back)
    }

    /// A file system of the run's own.
    private mutating func makeOwn(_ step: Step, _ target: ByteString) {
        // Where it is to be mounted; not what may be changed there.
        if !isOwn(target) {
            ahead.append(step)
            placeholders.append(target.withoutDots)
        }
        own.append(target.withoutDots)
        run.append(step)
    }

    /// Something in the root that is no mount: with the place that it is in.
    private mutating func make(_ step: Step, _ target: ByteString) {
        if isOwn(target) {
            run.append(step)
        } else {
            ahead.append(step)
            if !isDevices(target) { checked.append(target) }
        }
    }

    private mutating func place(_ step: Step) throws(Unprepared) {
        switch step.prepared {
        case .not(let reason): throw Unprepared(reason: reason)
        case .first: first.append(step)
        case .ahead: ahead.append(step)
        case .mounted(let target): mountAhead(step, target)
        case .made(let target): make(step, target)
        case .special: try placeSpecially(step)
        }
    }

    private mutating func placeSpecially(_ step: Step) throws(Unprepared) {
        if case .system(var system) = step.action {
            // Each network has its own, and what is made ahead shows the host's.
            system.isBelow = true
            system.coversHosts = true
            own.append(SystemFiles.place)
            run.append(Step(action: .system(system), origin: step.origin))
        } else if case .bind(let bind) = step.action {
            if bind.options.contains(.inside), isKernels(bind.target) {
                processes.append(step)
            } else {
                mountAhead(step, bind.target)
            }
        } else if case .tmpfs(let target, _, _, _) = step.action {
            if devices.contains(target.withoutDots) {
                ahead.append(step)
            } else {
                makeOwn(step, target)
            }
        } else if case .fileSystem(let kind, let target) = step.action {
            placeFileSystem(step, kind, target)
        } else if case .bindData(_, let target, _, let readOnly) = step.action {
            if isOwn(target) {
                run.append(step)
            } else if readOnly {
                mountAhead(step, target)
            } else {
                throw Unprepared(reason: "\(target.text) is a file of its own to write to")
            }
        } else if case .directory(let target, let mode) = step.action {
            placeDirectory(step, target, mode)
        } else if case .remountReadOnly(let target) = step.action {
            if isOwn(target) { run.append(step) } else { ahead.append(step) }
        } else {
            throw Unprepared(reason: "nobody knows where \(step.plainDescription) belongs")
        }
    }

    private mutating func placeFileSystem(
        _ step: Step, _ kind: Step.KernelFileSystem, _ target: ByteString
    ) {
        switch kind {
        case .proc:
            // A fresh one takes one that is to be seen already.
            ahead.append(step)
            processes.append(step)
        case .devpts, .mqueue:
            if !isOwn(target) {
                ahead.append(Step(action: .directory(target: target, mode: 0o755)))
            }
            own.append(target.withoutDots)
            run.append(step)
        }
    }

    private mutating func placeDirectory(_ step: Step, _ target: ByteString, _ mode: UInt32) {
        guard isDevices(target), target.lastComponent == "shm" else { return make(step, target) }
        ahead.append(step)
        own.append(target.withoutDots)
        run.append(
            Step(
                action: .tmpfs(target: target, mode: mode, size: nil, replacesLink: false),
                origin: step.origin))
    }

    /// Of the file system that every run has its own of.
    private func isKernels(_ target: ByteString) -> Bool {
        processes.contains {
            if case .fileSystem(_, let place) = $0.action {
                target.isAtOrBelow(place)
            } else {
                false
            }
        }
    }
}
