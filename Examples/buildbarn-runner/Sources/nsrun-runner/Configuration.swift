// SPDX-License-Identifier: Apache-2.0

import CRunner
import GRPCCore

/// What the administrator has chosen.
struct Configuration: Sendable {
    let buildDirectory: String
    let socket: String
    let chrootsIntoInputRoot: Bool
    let hasNetwork: Bool

    func openBuildDirectory() throws(RPCError) -> Descriptor {
        try Descriptor(runner_open_host(buildDirectory), "build directory \(buildDirectory)")
    }
}
