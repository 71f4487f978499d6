// SPDX-License-Identifier: Apache-2.0

import CRunner
import Glibc

/// The network of a starter, which its actions are in, one after the other, as long as none of them uses it.
///
/// A new one for each would cost more than all the rest of a launch: half of what two processors can do.
struct ActionNetwork {
    private var devices: Int32

    /// Nil where the host allows for none. A launch that asks for one says why.
    init?() {
        devices = runner_make_first_network()
        if devices < 0 { return nil }
    }

    /// To be called when an action has ended, and nothing of it runs any more. False where there is no longer
    /// a network that could be the next one's.
    mutating func renew() -> Bool {
        if devices >= 0, runner_is_unused(devices) { return true }
        close(devices)
        devices = runner_make_next_network()
        return devices >= 0
    }
}
