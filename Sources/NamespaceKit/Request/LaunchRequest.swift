// SPDX-License-Identifier: Apache-2.0

/// What the user asked for: nothing resolved, no host looked at.
///
///     var request = LaunchRequest(command: ["sh", "-c", "cat /etc/os-release"])
///     request.root.view = .rootfs("/srv/bookworm")
///     let process = try Launcher().launch(request)
///     let status = try process.wait()
public struct LaunchRequest: Sendable, Equatable {
    /// What `/` is, and what becomes of changes to it.
    public var root = Root()
    /// What is put there besides.
    public var files = Files()
    public var namespaces = NamespaceRequest()
    public var network = Network.host
    /// Who the command is, and what it may do.
    public var identity = Identity()
    /// What is run, with what it is given.
    public var program: Program
    /// How the run begins and ends.
    public var lifecycle = Lifecycle()
    public var devices = Devices()
    /// What all its processes may have together.
    public var limits = Limits()
    /// Where the run starts from a world that is kept.
    public var reuse: Reuse?
    /// Is told to whoever lists what is kept, where this request sets up a group or a world: see ``KeptWorld/note``. The
    /// user's other processes can read it; what is longer than 8 KiB is left out.
    public var note: ByteString = ""
    /// Kernel interfaces to do without, for older kernels and for tests.
    public var compatibility: AvoidedInterfaces = []

    public init(command: [ByteString] = []) { program = Program(command: command) }

    /// With that of the network.
    var newNamespaces: NamespaceSet {
        network == .host ? namespaces.new : namespaces.new.union(.network)
    }
}

/// What network the command has (network_namespaces(7)).
public enum Network: Sendable, Equatable {
    /// The host's.
    case host
    /// One of its own, with nothing but `lo`.
    case none
    /// One of its own that reaches what the host's does, by pasta(1). Nothing outside reaches what listens inside, but by
    /// the ports that are passed on.
    case pasta(ports: [PassedPort] = [])

    /// One of its own from which these servers are reached, by TCP, and nothing else: a process beside the run relays what
    /// it has to say to them. Their names are looked up when the run starts, and no others are known inside.
    case relay(to: [AllowedHost])

    /// One of its own that reaches something, through a process beside the run.
    public var isConnected: Bool {
        switch self {
        case .host, .none: false
        case .pasta, .relay: true
        }
    }

    var isPasta: Bool { if case .pasta = self { true } else { false } }
}

/// A TCP port of the host, at all its addresses, whose connections go to one inside.
public struct PassedPort: Sendable, Equatable {
    public var outside: UInt16
    public var inside: UInt16

    public init(outside: UInt16, inside: UInt16) {
        self.outside = outside
        self.inside = inside
    }

    /// Reads `8080:80`, or `8080` for the same on both sides. Nil where a part is no port.
    public init?(parsing text: ByteString) {
        let parts = text.split(on: UInt8(ascii: ":")).map { part -> UInt16? in
            guard let number = part.number(), number > 0 else { return nil }
            return UInt16(exactly: number)
        }
        guard parts.count <= 2, let first = parts[0], let last = parts[parts.count - 1] else {
            return nil
        }
        self.init(outside: first, inside: last)
    }

    var text: ByteString { ByteString("\(outside):\(inside)") }
}

/// Kernel interfaces that a launch does without even where the kernel has them.
public struct AvoidedInterfaces: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// open_tree, fsopen, move_mount and mount_setattr: mount(2) is used instead.
    public static let mountAPI = AvoidedInterfaces(rawValue: 1 << 0)
    /// openat2(2): paths are resolved component by component.
    public static let openat2 = AvoidedInterfaces(rawValue: 1 << 1)
    /// Mounting onto a detached tree: the root is attached before it is filled.
    public static let detachedMounts = AvoidedInterfaces(rawValue: 1 << 2)
    /// A binfmt_misc of the run's own: only the host's records serve.
    public static let ownBinfmt = AvoidedInterfaces(rawValue: 1 << 3)
    /// pidfd_open(2): the end of a process is that of its connection.
    public static let processDescriptors = AvoidedInterfaces(rawValue: 1 << 4)
    /// A squashfs mounted by the kernel: it is served through FUSE.
    public static let kernelImages = AvoidedInterfaces(rawValue: 1 << 5)
}
