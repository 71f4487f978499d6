// SPDX-License-Identifier: Apache-2.0

/// A server that a run may reach by TCP although it has a network of its own.
public struct AllowedHost: Sendable, Equatable {
    /// A name, or an address in words.
    public var name: ByteString
    public var port: UInt16

    public init(name: ByteString, port: UInt16) {
        self.name = name
        self.port = port
    }

    /// Reads `example.org:443`, `192.0.2.1:80` or `[2001:db8::1]:80`.
    public init(parsing text: ByteString) throws(LaunchError) {
        let parts = text.split(on: UInt8(ascii: ":"))
        let last = parts[parts.count - 1]
        var name = text.slice(from: 0, to: max(0, text.count - last.count - 1))
        let isBracketed = name.hasPrefix("[") && name.bytes.last == UInt8(ascii: "]")
        if parts.count < 2 || name.isEmpty {
            throw .cannotAllow(text, "it has no port", "NAME:PORT, as in example.org:443")
        }
        if text.contains(UInt8(ascii: "/")) {
            throw .cannotAllow(
                text, "it is not a name and a port", "NAME:PORT, as in example.org:443")
        }
        if parts.count > 2, !isBracketed {
            throw .cannotAllow(
                text, "where its port begins cannot be told", "[ADDRESS]:PORT, as in [::1]:443")
        }
        guard let number = last.number(), let port = UInt16(exactly: number), port > 0 else {
            throw .cannotAllow(
                text, "\"\(last.text)\" is no port", "one from 1 to 65535 each time, no ranges")
        }
        if isBracketed, name.count > 2 { name = name.slice(from: 1, to: name.count - 1) }
        self.init(name: name, port: port)
        if let obstacle { throw obstacle }
    }

    var text: String {
        (name.contains(UInt8(ascii: ":")) ? "[\(name.text)]" : name.text) + ":\(port)"
    }

    /// Why no server can have that name. What passes is a word in hosts(5).
    var obstacle: LaunchError? {
        if name.contains(UInt8(ascii: "*")) {
            return .cannotAllow(
                ByteString(text), "names are looked up when the run starts, and this is none",
                "name each host by itself")
        }
        let isPlain = name.bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: ByteString("-._:").contains(byte)
            }
        }
        guard isPlain, !name.isEmpty, name.count < 254, port > 0 else {
            return .cannotAllow(
                ByteString(text), "that is no name of a host",
                "letters, digits, - and .; others in their form for the network, as in xn--...")
        }
        return nil
    }
}

extension LaunchError {
    static func cannotAllow(
        _ text: ByteString, _ cause: String, _ remedy: String, code: Int32 = 0
    ) -> LaunchError {
        LaunchError(
            code == 0 ? .usage : .setup, "cannot allow \(text.text): \(cause)", remedy: remedy,
            code: code)
    }
}
