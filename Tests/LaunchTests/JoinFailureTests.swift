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
        #expect(HostState.eventually { group.sockets > 0 })
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
        for target in open {
            #expect(
                target.hasPrefix("socket:") || target.hasPrefix("anon_inode:")
                    || target.hasPrefix("user:") || target.hasPrefix("mnt:"), "\(target)")
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
            try nsrun(["--join", group.name, "true"]),
            refuses:
                "cannot join the group \(group.name): its root is \(bench.rootfs), not the host's",
            remedy: "same options", "another name")
    }

    @Test(arguments: [
        ["--tmpfs", "/srv"], ["--bind", "/srv", "/srv"], ["--ephemeral"], ["--uid", "0"],
        ["--network", "none"], ["--unshare-ipc"], ["--hostname", "x"], ["--tmpfs", "/mnt"],
    ])
    func otherOptionsAreAnotherGroup(options: [String]) throws {
        let group = Group()
        let first = try group.member("read -r _ || :", ["--tmpfs", "/mnt"])
        let place = try #require(first.line())
        if options == ["--tmpfs", "/mnt"] {
            return expect(try group.runs(Group.where, options), prints: place)
        }
        expect(
            try group.runs("true", options),
            refuses: "cannot join the group \(group.name): its namespaces, mounts or ids are not "
                + "those asked for",
            remedy: "same options", "another name")
    }

    // MARK: Strangers

    /// Listens to a name that is somebody else's.
    private static let squat = """
        import socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind("\\0" + sys.argv[1]); s.listen(); print("bound", flush=True); sys.stdin.read()
        """

    /// Two users of one machine, made of subordinate ids: the same name is two groups, and who takes
    /// another's name on purpose is found out.
    @Test func usersDoNotMeet() throws {
        let bench = try Bench.current()
        let group = Group()
        let script = """
            import os, socket, subprocess, sys
            nsrun, name, squat = sys.argv[1:]

            def user(number, *command, **more):
                return subprocess.Popen(["setpriv", "--reuid", number, "--regid", number,
                    "--clear-groups", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True, cwd="/", **more)

            def joins(number, script):
                return user(number, nsrun, "--join", name, "sh", "-c", script)

            where = "readlink /proc/self/ns/mnt; read -r _ || :"
            five, six = joins("5", where), joins("6", where)
            places = [process.stdout.readline() for process in (five, six)]
            again = [joins(number, where).communicate("")[0] for number in ("5", "6")]
            print("meet" if places[0] == places[1] else "apart", places == again)
            for process in (five, six): process.communicate("")

            # Six takes the name of five.
            number = os.stat("/proc/self/ns/user").st_ino
            thief = user("6", sys.executable, "-c", squat, f"nsrun-join/1/5/{number}/{name}")
            thief.stdout.readline()
            five = joins("5", "echo entered")
            print(five.communicate()[1].split("\\n")[0], five.returncode)
            thief.communicate("")
            """
        let seen = try nsrun([
            "--map-auto", "--uid", "0", "--gid", "0", "--", "python3", "-c", script, bench.nsrun,
            group.name, JoinFailureTests.squat,
        ])
        expect(
            seen,
            prints: """
                apart True
                nsrun: cannot join the group \(group.name): a process of another user or namespace \
                has taken its name 125
                """)
        #expect(try group.isGone())
    }

    /// A program in a namespace of its own has the same user id, and would like to be the root of others.
    @Test func aProgramInsideCannotLureOthers() throws {
        let group = Group()
        var own = stat()
        #expect(stat("/proc/self/ns/user", &own) == 0)
        let address = "nsrun-join/1/\(getuid())/\(own.st_ino)/\(group.name)"
        let thief = try Conversation([
            Bench.current().nsrun, "--", "python3", "-c", JoinFailureTests.squat, address,
        ])
        #expect(thief.line() == "bound")
        expect(
            try group.runs("true"),
            refuses: "cannot join the group \(group.name): a process of another user or namespace "
                + "has taken its name",
            remedy: "another name")
        thief.hangUp()
        #expect(thief.child.wait() == 0)
        expect(try group.runs("true"), exits: 0)
    }

    /// Neither one whose queue is full and stays so, nor one that is always just ending.
    @Test(arguments: [
        """
        s.listen(0); crowd = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(9)]
        for one in crowd: one.setblocking(False); one.connect_ex(address)
        """,
        "child = os.fork() or s.listen(9) or os._exit(0); os.waitpid(child, 0)",
    ])
    func aProgramInsideCannotKeepOthersWaiting(trick: String) throws {
        let group = Group()
        var own = stat()
        #expect(stat("/proc/self/ns/user", &own) == 0)
        let script = """
            import os, socket, sys
            address = "\\0nsrun-join/1/\(getuid())/\(own.st_ino)/\(group.name)"
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(address)
            \(trick)
            print("bound", flush=True); sys.stdin.readline()
            """
        let thief = try Conversation([Bench.current().nsrun, "--", "python3", "-c", script])
        #expect(thief.line() == "bound")
        let seen = try group.runs("true")
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot join the group \(group.name): "), "\(seen)")
        thief.hangUp()
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
