import NamespaceKit

/// Options that need or exclude each other.
extension RequestBuilder {
    mutating func checkTogether() throws(UsageError) {
        if personality.isBubblewrap { try checkAsBubblewrap() }
        let request = result.request
        let namespaces = request.namespaces
        if namespaces.forbidsNestedUser {
            if personality.isBubblewrap, !unsharesUser {
                throw UsageError("--disable-userns requires --unshare-user")
            }
            if namespaces.finalUser != nil {
                throw UsageError("--disable-userns cannot be combined with --userns2")
            }
            if request.lifecycle.mapsDescriptor != nil {
                throw UsageError("--disable-userns is not compatible with --userns-block-fd")
            }
        }
        if request.lifecycle.mapsDescriptor != nil, request.lifecycle.infoDescriptor == nil {
            throw UsageError(
                "--userns-block-fd requires --info-fd",
                remedy: "whoever writes the id maps must know the pid")
        }
        if request.lifecycle.commandIsPidOne, request.operations.contains(where: { $0.isLock }) {
            throw UsageError("Specifying --as-pid-1 and --lock-file is not permitted")
        }
        if request.join != nil { try checkJoin() }
        if namespaces.enteredUser != nil {
            if unsharesUser { throw UsageError("--userns not compatible with --unshare-user") }
            result.request.namespaces.new.remove(.user)
            result.request.namespaces.optional.remove(.user)
        }
    }

    /// What is of one process alone.
    private func checkJoin() throws(UsageError) {
        let namespaces = result.request.namespaces
        let lifecycle = result.request.lifecycle
        let excluded: [(Bool, String)] = [
            (lifecycle.commandIsPidOne, "--as-pid-1"), (namespaces.enteredUser != nil, "--userns"),
            (namespaces.finalUser != nil, "--userns2"), (namespaces.enteredPID != nil, "--pidns"),
            (lifecycle.mapsDescriptor != nil, "--userns-block-fd"),
            (lifecycle.infoDescriptor != nil, "--info-fd"),
            (lifecycle.statusDescriptor != nil, "--json-status-fd"),
        ]
        for (isGiven, option) in excluded where isGiven {
            throw UsageError(
                "--join cannot be combined with \(option)",
                remedy: "the namespaces are those of a group, not of one process")
        }
        if unsharesPID {
            throw UsageError(
                "--join cannot be combined with --unshare-pid",
                remedy: "a pid namespace ends with its first process; after --unshare-all, "
                    + "--share-pid takes it back")
        }
    }

    /// What bubblewrap demands and nsrun does by itself.
    private func checkAsBubblewrap() throws(UsageError) {
        let request = result.request
        let namespaces = request.namespaces
        let hasUser = namespaces.new.union(namespaces.optional).contains(.user)
        if request.hostname != nil, !namespaces.new.contains(.uts) {
            throw UsageError("Specifying --hostname requires --unshare-uts")
        }
        if !hasUser, namespaces.enteredUser == nil {
            if let user = request.identity.user, user != HostProcess.userID {
                throw UsageError("Specifying --uid requires --unshare-user or --userns")
            }
            if let group = request.identity.group, group != HostProcess.groupID {
                throw UsageError("Specifying --gid requires --unshare-user or --userns")
            }
        }
        if request.lifecycle.mapsDescriptor != nil, !hasUser {
            throw UsageError("--userns-block-fd requires --unshare-user")
        }
        if request.lifecycle.commandIsPidOne, !namespaces.new.contains(.pid) {
            throw UsageError("Specifying --as-pid-1 requires --unshare-pid")
        }
    }
}

extension FileSystemOperation {
    fileprivate var isLock: Bool {
        if case .lockFile = action { true } else { false }
    }
}
