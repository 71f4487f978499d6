// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--reuse`: a run that starts from a copy of a world is what it is without.
@Suite struct ReuseTests {
    // MARK: The same as cold

    /// Who and where the command is, what it may do, and what it finds.
    private static let everything = """
        echo "$0 $*"; pwd; id; umask; ulimit -a; env | grep -v '^_=' | sort
        grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig(Blk|Ign|Cgt)|NSpid|Cpus_allowed|Threads)' /proc/self/status
        cat /proc/self/oom_score_adj /proc/self/cgroup /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups
        ls /proc/self/fd; ls -d /proc/[0-9]*; hostname; nice
        ls -lanR --time-style=+ / --ignore=proc --ignore=sys --ignore=usr --ignore=pts --ignore=home --ignore=host 2>&1 | head -3000
        ls -ln --time-style=+ /dev/ /sys/class/net/ /proc/sys/ | tail -n +2
        cat /etc/passwd /etc/group /etc/hosts /etc/resolv.conf /proc/net/dev_snmp6/lo 2>/dev/null
        for place in / /etc /usr /dev/shm /tmp /var/tmp /run "$HOME" /proc/sys /sys /data /srv /mnt; do
            if (: >"$place/x"); then rm "$place/x"; echo "$place can be written"; fi
        done 2>/dev/null
        stat -f -c '%n %T' /tmp /run /dev/shm /proc /sys /dev/pts
        stat -c '%n %a %u %g' / /tmp /var/tmp /run /dev /dev/shm /dev/pts "$HOME" /etc
        ls /proc/sys/user | while read -r name; do echo $name $(cat /proc/sys/user/$name); done | grep -v user_
        cat /proc/sys/user/max_user_namespaces
        for device in null zero full random urandom tty; do ls -l --time-style=+ /dev/$device; done
        echo there >/dev/null && head -c 3 /dev/zero | od -An -c
        """

    /// The one place that differs: everybody's devices are in one directory, so nobody makes files there.
    @Test(arguments: [[], ["--uid", "0"], ["--cap-add", "ALL"]])
    func devicesAreShared(shape: [String]) throws {
        let world = try World()
        let script =
            "(: >/dev/x) 2>/dev/null || echo not here; : >/dev/shm/x; ls /dev/shm; : >/dev/null"
        expect(try world.runs(script, shape), prints: "not here\nx")
    }

    /// The mounts that are to be seen, which are the last at each place: what they show, and what may be done there.
    private static let mounts = """
        tac /proc/self/mountinfo | awk '!seen[$5]++ {
            split($0, halves, " - "); split(halves[2], kind, " "); print $5, $6, kind[1] }' |
            grep -vE '^/dev(/shm)? ' | sort
        """

    static let shapes: [[String]] = [
        [], ["--network", "none"], ["--uid", "0", "--gid", "0"], ["--uid", "7"],
        ["--cap-add", "ALL"], ["--uid", "0", "--cap-add", "CAP_SYS_ADMIN", "--network", "none"],
        ["--hostname", "inside"], ["--unshare-ipc", "--unshare-cgroup"], ["--unshare-all"],
        ["--cwd"], ["--home"], ["--host-root"], ["--clean-env"],
        ["--new-session"], ["--timeout", "60"], ["--die-with-parent"], ["--disable-userns"],
        ["--preset", "test"], ["--preset", "sandbox-like"], ["--rlimit", "nofile=99"],
        ["--tmpfs", "/srv", "--dir", "/srv/a", "--symlink", "x", "/srv/l"],
        ["--bind", "HERE", "/data"], ["--ro-bind", "HERE", "/tmp/data"],
        ["--bind", "HERE", "/run/a/b", "--ro-bind", "HERE", "/run/a/c", "--tmpfs", "/run/a/b/sub"],
        ["--tmpfs", "/opt", "--bind", "HERE", "/opt/in", "--chmod", "0700", "/opt"],
        ["--setenv", "A", "b", "--unsetenv", "USER"], ["--chdir", "/usr"],
        ["--dev-bind", "/dev/null", "/srv/null"], ["--perms", "0700", "--tmpfs", "/mnt/new/deep"],
        ["--debug-opt=force-attached-mounts"],
    ]

    @Test(arguments: shapes)
    func aReusedRunIsAColdOne(shape: [String]) throws {
        let here = try TemporaryDirectory(in: NSHomeDirectory())
        try here.write("note\n", to: "note")
        try here.makeDirectory("sub")
        let options = shape.flatMap { word -> [String] in
            switch word {
            case "HERE": [here.path]
            // No preset, but what one would be for an untrusted program.
            case "sandbox-like":
                ["test", "--new-session", "--unshare-ipc", "--rlimit", "nproc=500"]
            default: [word]
            }
        }
        let world = try World()
        #expect(try world.obstacle(options, directory: here.path) == nil)
        for script in [ReuseTests.everything, ReuseTests.mounts] {
            let cold = try inRoot(script, options, directory: here.path)
            #expect(cold.output.split(separator: "\n").count > 3, "\(cold)")
            for _ in 0..<2 {
                let reused = try world.runs(script, options, directory: here.path)
                let (before, after) = (Set(cold.lines), Set(reused.lines))
                #expect(
                    reused == cold,
                    "missing: \(before.subtracting(after))\nmore: \(after.subtracting(before))")
            }
        }
    }

    /// In a root of its own: what is written there makes another world.
    @Test func aWritableRootIsTheRootItself() throws {
        let root = try BareRoot(with: ["cat", "true"])
        let world = try World(root: root.path)
        // The first one makes places for its mounts in the root, which changes while the world is made.
        #expect(try world.obstacle(["--writable"]) == "the host has changed while it was made")
        #expect(try world.obstacle(["--writable"]) == nil)
        let script = "echo kept >/note; (: >/dev/x) 2>/dev/null || echo not here"
        expect(try world.runs(script, ["--writable"]), prints: "not here")
        expect(try world.runs("cat /note", ["--writable"]), prints: "kept")
    }

    /// What this machine cannot copy, or the kernel shows once only, is launched as ever; `--verbose` says why.
    @Test(
        arguments: [
            (["--ephemeral"], "writable layer"), (["--share-pid"], "no pid namespace"),
            (["--as-pid-1"], "its command is pid 1"), (["--map-auto"], "maps ranges of ids"),
            (["--info-fd", "2"], "told of its namespaces"),
            (["--bind-data", "0", "/srv/x"], "to write to"),
            (["--debug-opt=force-classic-mounts"], "no calls to copy mounts"),
            (["--block-fd", "0"], "somebody else starts it"),
        ] as [([String], String)])
    func whatCannotBeReusedGoesCold(options: [String], reason: String) throws {
        let world = try World()
        let seen = try world.runs("echo in a run", options)
        #expect(seen.status == 0 && seen.output == "in a run", "\(seen)")
        #expect(try world.obstacle(options)?.contains(reason) == true)
        #expect(try world.kept().isEmpty)
    }

    @Test func withoutARootfsThereIsNothingToPrepare() throws {
        let seen = try nsrun(["--reuse", "x", "--verbose", "echo", "done"])
        #expect(seen.status == 0 && seen.output == "done")
        #expect(seen.error.contains("launched without a prepared world: without a rootfs"))
    }

    @Test(
        arguments: [
            ("exit 7", 7), ("kill -USR1 $$", 128 + SIGUSR1), ("exec /nope", 127),
            ("kill -9 $$", 137),
        ] as [(String, Int32)])
    func statuses(script: String, status: Int32) throws {
        let world = try World()
        #expect(try world.runs(script).status == status)
    }

    @Test func errorsAreThoseOfAColdLaunch() throws {
        let bench = try Bench.current()
        for words in [
            ["--", "/nope"], ["--", "/etc/passwd"], ["--chdir", "/nope", "--", "true"],
            ["--bind", "/nope", "/data", "--", "true"],
            ["--rlimit", "nofile=1:9999999", "--", "true"],
        ] {
            let cold = try nsrun(["--rootfs", bench.rootfs] + words)
            #expect(cold.status >= 125)
            let world = try World()
            #expect(try nsrun(["--rootfs", bench.rootfs, "--reuse", world.name] + words) == cold)
        }
    }

    @Test func inputOutputAndDescriptorsAreTheCommands() throws {
        let world = try World()
        let seen = try run(
            ["sh", "-c", "exec \"$@\" 8</etc/hostname", "sh"] + world.command(["--sync-fd", "8"])
                + ["sh", "-c", "cat; ls /proc/self/fd; echo error >&2"], input: "input\n")
        let cold = try run(
            ["sh", "-c", "exec \"$@\" 8</etc/hostname", "sh"]
                + [Bench.current().nsrun, "--rootfs", world.root, "--sync-fd", "8", "--"]
                + ["sh", "-c", "cat; ls /proc/self/fd; echo error >&2"], input: "input\n")
        #expect(seen == cold && seen.output.hasPrefix("input\n") && seen.error == "error")
    }

    /// It is below the caller's nsrun, in the caller's session, control group and scheduling.
    @Test func theRunIsAChildOfItsCaller() throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let bench = try Bench.current()
        let script = "echo ready; read -r _ || :"
        func places(_ command: [String]) throws -> [String] {
            let talk = try Conversation(
                ["nice", "-n", "5", "taskset", "1"] + command + ["sh", "-c", script])
            #expect(talk.line() == "ready")
            let launcher = talk.child.pid
            var children: [pid_t] = []
            // Who has entered the world for it goes a moment later.
            let isAlone = HostState.eventually {
                let text = try? String(
                    contentsOfFile: "/proc/\(launcher)/task/\(launcher)/children", encoding: .utf8)
                children = (text ?? "").split(separator: " ").compactMap { pid_t($0) }
                return children.count == 1
            }
            let child = try #require(isAlone ? children.first : nil, "\(children)")
            let status = try String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)
            // Of proc_pid_stat(5) from the state on: ppid, pgrp, session, tty_nr, and nice.
            let fields = try #require(status.split(separator: ")").last).split(separator: " ")
                .map(String.init)
            #expect(fields[1] == "\(launcher)" && fields[2] == "\(child)")
            let cgroup = try String(contentsOfFile: "/proc/\(child)/cgroup", encoding: .utf8)
            let mask = try run(["taskset", "-p", "\(child)"]).output
            return [fields[4], fields[16], cgroup, mask.components(separatedBy: ": ").last ?? ""]
        }
        let cold = try places([bench.nsrun, "--rootfs", bench.rootfs, "--"])
        #expect(try places(world.command()) == cold)
    }

    @Test func signalsReachTheCommand() throws {
        let world = try World()
        for signal in [SIGTERM, SIGUSR1, SIGHUP, SIGINT] {
            let talk = try world.member(
                "trap 'echo got; exit 3' TERM USR1 HUP INT; echo ready; while :; do sleep 0.05; done"
            )
            #expect(talk.line() == "ready")
            talk.child.send(signal)
            #expect(talk.line() == "got")
            #expect(talk.child.wait() == 3)
        }
    }

    @Test func theRunEndsWithItsLauncherAndLeavesNothing() throws {
        let world = try World()
        // Who keeps the world has the words of the launch that made it: of one without the marker.
        expect(try world.runs("true"), exits: 0)
        let marker = "reuse-\(UUID().uuidString)"
        let talk = try world.member(
            "trap '' HUP TERM INT; (while :; do sleep 0.2; done) & echo ready; wait # \(marker)")
        #expect(talk.line() == "ready")
        talk.child.send(SIGKILL)
        talk.child.wait()
        #expect(try HostState.processesGo(marker))
        // What a command leaves behind goes with it, too.
        expect(try world.runs("sleep 1000 & : \(marker)"), exits: 0)
        #expect(try HostState.processesGo(marker))
    }

    @Test func timeIsLimited() throws {
        let world = try World()
        #expect(try world.runs("exec sleep 1000", ["--timeout", "0.2"]).status == 124)
    }

    @Test func callersLimitsUmaskAndPriorityAreThisCallers() throws {
        let world = try World()
        // The one that makes it has others.
        expect(try world.runs("true"), exits: 0)
        let script = "umask; ulimit -n; nice; touch /tmp/x; stat -c %a /tmp/x"
        let outer = ["sh", "-c", "umask 027; ulimit -n 77; exec nice -n 3 \"$@\"", "sh"]
        let cold = [try Bench.current().nsrun, "--rootfs", world.root, "--"]
        let seen = try run(outer + world.command() + ["sh", "-c", script])
        #expect(seen.lines.count == 4 && seen.output.hasPrefix("0027\n77\n"), "\(seen)")
        #expect(try seen == run(outer + cold + ["sh", "-c", script]))
    }

    // MARK: Fresh

    private static let places = ["/tmp", "/var/tmp", "/dev/shm", "/run", "$HOME"]

    /// Each run has its own, before, during and after another one.
    @Test(arguments: [[], ["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"], ["--unshare-ipc"]])
    func whatIsFreshIsFresh(shape: [String]) throws {
        let world = try World()
        let look =
            "for d in \(ReuseTests.places.joined(separator: " ")); do ls -A \"$d\"; done; ls /dev/pts"
        let mark =
            "for d in \(ReuseTests.places.joined(separator: " ")); do echo mine >\"$d/mark\" || echo cannot; done"
        let cold = try inRoot(look, shape)
        let first = try world.member("\(mark); echo marked; read -r _ || :; cat /tmp/mark", shape)
        #expect(first.line() == "marked")
        #expect(try world.runs(look, shape) == cold)
        let second = try world.runs("\(mark); cat /tmp/mark; ls -d /proc/[0-9]* | wc -l", shape)
        #expect(second.status == 0 && second.output.hasPrefix("mine\n"), "\(second)")
        first.hangUp()
        #expect(first.rest() == ["mine"])
        #expect(try world.runs(look, shape) == cold)
    }

    @Test func processesKeysQueuesAndNamesAreARunsOwn() throws {
        let world = try World()
        let script = """
            readlink /proc/self/ns/pid /proc/self/ns/mnt /proc/self/ns/user /proc/self/ns/ipc /proc/self/ns/uts
            hostname changed
            """
        let options = ["--unshare-ipc", "--hostname", "inside", "--uid", "0"]
        #expect(try world.obstacle(options) == nil)
        let talk = try world.member("\(script); echo end; read -r _ || :", options)
        var first: Set<String> = []
        while let line = talk.line(), line != "end" { first.insert(line) }
        let second = try world.runs("hostname; ls -d /proc/[0-9]* | wc -l; \(script)", options)
        #expect(second.lines.first == "inside")
        #expect(first.count == 5 && first.isDisjoint(with: second.lines), "\(first) \(second)")
    }

    @Test func aNetworkOfItsOwnIsARunsOwn() throws {
        let world = try World()
        let script =
            "readlink /proc/self/ns/net; ls /sys/class/net; cat /sys/class/net/lo/operstate"
        let options = ["--network", "none"]
        let talk = try world.member("\(script); echo end; read -r _ || :", options)
        let first = try #require(talk.line())
        #expect(talk.line() == "lo")
        let second = try world.runs(script, options)
        #expect(second.lines.count > 1 && second.lines[0] != first && second.lines[1] == "lo")
    }

    // MARK: By content

    @Test func autoIsAnotherWorldForOtherOptionsAndAnotherRoot() throws {
        let root = try BareRoot(with: ["cat", "ls"])
        func runs(_ script: String, _ options: [String] = []) throws -> Outcome {
            try nsrun(
                ["--rootfs", root.path, "--reuse", "auto", "--reuse-idle", "3"] + options
                    + ["--", "sh", "-c", script])
        }
        func worlds() throws -> Int {
            try nsrun(["--list"]).lines.filter { $0.contains(" \(root.path) ") }.count
        }
        expect(try runs("echo a"), prints: "a")
        expect(try runs("echo $COLOR", ["--setenv", "COLOR", "blue"]), prints: "blue")
        #expect(try worlds() == 1)
        expect(try runs("ls -d /srv", ["--tmpfs", "/srv"]), prints: "/srv")
        #expect(try worlds() == 2)
        // The first has not got it, as ever.
        #expect(try runs("ls -d /srv").status != 0)
        #expect(try worlds() == 2)
        // What nsrun has made of the root's own is made of what is there now.
        try root.directory.write("who:x:4711:4711::/:/bin/sh\n", to: "etc/passwd")
        #expect(try runs("cat /etc/passwd").output.contains("4711"))
        try root.directory.write("who:x:4712:4712::/:/bin/sh\n", to: "etc/passwd.new")
        expect(
            try run(["mv", root.path + "/etc/passwd.new", root.path + "/etc/passwd"]), exits: 0)
        #expect(try runs("cat /etc/passwd").output.contains("4712"))
    }

    @Test func aNameIsNotForOtherOptions() throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        expect(
            try world.runs("true", ["--tmpfs", "/srv"]),
            refuses:
                "cannot start from the world \(world.name): the one of that name, of \(world.root), "
                + "was made for other options", remedy: "another name", "--stop \(world.name)")
        // What is only this run's are none.
        expect(try world.runs("echo $A", ["--setenv", "A", "b", "--timeout", "9"]), prints: "b")
    }

    @Test func manyAtTheSameTimeMakeOne() throws {
        let world = try World()
        let talks = try (0..<24).map { _ in try world.member("echo ready; read -r _ || :") }
        for talk in talks { #expect(talk.line() == "ready") }
        #expect(try world.kept().count == 1)
        for talk in talks { talk.hangUp() }
        for talk in talks { #expect(talk.child.wait() == 0) }
    }

    // MARK: What is said

    @Test func explanationTellsThePartsApart() throws {
        let seen = try nsrun([
            "--rootfs", Bench.current().rootfs, "--reuse", "x", "--explain", "true",
        ])
        #expect(seen.status == 0)
        let ahead = try #require(seen.output.range(of: "Made ahead, once, for the world x:"))
        let run = try #require(seen.output.range(of: "Steps of each run, in a copy of it:"))
        #expect(ahead.lowerBound < run.lowerBound)
        #expect(seen.output[run.upperBound...].contains("mount a fresh proc on /proc"))
    }
}
