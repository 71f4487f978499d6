// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// pasta(1) of the passt project, which connects a network namespace to the host's network without privileges.
public struct Pasta: Sendable, Equatable {
    public enum Finding: Sendable, Equatable {
        case notLookedFor
        case found(Pasta)
        /// It cannot be used, and why.
        case refused(LaunchError)
    }

    public var program: ByteString
    /// What the run sees as /etc/resolv.conf, where the host's own leads to a resolver on the host's loopback
    /// interface, which is out of reach: the servers that systemd-resolved(8) asks.
    public var resolverFile: ByteString?

    public init(program: ByteString, resolverFile: ByteString? = nil) {
        self.program = program
        self.resolverFile = resolverFile
    }

    static func find(in facts: HostFacts) -> Finding {
        guard let program = facts.places(ofTool: "pasta").first(where: HostFile.isExecutable) else {
            return refusal("pasta is not installed", "install the package passt", ENOENT)
        }
        if let obstacle = HostFile.obstacle(to: "/dev/net/tun", of: "tun") {
            return refusal(obstacle.cause, obstacle.remedy, obstacle.code)
        }
        let servers = "/run/systemd/resolve/resolv.conf" as ByteString
        let asksLoopback = asksLoopbackAlone(HostFacts.readFile("/etc/resolv.conf", limit: 1 << 16))
        return .found(
            Pasta(
                program: program,
                resolverFile: asksLoopback && HostFile.exists(servers) ? servers : nil))
    }

    /// Whether a resolv.conf(5) names servers, and all of them on the loopback interface.
    static func asksLoopbackAlone(_ text: [UInt8]?) -> Bool {
        var servers: [ByteString] = []
        for line in (text ?? []).split(separator: UInt8(ascii: "\n")) {
            let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
                .map { ByteString(bytes: Array($0)) }
            if words.count > 1, words[0] == "nameserver" { servers.append(words[1]) }
        }
        return !servers.isEmpty && servers.allSatisfy { $0.hasPrefix("127.") || $0 == "::1" }
    }

    private static func refusal(_ cause: String, _ remedy: String, _ code: Int32) -> Finding {
        .refused(
            LaunchError(
                .setup, "cannot connect the network: \(cause)",
                remedy: "\(remedy), or use \(OptionNames.current.hostNetwork)", code: code))
    }
}
