// SPDX-License-Identifier: Apache-2.0

import CHost

/// The host's network, as a run's own must not reach it.
enum HostNetwork {
    enum Addresses: Sendable, Equatable {
        /// Addresses and ranges of them, as 10.0.0.1/32.
        case found([ByteString])
        case unknown(code: Int32)
    }

    /// Those by which this host reaches itself, on whatever interface.
    static func addresses() -> Addresses {
        var found: [ByteString] = []
        let error = withUnsafeMutablePointer(to: &found) { found in
            nsrun_each_own_address(
                { context, address in
                    guard let address, let context else { return }
                    context.assumingMemoryBound(to: [ByteString].self).pointee
                        .append(ByteString(cString: address))
                }, found)
        }
        return error == 0 ? .found(found) : .unknown(code: -error)
    }
}
