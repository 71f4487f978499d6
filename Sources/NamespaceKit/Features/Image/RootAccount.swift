// SPDX-License-Identifier: Apache-2.0

/// Who an image's USER is, by what its own root says. passwd(5), group(5)
public struct RootAccount: Sendable, Equatable {
    public var user: UInt32
    /// Nil where neither the text nor the root says one.
    public var group: UInt32?
    /// Nil where the root says none.
    public var home: ByteString?

    /// A name that the root does not know.
    public enum Unknown: Error, Equatable {
        case user(ByteString)
        case group(ByteString)
    }

    private static let largestFile = 1 << 20

    /// `USER[:GROUP]`, names or numbers.
    public init(_ text: ByteString, of root: ByteString) throws(Unknown) {
        let parts = text.split(on: UInt8(ascii: ":"))
        let accounts = Self.read("/etc/passwd", root)
        let named = accounts.fields(name: parts[0])
        let number = named.flatMap { Self.id($0[2]) } ?? Self.id(parts[0])
        // Every system has root, also one without a list of its users.
        guard let user = number ?? (parts[0] == "root" ? 0 : nil) else {
            throw .user(parts[0])
        }
        self.user = user
        let fields = named ?? accounts.fields(number: user) ?? []
        group = fields.count > 3 ? Self.id(fields[3]) : nil
        home = fields.count > 5 && fields[5].isAbsolute ? fields[5] : nil
        guard parts.count > 1, !parts[1].isEmpty else { return }
        let groups = Self.read("/etc/group", root)
        group = groups.fields(name: parts[1]).flatMap { Self.id($0[2]) } ?? Self.id(parts[1])
        if group == nil { throw .group(parts[1]) }
    }

    private static func read(_ path: ByteString, _ root: ByteString) -> AccountFile {
        AccountFile(text: HostFile.read(path, below: root, limit: largestFile))
    }

    /// A number as an id that can be had.
    private static func id(_ text: ByteString) -> UInt32? {
        guard let number = text.number(), number < 1 << 31 else { return nil }
        return UInt32(number)
    }
}
