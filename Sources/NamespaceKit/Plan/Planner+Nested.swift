// SPDX-License-Identifier: Apache-2.0

/// Steps between the new root and the command: labels, locks, and further user namespaces.
extension Planner {
    /// SELinux takes a label by a file of proc, which the new root need not have.
    mutating func planLabels() {
        if let label = request.program.label {
            add(.write(text: label, file: "/proc/self/attr/exec"), word(words.executionLabel))
        }
    }

    /// Files are made with a label that is set before the first of them.
    mutating func planFileLabel() {
        if let label = request.files.label {
            add(.write(text: label, file: "/proc/self/attr/fscreate"), word(words.fileLabel))
        }
    }

    mutating func planLocks() {
        for operation in request.files.operations {
            if case .lockFile(let target) = operation.action {
                add(.lockFile(target: target), operation.origin)
            }
        }
    }

    mutating func planNestedUser() {
        let namespaces = request.namespaces
        if namespaces.enteredUser != nil, request.user != nil || request.group != nil {
            // The map of a namespace of somebody else's stands; the ids must be in it.
            add(
                .setIDs(
                    user: request.user ?? facts.userID, group: request.group ?? facts.groupID))
            // A change of ids makes the kernel forget whose death ends us.
            if plan.shape == .child, plan.followsLauncher { add(.dieWithParent) }
        }
        if setsUpAsAnother || locksMounts {
            // With capabilities over its mounts, too, it could undo what is read-only there. In a copy that belongs to a
            // further user namespace their flags are locked.
            var new: NamespaceSet = locksMounts ? [.user, .mount] : .user
            new.formUnion(later)
            let origin = word(facts.emulation.records.isEmpty ? words.rootfs : words.emulation)
            nest(new, setsUpAsAnother ? origin : nil)
            planFirstUse(of: later)
            planSystemBelow()
        }
        if namespaces.forbidsNestedUser {
            // One more namespace is allowed, the command's own; from inside that one the limit
            // cannot be raised again.
            let origin = word(words.noNestedUser)
            add(.write(text: "1\n", file: "/proc/sys/user/max_user_namespaces"), origin)
            add(.unshare(.user), origin)
            planOwnIDs(origin)
        }
        if let descriptor = namespaces.finalUser {
            add(.enterNamespace(descriptor: descriptor, .user), word(words.finalUser))
            plan.closedDescriptors.append(descriptor)
        }
    }

    /// The network is made now, and its devices are shown unless the request has put something of its own there.
    private mutating func planSystemBelow() {
        guard later.contains(.network), let files = facts.system else { return }
        let isTaken = request.files.operations.contains {
            guard let point = $0.action.mountPoint?.withoutDots else { return false }
            return point.isAtOrBelow(SystemFiles.place) || SystemFiles.place.isAtOrBelow(point)
        }
        guard !isTaken else { return }
        add(.system(.init(files: files, isBelow: true)))
        markIncidental(from: plan.steps.count - 1)
    }

    /// Further namespaces, in which everybody has the id that he is to have.
    private mutating func nest(_ new: NamespaceSet, _ origin: ByteString?) {
        if request.identity.needsHelpers {
            func own(_ ranges: [IDRange]) -> [IDRange] {
                ranges.map { IDRange(inside: $0.inside, outside: $0.inside, count: $0.count) }
            }
            add(.nest(new, users: own(mappedUsers), groups: own(mappedGroups)), origin)
            return
        }
        add(.unshare(new), origin)
        planOwnIDs(origin, afterSetUp: true)
    }

    /// In a further user namespace, for the one id that a process can map by itself.
    private mutating func planOwnIDs(_ origin: ByteString?, afterSetUp: Bool = false) {
        let user = request.user ?? facts.userID
        let group = request.group ?? facts.groupID
        add(.write(text: "deny", file: "/proc/self/setgroups"), origin)
        let outer = afterSetUp ? setUpIDs : ownIDs
        add(.write(text: idMap(group, outer.group), file: "/proc/self/gid_map"), origin)
        add(.write(text: idMap(user, outer.user), file: "/proc/self/uid_map"), origin)
    }

    /// The command has capabilities, and shall not have them over the mounts that this run has made for it. It has none
    /// over them anyway where one more user namespace lies between.
    var locksMounts: Bool {
        let namespaces = request.namespaces
        return keptCapabilities != 0 && namespaces.new.contains(.user)
            && namespaces.enteredUser == nil && !namespaces.forbidsNestedUser
            && request.lifecycle.mapsDescriptor == nil
    }

    /// What the command has capabilities over is made in the user namespace that they are in, so after the root: all but
    /// what is a part of the root, and a network that somebody else connects.
    func laterNamespaces(of namespaces: NamespaceSet) -> NamespaceSet {
        var later = namespaces.intersection([.network, .ipc, .uts, .cgroup])
        if request.network.isConnected { later.remove(.network) }
        if request.mountsQueues { later.remove(.ipc) }
        return later
    }
}

extension LaunchRequest {
    fileprivate var mountsQueues: Bool {
        files.operations.contains { if case .mqueue = $0.action { true } else { false } }
    }
}
