// SPDX-License-Identifier: Apache-2.0

extension Planner {
    mutating func planNetwork() throws(LaunchError) {
        switch request.network {
        case .host, .none: return
        case .relay: try planRelay()
        case .pasta(let ports): try planPasta(passing: ports)
        }
    }

    /// The host's own addresses are out of reach before the network is connected.
    private mutating func planPasta(passing ports: [PassedPort]) throws(LaunchError) {
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
