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
        switch step.action {
        case .processGroup, .newSession, .dieWithParent, .hostname, .raiseLoopback,
            .forbidAddresses,
            .limitNamespaces:
            first.append(step)
        case .write(_, let file):
            let maps: [ByteString] = [
                "/proc/self/setgroups", "/proc/self/gid_map", "/proc/self/uid_map",
            ]
            guard maps.contains(file) else { throw Unprepared(reason: "what it makes has a label") }
            first.append(step)
        case .holdGroups, .showGroups, .complete, .needGlibc, .readAhead: ahead.append(step)
        case .system(var system):
            // Each network has its own, and what is made ahead shows the host's.
            system.isBelow = true
            system.coversHosts = true
            own.append(SystemFiles.place)
            run.append(Step(action: .system(system), origin: step.origin))
        case .bind(let bind):
            if bind.options.contains(.inside), isKernels(bind.target) {
                processes.append(step)
            } else {
                mountAhead(step, bind.target)
            }
        case .tmpfs(let target, _, _, _):
            if devices.contains(target.withoutDots) {
                ahead.append(step)
            } else {
                makeOwn(step, target)
            }
        case .fileSystem(let kind, let target):
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
        case .overlay(let overlay):
            guard overlay.upper == .none else {
                throw Unprepared(reason: "an overlay of its own is written to")
            }
            mountAhead(step, overlay.target)
        case .prepend(_, let target), .linkerCache(_, let target), .ownCopy(_, let target, _),
            .bindLink(_, let target):
            mountAhead(step, target)
        case .bindData(let content, let target, _, let readOnly):
            try check(content)
            if isOwn(target) {
                run.append(step)
            } else if readOnly {
                mountAhead(step, target)
            } else {
                throw Unprepared(reason: "\(target.text) is a file of its own to write to")
            }
        case .file(let content, let target, _):
            try check(content)
            make(step, target)
        case .symlink(_, let target): make(step, target)
        case .directory(let target, let mode):
            if isDevices(target), target.lastComponent == "shm" {
                ahead.append(step)
                own.append(target.withoutDots)
                run.append(
                    Step(
                        action: .tmpfs(target: target, mode: mode, size: nil, replacesLink: false),
                        origin: step.origin))
            } else {
                make(step, target)
            }
        case .changeMode(let target, _): make(step, target)
        case .remountReadOnly(let target):
            if isOwn(target) { run.append(step) } else { ahead.append(step) }
        case .binfmt: throw Unprepared(reason: "it registers an emulator")
        case .hostDirectory, .adopt:
            throw Unprepared(reason: "its root has a writable layer of its own")
        case .image: throw Unprepared(reason: "its root is a squashfs")
        case .hostRoot, .emptyRoot:
            throw Unprepared(reason: "without a rootfs there is nothing to prepare")
        case .unshare, .enterNamespace, .setIDs, .nest, .join, .share, .await, .requestIDMaps,
            .tellNamespaces,
            .isolateMounts, .connectNetwork, .assertNoUserNamespaces, .scope, .scopeAbstract,
            .lockFile, .enterRoot, .redirect, .newKeyring, .changeDirectory, .limit, .personality32,
            .noNewPrivileges, .capabilities, .filter, .shareChannel, .stub, .execute, .preparedRoot,
            .putBack, .keep:
            throw Unprepared(reason: "its namespaces are made in another way")
        }
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

    /// What can be read only once is the first run's alone.
    private func check(_ content: FileSystemOperation.Content) throws(Unprepared) {
        if case .descriptor = content {
            throw Unprepared(reason: "a file's content comes from a descriptor")
        }
    }
}
