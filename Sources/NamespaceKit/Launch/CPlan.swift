// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// A plan as the executor reads it: one flat C structure and the memory behind it. Everything is
/// allocated here, before the clone; the executor allocates nothing.
struct CPlan {
    private(set) var plan = nsrun_plan()
    private var strings = CStringArray()
    private var lists: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []
    private var blocks: [UnsafeMutableRawPointer] = []
    private let steps: UnsafeMutablePointer<nsrun_step>
    private var arguments = CStringArray()
    private var environment = CStringArray()
    /// Those that have been made so far, for layers that are kept.
    private var layerDirectories: [ByteString] = []
    /// What proot traces would go on outside of its root if proot were killed; at SIGQUIT it ends that first.
    private let deathSignal: Int32

    init(_ source: LaunchPlan, signalMask: UInt64) throws(LaunchError) {
        let count = source.steps.count
        steps = .allocate(capacity: count)
        deathSignal = source.isTraced ? SIGQUIT : SIGKILL
        for index in 0..<count { (steps + index).initialize(to: nsrun_step()) }
        lowerCommand(source)
        for index in 0..<count {
            try lower(source.steps[index].action, into: &steps[index])
            steps[index].parent_mode = source.steps[index].parentMode
            if source.steps[index].isIncidental { steps[index].flags |= UInt32(NSRUN_INCIDENTAL) }
            if source.steps[index].coversLink { steps[index].flags |= UInt32(NSRUN_COVER_LINK) }
        }
        lowerJoin(source)
        plan.steps = UnsafePointer(steps)
        plan.count = count
        plan.command_start = source.commandStart
        plan.clone_flags = source.namespaces.cloneFlags
        plan.shape =
            (source.shape == .childWithInit ? NSRUN_SHAPE_INIT : NSRUN_SHAPE_COMMAND).rawValue
        plan.flags = flags(source)
        // Whoever finds SIGCHLD blocked or ignored cannot wait for children; hardly anybody looks.
        plan.signal_mask = source.startsClean ? 0 : signalMask & ~(1 << UInt64(SIGCHLD - 1))
        plan.failure_words = keep(source.messagePrefix + source.failureWords)
        plan.filter_words = keep(source.messagePrefix + "cannot install a seccomp filter")
        plan.failure_status = source.failureStatus
        if source.keepsTimeInside, let timeout = source.lifecycle.timeout {
            plan.due = TimeLimit.later(by: timeout)
            plan.kill_after = source.lifecycle.killAfter ?? -1
        }
    }

    func free() {
        var copy = self
        copy.strings.free()
        copy.arguments.free()
        copy.environment.free()
        for index in 0..<plan.count where steps[index].op == NSRUN_OP_CAPABILITIES.rawValue {
            nsrun_capabilities_release(
                UnsafeMutableRawPointer(mutating: steps[index].data)!
                    .assumingMemoryBound(to: nsrun_capabilities.self))
        }
        steps.deallocate()
        for list in lists { list.deallocate() }
        for block in blocks { block.deallocate() }
    }

    private func flags(_ source: LaunchPlan) -> UInt32 {
        var flags: UInt32 = 0
        func add(_ flag: some BinaryInteger, _ condition: Bool) {
            if condition { flags |= UInt32(flag) }
        }
        add(NSRUN_CLASSIC_MOUNTS, source.mounting == .classic)
        add(NSRUN_DETACHED_ROOT, source.mounting == .detached)
        add(NSRUN_NO_OPENAT2, !source.usesOpenat2)
        add(NSRUN_SPARE_HOST, source.sparesHost)
        add(NSRUN_MIRROR, source.mirrors)
        add(NSRUN_LINGER, source.lifecycle.lingers)
        add(NSRUN_FOLLOW, source.followsLauncher)
        add(NSRUN_TAKE_AWAY, source.takesPlacesAway)
        add(NSRUN_OWN_GROUP, source.processGroup != .callers)
        add(NSRUN_QUIET_INIT, source.initIsQuiet)
        add(NSRUN_REFUSE_LINKS, source.refusesLinks)
        add(NSRUN_TOLERATE_SUBMOUNTS, source.toleratesSubmounts)
        add(NSRUN_ANSWERED, source.answersStart)
        add(NSRUN_ANNOUNCE, source.announcesStart)
        add(NSRUN_TRACE, source.tracesSteps)
        add(NSRUN_CLEAN_START, source.startsClean)
        add(NSRUN_NO_PIDFD, !source.usesProcessDescriptors)
        add(NSRUN_READABLE_INIT, source.showsInit)
        add(NSRUN_PLACES_BY_UMASK, source.makesPlacesByUmask)
        add(NSRUN_HAS_HANDLERS, source.hasHandlers)
        return flags
    }

    /// Who joins goes on behind the steps that set the group up.
    private mutating func lowerJoin(_ source: LaunchPlan) {
        guard let join = source.joinIndex, let share = source.shareIndex else { return }
        steps[join].value2 = UInt64(share + 1)
        steps[share].data = keep(source.stepsOfGroup)
        keep(bytes: source.note.bytes, in: &steps[join])
        if let layer = source.layerDirectory { steps[join].list = keep(list: [layer]) }
    }

    private mutating func lowerCommand(_ source: LaunchPlan) {
        if source.arguments.isEmpty { arguments.appendNull() }
        for argument in source.arguments { arguments.append(argument) }
        for entry in source.environment where !source.setsPWD || !entry.hasPrefix("PWD=") {
            environment.append(entry)
        }
        if source.setsPWD { environment.append("PWD=/") }  // CHDIR puts the directory that it found
        let vector = environment.terminated()
        plan.arguments = UnsafePointer(arguments.terminated())
        plan.environment = vector
        if source.setsPWD { plan.pwd_slot = vector + (environment.pointers.count - 1) }

        let room = 65536 + source.steps.count * 256
        plan.copies = .allocate(capacity: room)
        plan.copies_size = room
        // Pid 1 keeps these; LOCK_FILE adds to them.
        let held = source.lifecycle.heldDescriptors
        let keptRoom = held.count + source.steps.count + 4
        plan.kept_fds = .allocate(capacity: keptRoom)
        for (index, number) in held.enumerated() { plan.kept_fds[index] = number }
        plan.kept_count = held.count
        blocks.append(UnsafeMutableRawPointer(plan.kept_fds))
        let closed = UnsafeMutablePointer<Int32>.allocate(
            capacity: source.closedDescriptors.count + 1)
        for (index, number) in source.closedDescriptors.enumerated() { closed[index] = number }
        closed[source.closedDescriptors.count] = -1
        plan.close_fds = UnsafePointer(closed)
        blocks.append(UnsafeMutableRawPointer(plan.copies))
        blocks.append(UnsafeMutableRawPointer(closed))
    }

    private mutating func keep(_ text: ByteString) -> UnsafePointer<CChar> {
        strings.append(text)
        return UnsafePointer(strings.pointers.last!!)
    }

    /// A file of the host's. What is behind a descriptor of this process's is of its own mounts, of which the child has
    /// copies: it is named by where it lies.
    private mutating func keep(source path: ByteString) -> UnsafePointer<CChar> {
        let places: [ByteString] = ["/proc", "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr"]
        guard path != "/proc", places.contains(where: { path.isAtOrBelow($0) }),
            let canonical = HostFile.canonicalPath(path)
        else { return keep(path) }
        return keep(canonical)
    }

    private mutating func keep(list: [ByteString]) -> UnsafePointer<UnsafePointer<CChar>?> {
        keep(pointers: list.map { keep($0) })
    }

    private mutating func keep(
        pointers: [UnsafePointer<CChar>]
    ) -> UnsafePointer<UnsafePointer<CChar>?> {
        let made = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(
            capacity: pointers.count + 1)
        for index in 0..<pointers.count { made[index] = pointers[index] }
        made[pointers.count] = nil
        lists.append(made)
        return UnsafePointer(made)
    }

    private mutating func keep(bytes: [UInt8], in step: inout nsrun_step) {
        let block = UnsafeMutableRawPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
        bytes.withUnsafeBytes {
            block.copyMemory(
                from: $0.baseAddress ?? UnsafeRawPointer(block), byteCount: bytes.count)
        }
        blocks.append(block)
        step.data = UnsafePointer(block.assumingMemoryBound(to: CChar.self))
        step.length = bytes.count
    }

    private mutating func keep(_ content: FileSystemOperation.Content, in step: inout nsrun_step) {
        switch content {
        case .descriptor(let number): step.fd = number
        case .bytes(let bytes): keep(bytes: bytes, in: &step)
        }
    }

    // MARK: Steps

    private mutating func lower(
        _ action: Step.Action, into step: inout nsrun_step
    ) throws(LaunchError) {
        step.fd = -1
        switch action {
        case .unshare(let namespaces):
            set(&step, NSRUN_OP_UNSHARE, value: namespaces.cloneFlags)
        case .enterNamespace(let descriptor, let namespaces):
            set(&step, NSRUN_OP_SETNS, value: namespaces.cloneFlags)
            step.fd = descriptor
        case .join(let name, let folder, let namespaces, let manner):
            set(&step, NSRUN_OP_JOIN, target: name, value: namespaces.cloneFlags)
            step.number = Int32(manner.number)
            step.source = keep(folder)
        case .share(let namespaces, let root):
            set(&step, NSRUN_OP_SHARE, value: namespaces.cloneFlags)
            step.source = keep(root)
        case .write(let text, let file):
            set(&step, NSRUN_OP_WRITE, target: file)
            step.data = keep(text)
        case .await(let descriptor):
            set(&step, NSRUN_OP_AWAIT)
            step.fd = descriptor
        case .assertNoUserNamespaces: set(&step, NSRUN_OP_ASSERT_NO_USERNS)
        case .scope(let paths, let allowed):
            set(&step, NSRUN_OP_SCOPE, value: UInt64(paths ? NSRUN_SCOPE_PATHS : 0))
            step.list = keep(list: allowed)
        case .scopeAbstract(let isRequired):
            let value = NSRUN_SCOPE_ABSTRACT | (isRequired ? NSRUN_SCOPE_REQUIRED : 0)
            set(&step, NSRUN_OP_SCOPE, value: UInt64(value))
        case .limitNamespaces(let most):
            set(&step, NSRUN_OP_LIMIT_NAMESPACES)
            step.data = keep(ByteString("\(most)\n"))
        case .nest(let namespaces, let users, let groups):
            set(&step, NSRUN_OP_NEST, value: namespaces.cloneFlags)
            step.source = keep(IDRange.map(users))
            step.data = keep(IDRange.map(groups))
        case .tellNamespaces:
            set(&step, NSRUN_OP_REQUEST, value: UInt64(NSRUN_REPORT_STANDS.rawValue))
        case .requestIDMaps:
            set(&step, NSRUN_OP_REQUEST, value: UInt64(NSRUN_REPORT_WANTS_MAPS.rawValue))
        case .connectNetwork:
            set(&step, NSRUN_OP_REQUEST, value: UInt64(NSRUN_REPORT_WANTS_NETWORK.rawValue))
        case .dieWithParent: set(&step, NSRUN_OP_DEATH_SIGNAL, value: UInt64(deathSignal))
        case .isolateMounts: set(&step, NSRUN_OP_PROPAGATION, value: nsrun_ms_slave)
        case .hostname(let name):
            set(&step, NSRUN_OP_HOSTNAME)
            step.data = keep(name)
        case .raiseLoopback: set(&step, NSRUN_OP_LOOPBACK)
        case .forbidAddresses(let addresses):
            set(&step, NSRUN_OP_FORBID_ADDRESSES)
            step.list = keep(list: addresses)
        case .relay(let relay):
            set(&step, NSRUN_OP_RELAY)
            step.fd = relay.descriptor
            let doors = relay.routes.map {
                $0.address.endpoint(port: $0.port, isOptional: $0.isOptional)
            }
            keep(bytes: doors.withUnsafeBytes { Array($0) }, in: &step)
        case .setIDs(let user, let group):
            set(&step, NSRUN_OP_IDS, value: UInt64(user))
            step.value2 = UInt64(group)
        case .redirect(let descriptor, let target):
            set(&step, NSRUN_OP_REDIRECT, value: UInt64(target))
            step.fd = descriptor
        case .newSession: set(&step, NSRUN_OP_SESSION)
        case .newKeyring: set(&step, NSRUN_OP_KEYRING)
        case .changeDirectory(let candidates):
            set(&step, NSRUN_OP_CHDIR)
            step.list = keep(list: candidates)
            step.list2 = keep(list: candidates.map { "PWD=" + $0 })
        case .limit(let limit):
            set(&step, NSRUN_OP_RLIMIT, value: limit.soft)
            step.number = limit.resource
            step.value2 = limit.hard
            if limit.onlyLowers { step.flags |= UInt32(NSRUN_ONLY_LOWER) }
        case .personality32: set(&step, NSRUN_OP_PERSONALITY, value: 0x0008)  // PER_LINUX32
        case .noNewPrivileges: set(&step, NSRUN_OP_NO_NEW_PRIVS)
        case .capabilities(let sets): try lower(sets, into: &step)
        case .filter(let program):
            set(&step, NSRUN_OP_SECCOMP)
            keep(bytes: program, in: &step)
        case .shareChannel(let number): set(&step, NSRUN_OP_SHARE_CHANNEL, value: UInt64(number))
        case .stub: set(&step, NSRUN_OP_STUB)
        case .processGroup: set(&step, NSRUN_OP_PROCESS_GROUP)
        case .execute(let candidates):
            set(&step, NSRUN_OP_EXEC)
            step.list = keep(list: candidates)
        case .hostRoot: set(&step, NSRUN_OP_ROOT_HOST)
        case .preparedRoot(let carried):
            set(&step, NSRUN_OP_ROOT_PREPARED)
            step.list = keep(list: carried)
        case .putBack(let target, let number):
            set(&step, NSRUN_OP_PUT_BACK, target: target, value: UInt64(number))
        case .keep(let sealed, let checked, let descriptor):
            set(&step, NSRUN_OP_KEEP)
            step.fd = descriptor
            step.list = keep(list: sealed)
            step.list2 = keep(list: checked)
        case .emptyRoot: set(&step, NSRUN_OP_ROOT_TMPFS)
        case .hostDirectory(let path):
            set(&step, NSRUN_OP_HOST_DIRECTORY, target: path)
            // What the layer's own directory holds is for the kernel alone.
            if layerDirectories.contains(where: { path.isAtOrBelow($0) }) {
                step.flags |= UInt32(NSRUN_OWN)
            }
            layerDirectories.append(path)
        case .hostPlace(let path, let lack):
            set(&step, NSRUN_OP_HOST_PLACE, target: path)
            if lack == .directory { step.flags |= UInt32(NSRUN_DIRECTORY_ONLY) }
        case .image(let image):
            set(&step, NSRUN_OP_IMAGE)
            step.source = keep(image.path)
            step.fd = image.descriptor
            if image.mounting == .kernel { step.flags |= UInt32(NSRUN_MOUNTED) }
        case .bind(let bind): lower(bind, into: &step)
        case .tmpfs(let target, let mode, let size, let replacesLink):
            set(&step, NSRUN_OP_TMPFS, target: target, mode: mode, value: size ?? 0)
            if replacesLink { step.flags |= UInt32(NSRUN_REPLACE_LINK) }
        case .fileSystem(let kind, let target):
            let op =
                switch kind {
                case .proc: NSRUN_OP_PROC
                case .devpts: NSRUN_OP_DEVPTS
                case .mqueue: NSRUN_OP_MQUEUE
                }
            set(&step, op, target: target)
            step.flags |= UInt32(NSRUN_REPLACE_LINK)
        case .holdGroups(let groups):
            set(&step, NSRUN_OP_HOLD)
            step.list = keep(list: groups.map { $0.directory })
        case .showGroups(let groups, let readOnly):
            set(&step, NSRUN_OP_PLACE_HELD)
            step.list = keep(list: groups.map { $0.directory })
            step.list2 = keep(list: groups.map { $0.mount })
            if readOnly { step.flags |= UInt32(NSRUN_READ_ONLY) }
        case .system(let system):
            set(&step, NSRUN_OP_SYSFS)
            step.list = keep(list: system.files.mounts)
            step.list2 = keep(list: system.files.devices)
            if system.isReadOnly { step.flags |= UInt32(NSRUN_READ_ONLY) }
            if system.isBelow { step.flags |= UInt32(NSRUN_INSIDE) }
            if system.coversHosts { step.flags |= UInt32(NSRUN_OVER_HOSTS) }
        case .binfmt(let records, let target):
            set(&step, NSRUN_OP_BINFMT, target: target)
            step.list = keep(list: records.map { $0.line })
        case .overlay(let overlay): lower(overlay, into: &step)
        case .file(let content, let target, let mode):
            set(&step, NSRUN_OP_FILE, target: target, mode: mode)
            keep(content, in: &step)
        case .bindData(let content, let target, let mode, let readOnly):
            set(&step, NSRUN_OP_BIND_DATA, target: target, mode: mode)
            if readOnly { step.flags |= UInt32(NSRUN_READ_ONLY) }
            keep(content, in: &step)
        case .adopt(let files):
            set(&step, NSRUN_OP_ADOPT)
            step.list = keep(list: files)
        case .ownCopy(let content, let target, let mode):
            set(&step, NSRUN_OP_BIND_DATA, target: target, mode: mode)
            step.flags |= UInt32(NSRUN_READ_ONLY) | UInt32(NSRUN_MUST_EXIST)
            keep(bytes: content, in: &step)
        case .hide(let hidden):
            set(&step, NSRUN_OP_HIDE, target: hidden.place)
            step.source = keep(hidden.called)
            step.list = keep(list: hidden.patterns)
        case .complete(let directory, let files):
            set(&step, NSRUN_OP_COMPLETE, target: directory)
            step.list = keep(list: files)
        case .prepend(let text, let target):
            set(&step, NSRUN_OP_PREPEND, target: target)
            step.flags |= UInt32(NSRUN_READ_ONLY)
            keep(bytes: text.bytes, in: &step)
        case .linkerCache(let libraries, let target):
            set(&step, NSRUN_OP_LINKER_CACHE, target: target)
            step.flags |= UInt32(NSRUN_READ_ONLY)
            step.list = keep(list: libraries.map { $0.name })
            step.list2 = keep(list: libraries.map { $0.path })
            var flags: [UInt8] = []
            for library in libraries {
                withUnsafeBytes(of: library.flags) { flags += Array($0) }
            }
            keep(bytes: flags, in: &step)
        case .needGlibc(let need, let candidates):
            let version = UInt64(need.version.major) << 32 | UInt64(need.version.minor)
            set(&step, NSRUN_OP_NEED_GLIBC, value: version)
            step.list = keep(list: candidates)
        case .symlink(let text, let target):
            set(&step, NSRUN_OP_SYMLINK, target: target)
            step.source = keep(text)
        case .bindLink(let text, let target):
            set(&step, NSRUN_OP_BIND_LINK, target: target)
            step.source = keep(text)
        case .directory(let target, let mode):
            set(&step, NSRUN_OP_DIRECTORY, target: target, mode: mode)
        case .changeMode(let target, let mode):
            set(&step, NSRUN_OP_CHMOD, target: target, mode: mode)
        case .remountReadOnly(let target): set(&step, NSRUN_OP_REMOUNT_RO, target: target)
        case .lockFile(let target): set(&step, NSRUN_OP_LOCK_FILE, target: target)
        case .readAhead(let files, let others):
            set(&step, NSRUN_OP_READ_AHEAD)
            step.list = keep(list: files)
            step.list2 = keep(list: others)
        case .enterRoot: set(&step, NSRUN_OP_ENTER)
        }
    }

    private mutating func set(
        _ step: inout nsrun_step, _ op: nsrun_op, target: ByteString? = nil, mode: UInt32 = 0,
        value: UInt64 = 0
    ) {
        step.op = op.rawValue
        step.mode = mode
        step.value = value
        if let target { step.target = keep(target) }
    }

    private mutating func lower(_ bind: Step.Bind, into step: inout nsrun_step) {
        set(&step, NSRUN_OP_BIND, target: bind.target)
        switch bind.source {
        case .path(let path):
            step.source = bind.options.contains(.inside) ? keep(path) : keep(source: path)
        case .descriptor(let number): step.fd = number
        }
        var flags = UInt32(NSRUN_RECURSIVE)
        if bind.options.contains(.readOnly) { flags |= UInt32(NSRUN_READ_ONLY) }
        if bind.options.contains(.noExecute) { flags |= UInt32(NSRUN_NO_EXECUTE) }
        if bind.options.contains(.devices) { flags |= UInt32(NSRUN_DEVICES) }
        if bind.options.contains(.optional) { flags |= UInt32(NSRUN_TRY) }
        if bind.options.contains(.onlyIfPresent) { flags |= UInt32(NSRUN_MUST_EXIST) }
        if bind.options.contains(.replaceLink) { flags |= UInt32(NSRUN_REPLACE_LINK) }
        if bind.options.contains(.inside) { flags |= UInt32(NSRUN_INSIDE) }
        if bind.options.contains(.implied) { flags |= UInt32(NSRUN_IMPLIED) }
        if bind.directoryOnly { flags |= UInt32(NSRUN_DIRECTORY_ONLY) }
        step.flags = flags
    }

    private mutating func lower(_ overlay: Step.Overlay, into step: inout nsrun_step) {
        set(&step, NSRUN_OP_OVERLAY, target: overlay.target)
        step.list =
            overlay.liesOverRoot
            ? keep(list: overlay.lower) : keep(pointers: overlay.lower.map { keep(source: $0) })
        if overlay.liesOverRoot { step.flags |= UInt32(NSRUN_INSIDE) }
        step.list2 = keep(list: overlay.options.flatMap(Self.nameAndValue))
        switch overlay.upper {
        case .none: step.flags |= UInt32(NSRUN_READ_ONLY)
        case .memory: step.flags |= UInt32(NSRUN_VOLATILE)
        case .directories(let upper, let work):
            step.source = keep(source: upper)
            step.data = keep(source: work)
        }
    }

    /// An option of a mount, its value empty where it is a flag.
    private static func nameAndValue(_ option: ByteString) -> [ByteString] {
        guard let sign = option.firstIndex(of: UInt8(ascii: "=")) else { return [option, ""] }
        return [option.slice(from: 0, to: sign), option.slice(from: sign + 1)]
    }

    private mutating func lower(
        _ sets: Step.CapabilitySets, into step: inout nsrun_step
    ) throws(LaunchError) {
        set(&step, NSRUN_OP_CAPABILITIES)
        let prepared = UnsafeMutablePointer<nsrun_capabilities>.allocate(capacity: 1)
        prepared.initialize(to: nsrun_capabilities())
        blocks.append(UnsafeMutableRawPointer(prepared))
        let error = nsrun_capabilities_prepare(prepared, sets.held, sets.ambient, sets.bounding)
        guard error == 0 else {
            throw LaunchError(
                .setup, "cannot prepare the capabilities: \(reason(-error))", code: -error)
        }
        step.data = UnsafePointer(
            UnsafeRawPointer(prepared).assumingMemoryBound(to: CChar.self))
        step.length = MemoryLayout<nsrun_capabilities>.size
    }
}

extension NamespaceSet {
    var cloneFlags: UInt64 {
        var flags: UInt64 = 0
        if contains(.user) { flags |= nsrun_clone_newuser }
        if contains(.mount) { flags |= nsrun_clone_newns }
        if contains(.pid) { flags |= nsrun_clone_newpid }
        if contains(.network) { flags |= nsrun_clone_newnet }
        if contains(.ipc) { flags |= nsrun_clone_newipc }
        if contains(.uts) { flags |= nsrun_clone_newuts }
        if contains(.cgroup) { flags |= nsrun_clone_newcgroup }
        return flags
    }
}
