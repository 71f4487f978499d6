// SPDX-License-Identifier: Apache-2.0

/// What a run reaches through the process beside it that has the host's network: CHost's relay.c says how.
public struct Relay: Sendable, Equatable {
    /// An address and port of the run's network, and where connections to it go.
    public struct Route: Sendable, Equatable {
        public var address: InternetAddress
        public var port: UInt16
        /// Those of the same server, in the order in which they are tried.
        public var servers: [InternetAddress]
        /// Who is meant, for messages.
        public var name: String
        /// Where the run has no IPv6: the server has another address.
        public var isOptional = false
    }

    public var routes: [Route] = []
    /// Where the run sends its listeners, the launcher has it made.
    var descriptor: Int32 = -1

    /// So many listeners have room in one message to the kernel and another.
    static let most = 512

    init(to hosts: [ResolvedHost]) {
        var claims: [[Int]] = []
        for (index, resolved) in hosts.enumerated() {
            for address in resolved.addresses {
                if let known = routes.firstIndex(where: {
                    $0.address == address && $0.port == resolved.host.port
                }) {
                    if !claims[known].contains(index) { claims[known].append(index) }
                    continue
                }
                routes.append(
                    Route(address: address, port: resolved.host.port, servers: [address], name: ""))
                claims.append([index])
            }
        }
        for index in routes.indices {
            let named = claims[index].map { hosts[$0] }
            var name = ""
            for one in named { name += (name.isEmpty ? "" : " or ") + one.host.text }
            routes[index].name = name
            routes[index].isOptional =
                !routes[index].address.isIPv4
                && named.allSatisfy { $0.addresses.contains { $0.isIPv4 } }
            // Where several names share an address nobody can tell which is meant: the others of one would be wrong for
            // another.
            for other in named[0].addresses where other != routes[index].address {
                if named.allSatisfy({ $0.addresses.contains(other) }) {
                    routes[index].servers.append(other)
                }
            }
        }
    }

    /// The run's hosts(5): who may be reached, and itself.
    static func hostsFile(_ hosts: [ResolvedHost]) -> ByteString {
        var text: ByteString = ""
        // Where that is to be reached it has the addresses that it has outside, and no other.
        if !hosts.contains(where: { $0.host.name == "localhost" }) {
            text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        }
        var lines: [ByteString] = []
        for resolved in hosts where !resolved.isAddress {
            for address in resolved.addresses {
                let line = address.text + "\t" + resolved.host.name + "\n"
                if !lines.contains(line) { lines.append(line) }
            }
        }
        for line in lines { text = text + line }
        return text
    }

    /// Its resolv.conf(5).
    static let resolverFile: ByteString = "# Names are those of /etc/hosts alone (nsrun).\n"

    /// What is reached, in words.
    var list: String {
        var words = ""
        for route in routes {
            if !words.isEmpty { words += ", " }
            words += "\(route.name) (\(route.address.text.text))"
        }
        return words.isEmpty ? "nobody" : words
    }
}
