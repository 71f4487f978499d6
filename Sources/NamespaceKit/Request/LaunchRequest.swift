/// What the user asked for: nothing resolved, no host looked at.
///
///     var request = LaunchRequest(command: ["sh", "-c", "cat /etc/os-release"])
///     request.view = .rootfs("/srv/bookworm")
///     let process = try Launcher().launch(request)
///     let status = try process.wait()
public struct LaunchRequest: Sendable, Equatable {
    /// What the root starts from.
    public enum View: Sendable, Equatable {
        /// The host's own root with a fresh `/proc` and private `/tmp`, `/var/tmp` and `/dev/shm`.
        case host
        /// A directory that holds a root file system, or a squashfs file.
        case rootfs(ByteString)
        /// Nothing at all (bubblewrap).
        case empty
    }

    /// What becomes of changes to the root.
    public enum Layer: Sendable, Equatable {
        case readOnly
        /// Changes go to the rootfs itself.
        case writable
        /// Changes go to memory and vanish.
        case memory
        /// Changes are kept in `upper` below this directory; `work` is the overlay's own.
        case directory(ByteString)
    }

    /// The caller's home directory.
    public enum Home: Sendable, Equatable {
        /// The host's in the host view, private and empty in a rootfs.
        case standard
        /// The caller's own, at its own path.
        case bound
        /// Private and empty in either view.
        case empty
    }

    public var view: View = .host
    public var layer: Layer = .readOnly
    public var operations: [FileSystemOperation] = []
    /// What `$HOME` leads to.
    public var home: Home = .standard
    /// Binds the current directory at its own path and starts there.
    public var bindsCurrentDirectory = false
    /// Binds the source tree that the current directory belongs to at its own path and starts there; as
    /// an overlay in memory where changes go to memory.
    public var bindsSourceTree = false
    /// Shows the host's root, read-only, at `/run/host`.
    public var showsHostRoot = false
    /// In the host view the sockets of the caller's session and of the host's servers are out of reach.
    public var hidesSockets = false
    /// A wall behind the namespaces, where the kernel has Landlock: see ``Step/Action/scope(paths:)``.
    public var scopesSockets = false
    /// Which abstract sockets of the network namespace (unix(7)) the command reaches.
    public enum AbstractSockets: Sendable, Equatable {
        case all
        /// Its own; no others where Landlock can do that (Linux 6.12).
        case scopedIfPossible
        /// Its own, or the launch fails.
        case scoped
    }
    public var abstractSockets = AbstractSockets.all
    /// What else of the host is within reach in a rootfs.
    public var hostParts: HostParts = []
    /// The home and the current directory, where asked for, are left out where they cannot be bound.
    public var leavesOutMissing = false
    /// The command is a program of the host's: started in a rootfs through the host's own loader and
    /// libraries below `/run/host`.
    public var runsHostProgram = false

    public var namespaces = NamespaceRequest()
    /// Which processes the command finds in `/proc`, where it has a pid namespace of its own.
    public enum Proc: Sendable, Equatable {
        /// Those of the run (proc(5)).
        case own
        /// The same, but ``outer`` where the kernel refuses it: a container shows only parts of its `/proc`, and so nobody
        /// in it is to see all.
        case outerWhereRefused
        /// Those around the run, with their numbers, which are not those that the command's own calls tell.
        case outer
    }
    public var proc = Proc.own
    /// The processes to share namespaces and root with, of which none has a pid namespace of its own.
    public var join: JoinedGroup?
    /// The network of its own, with `.network` among the new namespaces, reaches what the host's does: by
    /// pasta(1). Nothing outside reaches what listens inside.
    public var connectsNetwork = false
    public var identity = Identity()
    public var hostname: ByteString?

    public var environment = EnvironmentRequest()
    /// The program and its arguments; empty for the shell.
    public var command: [ByteString]
    /// What the program sees as its own name instead of `command[0]`.
    public var argument0: ByteString?
    public var workingDirectory: ByteString?
    /// That is what an image says; for the words where it cannot be had.
    public var startsWhereImageSays = false

    public var lifecycle = Lifecycle()
    public var limits: [ResourceLimit] = []
    /// In order; later ones win.
    public var capabilities: [CapabilityChange] = []
    /// Programs for seccomp(2), each a sequence of `struct sock_filter`.
    public var filters: [[UInt8]] = []

    /// Calls that only real root could make appear to succeed: chown, set*id, setgroups, capset and
    /// mknod of devices. Programs such as dpkg and tar then work with a single mapped id.
    public var fakesRoot = false
    /// Only mknod of devices does: for namespaces in which the ids are real.
    public var fakesDeviceNodes = false

    /// Emulators to register besides the one that the root's own programs call for.
    public var emulators: [EmulatorRequest] = []

    /// Devices by their names in the Container Device Interface, `vendor.com/class=device`.
    public var devices: [ByteString] = []
    /// Where their specifications are; empty for `/etc/cdi` and `/var/run/cdi`. Each goes before those that
    /// stand before it.
    public var deviceDirectories: [ByteString] = []
    /// Shows the host's NVIDIA driver without a specification: libraries, device nodes and tools.
    public var showsNVIDIADriver = false
    /// The root that this driver is looked for in; empty for the host's own. For tests.
    public var driverRoot: ByteString = ""

    /// What becomes the command's standard input, output and error; nil for the caller's own.
    public var standardInput: Int32?
    public var standardOutput: Int32?
    public var standardError: Int32?

    /// SELinux labels: of the command, and of the files that the launch makes.
    public var executionLabel: ByteString?
    public var fileLabel: ByteString?
    /// A mount below a bound directory that cannot be made read-only is passed over.
    public var toleratesSubmounts = false

    /// The root of the view `.rootfs`, opened already: it is not looked up again by its path, which then is
    /// only for messages. Not with changes in a layer.
    public var rootDescriptor: Int32?

    /// The command gets no descriptor but standard input, output and error, and every signal does what it does by default: for a program that does not know all it would hand down.
    public var startsClean = false
    /// A directory or file that has to be made in the root as a mount point is open to as many as the umask lets it
    /// be, and not to its owner alone: for a root that somebody else will remove.
    public var makesPlacesByUmask = false
    /// Descriptors of the caller's that the command does not get.
    public var closedDescriptors: [Int32] = []

    /// Kernel interfaces to do without, for older kernels and for tests.
    public var avoided: AvoidedInterfaces = []

    public init(command: [ByteString] = []) { self.command = command }
}

/// An architecture whose programs shall run, and perhaps by what.
public struct EmulatorRequest: Sendable, Equatable {
    /// As Debian, QEMU or uname(2) calls it: `armhf`, `arm` or `armv7l`.
    public var architecture: ByteString
    /// A static QEMU for user mode; nil to look for one.
    public var path: ByteString?

    public init(architecture: ByteString, path: ByteString? = nil) {
        self.architecture = architecture
        self.path = path
    }
}

/// Parts of the host that a rootfs shows in place of the run's own or of its own. What the host lacks is
/// left out, see ``LaunchPlan/omissions``.
public struct HostParts: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `/dev` with all its devices.
    public static let devices = HostParts(rawValue: 1 << 0)
    /// `/tmp` and `/var/tmp`.
    public static let temporary = HostParts(rawValue: 1 << 1)
    /// Where removable media are mounted: `/media`, `/mnt`, `/run/media`.
    public static let media = HostParts(rawValue: 1 << 2)
    /// hosts, host.conf, localtime, resolv.conf, machine-id and timezone of `/etc`: symbolic links below
    /// `/run/host`, so that they follow the host's. Needs `showsHostRoot`.
    public static let settings = HostParts(rawValue: 1 << 3)
    /// `$XDG_RUNTIME_DIR` and the sockets of the desktop session and of system services.
    public static let desktop = HostParts(rawValue: 1 << 4)
    /// The names of the caller's supplementary groups.
    public static let groups = HostParts(rawValue: 1 << 5)
    /// The directories and files that a resource manager names in the environment, as in `SLURM_*`, `PBS_*`, `SGE_*`,
    /// `LSB_*`, `FLUX_*`, `PMIX_*`, `SCRATCH` and `TMPDIR`, slurmd's spool directory, and the host's time zone.
    public static let job = HostParts(rawValue: 1 << 6)
}

/// The namespaces of a run. See namespaces(7).
public struct NamespaceSet: OptionSet, Sendable, Hashable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let user = NamespaceSet(rawValue: 1 << 0)
    public static let mount = NamespaceSet(rawValue: 1 << 1)
    public static let pid = NamespaceSet(rawValue: 1 << 2)
    public static let network = NamespaceSet(rawValue: 1 << 3)
    public static let ipc = NamespaceSet(rawValue: 1 << 4)
    public static let uts = NamespaceSet(rawValue: 1 << 5)
    public static let cgroup = NamespaceSet(rawValue: 1 << 6)

    /// The members and their names as the kernel's manual pages spell them.
    static let names: [(NamespaceSet, String)] = [
        (.user, "user"), (.mount, "mount"), (.pid, "pid"), (.network, "net"), (.ipc, "ipc"),
        (.uts, "uts"), (.cgroup, "cgroup"),
    ]
}

/// Which namespaces are made new.
public struct NamespaceRequest: Sendable, Equatable {
    public var new: NamespaceSet = [.user, .mount, .pid]
    /// Made new where that works, done without where it does not.
    public var optional: NamespaceSet = []
    /// A user namespace to enter before anything else, by descriptor (setns(2)). Only a program with
    /// one thread can do that.
    public var enteredUser: Int32?
    /// A pid namespace to enter, by descriptor.
    public var enteredPID: Int32?
    /// A network namespace to enter, by descriptor.
    public var enteredNetwork: Int32?
    /// A user namespace to enter last, when the root stands; a descendant of `enteredUser`.
    public var finalUser: Int32?
    /// The command cannot make user namespaces of its own.
    public var forbidsNestedUser = false
    /// The launch fails where the command could make user namespaces of its own.
    public var requiresNoNestedUser = false
    /// So many namespaces of each kind the command can make in all, with what it starts: else it could use up what its
    /// user may have on this machine (namespaces(7), `/proc/sys/user`). Nil for as many as the user may have.
    public var mostNested: UInt32? = 1024

    public init() {}
}

/// Processes of one user on one machine that share namespaces and root, such as the ranks of an MPI job: the
/// first to come sets them up, all others enter them. It ends with its last process.
public enum JoinedGroup: Sendable, Equatable {
    case named(ByteString)
    /// The step of the job that the caller is of; where there is none, what the caller's parent starts.
    case jobStep
}

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

/// The environment of the command: a start, then changes in order.
public struct EnvironmentRequest: Sendable, Equatable {
    public enum Start: Sendable, Equatable {
        case inherited
        /// HOME, PATH, TERM, LANG and USER only.
        case clean
        case empty
    }

    public enum Change: Sendable, Equatable {
        case set(name: ByteString, value: ByteString)
        case unset(name: ByteString)
        /// Forgets everything so far.
        case clear
    }

    public var start: Start = .inherited
    public var changes: [Change] = []
    /// PWD says where the command starts, as a shell would have it.
    public var setsPWD = true

    public init() {}
}

/// How the run begins and ends.
public struct Lifecycle: Sendable, Equatable {
    /// TERM goes to the command after this many nanoseconds. In a program that embeds this library pid 1 sees to that;
    /// where the command itself is pid 1, or filters keep pid 1 from it, ``RunningProcess/wait()`` does.
    public var timeout: Int64?
    /// KILL goes to the run this many nanoseconds later.
    public var killAfter: Int64?
    /// The run ends with the program that embeds this library, and with nsrun when what started that ends. A process is
    /// meant, not one of its threads.
    public var diesWithParent = false
    /// A signal that would end nsrun ends it, and the run with it, instead of going to the command: for nsrun alone.
    public var endsBySignals = false
    /// The run stays in the launcher's process group. Otherwise, where it has a pid namespace, it has a group of its own,
    /// or without a terminal a session: what is inside cannot signal the launcher's group.
    public var sharesProcessGroup = false
    /// The command gets a session of its own, without a controlling terminal (setsid(2)).
    public var newSession = false
    /// Whose keys the command finds (session-keyring(7)).
    public enum Keyring: Sendable, Equatable {
        /// In a rootfs its own, else the caller's.
        case standard
        /// An empty session keyring.
        case own
        case callers
    }
    public var keyring = Keyring.standard
    /// The command itself is pid 1 of its pid namespace.
    public var commandIsPidOne = false
    /// The run ends when its last process does, not when the command does (bubblewrap).
    public var lingers = false
    /// Descriptors that stay open outside the command as long as the run lasts.
    public var heldDescriptors: [Int32] = []
    /// The command starts when this descriptor has a byte or ends.
    public var startDescriptor: Int32?
    /// Somebody else writes the id maps and then lets this descriptor have a byte or end.
    public var mapsDescriptor: Int32?
    /// Where the pids and namespaces of the run are told, as bubblewrap's `--info-fd`. Like the next, a descriptor that
    /// stays open in a program that embeds this library.
    public var infoDescriptor: Int32?
    /// The same and the exit status, a line of JSON each, as bubblewrap's `--json-status-fd`.
    public var statusDescriptor: Int32?
    /// The command's own pid is told, too.
    public var tellsCommandPID = true

    public init() {}
}

/// A limit of setrlimit(2).
public struct ResourceLimit: Sendable, Equatable {
    /// `RLIMIT_*`.
    public var resource: Int32
    public var soft: UInt64
    public var hard: UInt64
    /// A lower limit of the caller's stays.
    public var onlyLowers = false

    public static let unlimited = UInt64.max

    public init(resource: Int32, soft: UInt64, hard: UInt64) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// The limits by the names of setrlimit(2), in lower case and without `RLIMIT_`.
    public static func resource(named name: ByteString) -> Int32? {
        for (known, number) in resources where known == name { return number }
        return nil
    }

    public static let resources: [(ByteString, Int32)] = [
        ("cpu", 0), ("fsize", 1), ("data", 2), ("stack", 3), ("core", 4), ("rss", 5),
        ("nproc", 6), ("nofile", 7), ("memlock", 8), ("as", 9), ("locks", 10),
        ("sigpending", 11), ("msgqueue", 12), ("nice", 13), ("rtprio", 14), ("rttime", 15),
    ]
}

/// A capability (capabilities(7)) given to the command or taken from it.
public enum CapabilityChange: Sendable, Equatable {
    case add(Int32)
    case drop(Int32)
    case addAll
    case dropAll

    /// The number of a capability by its name, with or without `cap_`, in any case (libcap).
    public static func named(_ name: ByteString) -> Int32? { Capabilities.number(named: name) }
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
