// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// How a command ended.
public enum ExitStatus: Sendable, Equatable {
    case exited(Int32)
    case signaled(Int32)

    /// The status as a shell gives it: 128 and the signal's number where one ended it.
    public var shellStatus: Int32 {
        switch self {
        case .exited(let code): code
        case .signaled(let number): 128 + number
        }
    }

    /// Reads a status of wait(2).
    init(waitStatus: Int32) {
        let number = waitStatus & 0x7f
        self = number == 0 ? .exited(waitStatus >> 8 & 0xff) : .signaled(number)
    }
}

/// A run that has been started.
///
/// One thread at a time waits for it; signals may be sent from any.
public final class RunningProcess {
    /// The child's pid: of pid 1 of the run's namespace, or of the command itself.
    public let pid: Int32
    let plan: LaunchPlan
    private let diagnosis: Diagnosis
    /// To the run, -1 when it has nothing more to tell.
    private var channel: Int32
    /// Holds a lock on the rootfs, -1 for none.
    let lockDescriptor: Int32
    /// Holds a lock on the directory of a layer, -1 for none.
    let layerLock: Int32
    /// Where the server of an image complains, -1 for none.
    private let complaints: Int32
    /// The command as this process sees it, where somebody inside has told of it.
    private(set) var command: Int32?
    /// And a descriptor of it, -1 for none: its number may be another's by now (pidfd_open(2)).
    private(set) var commandDescriptor: Int32 = -1
    var hasTold: Bool { command != nil }
    /// Somebody inside is still to tell of the command.
    var isBeforeCommand: Bool { (plan.isTraced || plan.initIsQuiet) && command == nil }
    /// There is no command yet, and will be none for a while.
    var isConnecting: Bool { network.isPending }
    private var network = NetworkConnection()
    /// Ends with the process that connects the run's network, -1 where there is none.
    var networkDescriptor: Int32 { network.descriptor }
    /// What the run reaches servers through, where it does.
    private var relay: RelayServer?
    /// The control group of a run with limits.
    private var group: LimitedGroup?
    /// What the run was kept from by its limits so far.
    public var metLimits: MetLimits { group?.met ?? lastMetLimits }
    private var lastMetLimits = MetLimits()
    /// What was made to be mounted on, to be taken away when the run has ended.
    private var leftovers: [Leftover] = []
    var leftoverDescriptors: [Int32] { leftovers.flatMap { [$0.directory, $0.place] } }
    private let report: StatusReport
    private var limit: TimeLimit
    /// The run has had its time: what ``wait()`` gives is how the command ended by that.
    public var hasTimedOut: Bool { limit.isOver || hasTimedOutInside }
    private var hasTimedOutInside = false
    private var hasStarted = false
    /// How often pid 1 has been asked to let the command go on.
    private var continuesSent: Int32 = 0
    /// What the executor told last.
    private(set) var ended: ExitStatus?
    /// What the command used, and the children that it waited for; known when it has ended. What its
    /// memory grew to begins with this program's own, of which it was a copy.
    public private(set) var resourceUsage: ResourceUsage?

    /// Why the end could not be told to ``Lifecycle/statusDescriptor``; the exit status is right all the same.
    public private(set) var reportFailure: LaunchError?

    init(
        pid: Int32, plan: LaunchPlan, diagnosis: Diagnosis, channel: Int32, lock: Int32? = nil,
        layerLock: Int32 = -1, complaints: Int32 = -1, relay: RelayServer? = nil,
        group: LimitedGroup? = nil
    ) {
        self.pid = pid
        self.plan = plan
        self.diagnosis = diagnosis
        self.channel = channel
        lockDescriptor = lock ?? -1
        self.layerLock = layerLock
        self.complaints = complaints
        self.relay = relay
        self.group = group
        report = StatusReport(plan)
        limit = TimeLimit(plan.lifecycle)
    }

    deinit {
        closeChannel()
        for descriptor in leftoverDescriptors { closeDescriptor(descriptor) }
        if networkDescriptor >= 0 { closeDescriptor(networkDescriptor) }
        if lockDescriptor >= 0 { closeDescriptor(lockDescriptor) }
        if layerLock >= 0 { closeDescriptor(layerLock) }
        if complaints >= 0 { closeDescriptor(complaints) }
        relay?.close()
        group?.close()
        if commandDescriptor >= 0 { closeDescriptor(commandDescriptor) }
    }

    /// What the run says of itself on its channel.
    enum Event {
        /// The child has what it asked the launcher for.
        case answered
        /// All namespaces are made, and have been told.
        case stands
        case started(pid: Int32)
        /// `isOver`: it has been told to go on since.
        case stopped(signal: Int32, isOver: Bool)
        /// The terminal has sent it to the run's process group.
        case signalled(Int32)
        /// `passedOver`: why it was left out, an errno, 0 if it was not.
        case step(index: Int, nanoseconds: Int32, passedOver: Int32)
        /// There is a mount point to be taken away after the run.
        case leftover
        /// `isAlone`: nothing that the command started is left.
        case ended(ExitStatus, isAlone: Bool)
        case closed
    }

    /// A descriptor that becomes readable when there is an event, -1 after the last.
    var eventDescriptor: Int32 { network.isPending ? network.descriptor : channel }
    /// The run has something to say, be it while the network is connected.
    var hasWords: Bool { channel >= 0 && nsrun_poll3(channel, -1, -1, 0) != 0 }
    /// There will be no event, and ``nextEvent()`` knows what that means.
    var isOverdue: Bool { network.isPending && network.timeLeft == 0 }

    /// Reads the next event; blocks until there is one. A failed set-up is thrown, and reaped.
    func nextEvent() throws(LaunchError) -> Event {
        if network.isPending, !hasWords {
            try answer { () throws(LaunchError) in try network.finish() }
            return .answered
        }
        let report = UnsafeMutablePointer<nsrun_report>.allocate(capacity: 1)
        defer { report.deallocate() }
        report.initialize(to: nsrun_report())
        // What is no record ends the conversation, and the child's own status tells the rest.
        var sender: pid_t = 0
        var passed: (Int32, Int32) = (-1, -1)
        while channel >= 0, read(report, &sender, &passed) {
            if let leftover = Leftover(report, passed) {
                // The command, where it can say so, has nothing of ours to be taken away.
                if hasStarted || ended != nil {
                    leftover.close()
                } else {
                    leftovers.append(leftover)
                }
                return .leftover
            }
            if let event = try event(in: report, from: sender) { return event }
        }
        closeChannel()
        return .closed
    }

    private func read(
        _ report: UnsafeMutablePointer<nsrun_report>, _ sender: inout pid_t,
        _ passed: inout (Int32, Int32)
    ) -> Bool {
        let asks = plan.initIsQuiet
        return withUnsafeMutablePointer(to: &passed) { passed in
            passed.withMemoryRebound(to: Int32.self, capacity: 2) { passed in
                withUnsafeMutablePointer(to: &sender) {
                    nsrun_read_report(channel, report, asks ? $0 : nil, passed) == 1
                }
            }
        }
    }

    private func event(
        in report: UnsafeMutablePointer<nsrun_report>, from sender: pid_t
    ) throws(LaunchError) -> Event? {
        let head = report.pointee.head
        switch nsrun_report_kind(rawValue: head.kind) {
        case NSRUN_REPORT_FAILED:
            closeChannel()
            kill()  // it is about to end, if it is true
            _ = try? reap(block: true)
            var record = Diagnosis.Record(report)
            record.addComplaint(from: complaints)
            var error = diagnosis.explain(record)
            // A command that could say so would be started again with less around it.
            if hasStarted || plan.showsInit { error.refusal = nil }
            throw error
        case NSRUN_REPORT_STARTED:
            hasStarted = true
            if plan.isTraced { command = head.value }
            if plan.initIsQuiet { try meetCommand(sender) }
            do throws(LaunchError) {
                try self.report.tellCommand(of: self)
            } catch {
                try orEnd { () throws(LaunchError) in throw error }
            }
            if plan.answersStart, !plan.initIsQuiet { try answer() }
            return .started(pid: head.value)
        case NSRUN_REPORT_STEP:
            return .step(
                index: Int(head.step), nanoseconds: head.value, passedOver: head.error)
        case NSRUN_REPORT_STOPPED:
            return .stopped(signal: head.value, isOver: head.error != continuesSent)
        case NSRUN_REPORT_SIGNALLED:
            return (1...64).contains(head.value) ? .signalled(head.value) : nil
        case NSRUN_REPORT_ENDED:
            let status = ExitStatus(waitStatus: head.value)
            ended = status
            hasTimedOutInside = head.error == ETIMEDOUT
            resourceUsage = ResourceUsage(report)
            return .ended(status, isAlone: head.call == 1)
        case NSRUN_REPORT_STANDS:
            try answer { () throws(LaunchError) in try self.report.tellChild(pid) }
            return .stands
        case NSRUN_REPORT_WANTS_MAPS:
            try answer { () throws(LaunchError) in try IDMapper(plan: plan).write(for: pid) }
            return .answered
        case NSRUN_REPORT_WANTS_NETWORK:
            try orEnd { () throws(LaunchError) in try connectNetwork() }
            return .answered
        default: return nil
        }
    }

    /// The first to say so is the command, which waits for us, so that it is still there.
    private func meetCommand(_ sender: Int32) throws(LaunchError) {
        guard command == nil else { return }
        command = sender
        commandDescriptor = nsrun_process_descriptor(sender)
        try answer()
    }

    private func connectNetwork() throws(LaunchError) {
        for step in plan.steps {
            if case .connectNetwork(let pasta, let ports) = step.action {
                try network.start(pasta, passing: ports, for: pid)
            }
        }
    }

    /// The child waits until what it asked for is done.
    private func answer(_ request: () throws(LaunchError) -> Void) throws(LaunchError) {
        try orEnd(request)
        try answer()
    }

    private func orEnd(_ request: () throws(LaunchError) -> Void) throws(LaunchError) {
        do throws(LaunchError) {
            try request()
        } catch {
            kill()
            closeChannel()
            _ = try? reap(block: true)
            throw error
        }
    }

    /// Lets the child go on that waits for us.
    func answer() throws(LaunchError) {
        let error = nsrun_order_going_on(channel)
        // It has gone, and what it had to say is there to be read.
        if error == 0 || nsrun_poll3(channel, -1, -1, 0) != 0 { return }
        try orEnd { () throws(LaunchError) in
            throw LaunchError(
                .setup, "cannot let the run go on: \(reason(-error))",
                remedy: Remedy.general(-error, at: nil), code: -error)
        }
    }

    private func closeChannel() {
        if channel >= 0 { closeDescriptor(channel) }
        channel = -1
    }

    /// Waits until the command runs; throws what kept it from running.
    public func awaitStart() throws(LaunchError) {
        if hasStarted { return }
        // Without a pid 1 the channel simply closes when execve(2) succeeds.
        while true {
            guard isReadable(eventDescriptor) || isOverdue || hasWords else { continue }
            switch try nextEvent() {
            case .step, .answered, .stands, .leftover: continue
            case .started, .stopped, .signalled, .ended, .closed: return
            }
        }
    }

    /// Waits for the end of the run: the command has ended, and with a pid namespace everything that
    /// it left behind has been killed. Keeps the time meanwhile.
    public func wait() throws(LaunchError) -> ExitStatus {
        while channel >= 0 {
            guard isReadable(eventDescriptor) || isOverdue || hasWords else { continue }
            if case .closed = try nextEvent() { break }
        }
        if plan.shape == .child, timeLeft != nil {
            let end = try openProcessDescriptor()
            defer { closeDescriptor(end) }
            while !isReadable(end) {}
        }
        let own = try reap(block: true) ?? .exited(0)
        let status = ended ?? own
        tellEnd(status)
        return status
    }

    /// The shell's status of a run's end, and tells it to whom it may concern.
    @discardableResult
    func tellEnd(_ status: ExitStatus?) -> Int32 {
        let code =
            hasTimedOut ? Supervisor.timeoutStatus : (status ?? .signaled(SIGKILL)).shellStatus
        do throws(LaunchError) {
            try report.tellEnd(code)
        } catch {
            reportFailure = error
        }
        return code
    }

    // MARK: Time

    /// Nanoseconds until ``keepTime()`` has something to do, nil for never.
    var timeLeft: Int64? {
        let left = plan.keepsTimeInside && hasStarted ? nil : limit.remaining
        return network.isPending ? min(left ?? .max, network.timeLeft) : left
    }

    /// Ends a run that has had its time, see ``Lifecycle/timeout``.
    func keepTime() {
        switch limit.turn() {
        case .nothing: break
        case .end:
            if isBeforeCommand || isConnecting || plan.keepsTimeInside { return end() }
            do throws(LaunchError) {
                try signal(SIGTERM)
            } catch {
                return end()  // whom that does not reach
            }
            // A stopped command could not end, and one that has ended needs none.
            try? signal(SIGCONT)
        case .kill: end()
        }
    }

    /// Ends the run, and an engine last: without it the command would go on outside of its root.
    func end() {
        if plan.isTraced { nsrun_kill_traced(pid) } else { kill() }
    }

    /// Waits until it is, or until something is due.
    private func isReadable(_ descriptor: Int32) -> Bool {
        guard let left = timeLeft else { return true }  // whoever reads it waits
        let ready = nsrun_poll3(descriptor, -1, -1, left)
        keepTime()
        return ready > 0
    }

    /// The child's own status; nil while it runs and `block` is false.
    func reap(block: Bool) throws(LaunchError) -> ExitStatus? {
        var waitStatus: Int32 = 0
        var usage = rusage()
        let error = nsrun_wait(pid, block, &waitStatus, &usage)
        if error == -EAGAIN { return nil }
        network.close()
        relay?.awaitEnd()
        lastMetLimits = metLimits
        group?.end()
        group = nil
        // What was made last lies deepest.
        for leftover in leftovers.reversed() { leftover.takeAway() }
        leftovers = []
        guard error == 0 else {
            throw LaunchError(
                .setup, "cannot wait for the command: \(reason(-error))", code: -error)
        }
        if resourceUsage == nil { resourceUsage = ResourceUsage(usage) }
        return ExitStatus(waitStatus: waitStatus)
    }

    /// A descriptor that is readable once the run has ended, when ``wait()`` does not block any more. The
    /// caller closes it. pidfd_open(2)
    public func openProcessDescriptor() throws(LaunchError) -> Int32 {
        let descriptor = nsrun_process_descriptor(pid)
        guard descriptor >= 0 else {
            throw LaunchError(
                .setup, "cannot watch process \(pid): \(reason(-descriptor))", code: -descriptor)
        }
        return descriptor
    }

    /// Sends a signal to the command: through pid 1, where there is one, else by kill(2).
    public func signal(_ number: Int32) throws(LaunchError) {
        try signal(number, wholeGroup: false)
    }

    /// Sends it to the command's whole process group, which is not this process's.
    func signal(_ number: Int32, wholeGroup: Bool) throws(LaunchError) {
        let error: Int32
        if plan.shape == .childWithInit, !plan.initIsQuiet, channel >= 0 {
            error = nsrun_order_signal(channel, pid, number, wholeGroup)
            if error == 0, number == SIGCONT { continuesSent += 1 }
        } else if wholeGroup, nsrun_kill(-pid, number) == 0 {
            error = 0
        } else if commandDescriptor >= 0 {
            error = nsrun_signal_process(commandDescriptor, number)
        } else {
            error = nsrun_kill(command ?? pid, number)
        }
        if error != 0 {
            throw LaunchError(
                .setup, "cannot send signal \(number): \(reason(-error))", code: -error)
        }
    }

    /// Ends the run at once: the command and everything it started, where it has a pid namespace.
    public func kill() {
        network.abandon()
        _ = nsrun_kill(pid, SIGKILL)
    }
}

func closeDescriptor(_ number: Int32) { _ = close(number) }
