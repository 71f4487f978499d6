import CNamespace

/// Starts runs. Safe in a program with threads: the child is made by clone(2) and runs only the C
/// executor until the command starts; the calling process is never unshared.
///
///     let process = try Launcher().launch(LaunchRequest(command: ["true"]))
///     let status = try process.wait()
public struct Launcher: Sendable {
    public init() {}

    /// Plans and starts a run.
    public func launch(_ request: LaunchRequest) throws(LaunchError) -> RunningProcess {
        let facts = HostFacts.read(for: request)
        return try launch(Planner.plan(request, on: facts), facts: facts)
    }

    /// Starts a plan. Returns once the command runs; throws what kept it from running.
    public func launch(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64? = nil
    ) throws(LaunchError) -> RunningProcess {
        let process = try start(plan, facts: facts, signalMask: signalMask)
        try process.awaitStart()
        return process
    }

    /// Starts a plan and returns while it is still being set up: ``RunningProcess/awaitStart()`` waits for
    /// the command, ``RunningProcess/kill()`` ends a set-up that takes too long.
    public func start(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64? = nil
    ) throws(LaunchError) -> RunningProcess {
        var plan = plan
        plan.announcesStart = true
        plan.hasHandlers = true
        return try begin(plan, facts: facts, signalMask: signalMask)
    }

    /// Starts a plan without waiting for the command.
    func begin(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64? = nil
    ) throws(LaunchError) -> RunningProcess {
        var plan = plan
        let image = try ImageMount(&plan)
        let lock = try lockRootfs(of: plan)
        let status = try Pipe()
        let reply = try Pipe()
        var mask: UInt64 = 0
        if let signalMask { mask = signalMask } else { _ = nsrun_blocked_signals(&mask) }
        let lowered = try LoweredPlan(plan, signalMask: mask)
        defer { lowered.free() }
        var pipes = nsrun_pipes(
            status_write: status.writeEnd, reply_read: reply.readEnd,
            status_read: status.readEnd, reply_write: reply.writeEnd, lock: lock ?? -1)
        let child = withUnsafePointer(to: lowered.plan) { nsrun_spawn($0, &pipes) }
        status.closeWriteEnd()
        reply.closeReadEnd()
        let diagnosis = Diagnosis(plan: plan, facts: facts)
        image.closeAfterLaunch()
        guard child > 0 else {
            status.closeReadEnd()
            reply.closeWriteEnd()
            if let lock { closeDescriptor(lock) }
            throw diagnosis.explainClone(-child)
        }
        return RunningProcess(
            pid: child, plan: plan, diagnosis: diagnosis, status: status.readEnd,
            reply: reply.writeEnd, lock: lock, complaints: image.complaints)
    }

    /// A shared lock on the rootfs while the run lasts: what is locked is not removed. Of a run that has
    /// replaced its launcher only the mounts tell.
    private func lockRootfs(of plan: LaunchPlan) throws(LaunchError) -> Int32? {
        guard let path = plan.rootfs else { return nil }
        let lock = withCString(path) { nsrun_open_shared($0) }
        if lock == -EWOULDBLOCK {
            throw LaunchError(
                .setup, "cannot use the rootfs \(path.text): it is being removed or replaced",
                code: EWOULDBLOCK)
        }
        // A file system without locks is no reason not to run, and other errors have their own words.
        return lock >= 0 ? lock : nil
    }

    /// Turns this process into the command. Returns only by throwing. Only for a program with one
    /// thread: a user namespace cannot be entered by one thread of several.
    public func runInPlace(
        _ plan: LaunchPlan, facts: HostFacts
    ) throws(LaunchError) -> Never {
        var plan = plan
        let image = try ImageMount(&plan)
        var mask: UInt64 = 0
        _ = nsrun_blocked_signals(&mask)
        try Supervisor.enter(plan.entered)
        let lowered = try LoweredPlan(plan, signalMask: mask)
        let report = UnsafeMutablePointer<nsrun_report>.allocate(capacity: 1)
        report.initialize(to: nsrun_report())
        withUnsafePointer(to: lowered.plan) { nsrun_run_in_place($0, report) }
        var record = Diagnosis.Record(report)
        record.addComplaint(from: image.complaints)
        throw Diagnosis(plan: plan, facts: facts).explain(record)
    }
}

/// A pipe whose two ends are closed one by one.
struct Pipe {
    let readEnd: Int32
    let writeEnd: Int32

    init() throws(LaunchError) {
        var ends: (Int32, Int32) = (-1, -1)
        let error = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { nsrun_pipe($0) }
        }
        guard error == 0 else {
            throw LaunchError(
                .setup, "cannot make a pipe: \(reason(-error))",
                remedy: "raise the limit on open files (ulimit -n)")
        }
        (readEnd, writeEnd) = ends
    }

    func closeReadEnd() { closeDescriptor(readEnd) }
    func closeWriteEnd() { closeDescriptor(writeEnd) }
}

extension Diagnosis.Record {
    init(_ report: UnsafeMutablePointer<nsrun_report>) {
        step = Int(report.pointee.step)
        code = report.pointee.error
        call = report.pointee.call
        let length = min(Int(report.pointee.length), Int(NSRUN_REPORT_TEXT))
        text = []
        text.reserveCapacity(length)
        guard let bytes = nsrun_report_text(report) else { return }
        for index in 0..<length { text.append(UInt8(bitPattern: bytes[index])) }
    }
}
