// SPDX-License-Identifier: Apache-2.0

extension Planner {
    mutating func planRelay() throws(LaunchError) {
        switch facts.allowedHosts {
        case .found(let hosts):
            let relay = Relay(to: hosts)
            guard relay.routes.count <= Relay.most else {
                throw LaunchError(
                    .usage,
                    "cannot allow \(relay.routes.count) addresses: \(Relay.most) are the most")
            }
            add(.relay(relay), word(words.allowedHost))
        case .refused(let error): throw error
        case .notLookedFor: break
        }
    }

    /// The names that are reached, and nobody to ask for others. The host's own files would say more than is so.
    mutating func planNames() {
        guard case .found(let hosts) = facts.allowedHosts else { return }
        let files: [(ByteString, ByteString)] = [
            ("/etc/hosts", Relay.hostsFile(hosts)), ("/etc/resolv.conf", Relay.resolverFile),
        ]
        for (target, text) in files {
            var step = Step(
                action: .bindData(.bytes(text.bytes), target: target, mode: 0o644, readOnly: true),
                origin: word(words.allowedHost))
            step.coversLink = request.root.view != .empty
            plan.steps.append(step)
        }
    }
}
