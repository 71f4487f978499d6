// SPDX-License-Identifier: Apache-2.0

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
