// SPDX-License-Identifier: Apache-2.0

/// Who the command is, inside.
public struct Identity: Sendable, Equatable {
    /// The user id inside; nil for the caller's own.
    public var user: UInt32?
    public var group: UInt32?
    /// Ids beyond the caller's own, besides; newuidmap(1) and newgidmap(1) must allow them.
    public var users: [IDRange] = []
    public var groups: [IDRange] = []
    /// The caller's ranges of subuid(5) and subgid(5) are mapped from 0 on, around the caller's id.
    public var mapsSubordinates = false
    /// The ids are what an image says, not what the caller asks for: with user 0 come no capabilities.
    public var isOfImage = false

    /// Capabilities (capabilities(7)) given to the command or taken from it, in order; later ones win.
    public var capabilities: [CapabilityChange] = []
    /// Calls that only real root could make appear to succeed: chown, set*id, setgroups, capset and mknod of devices.
    /// Programs such as dpkg and tar then work with a single mapped id.
    public var fakesRoot = false
    /// Only mknod of devices does: for namespaces in which the ids are real.
    public var fakesDeviceNodes = false

    public init(user: UInt32? = nil, group: UInt32? = nil) {
        self.user = user
        self.group = group
    }
}

/// A line of an id map (user_namespaces(7)).
public struct IDRange: Sendable, Equatable {
    public var inside: UInt32
    public var outside: UInt32
    public var count: UInt32

    public init(inside: UInt32, outside: UInt32, count: UInt32) {
        self.inside = inside
        self.outside = outside
        self.count = count
    }

    func holds(outside id: UInt32) -> Bool { id >= outside && id - outside < count }
}

/// A capability (capabilities(7)) given to the command or taken from it.
public enum CapabilityChange: Sendable, Equatable {
    case add(Int32)
    case drop(Int32)
    case addAll
    case dropAll

    /// The number of a capability by its name, with or without `cap_`, in any case (libcap).
    public static func named(_ name: ByteString) -> Int32? { Capabilities.number(named: name) }

    /// Of all that the kernel has, such as `CAP_CHOWN`.
    public static var names: [ByteString] { Capabilities.names }
}
