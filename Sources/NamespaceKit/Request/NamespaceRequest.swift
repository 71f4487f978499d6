// SPDX-License-Identifier: Apache-2.0

/// Which namespaces are made new.
public struct NamespaceRequest: Sendable, Equatable {
    /// `.network` here is what ``Network/none`` says.
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
    /// Those who have the same rootfs and keep its changes in the same directory (``LaunchRequest/Layer/directory(_:)``) are a
    /// group by themselves: two runs that are none would be undefined.
    public var sharesLayer = false
    public var hostname: ByteString?
    /// Which abstract sockets of the network namespace (unix(7)) the command reaches.
    public enum AbstractSockets: Sendable, Equatable {
        case all
        /// Its own; no others where Landlock can do that (Linux 6.12).
        case scopedIfPossible
        /// Its own, or the launch fails.
        case scoped
    }
    public var abstractSockets = AbstractSockets.all
    /// A wall behind the namespaces, where the kernel has Landlock: see ``Step/Action/scope(paths:)``.
    public var scopesSockets = false

    public init() {}
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

/// Processes of one user on one machine that share namespaces and root, such as the ranks of an MPI job: the
/// first to come sets them up, all others enter them. It ends with its last process.
public enum JoinedGroup: Sendable, Equatable {
    case named(ByteString)
    /// One that is there, as it stands: what was asked for when it was set up is not compared with this request. Where there
    /// is none of that name the launch fails (ENOENT).
    case existing(ByteString)
    /// One that this process sets up. Where there is one of that name the launch fails (EEXIST).
    case new(ByteString)
    /// The step of the job that the caller is of; where there is none, what the caller's parent starts.
    case jobStep
}
