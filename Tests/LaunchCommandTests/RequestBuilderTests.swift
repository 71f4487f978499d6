// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

@Suite struct RequestBuilderTests {
    static let simple: [OptionCase] = [
        OptionCase("--rootfs", "/srv/debian") { $0.root.view = .rootfs("/srv/debian") },
        OptionCase("--rootfs", "./debian", "--writable") {
            $0.root.view = .rootfs("./debian")
            $0.root.layer = .writable
        },
        OptionCase("--ephemeral") { $0.root.layer = .memory },
        OptionCase("--overlay-dir", "/d") { $0.root.layer = .directory("/d") },
        OptionCase("--home") { $0.files.home = .bound },
        OptionCase("--cwd") { $0.files.bindsCurrentDirectory = true },
        OptionCase("--host-root") { $0.files.showsHostRoot = true },
        OptionCase("--allow-socket", "/run/a", "--allow-socket=b") {
            $0.files.allowedSockets = ["/run/a", "b"]
        },
        OptionCase("--allow-read", "~/a", "--allow-write", "/b/", "--allow-read=c*") {
            $0.files.readable = ["~/a", "c*"]
            $0.files.writable = ["/b/"]
        },
        OptionCase("--hide", "~/.ssh", "--hide=**/.env") {
            $0.files.hidden = ["~/.ssh", "**/.env"]
        },
        OptionCase("--rootfs", "/r", "--host-exec") {
            $0.root.view = .rootfs("/r")
            $0.program.runsHostProgram = true
        },
        OptionCase("--preset", "host") { _ in },
        OptionCase("--rootfs", "/r", "--preset", "rootfs") { $0.root.view = .rootfs("/r") },
        OptionCase("--rootfs", "/r", "--preset", "toolbox") {
            $0.root.view = .rootfs("/r")
            $0.apply(.toolbox)
        },
        OptionCase("--rootfs", "/r", "--preset", "action") {
            $0.root.view = .rootfs("/r")
            $0.apply(.action)
        },
        OptionCase("--preset", "test") { $0.apply(.test) },

        OptionCase("--share-pid") { $0.namespaces.new = [.user, .mount] },
        OptionCase("--share-pid", "--unshare-pid") { _ in },
        OptionCase("--proc-fallback") { $0.namespaces.proc = .outerWhereRefused },
        OptionCase("--network", "none") { $0.network = .none },
        OptionCase("--seccomp-profile", "default") { $0.program.systemCalls = .standard },
        OptionCase("--seccomp-profile", "p.json") { $0.program.systemCalls = .file("p.json") },
        OptionCase("--network", "none", "--network", "host") { _ in },
        OptionCase("--network", "pasta=8080:80,9") {
            $0.network = .pasta(ports: [
                PassedPort(outside: 8080, inside: 80), PassedPort(outside: 9, inside: 9),
            ])
        },
        OptionCase("--network", "pasta") {
            $0.network = .pasta()
        },
        OptionCase("--allow-host", "a:80", "--allow-host", "[::1]:443") {
            $0.network = .relay(to: [.init(name: "a", port: 80), .init(name: "::1", port: 443)])
        },
        OptionCase("--allow-host", "a:80", "--network", "none", "--unshare-net") {
            $0.network = .relay(to: [.init(name: "a", port: 80)])
        },
        OptionCase("--network", "pasta", "--network", "none") {
            $0.network = .none
        },
        OptionCase("--network", "pasta", "--network", "host") { _ in },
        OptionCase("--network", "pasta", "--share-net") { _ in },
        OptionCase("--unshare-user") { _ in },
        OptionCase("--unshare-user-try") { $0.namespaces.optional = .user },
        OptionCase("--unshare-ipc") { $0.namespaces.new.insert(.ipc) },
        OptionCase("--unshare-net") { $0.network = .none },
        OptionCase("--unshare-uts") { $0.namespaces.new.insert(.uts) },
        OptionCase("--unshare-cgroup") { $0.namespaces.new.insert(.cgroup) },
        OptionCase("--unshare-cgroup-try") { $0.namespaces.optional = .cgroup },
        OptionCase("--unshare-all") {
            $0.namespaces.new = [.user, .mount, .pid, .ipc, .uts]
            $0.network = .none
            $0.namespaces.optional = [.user, .cgroup]
        },
        OptionCase("--unshare-all", "--share-net") {
            $0.namespaces.new = [.user, .mount, .pid, .ipc, .uts]
            $0.namespaces.optional = [.user, .cgroup]
        },
        OptionCase("--hostname", "box") { $0.namespaces.hostname = "box" },
        OptionCase("--uid", "0") { $0.identity.user = 0 },
        OptionCase("--gid", "5") { $0.identity.group = 5 },
        OptionCase("--cap-add", "chown", "--cap-drop", "ALL") {
            $0.identity.capabilities = [.add(0), .dropAll]
        },

        OptionCase("--setenv", "A", "1", "--unsetenv", "B", "--clearenv") {
            $0.program.environment.changes = [
                .set(name: "A", value: "1"), .unset(name: "B"), .clear,
            ]
        },
        OptionCase("--clean-env") { $0.program.environment.start = .clean },
        OptionCase("--env-file", "/dev/null") { _ in },
        OptionCase("--chdir", "/srv") { $0.program.workingDirectory = "/srv" },
        OptionCase("--argv0", "-sh") { $0.program.argument0 = "-sh" },
        OptionCase("--new-session") { $0.lifecycle.newSession = true },
        OptionCase("--die-with-parent") { $0.lifecycle.diesWithParent = true },
        OptionCase("--linger") { $0.lifecycle.lingers = true },
        OptionCase("--forward-signals") { _ in },
        OptionCase("--netns", "2") { $0.namespaces.enteredNetwork = 2 },
        OptionCase("--scope-abstract-af-unix") { $0.namespaces.abstractSockets = .scoped },
        OptionCase("--scope-abstract-af-unix-try") {
            $0.namespaces.abstractSockets = .scopedIfPossible
        },
        OptionCase("--scope-abstract-af-unix", "--scope-abstract-af-unix-try") {
            $0.namespaces.abstractSockets = .scoped
        },
        OptionCase("--as-pid-1") { $0.lifecycle.commandIsPidOne = true },
        OptionCase("--timeout", "2") {
            $0.lifecycle.timeout = 2_000_000_000
            $0.lifecycle.killAfter = 10_000_000_000
        },
        OptionCase("--timeout", "2", "--kill-after", "1") {
            $0.lifecycle.timeout = 2_000_000_000
            $0.lifecycle.killAfter = 1_000_000_000
        },
        OptionCase("--rlimit", "nproc=5") {
            $0.program.limits = [ResourceLimit(resource: 6, soft: 5, hard: 5)]
        },
        OptionCase("--limit", "memory=1G,cpu=1.5", "--limit", "pids=200,io=50M,cpu=2") {
            $0.limits.memory = .bytes(1 << 30)
            $0.limits.processorThousandths = 2000
            $0.limits.processes = 200
            $0.limits.bytesPerSecond = 50 << 20
        },
    ]

    static let mounts: [OptionCase] = [
        .mount(bind([]), "--bind", "/a", "/b"), .mount(bind(.optional), "--bind-try", "/a", "/b"),
        .mount(bind(.devices), "--dev-bind", "/a", "/b"),
        .mount(bind([.devices, .optional]), "--dev-bind-try", "/a", "/b"),
        .mount(bind(.readOnly), "--ro-bind", "/a", "/b"),
        .mount(bind([.readOnly, .optional]), "--ro-bind-try", "/a", "/b"),
        .mount(.remountReadOnly(target: "/b"), "--remount-ro", "/b"),
        .mount(.proc(target: "/p"), "--proc", "/p"), .mount(.dev(target: "/d"), "--dev", "/d"),
        .mount(.mqueue(target: "/q"), "--mqueue", "/q"),
        .mount(.tmpfs(target: "/t", mode: 0o755, size: nil), "--tmpfs", "/t"),
        .mount(.tmpfs(target: "/t", mode: 0o1777, size: nil), "--perms", "1777", "--tmpfs", "/t"),
        .mount(.directory(target: "/d", mode: 0o755), "--dir", "/d"),
        .mount(
            .directory(target: "/d", mode: 0o700), "--perms", "0700", "--dir", "/d", parents: 0o700),
        .mount(.file(content: .descriptor(2), target: "/f", mode: 0o666), "--file", "2", "/f"),
        .mount(
            .file(content: .descriptor(2), target: "/f", mode: 0o640), "--perms", "0640", "--file",
            "2", "/f", parents: 0o750),
        .mount(data(0o600, readOnly: false), "--bind-data", "2", "/f", parents: 0o700),
        .mount(data(0o600, readOnly: true), "--ro-bind-data", "2", "/f", parents: 0o700),
        .mount(data(0o444, readOnly: true), "--perms", "444", "--ro-bind-data", "2", "/f"),
        .mount(.symlink(text: "../a", target: "/b"), "--symlink", "../a", "/b"),
        .mount(.changeMode(target: "/b", mode: 0o4755), "--chmod", "04755", "/b"),
    ]

    private static func bind(_ options: BindOptions) -> FileSystemOperation.Action {
        .bind(source: .path("/a"), target: "/b", options: options)
    }

    private static func data(_ mode: UInt32, readOnly: Bool) -> FileSystemOperation.Action {
        .bindData(content: .descriptor(2), target: "/f", mode: mode, readOnly: readOnly)
    }

    @Test(arguments: simple + mounts + more) func options(_ example: OptionCase) throws {
        var wanted = LaunchRequest(command: ["true"])
        example.change(&wanted)
        let invocation = try build(example.options + ["--", "true"])
        #expect(invocation.request == wanted)
        #expect(invocation.action == .launch)
    }

    /// What options make of a preset.
    static let changes: [Preset: [OptionCase]] = [
        .toolbox: [
            OptionCase("--tmpfs", "/tmp", "--network", "none") {
                $0.files.operations = [
                    .init(.tmpfs(target: "/tmp", mode: 0o755, size: nil), origin: "--tmpfs")
                ]
                $0.network = .none
            },
            OptionCase("--writable") { $0.root.layer = .writable },
            OptionCase("--overlay-dir", "/d") { $0.root.layer = .directory("/d") },
        ],
        .action: [
            OptionCase("--ephemeral") { $0.root.layer = .memory },
            OptionCase("--overlay-dir", "/d") { $0.root.layer = .directory("/d") },
            OptionCase("--network", "host") { $0.network = .host },
            OptionCase("--share-net") { $0.network = .host },
            OptionCase("--setenv", "A", "1", "--chdir", "/work") {
                $0.program.environment.changes = [.set(name: "A", value: "1")]
                $0.program.workingDirectory = "/work"
            },
            OptionCase("--clean-env") { $0.program.environment.start = .clean },
        ],
        .test: [
            OptionCase("--network", "host") { $0.network = .host },
            OptionCase("--hostname", "box") { $0.namespaces.hostname = "box" },
            OptionCase("--home") { $0.files.home = .bound },
            OptionCase("--timeout", "2") { $0.lifecycle.timeout = 2_000_000_000 },
            OptionCase("--timeout", "0") { $0.lifecycle.timeout = nil },
            OptionCase("--kill-after", "1") { $0.lifecycle.killAfter = 1_000_000_000 },
            OptionCase("--rlimit", "nproc=5:6") { request in
                request.program.limits.removeAll { $0.resource == 6 }
                request.program.limits.append(ResourceLimit(resource: 6, soft: 5, hard: 6))
            },
            OptionCase("--rlimit", "nofile=9") {
                $0.program.limits.append(ResourceLimit(resource: 7, soft: 9, hard: 9))
            },
            OptionCase("--setenv", "TMPDIR", "/t") {
                $0.program.environment.changes.append(.set(name: "TMPDIR", value: "/t"))
            },
        ],
    ]

    @Test(arguments: [Preset.toolbox, .action, .test])
    func aPresetIsWhatOtherOptionsStartFrom(preset: Preset) throws {
        var start = LaunchRequest(command: ["true"])
        start.root.view = .rootfs("/r")
        start.apply(preset)
        let words = ["--preset=\(preset.name.text)"]
        let root = ["--rootfs", "/r"]
        for example in try #require(RequestBuilderTests.changes[preset]) {
            var wanted = start
            example.change(&wanted)
            #expect(wanted != start)
            // Wherever the preset stands: before, between or after them.
            for options in [
                words + root + example.options, example.options + words + root,
                root + example.options + words,
            ] {
                #expect(try build(options + ["--", "true"]).request == wanted, "\(options)")
            }
        }
    }

    @Test func presetsAddUp() throws {
        let options = ["--rootfs", "/r", "--preset", "action", "--preset", "test", "true"]
        var wanted = LaunchRequest(command: ["true"])
        wanted.root.view = .rootfs("/r")
        wanted.apply(.action)
        wanted.apply(.test)
        #expect(try build(options).request == wanted)
    }

    @Test func onlyAToolboxStartsAShellByItself() throws {
        for preset in Preset.allCases {
            let invocation = try build(["--rootfs", "/r", "--preset", preset.name.text])
            #expect(invocation.startsShell == (preset == .toolbox))
        }
        #expect(!(try build(["--rootfs", "/r"]).startsShell))
    }

    /// As for every other option: the last one counts.
    @Test func ofTwoLimitsOfANameTheLastCounts() throws {
        let options = ["--rlimit", "data=5", "--rlimit", "nofile=9", "--rlimit", "data=unlimited"]
        let unlimited = ResourceLimit.unlimited
        #expect(
            try build(options).request.program.limits == [
                ResourceLimit(resource: 7, soft: 9, hard: 9),
                ResourceLimit(resource: 2, soft: unlimited, hard: unlimited),
            ])
    }

    @Test(
        arguments: [
            (["--help"], .help), (["--version"], .version), (["--doctor"], .doctor),
            (["--explain"], .explain(json: false)), (["--explain=json"], .explain(json: true)),
            (["--generate", "man"], .generate("man")), (["--list"], .list(json: false)),
            (["--list=json"], .list(json: true)), (["--stop", "x"], .stop("x")),
            (["--debug-opt=print-assumed-kernel"], .kernel),
        ] as [([String], Invocation.Action)])
    func actions(options: [String], action: Invocation.Action) throws {
        #expect(try build(options).action == action)
    }

    @Test func moreOrFewerWords() throws {
        #expect(try build(["--verbose"]).isVerbose)
        #expect(try build(["--quiet"]).isQuiet)
        let neither = try build([])
        #expect(!neither.isVerbose)
        #expect(!neither.isQuiet)
    }

    @Test func wordsForTheEntryPoint() throws {
        let options = ["--preset", "toolbox", "--rootfs", "/r", "--entrypoint", "--", "a"]
        let invocation = try build(options)
        #expect(invocation.usesEntryPoint && !invocation.startsShell)
        #expect(invocation.request.program.command == ["a"])
        #expect(!(try build(["--rootfs", "/r", "a"]).usesEntryPoint))
        for options in [["--entrypoint"], ["--rootfs", "/r", "--host-exec", "--entrypoint", "a"]] {
            #expect(throws: UsageError.self) { try build(options) }
        }
    }

    @Test func engines() throws {
        #expect(try build([]).engine == nil)
        #expect(!(try build([]).requiresIsolation))
        #expect(try build(["--require", "isolation"]).requiresIsolation)
        let names: [(String, EngineChoice)] = [
            ("auto", .automatic), ("userns", .only(.namespaces)),
            ("fakechroot", .only(.fakechroot)), ("proot", .only(.proot)),
        ]
        for (name, choice) in names {
            #expect(try build(["--engine", "userns", "--engine", name]).engine == choice)
        }
    }

    @Test(
        arguments: [
            ("force-classic-mounts", .mountAPI), ("force-openat-fallback", .openat2),
            ("force-attached-mounts", .detachedMounts), ("force-mount-setattr-fallback", .mountAPI),
            ("force-no-pidfd", .processDescriptors),
        ] as [(String, AvoidedInterfaces)])
    func olderKernels(name: String, avoided: AvoidedInterfaces) throws {
        #expect(try build(["--debug-opt", name]).request.compatibility == avoided)
    }

    /// Whoever adds an option to the table adds its case here.
    @Test func everyOptionIsTried() {
        var tried: Set<String> = [
            "--help", "-h", "-V", "--version", "--doctor", "--explain", "--verbose", "--quiet",
            "--generate", "--list", "--stop",
            "--debug-opt", "--args", "--size", "--overlay-src", "--overlay", "--tmp-overlay",
            "--ro-overlay", "--overlay-opt", "--seccomp", "--add-seccomp-fd", "--entrypoint",
        ]
        for example in RequestBuilderTests.simple + RequestBuilderTests.mounts
            + RequestBuilderTests.more
        {
            tried.formUnion(example.options)
        }
        for option in OptionTable.options {
            #expect(tried.contains(option.name.text), "\(option.name.text)")
        }
    }
}
