import CNamespace

/// The host's network, as a run's own must not reach it.
enum HostNetwork {
    /// The addresses of all interfaces but the loopback one (getifaddrs(3)).
    static func addresses() -> [ByteString] {
        var found: [ByteString] = []
        withUnsafeMutablePointer(to: &found) { found in
            _ = nsrun_each_address(
                { context, address in
                    guard let address, let context else { return }
                    context.assumingMemoryBound(to: [ByteString].self).pointee
                        .append(ByteString(cString: address))
                }, found)
        }
        return found
    }
}
