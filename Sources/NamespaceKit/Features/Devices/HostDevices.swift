// SPDX-License-Identifier: Apache-2.0

/// What a request's devices come to on this host: everything that the planner has to show of them.
public struct HostDevices: Sendable, Equatable {
    /// A device node, file or directory of the host's, shown in the root.
    public struct Place: Sendable, Equatable {
        public var source: ByteString
        public var target: ByteString
        public var options: BindOptions
        /// The option that asked for it.
        var origin: Origin

        init(
            _ source: ByteString, _ target: ByteString, _ options: BindOptions,
            _ origin: Origin = .device
        ) {
            self.source = source
            self.target = target
            self.options = options
            self.origin = origin
        }
    }

    enum Origin: Sendable, Equatable { case device, nvidia }

    /// A symbolic link in the root.
    public struct Link: Sendable, Equatable {
        public var text: ByteString
        public var target: ByteString
    }

    /// An entry of the dynamic linker's cache.
    public struct Library: Sendable, Equatable {
        /// As programs ask for it.
        public var name: ByteString
        /// Where it lies in the root.
        public var path: ByteString
        /// What kind of library it is, as ldconfig(8) writes it.
        public var flags: Int32
    }

    /// The C library that what is brought along needs.
    public struct Need: Sendable, Equatable {
        public var version: GlibcVersion
        /// Who needs it.
        public var library: ByteString
    }

    /// Private directories, before what lies in them.
    public var directories: [ByteString] = []
    public var places: [Place] = []
    public var links: [Link] = []
    public var libraries: [Library] = []
    /// Entries of `NAME=value`.
    public var environment: [ByteString] = []
    public var need: Need?
    /// What was not done because there is no need, or is not there.
    public var omissions: [LaunchPlan.Omission] = []
    /// Why it cannot be had.
    public var refusal: LaunchError?

    public init() {}

    var isEmpty: Bool { self == HostDevices() }

    mutating func omit(_ what: String, _ reason: String) {
        omissions.append(.init(what: ByteString(what), reason: reason))
    }

    /// Once, however many devices want the same.
    mutating func show(_ place: Place) {
        if !places.contains(place) { places.append(place) }
    }

    mutating func link(_ text: ByteString, at target: ByteString) {
        let link = Link(text: text, target: target)
        if links.contains(link) || places.contains(where: { $0.target == target }) { return }
        links.append(link)
    }

    mutating func list(_ library: Library) {
        // The folder that was named first counts.
        if !libraries.contains(where: { $0.name == library.name && $0.flags == library.flags }) {
            libraries.append(library)
        }
    }
}

/// A version of the GNU C library.
public struct GlibcVersion: Sendable, Equatable, Comparable {
    public var major: UInt32
    public var minor: UInt32

    public init(major: UInt32, minor: UInt32) {
        self.major = major
        self.minor = minor
    }

    /// The version that a symbol's names, such as `GLIBC_2.34`.
    init?(symbol name: ByteString) {
        guard name.hasPrefix("GLIBC_") else { return nil }
        let parts = name.slice(from: 6).split(on: UInt8(ascii: "."))
        guard parts.count >= 2, let major = parts[0].number(), let minor = parts[1].number(),
            major < 1 << 16, minor < 1 << 16
        else { return nil }
        self.init(major: UInt32(major), minor: UInt32(minor))
    }

    public var text: String { "\(major).\(minor)" }

    public static func < (left: GlibcVersion, right: GlibcVersion) -> Bool {
        (left.major, left.minor) < (right.major, right.minor)
    }
}
