// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Limits that are reached are named, and nothing else is.
@Suite struct LimitTests {
    /// No other engine is to help out.
    private func run(_ command: [String], directory: String = "/") throws -> Outcome {
        try LaunchTests.run(
            command, environment: ["NSRUN_ENGINE": "userns"], directory: directory)
    }

    /// In a user namespace in which so many namespaces of a kind may be made.
    private func limited(
        _ kind: String, to number: Int, _ options: [String]
    ) throws -> Outcome {
        let bench = try Bench.current()
        let user = "--map-user=\(getuid()) --map-group=\(getgid())"
        let script = """
            echo \(number) >/proc/sys/user/max_\(kind)_namespaces && exec unshare \(user) "$@"
            """
        return try run(
            ["unshare", "-Ur", "sh", "-c", script, "sh", bench.nsrun, "--rootfs", bench.rootfs]
                + options + ["true"])
    }

    @Test(arguments: ["net", "pid", "mnt", "ipc", "uts", "cgroup"])
    func aKindOfNamespacesIsNamedAlone(kind: String) throws {
        let seen = try limited(
            kind, to: 0, ["--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"])
        let name = kind == "mnt" ? "mount" : kind
        let message =
            "cannot create \(name) namespaces: the limit user.max_\(kind)_namespaces of this machine "
            + "or of an outer namespace is reached"
        expect(seen, refuses: message, remedy: "lsns", "higher sysctl user.max_\(kind)_namespaces")
    }

    /// What is not asked for is no matter.
    @Test(arguments: ["net", "ipc", "uts", "cgroup"])
    func aKindThatIsNotNeededIsNotMissed(kind: String) throws {
        try expect(limited(kind, to: 0, []), exits: 0)
    }

    /// What is only welcome is done without, and the command finds everything as it would have been: signals and
    /// descriptors, too.
    @Test func whatIsRefusedOfWhatIsWelcomeLeavesNoTrace() throws {
        let bench = try Bench.current()
        func seen(_ options: [String]) throws -> Outcome {
            let script = "echo 0 >/proc/sys/user/max_cgroup_namespaces && exec \"$@\""
            return try run(
                ["unshare", "-Ur", "sh", "-c", script, "sh", bench.nsrun, "--rootfs", bench.rootfs]
                    + options + ["sh", "-c", "grep Sig[BI] /proc/self/status; ls /proc/self/fd"])
        }
        let usual = try seen([])
        #expect(usual.status == 0)
        try expect(seen(["--unshare-cgroup-try"]), usual)
    }

    /// What is cloned hangs in a mount namespace of its own for a while.
    @Test func mountNamespacesOfMountsAreNamed() throws {
        let seen = try limited("mnt", to: 1, [])
        guard seen.status != 0 else { return }  // kernels that do not count those
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("user.max_mnt_namespaces"), "\(seen)")
        #expect(seen.error.contains("\n  "), "\(seen)")
    }

    /// The kernel allows 32 below each other. One more is made as long as a run finds room.
    @Test func theDepthOfUserNamespacesIsNamed() throws {
        let bench = try Bench.current()
        let directory = try TemporaryDirectory()
        let user = "--map-user=\(getuid()) --map-group=\(getgid())"
        let script = try directory.write(
            """
            "$@" true 2>"\(directory.path)/error" || { cat "\(directory.path)/error"; exit; }
            exec unshare \(user) sh "$0" "$@"
            """, to: "script")
        let seen = try run(["sh", script, bench.nsrun, "--rootfs", bench.rootfs])
        #expect(seen.status == 0, "\(seen)")
        #expect(seen.output.contains("at most 32 levels of them can be nested"), "\(seen)")
    }

    /// Arguments and environment, whichever is too long, whether one of them or all together.
    @Test(arguments: [[], ["--share-pid"]])
    func whatIsTooLongForAProgramIsNamed(shape: [String]) throws {
        let bench = try Bench.current()
        func trying(_ options: [String], _ arguments: [String], set: String = "") throws -> Outcome
        {
            let script = "\(set) exec \"$@\""
            return try run(
                ["bash", "-c", script, "bash", bench.nsrun, "--rootfs", bench.rootfs] + shape
                    + options + ["--", "/usr/bin/true"] + arguments)
        }
        let limit = ["--rlimit", "stack=262144"]
        let words = (0..<4000).map { "argument-that-is-long-\($0)" }
        let arguments = try trying(limit, words)
        #expect(arguments.status == 126, "\(arguments)")
        #expect(arguments.error.contains("the arguments are too long"), "\(arguments)")
        let variables = "for i in {1..6000}; do export V$i=a-variable-that-is-long; done;"
        let environment = try trying(limit, [], set: variables)
        #expect(environment.status == 126, "\(environment)")
        #expect(environment.error.contains("the environment is too long"), "\(environment)")
        #expect(environment.error.contains("ulimit -s"), "\(environment)")
    }

    @Test func oneThatIsTooLongIsNamed() throws {
        let bench = try Bench.current()
        let long = String(repeating: "x", count: 131_072)
        let seen = try nsrun(
            ["--args", "3", "--rootfs", bench.rootfs, "/usr/bin/true"],
            descriptors: [3: "--setenv\0LONG\0\(long)"])
        #expect(seen.status == 126, "\(seen)")
        #expect(seen.error.contains("the environment variable LONG has 131077 bytes"), "\(seen)")
    }

    /// A path has no more than 4095 bytes, and a directory may well lie deeper.
    @Test func aDirectoryThatLiesTooDeepIsNamed() throws {
        let bench = try Bench.current()
        let directory = try TemporaryDirectory(in: "/var/tmp")
        let script = """
            for (1..45) { my $d = "d" x 100; mkdir $d; chdir $d or die $! } exec @ARGV or die $!
            """
        for options in [[], ["--rootfs", bench.rootfs, "--cwd"], ["--preset", "test"]] {
            let seen = try run(
                ["perl", "-e", script, "--", bench.nsrun] + options + ["--", "true"],
                directory: directory.path)
            expect(
                seen,
                refuses:
                    "cannot start in the current directory: its path is longer than 4095 bytes",
                remedy: "--chdir")
        }
        let other = try run(
            ["perl", "-e", script, "--", bench.nsrun, "--chdir", "/", "--", "pwd"],
            directory: directory.path)
        expect(other, prints: "/")
    }

    /// A mount that forbids programs is told from a file without permission.
    @Test(arguments: MountPath.allCases)
    func aMountThatForbidsProgramsIsNamed(path: MountPath) throws {
        let bench = try Bench.current()
        let root = try BareRoot(with: ["cat"])
        let user = "--map-user=\(getuid()) --map-group=\(getgid())"
        let script = """
            mount --bind . . && mount -o remount,bind,noexec "$PWD" && exec unshare \(user) "$@"
            """
        func trying(_ options: [String]) throws -> Outcome {
            try run(
                ["unshare", "-Urm", "sh", "-c", script, "sh", bench.nsrun, "--rootfs", root.path]
                    + path.options + options + ["cat"], directory: root.path)
        }
        for options in [[], ["--ephemeral"], ["--share-pid"]] {
            let seen = try trying(options)
            expect(
                seen,
                refuses: "cannot run /bin/cat: it lies on a mount that forbids programs (noexec)",
                remedy: "noexec", status: 126)
        }
        try expect(run(["chmod", "644", root.path + "/bin/cat"]), exits: 0)
        let seen = try trying([])
        expect(
            seen, refuses: "cannot run /bin/cat: permission denied", remedy: "chmod +x", status: 126
        )
    }

    /// What keeps no changes is told by its name.
    @Test func aFileSystemThatKeepsNoLayerIsNamed() throws {
        let bench = try Bench.current()
        let directory = try TemporaryDirectory(in: "/var/tmp")
        let user = "--map-user=\(getuid()) --map-group=\(getgid())"
        let script = """
            mkdir low up work merged && mount -t overlay -o \
                userxattr,lowerdir=low,upperdir=up,workdir=work none merged && exec unshare \(user) "$@"
            """
        let seen = try run(
            [
                "unshare", "-Urm", "sh", "-c", script, "sh", bench.nsrun, "--rootfs", bench.rootfs,
                "--overlay-dir", directory / "merged/layer", "true",
            ], directory: directory.path)
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("merged/layer/upper lies on another overlay"), "\(seen)")
        #expect(seen.error.contains("\n  give a directory on a plain local file system"), "\(seen)")
    }

    // MARK: What was typed

    /// Several options ask for the same namespace, and the one that was typed is named.
    @Test(arguments: [
        (["--unshare-net"], "--unshare-net"), (["--network", "none"], "--network none"),
        (["--network", "pasta"], "--network pasta"), (["--unshare-uts"], "--unshare-uts"),
        (["--hostname", "x"], "--hostname"), (["--unshare-all", "--share-net"], "--unshare-all"),
        (["--unshare-ipc"], "--unshare-ipc"),
    ])
    func theOptionThatWasTypedIsNamed(options: [String], name: String) throws {
        let bench = try Bench.current()
        let seen = try nsrun(
            ["--engine", "fakechroot", "--rootfs", bench.rootfs] + options + ["true"])
        expect(
            seen, refuses: "the engine fakechroot cannot honour \(name)", remedy: "--engine userns")
    }
}
