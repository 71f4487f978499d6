/// Programs of other architectures, by records in a binfmt_misc of the run's own user namespace.
extension Planner {
    /// Only root of the namespace, with root's group, may write records. So the namespace has the caller
    /// as root, and the command lives in one below it as who it is: records hold for namespaces below, too.
    var registersAsRoot: Bool {
        !facts.emulation.records.isEmpty && !request.identity.needsHelpers
            && ((request.user ?? facts.userID) != 0 || (request.group ?? facts.groupID) != 0)
    }

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
        if request.view == .empty, !request.mountsProc { throw .emulationNeedsProc }
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

    fileprivate static let emulationNeedsProc = LaunchError(
        .usage, "an emulator can be registered only where a proc is mounted",
        remedy: "mount one on /proc")
}

extension LaunchRequest {
    fileprivate var mountsProc: Bool {
        operations.contains { if case .proc = $0.action { true } else { false } }
    }
}
