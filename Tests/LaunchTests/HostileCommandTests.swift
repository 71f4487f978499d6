// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A root and a command that mean harm, and are started: nothing that they can name leads to the host, and nothing that
/// isolates can be switched off.
@Suite struct HostileCommandTests {
    // MARK: Magic links at execve

    static let shapes: [[String]] = [
        [], ["--as-pid-1"], ["--share-pid"], ["--ephemeral"], ["--uid", "0", "--gid", "0"],
        ["--network", "none"],
        ["--timeout", "60"], ["--preset", "action"], ["--preset", "hpc"],
        ["--preset", "hpc", "--join", "NAME"],
        ["--info-fd", "9"], ["--share-pid", "--info-fd", "9"], ["--json-status-fd", "9"],
        ["--cap-add", "ALL"],
        ["--fake-root"], ["--debug-opt=force-classic-mounts"],
    ]

    /// An nsrun of the user's own, as most have it, and a root with programs that the kernel is to start through links
    /// of proc.
    private struct Trap {
        let home: TemporaryDirectory
        let root: BareRoot
        var nsrun: String { home / "bin/nsrun" }

        init() throws {
            home = try TemporaryDirectory(in: NSHomeDirectory())
            root = try BareRoot(with: ["chmod", "readlink", "cat", "grep"])
            try home.makeDirectory("bin")
            try expect(run(["cp", Bench.current().nsrun, nsrun]), exits: 0)
            try expect(run(["chmod", "755", nsrun]), exits: 0)
            // What nsrun would be told, were it started again inside: this is a text of its options.
            try root.directory.write("--share-pid\n--\n/bin/sh\n/act\n", to: "words")
            try root.directory.write(
                """
                for link in /proc/[0-9]*/exe /proc/self/fd/* /proc/1/fd/*; do
                    [ $link = /proc/$$/exe ] || chmod 6777 $link
                    (echo changed >$link)
                done 2>/dev/null
                echo started
                """, to: "act")
        }

        /// The host's file is as it was.
        func isUntouched() throws -> Bool {
            let mode = try run(["stat", "-c", "%a", nsrun]).output
            return try mode == "755" && run(["cmp", nsrun, Bench.current().nsrun]).status == 0
        }

        func starts(_ command: [String], _ shape: [String]) throws -> Outcome {
            let name = "trap-\(UUID().uuidString)"
            let options = shape.map { $0 == "NAME" ? name : $0 }
            return try run(
                ["sh", "-c", "exec \"$@\" 9>/dev/null", "sh", nsrun, "--rootfs", root.path]
                    + options + ["--"]
                    + command)
        }
    }

    /// Of a script's first line. Nothing of the host's is there for the kernel to find.
    @Test(arguments: shapes)
    func noInterpreterIsTheHosts(shape: [String]) throws {
        let trap = try Trap()
        for link in [
            "/proc/self/exe", "/proc/1/exe", "/proc/thread-self/exe",
            "/proc/self/root/proc/self/exe",
        ] {
            try trap.root.directory.write("#!\(link) @/words\n", to: "start", mode: 0o755)
            let seen = try trap.starts(["/start"], shape)
            #expect(!seen.output.contains("started"), "\(link) \(seen)")
            #expect([125, 126, 127].contains(seen.status), "\(link) \(seen)")
            #expect(try trap.isUntouched(), "\(link)")
        }
    }

    /// The same as a program's interpreter, which an ELF file names.
    @Test(arguments: shapes)
    func noLoaderIsTheHosts(shape: [String]) throws {
        let trap = try Trap()
        var program = try Data(contentsOf: URL(filePath: trap.root.path + "/bin/cat"))
        let loader = try #require(program.range(of: Data("/lib64/ld-linux-x86-64.so.2".utf8)))
        for link in ["/proc/self/exe", "/proc/1/exe"] {
            program.replaceSubrange(
                loader, with: Data(link.utf8) + Data(count: loader.count - link.utf8.count))
            try program.write(to: URL(filePath: trap.root.path + "/start"))
            try expect(run(["chmod", "755", trap.root.path + "/start"]), exits: 0)
            let seen = try trap.starts(["/start", "@/words"], shape)
            #expect(!seen.output.contains("started") && seen.status != 0, "\(link) \(seen)")
            #expect(try trap.isUntouched(), "\(link)")
        }
    }

    /// And as the command itself, by itself and through a link of the root's.
    @Test(arguments: shapes)
    func noCommandIsTheHosts(shape: [String]) throws {
        let trap = try Trap()
        try trap.root.directory.link("start", to: "/proc/self/exe")
        for command in ["/start", "/proc/self/exe", "/proc/1/exe"] {
            let seen = try trap.starts([command, "@/words"], shape)
            #expect(!seen.output.contains("started") && seen.status != 0, "\(command) \(seen)")
            #expect(try trap.isUntouched(), "\(command)")
        }
    }

    /// What looks at the processes around it finds no file and no descriptor of the host's in them.
    @Test(arguments: shapes)
    func whatIsAroundTheCommandIsNotTheHosts(shape: [String]) throws {
        let trap = try Trap()
        let seen = try trap.starts(["/bin/sh", "/act"], shape)
        #expect(seen.status == 0 && seen.output.hasSuffix("started"), "\(seen)")
        // In place the caller's own processes are there to see, which can be changed from everywhere.
        if !shape.contains("--share-pid"), !shape.contains("hpc") {
            #expect(try trap.isUntouched())
        }
    }

    @Test(arguments: [
        [], ["--unshare-all"], ["--unshare-pid", "--info-fd", "9"], ["--unshare-user"],
    ])
    func bubblewrapsManners(shape: [String]) throws {
        let trap = try Trap()
        try trap.home.link("bin/bwrap", to: trap.nsrun)
        try trap.root.directory.makeDirectory("proc")
        try trap.root.directory.write("#!/proc/self/exe @/words\n", to: "start", mode: 0o755)
        let seen = try run(
            [
                "sh", "-c", "exec \"$@\" 9>/dev/null", "sh", trap.home / "bin/bwrap", "--bind",
                trap.root.path, "/",
            ]
                + ["--proc", "/proc"] + shape + ["/start"])
        #expect(!seen.output.contains("started") && seen.status != 0, "\(seen)")
        #expect(try trap.isUntouched())
    }

    // MARK: Mounts

    /// Who keeps capabilities cannot undo what nsrun has mounted.
    @Test(
        arguments: [
            ["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"],
            ["--uid", "0", "--cap-add", "CAP_SYS_ADMIN"],
        ],
        [
            [], ["--network", "none"], ["--ephemeral"], ["--hostname", "x"],
            ["--preset", "action"], ["--share-pid"],
        ])
    func mountsAreLocked(identity: [String], shape: [String]) throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        try host.write("old\n", to: "file")
        try host.write("", to: "below/secret")
        let script = """
            mount -o remount,rw,bind /data; mount -o remount,rw /data; (echo new >/data/file)
            umount /data; umount -l /data; [ -e /data/file ] || echo unmounted
            umount /data/below; ls /data/below
            mkdir /tmp/m; mount --bind /data /tmp/m; mount -o remount,rw,bind /tmp/m; (echo new >/tmp/m/file)
            umount -l /proc; ls -d /proc/self >/dev/null || echo no proc
            """
        let seen = try inRoot(
            "{ \(script); } 2>/dev/null; cat /data/file",
            identity + shape + ["--ro-bind", host.path, "/data", "--tmpfs", "/data/below"])
        expect(seen, prints: "old")
        #expect(host.content("file") == "old\n")
    }

    /// They have a place to mount, for all that: nested runs and package managers do.
    @Test(arguments: [["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"]])
    func mountsOfItsOwnAreTheCommands(identity: [String]) throws {
        let script =
            "mkdir /tmp/m && mount -t tmpfs x /tmp/m && mount --bind /usr /tmp/m && ls -d /tmp/m/bin"
        try expect(inRoot(script, identity), prints: "/tmp/m/bin")
    }

    // MARK: Namespaces without end

    private static let exhausting = """
        import ctypes, os, sys
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        made, code = 0, 0
        while code == 0 and made < 3000:
            read, write = os.pipe()
            if os.fork() == 0:
                code = ctypes.get_errno() if unshare(int(sys.argv[1], 16)) else 0
                os.write(write, bytes([code]))
                os.close(write)
                os.read(0, 1)
                os._exit(0)
            code = os.read(read, 1)[0]
            os.close(read); os.close(write)
            made += code == 0
        print(made, os.strerror(code), flush=True)
        """

    /// A user's namespaces are counted, and a limit that one run has used up would be in the way of the next.
    @Test(arguments: ["10000000", "30000000", "10020000"])
    func namespacesOfARunAreLimited(kinds: String) throws {
        let run = try Conversation([
            Bench.current().nsrun, "--", "python3", "-c", HostileCommandTests.exhausting, kinds,
        ])
        let line = try #require(run.line())
        let words = line.split(separator: " ", maxSplits: 1)
        let made = try #require(Int(words.first ?? ""), "\(line)")
        // Enough for what starts namespaces of its own, and no more.
        #expect((100...1024).contains(made) && words.last == "No space left on device", "\(line)")
        try expect(onHost("echo next"), prints: "next")
        run.hangUp()
        #expect(run.child.wait() == 0)
    }

    // MARK: Signals to whom they are not meant for

    @Test(arguments: [
        [], ["--as-pid-1"], ["--preset", "test"], ["--new-session"], ["--uid", "0"],
    ])
    func killingTheGroupKillsNobodyOutside(shape: [String]) throws {
        for target in ["0", "-1"] {
            let bench = try Bench.current()
            let seen = try run(
                [
                    "setsid", "--wait", "sh", "-c", "\"$@\"; echo survived $?", "sh", bench.nsrun,
                    "--rootfs", bench.rootfs,
                ] + shape + ["--", "sh", "-c", "kill -9 \(target); sleep 0.2; exit 3"])
            #expect(seen.output.hasPrefix("survived "), "\(target) \(seen)")
        }
    }

    /// Nor does what has got rid of its launcher live for ever.
    @Test(arguments: [
        [], ["--preset", "test"], ["--info-fd", "2"], ["--as-pid-1"], ["--rootfs", "ROOT"],
        ["--share-pid"],
        ["--timeout", "1000"], ["--share-pid", "--timeout", "1000"],
    ])
    func theRunEndsWithItsLauncher(shape: [String]) throws {
        let bench = try Bench.current()
        let marker = "ends-\(UUID().uuidString)"
        let options = shape.map { $0 == "ROOT" ? bench.rootfs : $0 }
        let script = "trap '' HUP TERM INT; echo ready; while :; do sleep 0.2; done # \(marker)"
        let run = try Conversation([bench.nsrun] + options + ["--", "sh", "-c", script])
        #expect(run.line() == "ready")
        run.child.send(SIGKILL)
        run.child.wait()
        #expect(try HostState.processesGo(marker))
    }
}
