import CNamespace

/// What stays outside of a run: hands signals on, keeps the time limit, and knows the exit status.
///
/// For a program of its own only, for it blocks all signals and closes all other descriptors.
public struct Supervisor {
    /// The exit status of a run that reached its time limit, as timeout(1).
    public static let timeoutStatus: Int32 = 124

    private let process: RunningProcess
    private let report: StatusReport
    private let signals: Int32
    private let group = getpgrp()
    private let ownsTerminal: Bool
    private let leadsSession = getsid(0) == getpid()
    private var deadline: Int64?
    private var killAt: Int64?
    private var timedOut = false
    private var hasLetGo = false
    /// Came before the command was there: a bit for each.
    private var early: UInt64 = 0

    /// Runs a plan to its end. Returns the exit status for the shell.
    public static func run(_ plan: LaunchPlan, facts: HostFacts) throws(LaunchError) -> Int32 {
        if plan.lifecycle.diesWithParent { try dieWithParent() }
        var previous: UInt64 = 0
        _ = nsrun_block_all_signals(&previous)
        try enter(plan.entered)
        if plan.strays != .notAdopted { _ = nsrun_adopt_strays() }
        var plan = plan
        let report = StatusReport(plan)
        plan.announcesStart = report.wantsStart || plan.isAttempt
        plan.answersStart = report.wantsStart
        do throws(LaunchError) {
            let process = try Launcher().begin(plan, facts: facts, signalMask: previous)
            report.tellChild(process.pid)
            var supervisor = Supervisor(process, report)
            return try supervisor.watch()
        } catch {
            // Whoever tries something else next shall find everything as it was.
            if plan.isAttempt { nsrun_restore_signals(previous) }
            throw error
        }
    }

    /// The parent's death is ours. A parent that went before we asked is noticed by its changed pid.
    private static func dieWithParent() throws(LaunchError) {
        let parent = getppid()
        let error = nsrun_die_with_parent()
        if error != 0 {
            throw LaunchError(.setup, "cannot tie the run to its parent: \(reason(-error))")
        }
        if getppid() != parent { exit(128 + SIGKILL) }
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

    private init(_ process: RunningProcess, _ report: StatusReport) {
        self.process = process
        self.report = report
        signals = nsrun_signal_descriptor()
        ownsTerminal = nsrun_terminal_group(0) == group
        let lifecycle = process.plan.lifecycle
        if let timeout = lifecycle.timeout {
            deadline = nsrun_now() + timeout
        }
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
                signals, process.eventDescriptor, process.replyDescriptor, report.descriptor,
                process.lockDescriptor, process.networkDescriptor,
            ] + process.plan.launcherDescriptors
        keep.withUnsafeBufferPointer { nsrun_close_others($0.baseAddress!, $0.count) }
        if report.descriptor != 1 { closeDescriptor(1) }
        if !ownsTerminal, report.descriptor != 0 { closeDescriptor(0) }
    }

    private mutating func watch() throws(LaunchError) -> Int32 {
        var result: ExitStatus?
        var waits = true
        defer { closeDescriptor(signals) }
        loop: while true {
            let ready = nsrun_poll2(signals, process.eventDescriptor, remaining)
            keepTime()
            if ready & 1 != 0 { handleSignals() }
            if ready & 2 != 0 {
                let event = try process.nextEvent()
                if case .step = event {} else { letGo() }
                switch event {
                case .stopped: stop()
                case .ended(let status, let isAlone):
                    result = status
                    waits = isAlone || !process.plan.lifecycle.lingers
                    break loop
                case .closed, .answered: break
                case .step(let index, let nanoseconds): trace(index, nanoseconds)
                case .started:
                    report.tellCommand(of: process)
                    if process.plan.answersStart { process.answer() }
                    handOnEarlySignals()
                }
            }
            // What the child had to tell comes before its end.
            if isQuiet, let ended = try process.reap(block: false) {
                result = ended
                waits = false
                break
            }
        }
        if waits {
            // The kernel has killed what the command left behind when its pid 1 is gone.
            let own = try? process.reap(block: true)
            if result == nil { result = own }
        }
        switch process.plan.strays {
        case .notAdopted: break
        case .endedAtLimit: if timedOut { nsrun_kill_strays() }
        case .ended: nsrun_kill_strays()
        }
        if process.plan.isTraced, !process.hasTold, !timedOut {
            throw LaunchError(
                .setup, "proot could not start the command",
                remedy: "what it says stands above", code: ENOEXEC)
        }
        if ownsTerminal { nsrun_reclaim_terminal(0, group) }
        let status =
            timedOut
            ? Supervisor.timeoutStatus : (result ?? .signaled(SIGKILL)).shellStatus
        report.tellEnd(status)
        return status
    }

    /// Nothing is left to read on the status pipe.
    private var isQuiet: Bool {
        process.eventDescriptor < 0 || nsrun_poll2(process.eventDescriptor, -1, 0) == 0
    }

    private func trace(_ index: Int, _ nanoseconds: Int32) {
        guard index < process.plan.steps.count else { return }
        let time = String(nanoseconds / 1000)
        let indent = String(repeating: " ", count: max(0, 6 - time.utf8.count))
        HostProcess.printError(
            "nsrun: \(indent)\(time) µs  \(process.plan.steps[index].description)\n")
    }

    // MARK: Time

    private var remaining: Int64 {
        guard let deadline else { return -1 }
        return max(0, deadline - nsrun_now())
    }

    private mutating func keepTime() {
        guard let deadline, nsrun_now() >= deadline else { return }
        if timedOut {
            kill()
            self.deadline = nil
            return
        }
        timedOut = true
        if process.isBeforeCommand { kill() }
        try? process.signal(SIGTERM)
        try? process.signal(SIGCONT)  // a stopped command could not end
        self.deadline = process.plan.lifecycle.killAfter.map { nsrun_now() + $0 }
    }

    /// Ends the run, and the engine last: without it the command would go on outside of its root.
    private func kill() {
        if process.plan.isTraced {
            nsrun_kill_traced(process.pid)
        } else {
            process.kill()
        }
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
                // Looked at when the status pipe has been read.
                if process.plan.strays != .notAdopted, nsrun_reap_strays(process.pid) { stop() }
            } else if process.isBeforeCommand {
                early |= 1 << UInt64(number - 1)
            } else {
                handOn(number, fromKernel)
            }
        }
    }

    private func handOn(_ number: Int32, _ fromKernel: Bool) {
        // The terminal sends to the whole group, and the command is of it.
        if !reachedGroup(number, fromKernel) { try? process.signal(number) }
        guard number == SIGTSTP || number == SIGTTIN || number == SIGTTOU else { return }
        // Where we are told that the command has stopped, we stop then: before that the command may
        // still read from the terminal, and it may choose not to stop at all.
        let isTold = process.plan.shape == .childWithInit || process.plan.strays != .notAdopted
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
        guard fromKernel, !process.plan.lifecycle.newSession else { return false }
        // A terminal that goes away tells the leader of the session alone.
        return !(number == SIGHUP || number == SIGCONT) || !leadsSession
    }

    /// The command has stopped: so do we, for the shell to notice. The signal that continues us comes
    /// in like any other and is handed on. A time limit goes on, and continues us when it is reached.
    private func stop() {
        if !timedOut { _ = nsrun_stop_self(remaining) }
    }
}
