// SPDX-License-Identifier: Apache-2.0

extension Planner {
    /// The host's own addresses are out of reach before the network is connected.
    mutating func planNetwork() throws(LaunchError) {
        guard case .pasta(let ports) = request.network else { return }
        switch facts.addresses {
        case .found(let addresses):
            if !addresses.isEmpty { add(.forbidAddresses(addresses), word(words.network)) }
        case .unknown(let code):
            throw LaunchError(
                .setup, "cannot read this host's own addresses: \(reason(code))",
                remedy: "a run's network would reach them; \(words.hostNetwork) does without",
                code: code)
        }
        switch facts.pasta {
        case .found(let pasta): add(.connectNetwork(pasta, ports: ports), word(words.network))
        case .refused(let error): throw error
        case .notLookedFor: break
        }
    }
}
