// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// An address of the internet's protocol, version 4 or 6.
public struct InternetAddress: Sendable, Equatable {
    /// Four or sixteen of them.
    public var bytes: [UInt8]

    public init(bytes: [UInt8]) { self.bytes = bytes }

    var isIPv4: Bool { bytes.count == 4 }

    /// One server can have it, and without saying on which link.
    var isOfHost: Bool {
        if isIPv4 { return bytes[0] != 0 && bytes[0] < 224 }
        let isMapped =
            bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xff && bytes[11] == 0xff
        let isLinks = bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80
        return !isMapped && !isLinks && bytes[0] != 0xff && !bytes.allSatisfy { $0 == 0 }
    }

    init(_ endpoint: nsrun_endpoint) {
        let count = endpoint.version == 4 ? 4 : 16
        bytes = withUnsafeBytes(of: endpoint.address) { Array($0.prefix(count)) }
    }

    func endpoint(port: UInt16, isOptional: Bool = false) -> nsrun_endpoint {
        var endpoint = nsrun_endpoint()
        endpoint.version = isIPv4 ? 4 : 6
        endpoint.port = port
        endpoint.is_optional = isOptional ? 1 : 0
        withUnsafeMutableBytes(of: &endpoint.address) { $0.copyBytes(from: bytes) }
        return endpoint
    }

    var text: ByteString {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(NSRUN_ADDRESS_SIZE)) { buffer in
            var endpoint = endpoint(port: 0)
            nsrun_word_address(&endpoint, buffer.baseAddress!)
            return ByteString(cString: buffer.baseAddress!)
        }
    }
}

/// A server that may be reached, and the addresses that its name had when the run was planned.
public struct ResolvedHost: Sendable, Equatable {
    public enum Finding: Sendable, Equatable {
        case notLookedFor
        case found([ResolvedHost])
        case refused(LaunchError)
    }

    public var host: AllowedHost
    public var addresses: [InternetAddress]
    /// It is named by its address.
    public var isAddress = false

    public init(_ host: AllowedHost, addresses: [InternetAddress], isAddress: Bool = false) {
        self.host = host
        self.addresses = addresses
        self.isAddress = isAddress
    }

    /// Asks for the addresses of all of them (getaddrinfo(3)).
    static func find(_ hosts: [AllowedHost]) -> Finding {
        var found: [ResolvedHost] = []
        for host in hosts {
            if let obstacle = host.obstacle { return .refused(obstacle) }
            var addresses: [InternetAddress] = []
            let answer = withUnsafeMutablePointer(to: &addresses) { addresses in
                withCString(host.name) {
                    nsrun_resolve(
                        $0,
                        { context, endpoint in
                            guard let context, let endpoint else { return }
                            context.assumingMemoryBound(to: [InternetAddress].self).pointee
                                .append(InternetAddress(endpoint.pointee))
                        }, addresses)
                }
            }
            if answer < 0 { return .refused(unknown(host, -answer)) }
            var usable: [InternetAddress] = []
            for address in addresses where address.isOfHost && !usable.contains(address) {
                usable.append(address)
            }
            guard !usable.isEmpty else {
                let what = addresses.first.map { $0.text.text + " is" } ?? "it has"
                return .refused(
                    .cannotAllow(
                        ByteString(host.text), "\(what) no address of a server",
                        "name the server itself"))
            }
            found.append(
                ResolvedHost(
                    host, addresses: Array(usable.prefix(Int(NSRUN_MOST_ADDRESSES))),
                    isAddress: answer == 1))
        }
        return .found(found)
    }

    private static func unknown(_ host: AllowedHost, _ code: Int32) -> LaunchError {
        let (cause, remedy): (String, String) =
            switch code {
            case ENOENT:
                (
                    "there is no such name",
                    "it is looked up outside, when the run starts: see that it is spelled right"
                )
            case EAGAIN:
                (
                    "no name server answers",
                    "see /etc/resolv.conf; or name the server by its address"
                )
            default:
                (
                    "its addresses cannot be looked up: \(reason(code))",
                    "name the server by its address"
                )
            }
        return .cannotAllow(ByteString(host.text), cause, remedy, code: code)
    }
}
