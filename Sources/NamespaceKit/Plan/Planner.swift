// SPDX-License-Identifier: Apache-2.0

/// Turns a request and the facts of the host into a plan. Pure: it makes no system call.
public struct Planner {
    /// What becomes of the calling process.
    public enum Role: Sendable {
        /// It may become the command itself, where nothing has to stay behind.
        case replaceable
        /// It stays, and the command is its child.
        case parent
        /// It is a program of one thread that watches over the command.
        case watcher
    }

    let request: LaunchRequest
    let words = OptionNames.current
    let facts: HostFacts
    let role: Role
    private var isParent: Bool { if case .parent = role { true } else { false } }
    private var isReplaceable: Bool { if case .replaceable = role { true } else { false } }
    var plan: LaunchPlan
    /// The caller's current directory is shown, and the command starts there.
    var startsHere = false
    /// Where what is written over the layered root lies.
    var upper: FileSystemOperation.OverlayUpper = .memory
    /// The namespaces that a group has in common, where the command is to join one.
    var shared: NamespaceSet = []
    /// Those that are made when the root stands.
    var later: NamespaceSet = []

    public static func plan(
        _ request: LaunchRequest, on facts: HostFacts, as role: Role = .parent
    ) throws(LaunchError) -> LaunchPlan {
        var planner = Planner(request, facts, role)
        try planner.check()
        try planner.planNamespaces()
        planner.planRoot()
        try planner.planCallersPlaces()
        try planner.planOperations()
        try planner.planAllowedSockets()
        try planner.planAllowedPaths()
        try planner.planDevicesAskedFor()
        try planner.planHostProgram()
        planner.planReadAhead()
        try planner.planHidden()
        if request.namespaces.join == nil { planner.planLabels() }
        planner.add(.enterRoot)
        // Not later: what may take its place where memory cannot be executed has to be mounted.
        if request.namespaces.join == nil { planner.add(.stub) }
        planner.planNestedUser()
        if !planner.later.isEmpty { planner.planTelling() }
        planner.planShare()
        if request.namespaces.join != nil { planner.add(.stub) }
        planner.planLocks()
        try planner.planCommand()
        planner.planReuse()
        return planner.plan
    }

    /// The ids that helpers map, where more than one is mapped.
    var mappedUsers: [IDRange] = []
    var mappedGroups: [IDRange] = []

    private init(_ request: LaunchRequest, _ facts: HostFacts, _ role: Role) {
        let request = Planner.prepare(request, on: facts)
        self.request = request
        self.facts = facts
        self.role = role
        let mounting: LaunchPlan.Mounting =
            if !facts.hasMountAPI || request.compatibility.contains(.mountAPI) {
                .classic
            } else if facts.hasDetachedMounts, !request.compatibility.contains(.detachedMounts),
                !request.changesMounts, !Planner.layersKernelImage(request, facts)
            {
                .detached
            } else {
                .attached
            }
        plan = LaunchPlan(
            shape: .child, namespaces: [], mounting: mounting,
            usesOpenat2: facts.hasOpenat2 && !request.compatibility.contains(.openat2),
            sparesHost: request.root.view == .host && request.root.layer == .readOnly,
            mirrors: request.root.view != .empty, isHostView: request.root.view == .host,
            lifecycle: request.lifecycle)
        plan.refusesLinks = request.root.view == .empty
        plan.note = request.note
        plan.toleratesSubmounts = request.files.toleratesSubmounts
        plan.startsClean = request.program.startsClean
        plan.makesPlacesByUmask = request.files.makesPlacesByUmask
        plan.setsPWD = request.program.environment.setsPWD
        plan.usesProcessDescriptors = !request.compatibility.contains(.processDescriptors)
        plan.steps.reserveCapacity(48 + request.files.operations.count)
    }

    mutating func add(_ action: Step.Action, _ origin: ByteString? = nil) {
        plan.steps.append(Step(action: action, origin: origin))
    }

    /// What has been planned from there on is of the caller's moment, see ``Step/isIncidental``.
    mutating func markIncidental(from first: Int) {
        for index in first..<plan.steps.count { plan.steps[index].isIncidental = true }
    }

    /// Refuses what cannot work before anything has been touched.
    private func check() throws(LaunchError) {
        if let fault = facts.fault { throw fault }
        for argument in request.program.command where argument.contains(0) {
            throw .nulByte(in: "argument", argument)
        }
        for text in [request.program.argument0, request.program.workingDirectory] {
            if let text, text.contains(0) { throw .nulByte(in: "argument", text) }
        }
        if case .directory(let path) = request.root.layer, path.contains(0) {
            throw .nulByte(in: "path", path)
        }
        if let first = request.program.command.first, first.isEmpty { throw .emptyCommand }
        if let path = facts.silentAutomount { throw .silentAutomount(path) }
        try checkConfinement()
        if case .rootfs(let path) = request.root.view {
            if path.isEmpty { throw .emptyPath(of: "rootfs") }
            if path.contains(0) { throw .nulByte(in: "path", path) }
        }
        if request.root.descriptor != nil, request.root.layer != .readOnly,
            request.root.layer != .writable
        {
            throw .layerOverDescriptor
        }
        if request.lifecycle.commandIsPidOne, !request.newNamespaces.contains(.pid) {
            throw .needsNamespace("the command as pid 1", .pid)
        }
        for change in request.program.environment.changes {
            switch change {
            case .set(let name, let value):
                if !Planner.isVariable(name) || value.contains(0) { throw .badVariable(name) }
            case .unset(let name):
                if !Planner.isVariable(name) { throw .badVariable(name, unset: true) }
            case .clear: break
            }
        }
        // bubblewrap leaves it to the kernel, which minds the length alone.
        if let hostname = request.namespaces.hostname,
            request.root.view != .empty || hostname.contains(0)
        {
            let bad = hostname.bytes.contains { $0 < 0x21 || $0 == 0x7f || $0 == UInt8(ascii: "/") }
            if bad || hostname.isEmpty || hostname.count > 64 { throw .badHostname(hostname) }
        }
        if request.root.view == .empty, request.root.layer != .readOnly { throw .layerWithoutView }
        if request.program.label != nil || request.files.label != nil, !facts.hasSELinux {
            throw .noSELinux
        }
        if request.namespaces.forbidsNestedUser, !hasUserNamespace { throw .disableNeedsUser }
        if request.namespaces.enteredPID != nil, request.newNamespaces.contains(.pid) {
            throw .twoPIDNamespaces
        }
        try checkEmulation()
        try checkJoin()
        try checkReuse()
        try checkLimits()
        if isParent { try checkForParent() }
        try checkImage()
    }

    /// What only a program can do that is nsrun and nothing else.
    private func checkForParent() throws(LaunchError) {
        let namespaces = request.namespaces
        if (namespaces.enteredUser ?? namespaces.enteredPID ?? namespaces.enteredNetwork) != nil {
            throw .needsOneThread
        }
        if request.lifecycle.endsBySignals { throw .endsByOwnSignals }
    }

    private static func isVariable(_ name: ByteString) -> Bool {
        !name.isEmpty && !name.contains(UInt8(ascii: "=")) && !name.contains(0)
            && !name.contains(UInt8(ascii: "\n"))
    }

    var hasUserNamespace: Bool {
        request.newNamespaces.union(request.namespaces.optional).contains(.user)
    }

    // MARK: Namespaces and identity

    private mutating func planNamespaces() throws(LaunchError) {
        var namespaces = request.newNamespaces.union(.mount)
        namespaces.formUnion(request.namespaces.optional)
        if request.namespaces.hostname != nil { namespaces.insert(.uts) }
        let lifecycle = request.lifecycle
        // Locks and descriptors that last as long as the run need a process that holds them, and who is to follow a
        // program with threads one that watches it.
        let isHeld =
            !lifecycle.heldDescriptors.isEmpty || request.locksFiles
            || isParent && lifecycle.diesWithParent
        let hasInit =
            (namespaces.contains(.pid) || isHeld || lifecycle.timeout != nil)
            && !lifecycle.commandIsPidOne
        let isWatched =
            hasInit || lifecycle.timeout != nil || namespaces.contains(.pid) || !isReplaceable
            || lifecycle.diesWithParent
            || lifecycle.infoDescriptor != nil || lifecycle.statusDescriptor != nil
            || lifecycle.newSession  // a leader of a process group cannot start a session
            || request.namespaces.enteredPID != nil || request.identity.needsHelpers
            || request.network.isConnected || request.keepsChanges || !request.limits.isEmpty
        if let descriptor = request.namespaces.enteredUser {
            plan.entered.append(.init(descriptor: descriptor, kind: .user))
        }
        if let descriptor = request.namespaces.enteredPID {
            plan.entered.append(.init(descriptor: descriptor, kind: .pid))
        }
        if let descriptor = request.namespaces.enteredNetwork {
            plan.entered.append(.init(descriptor: descriptor, kind: .network))
        }
        plan.shape = isWatched ? hasInit ? .childWithInit : .child : .inPlace
        if locksMounts { later = laterNamespaces(of: namespaces) }
        namespaces.subtract(later)
        // One that nobody has a device in: what the command finds below its own sysfs.
        if later.contains(.network), facts.system != nil { namespaces.insert(.network) }
        if lifecycle.timeout != nil, !namespaces.contains(.pid), !isParent {
            plan.strays = .endedAtLimit
        }
        if request.namespaces.join != nil { planLabels() }
        if isWatched { planProcessGroup(namespaces) }
        if plan.shape == .child, plan.followsLauncher { add(.dieWithParent) }
        planLimits(&namespaces)
        if request.namespaces.join != nil {
            planJoin(namespaces)
        } else if isWatched {
            plan.namespaces = namespaces
        } else {
            add(.unshare(namespaces))
        }
        // Somebody else has to know of the child before he can map its ids.
        if lifecycle.mapsDescriptor != nil { planTelling() }
        if namespaces.contains(.user), let descriptor = lifecycle.mapsDescriptor {
            add(.await(descriptor: descriptor), word(words.idMaps))
        } else if namespaces.contains(.user) {
            try planIDMaps()
        }
        // In a new user namespace the kernel does this by itself.
        if !namespaces.contains(.user) { add(.isolateMounts) }
        if namespaces.contains(.user), let most = request.namespaces.mostNested {
            add(.limitNamespaces(most))
        }
        planFileLabel()
        planFirstUse(of: namespaces.subtracting(later))
        if later.isEmpty, lifecycle.mapsDescriptor == nil { planTelling() }
        if namespaces.contains(.network) { try planNetwork() }
    }

    /// What is inside shall not reach the caller by its process group. In place the command is native to its job.
    private mutating func planProcessGroup(_ namespaces: NamespaceSet) {
        let lifecycle = request.lifecycle
        plan.followsLauncher = !isParent && (lifecycle.diesWithParent || !lifecycle.lingers)
        guard namespaces.contains(.pid), !lifecycle.sharesProcessGroup else {
            if lifecycle.newSession, plan.shape == .childWithInit { add(.newSession) }
            return
        }
        // To a group of the caller's session somebody has to lend the terminal, which a supervisor does.
        let sharesTerminal = facts.hasTerminal && !isParent && !lifecycle.newSession
        plan.processGroup = sharesTerminal ? .own : .ownSession
        add(plan.processGroup == .own ? .processGroup : .newSession)
    }

    mutating func planFirstUse(of namespaces: NamespaceSet) {
        if let hostname = request.namespaces.hostname, namespaces.contains(.uts) {
            add(.hostname(hostname))
        }
        if namespaces.contains(.network) { add(.raiseLoopback) }
    }

    /// The child waits until its namespaces have been told.
    private mutating func planTelling() {
        let lifecycle = request.lifecycle
        guard lifecycle.infoDescriptor != nil || lifecycle.statusDescriptor != nil else { return }
        add(.tellNamespaces)
    }

    private mutating func planIDMaps() throws(LaunchError) {
        let user = request.user ?? facts.userID
        let group = request.group ?? facts.groupID
        let identity = request.identity
        if !identity.needsHelpers {
            add(.write(text: "deny", file: "/proc/self/setgroups"))
            add(.write(text: idMap(setUpIDs.group, facts.groupID), file: "/proc/self/gid_map"))
            add(.write(text: idMap(setUpIDs.user, facts.userID), file: "/proc/self/uid_map"))
            return
        }
        var users = identity.users
        var groups = identity.groups
        if identity.mapsSubordinates {
            if facts.subordinateUsers.isEmpty || facts.subordinateGroups.isEmpty {
                throw .noSubordinates(facts.userID, named: facts.subordinateName)
            }
            users += SubordinateIDs.map(
                facts.subordinateUsers, own: user, caller: facts.userID)
            groups += SubordinateIDs.map(
                facts.subordinateGroups, own: group, caller: facts.groupID)
        } else {
            // The caller's own id, unless a range has it already.
            if !users.contains(where: { $0.holds(outside: facts.userID) }) {
                users.append(IDRange(inside: user, outside: facts.userID, count: 1))
            }
            if !groups.contains(where: { $0.holds(outside: facts.groupID) }) {
                groups.append(IDRange(inside: group, outside: facts.groupID, count: 1))
            }
        }
        (mappedUsers, mappedGroups) = (users, groups)
        add(.requestIDMaps(users: users, groups: groups), word(words.idRanges))
    }

    func idMap(_ inside: UInt32, _ outside: UInt32) -> ByteString {
        ByteString("\(inside) \(outside) 1\n")
    }

    // MARK: Operations

    private mutating func planOperations() throws(LaunchError) {
        for operation in request.files.operations { try plan(operation) }
        // Whoever starts from nothing has put his own files there by now.
        if request.root.view == .empty { planNames() }
        planHiddenSockets()
    }

    private mutating func plan(_ operation: FileSystemOperation) throws(LaunchError) {
        let origin = operation.origin
        let first = plan.steps.count
        defer {
            for index in first..<plan.steps.count {
                plan.steps[index].parentMode = operation.parentMode
                plan.steps[index].coversLink = request.root.view != .empty
            }
        }
        switch operation.action {
        case .bind(let source, let target, let options):
            try checkPath(target, origin)
            if case .path(let path) = source { try checkPath(path, origin) }
            if case .descriptor(let number) = source { plan.closedDescriptors.append(number) }
            add(.bind(.init(source: source, target: target, options: options)), origin)
        case .tmpfs(let target, let mode, let size):
            try checkPath(target, origin)
            add(.tmpfs(target: target, mode: mode, size: size, replacesLink: false), origin)
        case .proc(let target):
            try checkPath(target, origin)
            if hasOwnProc {
                add(.fileSystem(.proc, target: target), origin)
            } else {
                add(.bind(.init(source: .path("/proc"), target: target, options: [])), origin)
            }
            coverKernelControls(below: target, origin)
            if request.root.view == .empty { planEmulation(below: target) }
        case .dev(let target):
            try checkPath(target, origin)
            planDevices(at: target, origin: origin)
        case .mqueue(let target):
            try checkPath(target, origin)
            let namespaces = request.newNamespaces.union(request.namespaces.optional)
            guard namespaces.contains(.ipc) || request.root.view == .empty else {
                throw .needsNamespace("mqueue", .ipc)
            }
            add(.fileSystem(.mqueue, target: target), origin)
        case .overlay(let target, let lower, let upper, let options):
            try checkPath(target, origin)
            for path in lower { try checkPath(path, origin) }
            var overlay = Step.Overlay(target: target, lower: lower, upper: upper)
            overlay.options = options
            add(.overlay(overlay), origin)
        case .directory(let target, let mode):
            try checkPath(target, origin)
            add(.directory(target: target, mode: mode), origin)
        case .file(let content, let target, let mode):
            try checkPath(target, origin)
            noteDescriptor(content)
            add(.file(content, target: target, mode: mode), origin)
        case .bindData(let content, let target, let mode, let readOnly):
            try checkPath(target, origin)
            noteDescriptor(content)
            add(.bindData(content, target: target, mode: mode, readOnly: readOnly), origin)
        case .symlink(let text, let target):
            try checkPath(target, origin)
            try checkPath(text, origin)
            add(.symlink(text: text, target: target), origin)
        case .changeMode(let target, let mode):
            try checkPath(target, origin)
            add(.changeMode(target: target, mode: mode), origin)
        case .remountReadOnly(let target):
            try checkPath(target, origin)
            add(.remountReadOnly(target: target), origin)
        case .lockFile(let target): try checkPath(target, origin)  // once the root is entered
        }
    }

    /// The machine's root passes every check of modes, whatever capabilities he has left, and so could write to what the
    /// kernel is controlled by.
    mutating func coverKernelControls(below target: ByteString, _ origin: ByteString? = nil) {
        guard mapsMachinesRoot else { return }
        for name in facts.kernelControls {
            let place = target.appending(path: name)
            let options: BindOptions = [.readOnly, .optional, .inside]
            add(.bind(.init(source: .path(place), target: place, options: options)), origin)
        }
    }

    /// One of the command's ids is the machine's root, whatever that is called in here.
    private var mapsMachinesRoot: Bool {
        facts.isMachinesRoot
            || request.identity.users.contains { $0.holds(outside: facts.machinesRoot) }
    }

    /// The option behind a step, where there are options.
    func word(_ option: String) -> ByteString? { option.isEmpty ? nil : ByteString(option) }

    private func checkPath(_ path: ByteString, _ origin: ByteString?) throws(LaunchError) {
        if path.isEmpty { throw .emptyPath(of: origin?.text ?? "operation") }
        if path.contains(0) { throw .nulByte(in: "path", path) }
    }

    private mutating func noteDescriptor(_ content: FileSystemOperation.Content) {
        if case .descriptor(let number) = content { plan.closedDescriptors.append(number) }
    }
}

extension Identity {
    /// More than one id is to be mapped, which takes newuidmap(1) and newgidmap(1).
    var needsHelpers: Bool { mapsSubordinates || !users.isEmpty || !groups.isEmpty }
}

extension LaunchRequest {
    /// The ids inside that were asked for: root where root is faked.
    var user: UInt32? { identity.user ?? (identity.fakesRoot ? 0 : nil) }
    var group: UInt32? { identity.group ?? (identity.fakesRoot ? 0 : nil) }

    fileprivate var locksFiles: Bool {
        for operation in files.operations {
            if case .lockFile = operation.action { return true }
        }
        return false
    }

    /// Something of the host is to be bound or layered.
    var hasSources: Bool {
        if files.home != .standard || files.bindsCurrentDirectory || files.bindsSourceTree
            || files.showsHostRoot
            || devices.isAsked || !files.allowedSockets.isEmpty || !files.readable.isEmpty
            || !files.writable.isEmpty
        {
            return true
        }
        for operation in files.operations {
            switch operation.action {
            case .bind, .overlay, .proc, .dev: return true
            case .tmpfs, .mqueue, .directory, .file, .bindData, .symlink, .changeMode,
                .remountReadOnly, .lockFile:
                continue
            }
        }
        return false
    }

    var hasOwnNetwork: Bool {
        newNamespaces.contains(.network) || namespaces.enteredNetwork != nil
    }

    /// Whoever has a network of his own is not to reach the host's servers by their paths either.
    var hidesHostsSockets: Bool {
        root.view == .host
            && (files.hidesSockets || !files.allowedSockets.isEmpty
                || newNamespaces.contains(.network))
    }

    /// The host's root is shown, and with it what was not asked for: the desktop's own are shown by themselves.
    var showsHostsSockets: Bool {
        (files.showsHostRoot || program.runsHostProgram) && !files.hostParts.contains(.desktop)
    }

    /// Somebody has to hold the lock on the directory that keeps the changes.
    fileprivate var keepsChanges: Bool {
        if case .directory = root.layer { namespaces.join == nil } else { false }
    }

    /// Attributes of a mount inside a tree can be changed only once the tree is attached.
    fileprivate var changesMounts: Bool {
        for operation in files.operations {
            if case .remountReadOnly = operation.action { return true }
        }
        return false
    }
}
