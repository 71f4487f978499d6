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
        }
        if namespaces.forbidsNestedUser {
            // One more namespace is allowed, the command's own; from inside that one the limit
            // cannot be raised again.
            add(
                .write(text: "1\n", file: "/proc/sys/user/max_user_namespaces"),
                word(words.noNestedUser))
            add(.unshare(.user), word(words.noNestedUser))
            let user = request.user ?? facts.userID
            let group = request.group ?? facts.groupID
            add(.write(text: "deny", file: "/proc/self/setgroups"), word(words.noNestedUser))
            add(
                .write(text: idMap(group, group), file: "/proc/self/gid_map"),
                word(words.noNestedUser))
            add(
                .write(text: idMap(user, user), file: "/proc/self/uid_map"),
                word(words.noNestedUser))
        }
        if let descriptor = namespaces.finalUser {
            add(.enterNamespace(descriptor: descriptor, .user), word(words.finalUser))
            plan.closedDescriptors.append(descriptor)
        }
    }
}
