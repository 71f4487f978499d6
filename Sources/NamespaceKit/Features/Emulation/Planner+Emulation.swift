// SPDX-License-Identifier: Apache-2.0

/// Programs of other architectures, by records in a binfmt_misc of the run's own user namespace.
extension Planner {
    /// The caller's ids in the namespace that the run is set up in. Only root of it, with root's group, may write records:
    /// so it has the caller as root, and the command lives in one below it as who it is, for which records hold, too. An
    /// image wants the same, see ``imageOwner``.
    var setUpIDs: RootImage.Owner {
        if !facts.emulation.records.isEmpty { return .init(user: 0, group: 0) }
        return imageOwner ?? ownIDs
    }

    var ownIDs: RootImage.Owner {
        .init(user: request.user ?? facts.userID, group: request.group ?? facts.groupID)
    }

    var setsUpAsAnother: Bool { setUpIDs != ownIDs && !request.identity.needsHelpers }

    func checkEmulation() throws(LaunchError) {
        if let refusal = facts.emulation.refusal { throw refusal }
        guard !facts.emulation.records.isEmpty else { return }
        let namespaces = request.namespaces
        // The host's table is the host's: never that one.
        if !namespaces.new.contains(.user) || namespaces.enteredUser != nil
            || request.lifecycle.mapsDescriptor != nil
        {
            throw .emulationNeedsUser
        }
        if request.root.view == .empty, !request.mountsProc { throw .emulationNeedsProc }
        if request.identity.needsHelpers, !mapsRoot { throw .emulationNeedsRoot }
    }

    /// Root's ids are mapped, so that whoever sets the run up may write records.
    private var mapsRoot: Bool {
        let identity = request.identity
        func covers(_ ranges: [IDRange], _ own: UInt32) -> Bool {
            own == 0 || ranges.contains { $0.inside == 0 && $0.count > 0 }
        }
        return identity.mapsSubordinates
            || covers(identity.users, request.user ?? facts.userID)
                && covers(identity.groups, request.group ?? facts.groupID)
    }

    /// Where the host has its own, below a proc that is mounted already.
    mutating func planEmulation(below proc: ByteString = "/proc") {
        guard !facts.emulation.records.isEmpty else { return }
        let target = proc.appending(path: "sys/fs/binfmt_misc")
        add(.binfmt(facts.emulation.records, target: target), word(words.emulation))
    }
}

extension LaunchError {
    fileprivate static let emulationNeedsUser = LaunchError(
        .usage, "an emulator can be registered only in a user namespace of the run's own",
        remedy: "leave out the options that enter or prepare another one")

    fileprivate static let emulationNeedsRoot = LaunchError(
        .usage, "an emulator can be registered only where the ids 0 are mapped",
        remedy: "map a range to user and group 0 as well")

    fileprivate static let emulationNeedsProc = LaunchError(
        .usage, "an emulator can be registered only where a proc is mounted",
        remedy: "mount one on /proc")
}

extension LaunchRequest {
    fileprivate var mountsProc: Bool {
        files.operations.contains { if case .proc = $0.action { true } else { false } }
    }
}
