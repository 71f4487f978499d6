// SPDX-License-Identifier: Apache-2.0

extension LaunchRequest {
    /// How often a launch is tried whose host changes under it.
    private static let mostAttempts = 20

    /// The host's root is to be made again from its mounts, which are looked up before the run has a copy of them.
    var layersHost: Bool {
        guard root.view == .host else { return false }
        switch root.layer {
        case .readOnly, .writable: return false
        case .memory, .directory: return true
        }
    }

    /// Launches, and once more where the host's mounts have changed between the look at them and the copy, or where less is
    /// welcome than what was refused. What `launch` is given besides says whether it is not the last time.
    public mutating func attempt<Result>(
        _ launch: (LaunchRequest, _ isRepeatable: Bool) throws(LaunchError) -> Result
    ) throws(LaunchError) -> Result {
        // Where no world can be had it is launched once more.
        if reuse != nil { try readContents() }
        guard layersHost || namespaces.proc == .outerWhereRefused else {
            return try launch(self, false)
        }
        // They can be read only once.
        try readContents()
        for _ in 1..<Self.mostAttempts {
            do throws(LaunchError) {
                return try launch(self, true)
            } catch {
                if error.isOfMaskedProc, namespaces.proc == .outerWhereRefused {
                    namespaces.proc = .outer
                } else if !error.mayBeOutdated {
                    throw error
                }
            }
        }
        return try launch(self, false)
    }
}
