// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// Starts runs. Safe in a program with threads: the child is made by clone(2) and runs only the C
/// executor until the command starts; the calling process is never unshared.
///
///     let process = try Launcher().launch(LaunchRequest(command: ["true"]))
///     let status = try process.wait()
public struct Launcher: Sendable {
    public init() {}

    /// Plans and starts a run, without those namespaces that are only welcome where the kernel refuses them.
    public func launch(_ request: LaunchRequest) throws(LaunchError) -> RunningProcess {
        do throws(LaunchError) {
            return try launchWithAll(request)
        } catch {
            guard let reduced = request.reduced(after: error) else { throw error }
            return try launchWithAll(reduced)
        }
    }

    private func launchWithAll(_ request: LaunchRequest) throws(LaunchError) -> RunningProcess {
        var request = request
        return try request.attempt { (request, _) throws(LaunchError) in
            let facts = HostFacts.read(for: request)
            return try launch(Planner.plan(request, on: facts), facts: facts)
        }
    }

    /// Starts a plan. Returns once the command runs; throws what kept it from running. `signalMask` are the signals that
    /// the command finds blocked, a bit for each; not those of this thread, which may be one of many.
    public func launch(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64 = 0
    ) throws(LaunchError) -> RunningProcess {
        let process = try start(plan, facts: facts, signalMask: signalMask)
        try process.awaitStart()
        return process
    }

    /// Starts a plan and returns while it is still being set up: ``RunningProcess/awaitStart()`` waits for
    /// the command, ``RunningProcess/kill()`` ends a set-up that takes too long.
    public func start(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64 = 0
    ) throws(LaunchError) -> RunningProcess {
        var plan = plan
        plan.announcesStart = true
        plan.answersStart = StatusReport(plan).wantsStart
        plan.hasHandlers = true
        plan.keepsTimeInside = plan.shape == .childWithInit
        guard plan.lifecycle.diesWithParent else {
            return try beginInWorld(plan, facts: facts, signalMask: signalMask, life: -1)
        }
        let life = nsrun_process_descriptor(getpid())
        guard life >= 0 else { throw .cannotFollow(-life) }
        defer { closeDescriptor(life) }
        return try beginInWorld(plan, facts: facts, signalMask: signalMask, life: life)
    }

    /// From a world that is kept, where that is asked for; what keeps the run from it is not what keeps it from being
    /// launched.
    private func beginInWorld(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64, life: Int32
    ) throws(LaunchError) -> RunningProcess {
        if plan.preparation != nil,
            case .found(let world) = try PreparedWorld.reach(plan, facts: facts)
        {
            var inside = plan.fromWorld
            inside.world = world
            do throws(LaunchError) {
                let process = try begin(inside, facts: facts, signalMask: signalMask, life: life)
                try process.awaitStart()
                return process
            } catch {
                guard error.kind == .setup else { throw error }
            }
        }
        return try begin(plan, facts: facts, signalMask: signalMask, life: life)
    }

    /// Starts a plan without waiting for the command. The run ends with a process of which `life` is a descriptor
    /// (pidfd_open(2)), -1 for none.
    func begin(
        _ plan: LaunchPlan, facts: HostFacts, signalMask: UInt64, life: Int32
    ) throws(LaunchError) -> RunningProcess {
        defer { plan.world?.close() }
        var plan = plan
        // The end of a program with threads only a pid 1 that is free to look can notice.
        plan.initIsQuiet = plan.filtersBindInit && (life < 0 || plan.followsLauncher)
        if plan.initIsQuiet { plan.keepsTimeInside = false }
        var group = try LimitedGroup(&plan)
        var isStarted = false
        defer { if !isStarted { group?.end() } }
        let image = try ImageMount(&plan)
        let lock = try lockRootfs(of: plan)
        let layer = try lockLayer(of: plan)
        let channel = try Channel()
        if plan.initIsQuiet { nsrun_identify_senders(channel.launcherEnd) }
        var relay = try RelayServer(&plan)
        defer { if !isStarted { relay.close() } }
        let lowered = try CPlan(plan, signalMask: signalMask)
        defer { lowered.free() }
        var links = nsrun_links(
            child: channel.childEnd, launcher: channel.launcherEnd, lock: lock ?? -1, life: life,
            prepared: nil, group: group?.descriptor ?? -1, keeper: group?.keeperDescriptor ?? -1)
        let child = withUnsafePointer(to: lowered.plan) { lowered in
            guard var world = plan.world?.descriptors else { return nsrun_spawn(lowered, &links) }
            return withUnsafePointer(to: &world) {
                links.prepared = $0
                return nsrun_spawn(lowered, &links)
            }
        }
        closeDescriptor(channel.childEnd)
        let diagnosis = Diagnosis(plan: plan, facts: facts)
        image.closeAfterLaunch()
        relay.closeAfterLaunch()
        guard child > 0 else {
            closeDescriptor(channel.launcherEnd)
            if let lock { closeDescriptor(lock) }
            if layer >= 0 { closeDescriptor(layer) }
            throw diagnosis.explainClone(-child)
        }
        isStarted = true
        return RunningProcess(
            pid: child, plan: plan, diagnosis: diagnosis, channel: channel.launcherEnd, lock: lock,
            layerLock: layer, complaints: image.complaints, relay: relay, group: group)
    }

    /// A lock on the directory of a layer while the run lasts: two overlays on one are undefined (kernel, overlayfs.rst).
    private func lockLayer(of plan: LaunchPlan) throws(LaunchError) -> Int32 {
        guard let path = plan.layerDirectory else { return -1 }
        // Set-up makes it where it is missing.
        let made = withCString(path) { nsrun_make_directory($0, 0o755) }
        guard made == 0 || made == -EEXIST else { return -1 }
        if let root = plan.rootfs.flatMap(HostFile.canonicalPath),
            let own = HostFile.canonicalPath(path), own.isAtOrBelow(root) || root.isAtOrBelow(own)
        {
            throw LaunchError(
                .usage, "cannot use the layer \(path.text): it and the rootfs lie in each other",
                remedy: "give a directory elsewhere: the root would hold its own changes")
        }
        // Who keeps a group keeps its lock, see join.c.
        if plan.joinIndex != nil { return -1 }
        let lock = withCString(path) { nsrun_lock_layer($0, false) }
        if lock >= 0 || lock == -ENOLCK { return lock }
        if lock == -EWOULDBLOCK { throw .layerInUse(path, code: EWOULDBLOCK) }
        throw LaunchError(
            .setup, "cannot lock the layer \(path.text): \(reason(-lock))",
            remedy: Remedy.general(-lock, at: path), code: -lock)
    }

    /// A shared lock on the rootfs while the run lasts: what is locked is not removed. Of a run that has
    /// replaced its launcher only the mounts tell.
    private func lockRootfs(of plan: LaunchPlan) throws(LaunchError) -> Int32? {
        guard let path = plan.rootfs else { return nil }
        let lock = withCString(path) { nsrun_open_shared($0) }
        if lock == -EWOULDBLOCK {
            throw LaunchError(
                .setup, "cannot use the rootfs \(path.text): it is being removed or replaced",
                remedy: "start it again when that is done", code: EWOULDBLOCK)
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
        let layer = try lockLayer(of: plan)
        if layer >= 0 { closeDescriptor(layer) }
        let image = try ImageMount(&plan)
        var mask: UInt64 = 0
        _ = nsrun_blocked_signals(&mask)
        try Supervisor.enter(plan.entered)
        let lowered = try CPlan(plan, signalMask: mask)
        let report = UnsafeMutablePointer<nsrun_report>.allocate(capacity: 1)
        report.initialize(to: nsrun_report())
        withUnsafePointer(to: lowered.plan) { nsrun_run_in_place($0, report) }
        var record = Diagnosis.Record(report)
        record.addComplaint(from: image.complaints)
        throw Diagnosis(plan: plan, facts: facts).explain(record)
    }
}

extension LaunchRequest {
    /// What is tried instead where namespaces were refused of which some are only welcome; nil for nothing.
    public func reduced(after error: LaunchError) -> LaunchRequest? {
        guard error.refusal == .namespaces, !namespaces.optional.isEmpty else { return nil }
        var reduced = self
        reduced.namespaces.optional = []
        return reduced
    }
}

/// What launcher and run tell each other by: a pair of sockets that keep records apart (unix(7)).
private struct Channel {
    let childEnd: Int32
    let launcherEnd: Int32

    init() throws(LaunchError) {
        var ends: (Int32, Int32) = (-1, -1)
        let error = withUnsafeMutablePointer(to: &ends) {
            $0.withMemoryRebound(to: Int32.self, capacity: 2) { nsrun_socket_pair($0) }
        }
        guard error == 0 else {
            throw LaunchError(
                .setup, "cannot make a pair of sockets: \(reason(-error))",
                remedy: Remedy.general(-error, at: nil), code: -error)
        }
        (childEnd, launcherEnd) = ends
    }
}

extension LaunchPlan {
    /// Pid 1 gets the command's filters, and one of them keeps it from its work.
    fileprivate var filtersBindInit: Bool {
        guard showsInit, shape == .childWithInit else { return false }
        for step in steps {
            guard case .filter(let program) = step.action else { continue }
            let allows = program.withUnsafeBytes {
                nsrun_filter_allows_pid_one($0.baseAddress, $0.count)
            }
            if !allows { return true }
        }
        return false
    }
}

extension LaunchError {
    /// Another run keeps its changes in that directory.
    static func layerInUse(_ path: ByteString, code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot use the layer \(path.text): another run uses it",
            remedy:
                "give each run its own, or all of them \(OptionNames.current.join), by which they "
                + "share one world", code: code)
    }

    /// A process whose end should be that of the run.
    static func cannotFollow(_ code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot tie the run to its parent: \(reason(code))",
            remedy: code == ENOSYS
                ? "the kernel must have pidfd_open(2), as Linux 5.3 does"
                : Remedy.general(code, at: nil), code: code)
    }
}

extension Diagnosis.Record {
    init(_ report: UnsafeMutablePointer<nsrun_report>) {
        step = Int(report.pointee.head.step)
        code = report.pointee.head.error
        call = report.pointee.head.call
        let length = min(Int(report.pointee.head.length), Int(NSRUN_REPORT_TEXT))
        text = []
        text.reserveCapacity(length)
        guard let bytes = nsrun_report_text(report) else { return }
        for index in 0..<length { text.append(UInt8(bitPattern: bytes[index])) }
    }
}
