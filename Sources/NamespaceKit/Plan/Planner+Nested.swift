/// Steps between the new root and the command: labels, locks, and further user namespaces.
extension Planner {
    /// SELinux takes a label by a file of proc, which the new root need not have.
    mutating func planLabels() {
        if let label = request.executionLabel {
            add(.write(text: label, file: "/proc/self/attr/exec"), word(words.executionLabel))
        }
    }

    /// Files are made with a label that is set before the first of them.
    mutating func planFileLabel() {
        if let label = request.fileLabel {
            add(.write(text: label, file: "/proc/self/attr/fscreate"), word(words.fileLabel))
        }
    }

    mutating func planLocks() {
        for operation in request.operations {
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
            if request.lifecycle.diesWithParent { add(.dieWithParent) }
        }
        if setsUpAsRoot {
            // With capabilities over its mounts, too, as it would have in a root of this machine's.
            let namespaces: NamespaceSet = keptCapabilities == 0 ? .user : [.user, .mount]
            let origin = word(facts.emulation.records.isEmpty ? words.rootfs : words.emulation)
            add(.unshare(namespaces), origin)
            planOwnIDs(origin, wereRoot: true)
        }
        if keepsPowerOverMounts {
            // In the namespace that made them, root could make the mounts writable again. In a copy
            // that belongs to a further user namespace their flags are locked.
            add(.unshare([.user, .mount]))
            planOwnIDs(nil)
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

    /// In a further user namespace everybody is who he was, or shall be after all.
    private mutating func planOwnIDs(_ origin: ByteString?, wereRoot: Bool = false) {
        let user = request.user ?? facts.userID
        let group = request.group ?? facts.groupID
        add(.write(text: "deny", file: "/proc/self/setgroups"), origin)
        let (outerUser, outerGroup) = wereRoot ? (0, 0) : (user, group)
        add(.write(text: idMap(group, outerGroup), file: "/proc/self/gid_map"), origin)
        add(.write(text: idMap(user, outerUser), file: "/proc/self/uid_map"), origin)
    }

    /// The command is root over a rootfs that is to stay read-only. Only with the one id that a process can
    /// map by itself, and not where that would cost it the power over further namespaces of its own.
    private var keepsPowerOverMounts: Bool {
        guard case .rootfs = request.view, request.layer == .readOnly, hasUserNamespace else {
            return false
        }
        return keptCapabilities != 0 && !request.identity.needsHelpers
            && request.namespaces.new.subtracting([.user, .mount, .pid]).isEmpty
            && request.hostname == nil && request.namespaces.optional.isEmpty
            && request.namespaces.enteredUser == nil && !request.namespaces.forbidsNestedUser
    }
}
