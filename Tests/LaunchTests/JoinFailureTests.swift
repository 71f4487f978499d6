// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--join` where processes die, disagree or are not who they should be.
@Suite struct JoinFailureTests {
    // MARK: Sudden ends

    /// Who is killed anywhere on the way leaves nothing, and the others are still one group.
    @Test(arguments: [[], ["--debug-opt=force-no-pidfd"]])
    func killedAtAnyMoment(options: [String]) throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<25 {
            let group = Group()
            var members = try (0..<8).map { _ in try group.member("read -r _ || :", options) }
            for _ in 0..<4 {
                let victim = members.remove(at: Int.random(in: 0..<members.count, using: &random))
                usleep(UInt32.random(in: 0..<3000, using: &random))
                victim.child.send(SIGKILL)
            }
            let places = Set(members.map { $0.line() ?? "none" })
            #expect(places.count == 1, "\(places)")
            expect(try group.runs(Group.where, options), prints: places.first ?? "")
            for member in members { member.child.send(SIGKILL) }
            #expect(try group.isGone())
        }
    }

    /// The first is still setting up, for a file of its is not complete; all others wait, and one of them
    /// takes over.
    @Test(arguments: [[], ["--debug-opt=force-no-pidfd"]])
    func killedBeforeTheGroupStands(options: [String]) throws {
        let group = Group()
        let options = options + ["--ro-bind-data", "7", "/srv/who"]
        let pipe = try Pipe.make()
        let first = try group.member("cat /srv/who", options, passing: [7: pipe.read])
        #expect(HostState.eventually { group.isListening })
        let file = try Scratch.openFile("another\n")
        let others = try (0..<3).map { _ in
            lseek(file, 0, SEEK_SET)
            return try group.member("cat /srv/who; read -r _ || :", options, passing: [7: file])
        }
        #expect(HostState.eventually { group.sockets > others.count })  // they wait in its queue
        first.child.send(SIGKILL)
        let places = Set(others.map { $0.line() ?? "none" })
        #expect(places.count == 1, "\(places)")
        for other in others { #expect(other.line() == "another") }
        for other in others { other.hangUp() }
        for descriptor in [pipe.read, pipe.write, file] { close(descriptor) }
        #expect(try group.isGone())
    }

    /// Without the one that keeps it a group has no name any more; its processes go on.
    @Test func theHolderIsKilled() throws {
        let group = Group()
        let first = try group.member("read -r line; echo $line")
        let place = try #require(first.line())
        let holder = try #require(try group.holder())
        kill(holder, SIGKILL)
        #expect(HostState.eventually { group.sockets == 0 })
        let second = try group.member()
        let other = try #require(second.line())
        #expect(other != place)
        expect(try group.runs(Group.where), prints: other)
        first.say("alive")
        #expect(first.line() == "alive")
        #expect(first.child.wait() == 0)
        second.hangUp()
        #expect(second.child.wait() == 0)
        #expect(try group.isGone())
    }

    @Test func theHolderHeedsNoSignalAndHoldsNothing() throws {
        let group = Group()
        let first = try group.member()
        let place = try #require(first.line())
        let second = try group.member()
        #expect(second.line() == place)
        let holder = try #require(try group.holder())
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT, SIGPIPE] { kill(holder, signal) }
        // The one that it was made by ends, and its output with it.
        first.hangUp()
        #expect(first.rest() == [])
        #expect(first.child.wait() == 0)
        #expect(try group.holder() == holder)
        expect(try group.runs(Group.where), prints: place)

        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(holder)/fd").map {
            try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(holder)/fd/\($0)")
        }
        // And the directory that its socket lies in.
        let folder = (group.file as NSString?)?.deletingLastPathComponent
        for target in open {
            #expect(
                target.hasPrefix("socket:") || target.hasPrefix("anon_inode:") || target == folder
                    || target.hasPrefix("user:") || target.hasPrefix("mnt:") || target == "/proc",
                "\(target)")
        }
        #expect(getsid(holder) == holder)
        let directory = try FileManager.default.destinationOfSymbolicLink(
            atPath: "/proc/\(holder)/cwd")
        #expect(directory == "/")
    }

    @Test func whoFailsToSetUpLeavesTheNameFree() throws {
        let group = Group()
        for _ in 0..<3 {
            expect(
                try group.runs("true", ["--bind", "/nope", "/srv"]),
                refuses: "cannot bind-mount /nope onto /srv: /nope does not exist on the host",
                remedy: "--bind-try")
        }
        expect(try group.runs("true"), exits: 0)
        #expect(try group.isGone())
    }

    // MARK: Disagreement

    @Test func anotherRootIsAnotherGroup() throws {
        let group = Group()
        let first = try group.member()
        _ = first.line()
        let root = try BareRoot()
        let bench = try Bench.current()
        expect(
            try nsrun(["--preset", "hpc", "--rootfs", root.path, "--join", group.name, "true"]),
            refuses:
                "cannot join the group \(group.name): its root is \(bench.rootfs), not \(root.path)",
            remedy: "same options", "another name")
        expect(
            try nsrun(["--preset", "host", "--join", group.name, "true"]),
            refuses:
                "cannot join the group \(group.name): its root is \(bench.rootfs), not the host's",
            remedy: "same options", "another name")
    }

    @Test(
        arguments: [
            (["--tmpfs", "/srv"], "not to mount a tmpfs on /srv (mode 0755)"),
            (["--bind", "/srv", "/srv"], "not to bind-mount /srv onto /srv"),
            (["--ephemeral"], "changes in memory"), (["--uid", "0"], "to /proc/self/uid_map"),
            (["--network", "none"], "enter new user, mount, net namespaces"),
            (["--unshare-ipc"], "enter new user, mount, ipc namespaces"),
            (["--hostname", "x"], "enter new user, mount, uts namespaces"),
            (["--tmpfs", "/mnt"], ""),
        ] as [([String], String)])
    func otherOptionsAreAnotherGroup(options: [String], difference: String) throws {
        let group = Group()
        let first = try group.member("read -r _ || :", ["--tmpfs", "/mnt"])
        let place = try #require(first.line())
        if options == ["--tmpfs", "/mnt"] {
            return expect(try group.runs(Group.where, options), prints: place)
        }
        let seen = try group.runs("true", options)
        let message = seen.error.components(separatedBy: "\n").first ?? ""
        #expect(message.hasPrefix("nsrun: cannot join the group \(group.name): it was "), "\(seen)")
        #expect(message.contains(difference), "\(seen)")
        expect(
            seen, refuses: String(message.dropFirst("nsrun: ".count)),
            remedy: "same options", "another name")
    }

    /// What the group has, and a newcomer does not ask for.
    @Test func fewerOptionsAreAnotherGroup() throws {
        let group = Group()
        let first = try group.member("read -r _ || :", ["--tmpfs", "/mnt"])
        _ = try #require(first.line())
        expect(
            try group.runs("true"),
            refuses: "cannot join the group \(group.name): it was set up to mount a tmpfs on /mnt "
                + "(mode 0755), which is not asked for here",
            remedy: "same options", "another name")
    }

    // MARK: Strangers

    /// Listens in place of the socket that is given, once it has been taken away.
    private static let squat = """
        import os, socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        os.unlink(sys.argv[1]); s.bind(sys.argv[1])
        s.listen(); print("bound", flush=True); sys.stdin.read()
        """

    /// Two users of one machine, made of subordinate ids: the same name is two groups, and neither can get at the
    /// place of the other's.
    @Test func usersDoNotMeet() throws {
        let bench = try Bench.current()
        let group = Group()
        let script = """
            import os, socket, subprocess, sys, tempfile
            nsrun, name = sys.argv[1:]
            base = tempfile.mkdtemp()
            os.chmod(base, 0o755)
            for number in "56":
                os.mkdir(f"{base}/{number}", 0o700)
                os.chown(f"{base}/{number}", int(number), int(number))

            def user(number, *command, runtime=None):
                place = f"{base}/{number}"
                return subprocess.Popen(["setpriv", "--reuid", number, "--regid", number,
                    "--clear-groups", "env", f"XDG_RUNTIME_DIR={runtime or place}", f"HOME={place}", *command],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/")

            def joins(number, script, **more):
                return user(number, nsrun, "--preset", "host", "--join", name, "sh", "-c", script, **more)

            where = "readlink /proc/self/ns/mnt; read -r _ || :"
            five, six = joins("5", where), joins("6", where)
            places = [process.stdout.readline() for process in (five, six)]
            again = [joins(number, where).communicate("")[0] for number in ("5", "6")]
            print("meet" if places[0] == places[1] else "apart", places == again)
            thief = "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind(sys.argv[1])"
            print(user("6", "python3", "-c", thief, f"{base}/5/nsrun/1 x").communicate()[0].split("\\n")[-2])
            for process in (five, six): process.communicate("")

            # A place of somebody else's is not gone to, however open it is.
            os.chmod(f"{base}/6", 0o777)
            print(joins("5", "echo entered", runtime=f"{base}/6").communicate()[0], os.listdir(f"{base}/6"))
            """
        let seen = try nsrun([
            "--map-auto", "--uid", "0", "--gid", "0", "--", "python3", "-c", script, bench.nsrun,
            group.name,
        ])
        expect(
            seen,
            prints: """
                apart True
                PermissionError: [Errno 13] Permission denied
                entered
                 []
                """)
        #expect(try group.isGone())
    }

    /// A program in a namespace of its own has the same user id and may reach the directory where groups meet.
    private func intruder(_ script: String, at file: String) throws -> Conversation {
        try Conversation([Bench.current().nsrun, "--", "python3", "-c", script, file])
    }

    /// It would like to be the root of others.
    @Test func aProgramInsideCannotLureOthers() throws {
        let group = Group()
        let first = try group.member()
        #expect(first.line() != nil)
        let thief = try intruder(JoinFailureTests.squat, at: #require(group.file))
        #expect(thief.line() == "bound")
        expect(
            try group.runs("true"),
            refuses: "cannot join the group \(group.name): a process of another user or namespace "
                + "has taken its name",
            remedy: "another name")
        thief.hangUp()
        #expect(thief.child.wait() == 0)
        expect(try group.runs("true"), exits: 0)
        first.hangUp()
    }

    /// Nor does it get what members get, the namespaces by descriptor, nor does it keep the group from ending.
    @Test(arguments: ["", "s.send(bytes(64));"])
    func aProgramInsideGetsNothing(greeting: String) throws {
        let group = Group()
        let first = try group.member()
        #expect(first.line() != nil)
        let script = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.connect(sys.argv[1]); s.settimeout(1)
            try: \(greeting) print(s.recvmsg(4096, 4096)[:2], flush=True)
            except OSError: print("refused", flush=True)
            sys.stdin.readline()
            """
        let thief = try intruder(script, at: #require(group.file))
        let got = thief.line() ?? ""
        #expect(got == "(b'', [])" || got == "refused")
        first.hangUp()
        #expect(HostState.eventually { group.file == nil })
        thief.hangUp()
        #expect(thief.child.wait() == 0)
        #expect(try group.isGone())
    }

    /// Neither one whose queue is full and stays so, nor one that is always just ending.
    @Test(arguments: [
        """
        s.listen(0); crowd = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(9)]
        for one in crowd: one.setblocking(False); one.connect_ex(sys.argv[1])
        """,
        "child = os.fork() or s.listen(9) or os._exit(0); os.waitpid(child, 0)",
    ])
    func aProgramInsideCannotKeepOthersWaiting(trick: String) throws {
        let group = Group()
        let first = try group.member()
        #expect(first.line() != nil)
        let script = """
            import os, socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            os.unlink(sys.argv[1]); s.bind(sys.argv[1])
            \(trick)
            print("bound", flush=True); sys.stdin.readline()
            """
        let thief = try intruder(script, at: #require(group.file))
        #expect(thief.line() == "bound")
        let seen = try group.runs("true")
        // Of one that has ended the name is free.
        #expect(seen.status == 125 || seen.status == 0, "\(seen)")
        if seen.status == 125 {
            #expect(seen.error.hasPrefix("nsrun: cannot join the group \(group.name): "), "\(seen)")
        }
        thief.hangUp()
        first.hangUp()
    }

    /// A newcomer is among the members before its command starts, with directories of the host still open.
    @Test func membersDoNotGetAtWhatNewcomersHaveOpen() throws {
        var host = stat()
        #expect(stat("/", &host) == 0)
        let group = Group()
        let script = """
            perl -e '$| = 1; print "looking\\n"; $end = time + 4;
            while (time < $end) {
                opendir(D, "/proc"); for $p (grep /^[0-9]/, readdir D) {
                    for $fd (3 .. 9) {
                        for $up (".", "../../../..") {
                            my ($device, $number) = stat "/proc/$p/fd/$fd/$up" or next;
                            print "OUT\\n" if "$device $number" eq "\(host.st_dev) \(host.st_ino)";
                        }
                    }
                }
            }'
            """
        let member = try group.member(script)
        _ = member.line()
        #expect(member.line() == "looking")
        for _ in 0..<40 { expect(try group.runs("true"), exits: 0) }
        #expect(member.rest() == [])
    }
}
