// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// How a run came to its end, for the shell that waits for it.
public enum RunEnd: Sendable, Equatable {
    case exited(Int32)
    /// The command died of a signal that a terminal had sent. A shell that runs a loop goes by that, and not by the
    /// status alone.
    case interrupted(signal: Int32)

    /// Ends this process in the same way, or gives the exit status.
    public func status() -> Int32 {
        switch self {
        case .exited(let status): return status
        case .interrupted(let signal):
            nsrun_end_by_signal(signal)
            return 128 + signal
        }
    }
}

/// What stays outside of a run: hands signals on, keeps the time limit, and knows the exit status.
///
/// For a program of its own only, for it blocks all signals and closes all other descriptors.
public struct Supervisor {
    /// The exit status of a run that reached its time limit, as timeout(1).
    public static let timeoutStatus: Int32 = 124

    private let process: RunningProcess
    private let signals: Int32
    /// Readable when the caller's process has ended, with which the run is to end; -1 for none.
    private let parent: Int32
    private var terminal: CallersTerminal
    private let leadsSession = getsid(0) == getpid()
    private var hasLetGo = false
    private var hasToldStart = false
    /// Where the command's processes are, see ``LaunchPlan/Strays/endedInside``.
    private var inside = nsrun_inside()
    /// Came before the command was there: a bit for each.
    private var early: UInt64 = 0
    /// Came from a terminal: a bit for each.
    private var fromTerminal: UInt64 = 0
    /// What ends this program and the run, and leaves the command no say.
    private var deadly: Int32?

    /// Runs a plan to its end: in a copy of a world that is kept, where that is asked for and can be had.
    public static func run(_ plan: LaunchPlan, facts: HostFacts) throws(LaunchError) -> RunEnd {
        guard plan.preparation != nil || plan.unprepared != nil else {
            return try runOnce(plan, facts: facts)
        }
        let reason: String
        switch try PreparedWorld.reach(plan, facts: facts) {
        case .found(let world):
            var inside = plan.fromWorld
            inside.world = world
            inside.isAttempt = true
            if plan.tracesSteps {
                HostProcess.printError(
                    "nsrun: starts from the world \(plan.preparation!.reuse.name.text)\n")
            }
            do throws(LaunchError) {
                return try runOnce(inside, facts: facts)
            } catch {
                guard error.isOfWorld else { throw error }
                reason = error.message
            }
        case .none(let why): reason = why
        }
        if plan.tracesSteps {
            HostProcess.printError("nsrun: launched without a prepared world: \(reason)\n")
        }
        var cold = plan
        cold.preparation = nil
        return try runOnce(cold, facts: facts)
    }

    private static func runOnce(_ plan: LaunchPlan, facts: HostFacts) throws(LaunchError) -> RunEnd
    {
        let parent = plan.lifecycle.diesWithParent ? try openParent() : -1
        var previous: UInt64 = 0
        _ = nsrun_block_all_signals(&previous)
        try enter(plan.entered)
        if plan.adoptsStrays { _ = nsrun_adopt_strays() }
        var plan = plan
        plan.answersStart = StatusReport(plan).wantsStart
        plan.mayMoveLauncher = true
        plan.announcesStart =
            plan.answersStart || plan.isAttempt || plan.startedDescriptor >= 0
            || plan.takesPlacesAway && plan.showsInit
        let signals = nsrun_signal_descriptor()
        do throws(LaunchError) {
            // A run that nobody could signal would be deaf.
            guard signals >= 0 else {
                throw LaunchError(
                    .setup, "cannot wait for signals: \(reason(-signals))", code: -signals)
            }
            let process: RunningProcess
            do throws(LaunchError) {
                process = try Launcher().begin(
                    plan, facts: facts, signalMask: previous, life: parent)
            } catch {
                var error = error
                error.isOfWorld = plan.world != nil
                throw error
            }
            if plan.processGroup == .own { nsrun_lead_group(process.pid) }
            var supervisor = Supervisor(process, parent, signals)
            do throws(LaunchError) {
                return try supervisor.watch()
            } catch {
                var error = error
                // The command has not been started, nor has its name been looked up in vain.
                error.isOfWorld = plan.world != nil && !supervisor.hasLetGo && error.kind == .setup
                error.hasStarted = supervisor.hasToldStart
                throw error
            }
        } catch {
            if signals >= 0 { closeDescriptor(signals) }
            // Whoever tries something else next shall find everything as it was.
            if plan.isAttempt { nsrun_restore_signals(previous) }
            throw error
        }
    }

    /// The caller's process, by descriptor: the kernel's own signal at a parent's death would come when the thread ends
    /// that has started this program. Before Linux 5.3 there is nothing else.
    private static func openParent() throws(LaunchError) -> Int32 {
        let parent = getppid()
        var descriptor = nsrun_process_descriptor(parent)
        if descriptor == -ENOSYS || parent == 0 {
            let error = nsrun_die_with_parent()
            if error != 0 { throw .cannotFollow(-error) }
            descriptor = -1
        } else if descriptor < 0, descriptor != -ESRCH {
            throw .cannotFollow(-descriptor)
        }
        // One that went before we asked is noticed by its changed pid.
        if getppid() != parent { exit(128 + SIGKILL) }
        return descriptor
    }

    /// Somebody else's namespaces, for the child to be born in.
    static func enter(_ namespaces: [LaunchPlan.EnteredNamespace]) throws(LaunchError) {
        for namespace in namespaces {
            let error = nsrun_enter_namespace(namespace.descriptor, namespace.kind.cloneFlags)
            if error != 0 {
                let kind = namespace.kind.list
                throw LaunchError(
                    .setup,
                    "cannot enter the \(kind) namespace of descriptor \(namespace.descriptor): "
                        + reason(-error),
                    remedy: "it must be a descriptor of /proc/PID/ns/\(kind) of a namespace that "
                        + "you own", code: -error)
            }
        }
    }

    private init(_ process: RunningProcess, _ parent: Int32, _ signals: Int32) {
        self.process = process
        self.parent = parent
        self.signals = signals
        terminal = CallersTerminal(process.plan.processGroup, run: process.pid)
        if !process.plan.isAttempt { letGo() }
    }

    /// Closes what is the command's from now on.
    private mutating func letGo() {
        if hasLetGo { return }
        hasLetGo = true
        // A descriptor that the command closes must be closed, so none is held on to here but
        // standard error, for messages, and a terminal, to take it back.
        let keep =
            [
                signals, parent, process.eventDescriptor, terminal.descriptor,
                process.lockDescriptor, process.layerLock, process.networkDescriptor,
                process.commandDescriptor,
            ] + process.leftoverDescriptors + StatusReport(process.plan).descriptors
            + process.plan.launcherDescriptors
        keep.withUnsafeBufferPointer { nsrun_close_others($0.baseAddress!, $0.count) }
        for number: Int32 in 0...1 where !keep.contains(number) { closeDescriptor(number) }
    }

    /// Whoever waits for the command's start goes on; where he has gone nobody would know of the run.
    private mutating func tellStart() {
        let descriptor = process.plan.startedDescriptor
        if descriptor < 0 || hasToldStart { return }
        hasToldStart = true
        // Held until this process ends.
        if nsrun_look_inside(process.pid, &inside) < 0 { inside.inode = 0 }
        var word = CChar(bitPattern: DetachedRun.started)
        if nsrun_write_all(descriptor, &word, 1) != 0 { process.end() }
        closeDescriptor(descriptor)
    }

    private mutating func watch() throws(LaunchError) -> RunEnd {
        let result: ExitStatus?
        do throws(LaunchError) {
            result = try awaitEnd()
        } catch {
            terminal.takeBack()
            throw error
        }
        switch process.plan.strays {
        case .notAdopted: break
        case .endedAtLimit:
            if process.hasTimedOut { nsrun_kill_strays(process.plan.joinIndex != nil) }
        case .ended: nsrun_kill_strays(false)
        case .endedInside: if inside.inode != 0 { _ = nsrun_end_inside(&inside, 0) }
        }
        terminal.takeBack()
        if process.plan.tellsMetLimits {
            for line in process.metLimits.lines(process.plan.limits) {
                HostProcess.printError(process.plan.messagePrefix.text + line + "\n")
            }
        }
        if let deadly { return .interrupted(signal: deadly) }
        if process.plan.isTraced, !process.hasTold, !process.hasTimedOut {
            throw LaunchError(
                .setup, "proot could not start the command",
                remedy: "what it says stands above", code: ENOEXEC)
        }
        // Pid 1 tells of the command's end, unless it had to go before there was one.
        if process.plan.shape == .childWithInit, process.ended == nil, result == .exited(125),
            !process.hasTimedOut
        {
            throw LaunchError(
                .setup, "the run has ended before its command was started",
                remedy: "start it once more; free memory and open files may be short")
        }
        let status = process.tellEnd(result)
        if let failure = process.reportFailure {
            HostProcess.printError(process.plan.messagePrefix.text + failure.message + "\n")
        }
        if !process.hasTimedOut, case .signaled(let number) = result,
            process.plan.repeatsSignals || isFromTerminal(number)
        {
            return .interrupted(signal: number)
        }
        return .exited(status)
    }

    /// Deals with what comes until the command has ended, and as much of the run as is waited for.
    private mutating func awaitEnd() throws(LaunchError) -> ExitStatus? {
        while true {
            let ready = nsrun_poll3(
                signals, process.eventDescriptor, parent, process.timeLeft ?? -1)
            process.keepTime()
            if ready & 4 != 0 { process.end() }
            if ready & 1 != 0 { handleSignals() }
            if deadly != nil {
                process.end()
                return try process.reap(block: true)
            }
            if ready & 2 != 0 || process.isOverdue || process.isConnecting && process.hasWords {
                let event = try process.nextEvent()
                switch event {
                case .step, .stands, .answered, .leftover: break
                case .started, .stopped, .signalled, .ended, .closed:
                    letGo()
                    tellStart()
                }
                switch event {
                case .stopped(let signal, let isOver): if !isOver { followStop(by: signal) }
                case .signalled(let number): passToJob(number)
                case .ended(let status, let isAlone):
                    // The kernel has killed what the command left behind when its pid 1 is gone. A command that can
                    // look into pid 1 may have said this in its place.
                    if isAlone || !process.plan.lifecycle.lingers {
                        process.kill()
                        _ = try? process.reap(block: true)
                    }
                    return status
                case .closed, .answered, .leftover: break
                case .stands:
                    // Who reads it waits for its end.
                    if let info = process.plan.lifecycle.infoDescriptor { closeDescriptor(info) }
                case .step(let index, let nanoseconds, let code): trace(index, nanoseconds, code)
                case .started: handOnEarlySignals()
                }
            }
            // What the child had to tell comes before its end.
            if isQuiet, let ended = try process.reap(block: false) { return ended }
        }
    }

    /// Nothing is left to read on the channel.
    private var isQuiet: Bool {
        !process.hasWords
            && (process.eventDescriptor < 0 || nsrun_poll3(process.eventDescriptor, -1, -1, 0) == 0)
    }

    private func trace(_ index: Int, _ nanoseconds: Int32, _ passedOver: Int32) {
        guard index < process.plan.steps.count else { return }
        let time = String(nanoseconds / 1000)
        let indent = String(repeating: " ", count: max(0, 6 - time.utf8.count))
        let note = passedOver == 0 ? "" : ": passed over: \(reason(passedOver))"
        HostProcess.printError(
            "nsrun: \(indent)\(time) µs  \(process.plan.steps[index].description)\(note)\n")
    }

    // MARK: Signals

    /// Hands on what has come.
    private mutating func handleSignals() {
        var fromKernel = false
        var sender: pid_t = 0
        while true {
            let number = nsrun_read_signal(signals, &fromKernel, &sender)
            if number <= 0 { return }
            if number == SIGCHLD {
                // Looked at when the channel has been read.
                if process.plan.adoptsStrays, nsrun_reap_strays(process.pid) { stop() }
                continue
            }
            if fromKernel { fromTerminal |= 1 << UInt64(number - 1) }
            if !fromKernel, sender == getpid() { continue }  // see passToJob
            // As long as there is no command to get it, it is nsrun that it ends.
            if process.plan.lifecycle.endsBySignals || process.isConnecting, nsrun_is_deadly(number)
            {
                deadly = number
                return
            }
            if process.isBeforeCommand {
                early |= 1 << UInt64(number - 1)
            } else {
                handOn(number, fromKernel)
            }
        }
    }

    private mutating func handOn(_ number: Int32, _ fromKernel: Bool) {
        // The terminal sends to the whole group, and the command is of it, or of one that would be part of it without
        // nsrun.
        if !reachedGroup(number, fromKernel) {
            let isForGroup = fromKernel && process.plan.processGroup != .callers
            try? process.signal(number, wholeGroup: isForGroup)
        }
        guard number == SIGTSTP || number == SIGTTIN || number == SIGTTOU else { return }
        // Where we are told that the command has stopped, we stop then: before that the command may
        // still read from the terminal, and it may choose not to stop at all.
        let isTold = process.plan.shape == .childWithInit || process.plan.adoptsStrays
        if !isTold { stop() }
    }

    /// Until a program inside has told of the command, signals would reach the engine alone.
    private mutating func handOnEarlySignals() {
        for number: Int32 in 1...64 where early & 1 << UInt64(number - 1) != 0 {
            handOn(number, false)
        }
        early = 0
    }

    private func reachedGroup(_ number: Int32, _ fromKernel: Bool) -> Bool {
        let plan = process.plan
        guard fromKernel, !plan.lifecycle.newSession, plan.processGroup == .callers else {
            return false
        }
        // A terminal that goes away tells the leader of the session alone.
        return !(number == SIGHUP || number == SIGCONT) || !leadsSession
    }

    /// What the terminal sends to the run's group it would have sent to all of the caller's job, of which others may be:
    /// the script that has started nsrun, or the other end of a pipe. This process has all signals blocked.
    private mutating func passToJob(_ number: Int32) {
        guard terminal.isLent, CallersTerminal.signals.contains(number) else { return }
        fromTerminal |= 1 << UInt64(number - 1)
        nsrun_signal_own_group(number)
    }

    private func isFromTerminal(_ number: Int32) -> Bool {
        fromTerminal & 1 << UInt64(number - 1) != 0
    }

    /// The command has stopped: so do we, for the shell to notice, unless all it wanted was the terminal.
    private mutating func followStop(by signal: Int32) {
        if signal == SIGTTIN || signal == SIGTTOU, terminal.lendOnDemand() {
            try? process.signal(SIGCONT)
        } else {
            stop()
        }
    }

    /// The signal that continues us comes in like any other and is handed on. A time limit goes on, and continues us when
    /// it is reached.
    private mutating func stop() {
        if process.hasTimedOut { return }
        terminal.takeBack()
        _ = nsrun_stop_self(process.timeLeft ?? -1)
        terminal.lendAgain()
    }
}
