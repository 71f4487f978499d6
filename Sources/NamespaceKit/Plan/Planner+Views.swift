// SPDX-License-Identifier: Apache-2.0

/// What each starting view mounts.
extension Planner {
    mutating func planRoot() {
        if let groups = facts.controlGroups?.groups, !groups.isEmpty {
            add(.holdGroups(groups))
            markIncidental(from: plan.steps.count - 1)
        }
        switch request.root.view {
        case .host: planHostView()
        case .rootfs(let path): planRootfsView(path)
        case .empty: add(.emptyRoot)
        }
    }

    var hasOwnProc: Bool {
        switch request.namespaces.proc {
        case .own, .outerWhereRefused: request.namespaces.new.contains(.pid)
        case .outer: false
        }
    }

    mutating func mount(
        _ source: ByteString, _ target: ByteString, _ options: BindOptions = [],
        _ origin: ByteString? = nil
    ) {
        add(.bind(.init(source: .path(source), target: target, options: options)), origin)
    }

    private mutating func privateDirectory(_ target: ByteString, mode: UInt32) {
        add(.tmpfs(target: target, mode: mode, size: nil, replacesLink: true))
    }

    // MARK: The host view

    private mutating func planHostView() {
        switch request.root.layer {
        case .readOnly, .writable:
            // Mounts straight into the host's tree are cheapest, but they hide what lies below, and
            // sources are looked up while they are made: with sources the tree is copied first.
            let hasSources =
                request.hasSources || directoryToShow != nil || facts.system != nil
                || facts.controlGroups?.groups.isEmpty == false || request.namespaces.join != nil
            if hasSources { mount("/", "/", .devices) } else { add(.hostRoot) }
        case .memory, .directory:
            let first = plan.steps.count
            planHostLayers()
            markIncidental(from: first)
        }
        if hasOwnProc { add(.fileSystem(.proc, target: "/proc")) }
        coverKernelControls(below: "/proc")
        if facts.isMachinesRoot { mount("/sys", "/sys", [.readOnly, .inside]) }
        planSystem()
        coverGroups()
        planEmulation()
        for directory in Planner.privatePlaces {
            add(.tmpfs(target: directory, mode: 0o1777, size: nil, replacesLink: false))
        }
        var first = plan.steps.count
        if let directoryToShow { showAlone(directoryToShow) }
        markIncidental(from: first)
        // Whoever joins a group that does not hide his home would have it shown.
        if request.files.home == .empty, let home = ownHome, !facts.lacks(home) {
            add(.tmpfs(target: home, mode: 0o700, size: nil, replacesLink: false))
        }
        first = plan.steps.count
        if request.hidesHostsSockets { hideSockets() }
        markIncidental(from: first)
        if let resolverFile { mount(resolverFile, "/etc/resolv.conf", [.readOnly, .implied]) }
        planNames()
        for file in facts.shellFiles where !isHidden(file.path) {
            add(.ownCopy(content: file.content, target: file.path, mode: file.mode))
            markIncidental(from: plan.steps.count - 1)
        }
    }

    /// The network's devices as the run has them, and not the host's; and its control groups.
    private mutating func planSystem() {
        let first = plan.steps.count
        var isHosts = request.root.view == .host && !facts.isMachinesRoot
        switch request.root.layer {
        case .readOnly, .writable: break
        case .memory, .directory: isHosts = false
        }
        if let files = facts.system { add(.system(.init(files: files, isReadOnly: !isHosts))) }
        if let groups = facts.controlGroups?.groups, !groups.isEmpty {
            add(.showGroups(groups, readOnly: !isHosts || !request.limits.isEmpty))
        }
        markIncidental(from: first)
    }

    private static let privatePlaces: [ByteString] = ["/tmp", "/var/tmp", "/dev/shm"]

    /// The host view has an empty directory of the run's own above it, and does not show it there.
    func isHidden(_ place: ByteString) -> Bool {
        Planner.privatePlaces.contains { place != $0 && place.isAtOrBelow($0) }
            && !(directoryToShow.map { place.isAtOrBelow($0) } ?? false)
    }

    /// The caller's directory where a private one hides it. It alone is shown there: a command that started elsewhere
    /// would work on other files than its caller means.
    private var directoryToShow: ByteString? {
        guard request.program.workingDirectory == nil, !request.files.bindsCurrentDirectory,
            !request.files.bindsSourceTree,
            let here = facts.currentDirectory,
            Planner.privatePlaces.contains(where: { here != $0 && here.isAtOrBelow($0) })
        else { return nil }
        return here
    }

    private mutating func showAlone(_ directory: ByteString) {
        switch request.root.layer {
        case .readOnly, .writable: mount(directory, directory, [])
        case .memory, .directory: layer(directory)
        }
    }

    /// The caller's home, where a directory of the run's own may stand in its place: not where programs are.
    private var ownHome: ByteString? {
        facts.home.flatMap { SessionPaths.canBeHome($0) ? $0 : nil }
    }

    /// Servers of the host's are out of reach below a place that shows its root.
    mutating func hideSockets(below place: ByteString = "") {
        for folder in facts.sockets.folders where !isPrivate(folder, place) {
            add(.tmpfs(target: place + folder, mode: 0o755, size: nil, replacesLink: false))
        }
        for socket in facts.sockets.sockets where !isPrivate(socket, place) {
            // What has gone since it was seen needs no cover.
            mount("/dev/null", place + socket, [.readOnly, .onlyIfPresent])
        }
    }

    /// In a directory of the host view that the run has an empty one of its own for.
    private func isPrivate(_ path: ByteString, _ place: ByteString) -> Bool {
        guard place.isEmpty else { return false }
        var own = Planner.privatePlaces
        if request.files.home == .empty, let home = ownHome { own.append(home) }
        return own.contains { path.isAtOrBelow($0) }
    }

    private var resolverFile: ByteString? {
        if case .found(let pasta) = facts.pasta { pasta.resolverFile } else { nil }
    }

    /// The host's root made again: an overlay for each directory without mounts, see HostTreeEntry.
    private mutating func planHostLayers() {
        add(.emptyRoot)
        if case .directory(let directory) = request.root.layer { upper = layered(directory) }
        for entry in facts.hostTree {
            switch entry.kind {
            case .symlink(let text): add(.symlink(text: text, target: entry.path))
            case .branch: add(.directory(target: entry.path, mode: 0o755))
            case .processes: mount(entry.path, entry.path, .optional)
            case .kernel: mount(entry.path, entry.path, [.readOnly, .devices, .optional])
            case .unlayered(let type):
                mount(entry.path, entry.path, [.readOnly, .optional])
                omit(entry.path, "it is read-only, for no layer can lie over a \(type.text)")
            case .leftOut(let reason): omit(entry.path, reason)
            case .file: mount(entry.path, entry.path, [.readOnly, .optional])
            case .ownFile:
                mount(entry.path, entry.path, [.readOnly, .optional])
                omit(entry.path, "it is read-only, for something is mounted beside it")
            case .plain: layer(entry.path)
            }
        }
    }

    private mutating func layer(_ path: ByteString) {
        let upper = part(of: upper, for: path)
        add(.overlay(.init(target: path, lower: [path], upper: upper)))
    }

    /// Each overlay needs directories of its own: /usr/lib becomes upper/usr-lib, /usr-lib upper/usr%-lib.
    private mutating func part(
        of upper: FileSystemOperation.OverlayUpper, for path: ByteString
    ) -> FileSystemOperation.OverlayUpper {
        guard case .directories(let upper, let work) = upper else { return upper }
        let dash = UInt8(ascii: "-")
        let escape = UInt8(ascii: "%")
        var bytes: [UInt8] = []
        for byte in path.bytes.dropFirst() {
            if byte == dash || byte == escape { bytes.append(escape) }
            bytes.append(byte == UInt8(ascii: "/") ? dash : byte)
        }
        let name = ByteString(bytes: bytes)
        let parts = (upper.appending(path: name), work.appending(path: name))
        add(.hostDirectory(parts.0))
        add(.hostDirectory(parts.1))
        return .directories(upper: parts.0, work: parts.1)
    }

    mutating func layered(_ directory: ByteString) -> FileSystemOperation.OverlayUpper {
        plan.layerDirectory = directory
        let upper = directory.appending(path: "upper")
        let work = directory.appending(path: "work")
        for path in [directory, upper, work] {
            add(.hostDirectory(path), word(words.overlayDirectory))
        }
        return .directories(upper: upper, work: work)
    }

    // MARK: The rootfs view

    private mutating func planRootfsView(_ path: ByteString) {
        if let image { planImage(image) } else { planRootDirectory(path) }
        planAdoption()
        coverOtherDirectories()
        mount("/sys", "/sys", [.readOnly, .replaceLink])
        planSystem()
        if request.files.hostParts.contains(.devices) {
            mount("/dev", "/dev", [.devices, .replaceLink])
        } else {
            planDevices(at: "/dev", origin: nil)
        }
        if hasOwnProc {
            add(.fileSystem(.proc, target: "/proc"))
        } else {
            mount("/proc", "/proc", .replaceLink)
        }
        coverKernelControls(below: "/proc")
        planEmulation()
        for directory: ByteString in ["/tmp", "/var/tmp"] {
            if request.files.hostParts.contains(.temporary) {
                mount(directory, directory, .replaceLink)
            } else {
                privateDirectory(directory, mode: 0o1777)
            }
        }
        if !request.files.keepsRootPlaces { privateDirectory("/run", mode: 0o755) }
        // Who starts from nothing has no $HOME either.
        if !request.files.keepsRootPlaces, let home = ownHome, request.files.home != .bound,
            request.files.home == .empty || request.program.environment.start != .empty
        {
            let first = plan.steps.count
            privateDirectory(home, mode: 0o700)
            markIncidental(from: first)
        }
        if request.identity.fakesRoot {
            let setting = ByteString("APT::Sandbox::User \"root\";\n")
            add(.file(.bytes(setting.bytes), target: "/run/nsrun-apt.conf", mode: 0o644))
        }
        // Before anything is bound in there, for the layer would hide it.
        var files: [ByteString] = ["passwd", "group"]
        let hasSettings = request.files.hostParts.contains(.settings)
        let follows = hasSettings && (request.user ?? facts.userID) != 0
        files += follows ? facts.settings.map { $0.name } : ["resolv.conf", "hosts"]
        if request.root.layer != .writable { files += shownTimeZone.map { $0.lastComponent } }
        add(.complete(directory: "/etc", files: files))
        planAccounts()
        if hasSettings { planSettings() }
        if case .relay = request.network {
            planNames()
        } else if !follows {
            let servers = resolverFile ?? "/etc/resolv.conf"
            mount(servers, "/etc/resolv.conf", [.readOnly, .implied])
            mount("/etc/hosts", "/etc/hosts", [.readOnly, .implied])
        }
        planTimeZone()
        planOrientation()
        planSessionPaths()
    }

    private mutating func planRootDirectory(_ path: ByteString) {
        switch request.root.layer {
        case .readOnly, .writable:
            let options: BindOptions = request.root.layer == .readOnly ? .readOnly : []
            var source = FileSystemOperation.Source.path(path)
            if let descriptor = request.root.descriptor {
                source = .descriptor(descriptor)
                plan.closedDescriptors.append(descriptor)
            }
            add(
                .bind(.init(source: source, target: "/", options: options, directoryOnly: true)),
                word(words.rootfs))
        case .memory:
            add(.overlay(.init(target: "/", lower: [path], upper: .memory)), word(words.ephemeral))
        case .directory(let directory):
            let upper = layered(directory)
            add(
                .overlay(.init(target: "/", lower: [path], upper: upper)),
                word(words.overlayDirectory))
        }
    }

    /// What useradd(8), groupadd(8) and their like write to. In a root that was made with subordinate ids some of it is of
    /// a group that only these map, and no layer can copy it.
    private mutating func planAdoption() {
        switch request.root.layer {
        case .readOnly, .writable: return
        case .memory, .directory: break
        }
        guard (request.user ?? facts.userID) == 0, !request.identity.needsHelpers else { return }
        var places: [ByteString] = []
        for name: ByteString in ["passwd", "group", "shadow", "gshadow", "subuid", "subgid"] {
            let file = ByteString("/etc/").appending(path: name)
            places += [file, file + "-"]
        }
        for name: ByteString in ["mail", "local", "log/lastlog", "log/faillog"] {
            places.append(ByteString("/var/").appending(path: name))
        }
        add(.adopt(places))
    }

    /// The caller's name inside. As root the rootfs's own files serve, and stay writable.
    private mutating func planAccounts() {
        let user = request.user ?? facts.userID
        let group = request.group ?? facts.groupID
        guard user != 0, var account = facts.account else { return }
        let first = plan.steps.count
        defer { markIncidental(from: first) }
        if let home = facts.home, Account.fits(home) { account.home = home }
        if account.home.isEmpty { account.home = "/" }
        add(.prepend(text: account.passwdLine(user: user, group: group), target: "/etc/passwd"))
        var groups = account.groupLine(group: group)
        for other in facts.groups where other.id != group {
            groups = groups + other.line(member: account.name)
        }
        add(.prepend(text: groups, target: "/etc/group"))
    }

    // MARK: Devices

    mutating func planDevices(at target: ByteString, origin: ByteString?) {
        func below(_ name: StaticString) -> ByteString {
            target.appending(path: ByteString(stringLiteral: name))
        }
        // 0755: in a sticky directory O_CREAT on somebody else's device is refused.
        add(.tmpfs(target: target, mode: 0o755, size: nil, replacesLink: true), origin)
        let nodes: [StaticString] = ["null", "zero", "full", "random", "urandom", "tty"]
        for node in nodes {
            let source = ByteString("/dev/").appending(path: ByteString(stringLiteral: node))
            let options: BindOptions = [.devices, .optional]
            add(.bind(.init(source: .path(source), target: below(node), options: options)), origin)
        }
        add(.fileSystem(.devpts, target: below("pts")), origin)
        // In bubblewrap's root there is but one user.
        let mode: UInt32 = request.root.view == .empty ? 0o755 : 0o1777
        add(.directory(target: below("shm"), mode: mode), origin)
        let links: [(StaticString, ByteString)] = [
            ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"),
        ]
        for (name, text) in links { add(.symlink(text: text, target: below(name)), origin) }
        if let terminal = facts.terminal, request.namespaces.join == nil {
            // Programs that look for their terminal by name find it here; those of a group have several.
            let options: BindOptions = [.devices, .optional, .implied]
            add(
                .bind(.init(source: .path(terminal), target: below("console"), options: options)),
                origin)
        }
    }
}
