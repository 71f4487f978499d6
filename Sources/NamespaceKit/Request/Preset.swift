// SPDX-License-Identifier: Apache-2.0

/// A named set of what a request can say. It is a beginning: everything in it can be changed afterwards.
public enum Preset: Sendable, Equatable, CaseIterable {
    /// The host view.
    case host
    /// The rootfs view; the rootfs itself must be named.
    case rootfs
    /// A rootfs with the caller's own surroundings: home, devices, network, desktop session, `/tmp`.
    case toolbox
    /// An action of a build: a writable root, an empty environment, no network.
    case action
    /// A test suite: no home, no network, limits on time, processes and memory.
    case test
    /// A program that nobody vouches for: the host's programs and the current directory, and nothing else.
    case sandbox
    /// A rank of a job: in place, among the host's processes, with its devices and shared memory.
    case hpc

    public var name: ByteString {
        switch self {
        case .host: "host"
        case .rootfs: "rootfs"
        case .toolbox: "toolbox"
        case .action: "action"
        case .test: "test"
        case .sandbox: "sandbox"
        case .hpc: "hpc"
        }
    }

    public init?(named name: ByteString) {
        for preset in Preset.allCases where preset.name == name {
            self = preset
            return
        }
        return nil
    }

    /// It says nothing of what the root is, but there must be one.
    public var needsRootfs: Bool {
        switch self {
        case .rootfs, .toolbox, .action, .hpc: true
        case .host, .test, .sandbox: false
        }
    }

    /// Without a command it starts a shell, whatever the image of the rootfs would run.
    public var startsShell: Bool { self == .toolbox }
}

extension LaunchRequest {
    /// Sets what a preset stands for.
    public mutating func apply(_ preset: Preset) {
        switch preset {
        case .host, .rootfs: break
        case .toolbox:
            // The host's processes, and a world for all of its terminals.
            namespaces.new.remove(.pid)
            namespaces.sharesLayer = true
            files.home = .bound
            files.bindsCurrentDirectory = true
            files.showsHostRoot = true
            lifecycle.keyring = .callers
            files.hostParts = [.devices, .temporary, .media, .settings, .desktop, .groups]
            files.leavesOutMissing = true
        case .action:
            root.layer = .writable
            program.environment.start = .empty
            network = .none
            namespaces.scopesSockets = true
            lifecycle.diesWithParent = true
        case .test: applyTest()
        case .sandbox: applySandbox()
        case .hpc:
            // Messages between ranks go through shared memory, and signals straight to the program.
            namespaces.new.remove(.pid)
            lifecycle.keyring = .callers
            files.home = .bound
            files.bindsCurrentDirectory = true
            files.hostParts = [.devices, .temporary, .job]
            files.leavesOutMissing = true
        }
    }

    private mutating func applyTest() {
        files.home = .empty
        files.bindsSourceTree = true
        network = .none
        namespaces.hostname = "test"
        lifecycle.keyring = .own
        files.hidesSockets = true
        namespaces.scopesSockets = true
        // Build tools kill a test that takes too long.
        lifecycle.diesWithParent = true
        lifecycle.timeout = 600_000_000_000
        lifecycle.killAfter = 10_000_000_000
        limitResources()
        // Places and sessions of the caller's, which tests would otherwise find.
        for name in Preset.testsDoNotSee {
            program.environment.changes.append(.unset(name: name))
        }
    }

    private mutating func applySandbox() {
        root.view = .rootfs("/")
        files.showsProgramsAlone = true
        files.bindsCurrentDirectory = true
        network = .none
        namespaces.new.formUnion([.ipc, .uts, .cgroup])
        namespaces.hostname = "sandbox"
        namespaces.forbidsNestedUser = true
        namespaces.scopesSockets = true
        lifecycle.keyring = .own
        lifecycle.diesWithParent = true
        program.environment.start = .clean
        program.systemCalls = .standard
        limitResources()
    }

    /// Of the address space a sanitizer or a Java machine reserves more than a machine has; what is written to counts as
    /// data.
    private mutating func limitResources() {
        for (name, most) in [("nproc", 4096), ("data", 8 << 30)] as [(ByteString, UInt64)] {
            guard let resource = ResourceLimit.resource(named: name) else { continue }
            var limit = ResourceLimit(resource: resource, soft: most, hard: most)
            limit.onlyLowers = true
            program.limits.append(limit)
        }
    }
}

extension Preset {
    fileprivate static let testsDoNotSee: [ByteString] = [
        "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
        "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK",
    ]
}
