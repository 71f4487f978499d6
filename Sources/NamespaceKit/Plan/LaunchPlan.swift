// SPDX-License-Identifier: Apache-2.0

/// What a launch will do: a flat array of steps and the arrangement of processes around them.
///
/// Everything is a value here. `--explain` prints it, tests compare it, the executor runs it.
public struct LaunchPlan: Sendable, Equatable {
    /// A namespace of somebody else's, by descriptor.
    public struct EnteredNamespace: Sendable, Equatable {
        public var descriptor: Int32
        public var kind: NamespaceSet
    }

    /// Something that a preset would have shown.
    public struct Omission: Sendable, Equatable {
        public var what: ByteString
        public var reason: String
    }

    /// How the processes of a launch are arranged.
    public enum Shape: Sendable, Equatable {
        /// The calling process itself becomes the command.
        case inPlace
        /// A child becomes the command.
        case child
        /// A child stays as pid 1, and the command is its child.
        case childWithInit
    }

    /// Which mount calls are used.
    public enum Mounting: Sendable, Equatable {
        /// The root is put together detached and attached in one step (Linux 6.15).
        case detached
        /// By descriptors, in a root that is attached first (Linux 5.12).
        case attached
        /// mount(2).
        case classic
    }

    public var shape: Shape
    /// Made new by the clone.
    public var namespaces: NamespaceSet
    public var mounting: Mounting
    public var usesOpenat2: Bool
    public var usesProcessDescriptors = true
    /// Mount points are never made in a directory of the host.
    public var sparesHost: Bool
    /// What cannot be written is copied into memory where a mount point is missing.
    public var mirrors: Bool
    /// The root is the host's, not a rootfs.
    public var isHostView: Bool

    public var steps: [Step] = []
    /// The first step that the command's own process runs.
    public var commandStart = 0

    /// `argv`; empty where the path that is found stands for itself.
    public var arguments: [ByteString] = []
    public var environment: [ByteString] = []
    /// What was asked for if it is there, and is not: what it is, and why it was left out.
    public var omissions: [Omission] = []
    /// Descriptors of the request that are not the command's.
    public var closedDescriptors: [Int32] = []
    /// Namespaces that the launching process enters before it makes the child.
    public var entered: [EnteredNamespace] = []
    /// A destination that is a symlink is refused, as bubblewrap does.
    public var refusesLinks = false
    public var toleratesSubmounts = false
    public var lifecycle: Lifecycle
    /// See ``LaunchRequest/startsClean``.
    public var startsClean = false
    /// See ``LaunchRequest/makesPlacesByUmask``.
    public var makesPlacesByUmask = false
    /// See ``EnvironmentRequest/setsPWD``.
    public var setsPWD = true
    /// The launcher waits for the command to start, not only for it to end.
    public var announcesStart = false
    /// The launching program may handle signals, which are none of the command's. A supervisor handles none.
    var hasHandlers = false
    /// Pid 1 keeps the command's time, whatever the launching program does meanwhile. A supervisor keeps it for all of
    /// its runs, of which not each has a pid 1.
    var keepsTimeInside = false
    /// And pid 1 waits for an answer before it goes on.
    var answersStart = false
    /// A directory of the host's that is made before the launch and removed after the run.
    public var scratchRoot: ScratchRoot?
    /// The rootfs, where no step mounts it.
    var lockedRootfs: ByteString?
    /// What becomes of what the command leaves behind where no pid namespace ends it. The launcher has to adopt
    /// what it may have to end.
    enum Strays {
        case notAdopted, endedAtLimit, ended
        /// Whatever is in the command's user namespace, whoever has started it.
        case endedInside
    }
    var strays = Strays.notAdopted
    /// The command's start and end are told on the channel by a program inside, under this number.
    var statusDescriptor: Int32?
    /// The run ends when the launcher does.
    var followsLauncher = false
    /// The directory that keeps the changes, where that is asked for: no two runs at once may.
    var layerDirectory: ByteString?
    /// Where a supervisor tells that the command has started, and closes it; -1 for nowhere. Where nobody listens any more
    /// the run ends.
    var startedDescriptor: Int32 = -1
    /// See ``LaunchRequest/note``.
    var note: ByteString = ""
    /// A signal to a process group reaches all of it.
    enum ProcessGroup {
        /// The launcher's.
        case callers
        /// One of the run's own, in the launcher's session, which shares the terminal.
        case own
        /// One of a session of the run's own.
        case ownSession
    }
    var processGroup = ProcessGroup.callers
    /// How a message begins, and one that the command could not be started, where nobody is left to word it; and the exit
    /// status then.
    public var messagePrefix: ByteString = "nsrun: "
    public var failureWords: ByteString = "cannot run "
    public var failureStatus: Int32 = 126
    /// A supervisor ends by whatever signal the command has ended by, not only by those of a terminal.
    public var repeatsSignals = false
    /// The launcher keeps them open as long as it watches.
    var launcherDescriptors: [Int32] = []
    /// Something else will be tried where the kernel refuses this: nothing is closed before the command runs.
    public var isAttempt = false
    /// What all processes of the run may have together.
    public var limits = Limits()
    /// The launching process may be put into a control group of its own for that.
    var mayMoveLauncher = false
    /// And it is said if the run has met them.
    public var tellsMetLimits = true
    /// Each step is reported with the time that it took.
    public var tracesSteps = false
    /// The same in two parts, for a run that starts from a world which is kept.
    public var preparation: Preparation?
    /// Why there are no such parts though that was asked for.
    public var unprepared: String?
    /// The world that the run starts from. Its descriptors are closed with the launch.
    var world: PreparedWorld?
    /// Pid 1 takes the command's filters, for it can be looked into, and under them it can but wait for children: the
    /// launcher itself signals the command, and what a terminal sends to the run's group alone it is not told of.
    var initIsQuiet = false
}

extension LaunchPlan {
    /// Whoever waits for the command's start is told of it. With the first process of a group all of it ends, but where that
    /// is to outlive it.
    public mutating func detach(tellingStartTo descriptor: Int32) {
        guard descriptor >= 0 else { return }
        startedDescriptor = descriptor
        launcherDescriptors.append(descriptor)
        if !lifecycle.lingers, isFirstOfGroup { strays = .endedInside }
    }

    private var isFirstOfGroup: Bool {
        for step in steps {
            if case .join(_, _, _, let manner) = step.action { return manner == .new }
        }
        return false
    }

    var adoptsStrays: Bool {
        switch strays {
        case .notAdopted, .endedInside: false
        case .endedAtLimit, .ended: true
        }
    }

    /// Pid 1 can be looked at in proc, by the command as well: for a caller who asks which process it is, as
    /// `flatpak enter` does. What it says is not to be trusted once the command runs.
    var showsInit: Bool { lifecycle.infoDescriptor != nil || lifecycle.statusDescriptor != nil }

    /// Mount points that are made in directories which outlast the run are taken away when it has ended: where that is the
    /// end of all its processes, and somebody stays to see it. bubblewrap leaves them.
    var takesPlacesAway: Bool {
        shape != .inPlace && namespaces.contains(.pid) && !lifecycle.lingers && !refusesLinks
            && joinIndex == nil && preparation == nil
            && !steps.contains { if case .keep = $0.action { true } else { false } }
    }

    /// The child is proot, which traces the command, and a program inside tells of that.
    var isTraced: Bool { statusDescriptor != nil }

    /// The steps between these two are the work of a group's first process alone.
    var joinIndex: Int? {
        steps.firstIndex { if case .join = $0.action { true } else { false } }
    }
    var shareIndex: Int? {
        steps.firstIndex { if case .share = $0.action { true } else { false } }
    }

    /// What the processes of a group must agree in, a line each.
    var stepsOfGroup: ByteString {
        guard let join = joinIndex, let share = shareIndex else { return "" }
        var text: ByteString = ""
        for step in steps[(join + 1)..<share] where !step.isIncidental {
            text = text + ByteString(step.description) + "\n"
        }
        return text
    }

    var rootOfGroup: ByteString? {
        for step in steps {
            if case .share(_, let root) = step.action { return root }
        }
        return nil
    }

    /// The host's root is made again from what was known of its mounts.
    var layersHost: Bool {
        isHostView
            && steps.contains {
                if case .overlay(let overlay) = $0.action {
                    overlay.lower == [overlay.target] && overlay.upper != .none
                } else {
                    false
                }
            }
    }

    /// The squashfs that the root is, where it is one.
    var image: ByteString? {
        for step in steps {
            if case .image(let image) = step.action { return image.path }
        }
        return nil
    }

    /// The directory or file that the root is made of, where it is one of its own.
    var rootfs: ByteString? {
        if let lockedRootfs { return lockedRootfs }
        if let image { return image }
        for step in steps {
            if case .bind(let bind) = step.action, bind.directoryOnly {
                return if case .path(let path) = bind.source { path } else { nil }
            }
            if case .overlay(let overlay) = step.action, overlay.target == "/" {
                return overlay.lower.first
            }
        }
        return nil
    }
}
