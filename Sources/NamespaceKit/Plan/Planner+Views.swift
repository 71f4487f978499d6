/// What each starting view mounts.
extension Planner {
    mutating func planRoot() {
        switch request.view {
        case .host: planHostView()
        case .rootfs(let path): planRootfsView(path)
        case .empty: add(.emptyRoot)
        }
    }

    private var hasPidNamespace: Bool { request.namespaces.new.contains(.pid) }

    private mutating func mount(
        _ source: ByteString, _ target: ByteString, _ options: BindOptions = []
    ) {
        add(.bind(.init(source: .path(source), target: target, options: options)))
    }

    private mutating func privateDirectory(_ target: ByteString, mode: UInt32) {
        add(.tmpfs(target: target, mode: mode, size: nil, replacesLink: true))
    }

    // MARK: The host view

    private mutating func planHostView() {
        switch request.layer {
        case .readOnly, .writable: add(.hostRoot)
        case .memory: planHostLayers(.memory)
        case .directory(let directory): planHostLayers(layered(directory))
        }
        if hasPidNamespace { add(.fileSystem(.proc, target: "/proc")) }
        for directory: ByteString in ["/tmp", "/var/tmp", "/dev/shm"] {
            add(.tmpfs(target: directory, mode: 0o1777, size: nil, replacesLink: false))
        }
    }

    /// File systems that stay what they are under a layer: they hold devices, processes, settings.
    private static let unlayered: [ByteString] = [
        "proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "mqueue", "debugfs", "tracefs",
        "securityfs", "pstore", "bpf", "configfs", "binfmt_misc", "autofs", "fusectl", "efivarfs",
        "hugetlbfs", "nsfs", "rpc_pipefs",
    ]

    /// An overlay does not show what is mounted below its lower directory, so every file system of
    /// the host is put back: kernel interfaces as they are, everything else read-only.
    private mutating func planHostLayers(_ upper: FileSystemOperation.OverlayUpper) {
        add(.overlay(.init(target: "/", lower: ["/"], upper: upper)))
        var shown: [ByteString] = ["/tmp", "/var/tmp", "/dev/shm", "/proc"]
        if !hasPidNamespace { shown.removeLast() }
        for mount in facts.mountPoints where mount.path != "/" {
            guard !shown.contains(where: { isBelow(mount.path, $0) }) else { continue }
            shown.append(mount.path)
            let special = Planner.unlayered.contains(mount.type) || isBelow(mount.path, "/dev")
            self.mount(
                mount.path, mount.path,
                special ? [.devices, .optional] : [.readOnly, .optional])
        }
    }

    private func isBelow(_ path: ByteString, _ top: ByteString) -> Bool {
        guard path.count >= top.count, path.bytes.starts(with: top.bytes) else { return false }
        return path.count == top.count || path.bytes[top.count] == UInt8(ascii: "/")
    }

    private mutating func layered(_ directory: ByteString) -> FileSystemOperation.OverlayUpper {
        let upper = directory.appending(path: "upper")
        let work = directory.appending(path: "work")
        for path in [directory, upper, work] { add(.hostDirectory(path), "--overlay-dir") }
        return .directories(upper: upper, work: work)
    }

    // MARK: The rootfs view

    private mutating func planRootfsView(_ path: ByteString) {
        switch request.layer {
        case .readOnly, .writable:
            let options: BindOptions = request.layer == .readOnly ? .readOnly : []
            add(
                .bind(
                    .init(source: .path(path), target: "/", options: options, directoryOnly: true)),
                "--rootfs")
        case .memory:
            add(.overlay(.init(target: "/", lower: [path], upper: .memory)), "--ephemeral")
        case .directory(let directory):
            let upper = layered(directory)
            add(.overlay(.init(target: "/", lower: [path], upper: upper)), "--overlay-dir")
        }
        mount("/sys", "/sys", [.readOnly, .replaceLink])
        planDevices(at: "/dev", origin: nil)
        if hasPidNamespace {
            add(.fileSystem(.proc, target: "/proc"))
        } else {
            mount("/proc", "/proc", .replaceLink)
        }
        privateDirectory("/tmp", mode: 0o1777)
        privateDirectory("/var/tmp", mode: 0o1777)
        privateDirectory("/run", mode: 0o755)
        if let home = facts.home, home != "/", !request.bindsHome {
            privateDirectory(home, mode: 0o700)
        }
        // Before anything is bound in there, for the layer would hide it.
        add(.complete(directory: "/etc", files: ["passwd", "group", "resolv.conf", "hosts"]))
        planAccounts()
        mount("/etc/resolv.conf", "/etc/resolv.conf", [.readOnly, .optional])
        mount("/etc/hosts", "/etc/hosts", [.readOnly, .optional])
    }

    /// The caller's name inside. As root the rootfs's own files serve, and stay writable.
    private mutating func planAccounts() {
        let user = request.identity.user ?? facts.userID
        let group = request.identity.group ?? facts.groupID
        guard user != 0, var account = facts.account else { return }
        if let home = facts.home { account.home = home }
        add(.prepend(text: account.passwdLine(user: user, group: group), target: "/etc/passwd"))
        add(.prepend(text: account.groupLine(group: group), target: "/etc/group"))
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
        add(.tmpfs(target: below("shm"), mode: 0o1777, size: nil, replacesLink: false), origin)
        let links: [(StaticString, ByteString)] = [
            ("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"),
        ]
        for (name, text) in links { add(.symlink(text: text, target: below(name)), origin) }
        if let terminal = facts.terminal {
            // Programs that look for their terminal by name find it here.
            let options: BindOptions = [.devices, .optional]
            add(
                .bind(.init(source: .path(terminal), target: below("console"), options: options)),
                origin)
        }
    }
}
