// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Where an entry lies below the root of its tree: names joined by single slashes, never `.` or
/// `..`, never a leading slash. The root itself is the empty path.
public struct EntryPath: Hashable, Comparable, Sendable {
    /// The names, joined by slashes.
    public private(set) var joined: ByteString

    /// The root of the tree.
    public static let root = EntryPath(joined: ByteString([]))

    /// The longest path in bytes: a longer one no program can name in one call (PATH_MAX).
    static let largestLength = 4095
    /// The most names in a path. Real trees have some twenty; what is deeper is made to hurt.
    static let largestDepth = 1000

    private init(joined: ByteString) {
        self.joined = joined
    }

    /// Reads a path as an archive has it. A leading slash means the root of the tree, as it does for
    /// docker and for tar; a `..` anywhere is refused.
    init(archived raw: ByteString) throws {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.bytes.count)
        for name in raw.bytes.split(separator: UInt8(ascii: "/")) {
            if name.elementsEqual([UInt8(ascii: ".")]) { continue }
            guard !name.elementsEqual([UInt8(ascii: "."), UInt8(ascii: ".")]) else {
                throw RootFilesystemError(
                    cannot: "extract", raw.abbreviated, because: "the path contains \"..\"",
                    remedy: "the archive tries to write outside its own tree: do not trust it")
            }
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
            bytes.append(contentsOf: name)
        }
        joined = ByteString(bytes)
        try check(cannot: "extract")
    }

    /// Refuses a path that is too long or too deep.
    func check(cannot operation: String) throws {
        if joined.bytes.count > Self.largestLength {
            throw RootFilesystemError(
                cannot: operation, joined.abbreviated,
                because: "the path has \(joined.bytes.count) bytes, more than the "
                    + "\(Self.largestLength) that a program can name")
        }
        if depth > Self.largestDepth {
            throw RootFilesystemError(
                cannot: operation, joined.abbreviated,
                because:
                    "it lies \(depth) directories deep, and at most \(Self.largestDepth) are read"
            )
        }
    }

    /// For paths written in this program; `text` must be normal already.
    init(_ text: StaticString) {
        joined = ByteString(text.description)
    }

    var isRoot: Bool { joined.bytes.isEmpty }

    /// The last name; empty for the root.
    var name: ByteString {
        guard let slash = lastSlash else { return joined }
        return ByteString(Array(joined.bytes[(slash + 1)...]))
    }

    /// The directory that holds this entry; the root's is the root.
    var parent: EntryPath {
        guard let slash = lastSlash else { return .root }
        return EntryPath(joined: ByteString(Array(joined.bytes[..<slash])))
    }

    /// How many names there are.
    var depth: Int {
        isRoot ? 0 : joined.bytes.reduce(1) { $0 + ($1 == UInt8(ascii: "/") ? 1 : 0) }
    }

    /// The names, outermost first.
    var names: [ByteString] {
        joined.bytes.split(separator: UInt8(ascii: "/")).map { ByteString(Array($0)) }
    }

    /// A path in the tree that this one is the root of.
    func appending(_ path: EntryPath) -> EntryPath {
        path.isRoot ? self : appending(path.joined)
    }

    /// Whether the first name is that one.
    func isWithin(_ name: ByteString) -> Bool {
        joined.bytes.starts(with: name.bytes)
            && (joined.bytes.count == name.bytes.count
                || joined.bytes[name.bytes.count] == UInt8(ascii: "/"))
    }

    func appending(_ name: ByteString) -> EntryPath {
        isRoot
            ? EntryPath(joined: name)
            : EntryPath(joined: ByteString(joined.bytes + [UInt8(ascii: "/")] + name.bytes))
    }

    /// For messages.
    var printable: String { isRoot ? "/" : joined.abbreviated }

    public static func < (left: EntryPath, right: EntryPath) -> Bool { left.joined < right.joined }

    private var lastSlash: Int? { joined.bytes.lastIndex(of: UInt8(ascii: "/")) }
}
