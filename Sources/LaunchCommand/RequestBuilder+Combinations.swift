// SPDX-License-Identifier: Apache-2.0

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
        if request.lifecycle.commandIsPidOne,
            request.files.operations.contains(where: { $0.isLock })
        {
            throw UsageError("Specifying --as-pid-1 and --lock-file is not permitted")
        }
        if !allowedHosts.isEmpty { try checkAllowedHosts() }
        if request.namespaces.join != nil || result.isDetached { try checkJoin() }
        if namespaces.enteredNetwork != nil {
            if unsharesNetwork || request.network.isConnected {
                throw UsageError("--netns is not compatible with --unshare-net")
            }
            result.request.network = .host
        }
        // bubblewrap ends by them, and this takes the command with it; without, nsrun hands them on all the same.
        result.request.lifecycle.endsBySignals =
            personality.isBubblewrap && request.lifecycle.diesWithParent && !forwardsSignals
        if namespaces.enteredUser != nil {
            if unsharesUser { throw UsageError("--userns is not compatible with --unshare-user") }
            if triesUser {
                throw UsageError("--userns is not compatible with --unshare-user-try")
            }
            result.request.namespaces.new.remove(.user)
            result.request.namespaces.optional.remove(.user)
        }
    }

    /// They are reached from a network of the run's own, whatever a preset says of it.
    private mutating func checkAllowedHosts() throws(UsageError) {
        let entered = result.request.namespaces.enteredNetwork == nil ? nil : "--netns"
        if let other = otherNetwork ?? entered {
            throw UsageError(
                "--allow-host cannot be combined with \(other)",
                remedy: "it stands for a network that reaches what is allowed, and nothing else")
        }
        result.request.network = .relay(to: allowedHosts)
    }

    /// A detached run is a group that others can join, and has no parent to speak of.
    mutating func checkDetached() throws(UsageError) {
        if personality.isBubblewrap { throw UsageError("Unknown option --detach") }
        let excluded: [(Bool, String, String)] = [
            (followsParent, "--die-with-parent", "a detached run outlives what has started it"),
            (
                result.request.namespaces.join == .jobStep, "--join auto",
                "name the group: others cannot tell which it is"
            ),
            (
                worldToReuse != nil, "--reuse",
                "a run that others can join starts from no copy of a world"
            ),
            (
                result.request.network.isConnected, "--network pasta",
                "others could not join it; put it into the background instead: nsrun ... &"
            ),
        ]
        for (isGiven, option, remedy) in excluded where isGiven {
            throw UsageError("--detach cannot be combined with \(option)", remedy: remedy)
        }
        // Presets say so of runs that somebody waits for.
        result.request.lifecycle.diesWithParent = false
    }

    /// What is of one process alone.
    private func checkJoin() throws(UsageError) {
        let word = result.request.namespaces.join != nil ? "--join" : "--detach"
        let namespaces = result.request.namespaces
        let lifecycle = result.request.lifecycle
        let excluded: [(Bool, String)] = [
            (lifecycle.commandIsPidOne, "--as-pid-1"), (namespaces.enteredUser != nil, "--userns"),
            (namespaces.finalUser != nil, "--userns2"),
            (namespaces.enteredNetwork != nil, "--netns"),
            (namespaces.enteredPID != nil, "--pidns"),
            (lifecycle.mapsDescriptor != nil, "--userns-block-fd"),
            (lifecycle.infoDescriptor != nil, "--info-fd"),
            (lifecycle.statusDescriptor != nil, "--json-status-fd"),
            (!allowedHosts.isEmpty, "--allow-host"),
        ]
        for (isGiven, option) in excluded where isGiven {
            throw UsageError(
                "\(word) cannot be combined with \(option)",
                remedy: "the namespaces are those of a group, not of one process")
        }
        if unsharesPID {
            throw UsageError(
                "\(word) cannot be combined with --unshare-pid",
                remedy: "a pid namespace ends with its first process; after --unshare-all, "
                    + "--share-pid takes it back")
        }
    }

    /// Whoever has bubblewrap start `/proc/self/exe` means bubblewrap once more, inside. What starts the command here
    /// is another program, see stub.c, so it goes by its own file, and by its own name.
    mutating func nameItself() {
        guard result.request.program.command.first == "/proc/self/exe", let own = HostFile.ownPath
        else {
            return
        }
        result.request.program.command[0] = own
        if result.request.program.argument0 == nil {
            result.request.program.argument0 = personality.name
        }
    }

    /// What bubblewrap says to an option that it has had before.
    mutating func noteRepetition(of parsed: ParsedOption) throws(UsageError) {
        let single: [OptionID] = [
            .process(.chdir), .process(.argument0), .namespace(.execLabel), .namespace(.fileLabel),
            .namespace(.seccomp), .namespace(.userns), .namespace(.userns2), .namespace(.pidns),
            .namespace(.uid), .namespace(.gid), .namespace(.hostname), .report(.syncFD),
            .report(.blockFD), .report(.usernsBlockFD), .report(.infoFD), .report(.jsonStatusFD),
        ]
        guard single.contains(parsed.id) else { return }
        guard given.contains(parsed.id) else { return given.append(parsed.id) }
        if parsed.id == .process(.argument0) { throw UsageError("--argv0 used multiple times") }
        result.warnings.append("Only the last \(parsed.origin.text) option will take effect")
    }

    /// What bubblewrap demands and nsrun does by itself.
    private func checkAsBubblewrap() throws(UsageError) {
        let request = result.request
        let namespaces = request.namespaces
        let hasUser = namespaces.new.union(namespaces.optional).contains(.user)
        if request.namespaces.hostname != nil, !namespaces.new.contains(.uts) {
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
        if request.lifecycle.mapsDescriptor != nil, !unsharesUser, !triesUser {
            throw UsageError("--userns-block-fd requires --unshare-user")
        }
        // It looks at them when it installs them.
        if request.program.filters.contains(where: { $0.isEmpty }) {
            throw UsageError(
                "Unable to set up system call filtering as requested: prctl(PR_SET_SECCOMP) "
                    + "reported EINVAL.", remedy: "the seccomp program is empty")
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
