// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Commands that mean harm, in runs that start from one world: none changes what the others start from, none sees,
/// signals or looks into another, and none reaches who keeps the world.
@Suite struct ReuseHostileTests {
    static let identities: [[String]] = [
        [], ["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"],
        ["--uid", "0", "--cap-add", "CAP_SYS_ADMIN", "--network", "none"],
    ]

    // MARK: The world

    /// Everything that the next run would find changed.
    private static let look = """
        find / -xdev -printf '%p %y %m %U %G %s %l\\n' 2>/dev/null | sort
        find /dev -printf '%p %y %m %U %G %l\\n' 2>/dev/null | grep -v /dev/pts/ | sort
        awk '{ $1 = $2 = $3 = ""; print }' /proc/self/mountinfo; cat /etc/passwd /etc/group
        """

    private static let attack = """
        for place in $(awk '{ print $5 }' /proc/self/mountinfo | sort -ru) / /proc /proc; do
            mount -o remount,rw "$place"; mount -o remount,bind,rw,exec,suid,dev "$place"
            (: >"$place/left-behind"); chmod 0777 "$place"; rm -rf "$place"/[a-z]*/left
            mount --make-shared "$place"; umount "$place"; umount -l "$place"
        done
        mkdir /tmp/m; mount --bind /tmp/m /etc; mount --bind /tmp/m /usr/local; mount -t tmpfs x /srv
        (echo attacker::0:0::/:/bin/sh >>/etc/passwd); (echo x >/etc/hosts); ln -sf /tmp/m /dev/left-behind
        mknod /dev/left c 1 3; rm -f /dev/null /dev/zero; (: >/dev/shm/left-behind); mv /etc/group /etc/other
        mount --move /usr /mnt; pivot_root / /mnt; mount -t proc proc /proc
        for file in $(find /proc/sys -writable -type f 2>/dev/null | head -50); do (cat "$file" >"$file"); done
        """

    /// By itself, in user and mount namespaces of its own, and in those below a root of its own.
    @Test(
        arguments: identities,
        ["ATTACK", "unshare -Urm sh -c ATTACK", "unshare -Urmpf --mount-proc sh -c ATTACK"])
    func noRunChangesTheWorld(identity: [String], how: String) throws {
        let world = try World()
        #expect(try world.obstacle(identity) == nil)
        let before = try world.runs(ReuseHostileTests.look, identity)
        #expect(before.lines.count > 100)
        let script =
            how.contains("sh -c")
            ? how.replacingOccurrences(of: "ATTACK", with: "\"$ATTACK\"") : "eval \"$ATTACK\""
        let seen = try world.runs(
            "(\(script)) >/dev/null 2>&1; echo tried",
            identity + ["--setenv", "ATTACK", ReuseHostileTests.attack])
        #expect(seen.output == "tried", "\(seen)")
        #expect(try world.kept().count == 1)
        let after = try world.runs(ReuseHostileTests.look, identity)
        let (was, is_) = (Set(before.lines), Set(after.lines))
        #expect(
            before == after,
            "gone: \(was.subtracting(is_).prefix(9)) new: \(is_.subtracting(was).prefix(9))")
    }

    /// What stays shared is the caller's own, as ever: what he lets the command write to.
    @Test func aBindThatCanBeWrittenIsTheHosts() throws {
        let here = try TemporaryDirectory(in: NSHomeDirectory())
        let world = try World()
        let options = ["--bind", here.path, "/data", "--ro-bind", here.path, "/still"]
        expect(
            try world.runs("echo one >/data/file; (echo two >/still/file) 2>&1 | wc -l", options),
            prints: "1")
        expect(try world.runs("cat /still/file", options), prints: "one")
        #expect(here.content("file") == "one\n")
    }

    /// Below what is mounted there is nothing of the world that a run could uncover: no proc that shows more.
    @Test(arguments: identities)
    func nothingLiesBelow(identity: [String]) throws {
        let world = try World()
        let script = """
            set -- /proc/[0-9]*; echo $#
            i=0; while [ $i -lt 5 ]; do umount -l /proc || umount /proc; i=$((i + 1)); done 2>/dev/null
            set -- /proc/[0-9]*; echo $#; ls -d /proc/self /proc/sys/kernel
            """
        let cold = try inRoot(script, identity)
        #expect(try world.runs(script, identity) == cold)
    }

    // MARK: The others

    /// Waits for others on a socket that both can reach; prints what these see of it when they have gone.
    private static let victim = """
        use Socket; $| = 1; my $place = "/shared/socket";
        open(my $secret, "+>", "/tmp/secret") or die; print $secret "secret"; $secret->flush if $secret->can("flush");
        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; bind($s, pack_sockaddr_un($place)) or die; listen($s, 9);
        print "ready ", fileno($secret), "\\n";
        accept(my $c, $s) or die; my $line = <$c>; print "alive\\n";
        """

    private static let thief = """
        use Socket; $| = 1; my ($fd) = @ARGV;
        socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die; connect($s, pack_sockaddr_un("/shared/socket")) or die;
        my $raw = getsockopt($s, SOL_SOCKET, 77); # SO_PEERPIDFD
        if (!defined $raw) { print "none\\n"; exit }
        my $pidfd = unpack("i", $raw);
        print "signal: ", syscall(424, $pidfd, 9, 0, 0) == 0 ? "SENT" : "refused", "\\n";
        print "descriptor: ", syscall(438, $pidfd, $fd + 0, 0) >= 0 ? "TAKEN" : "refused", "\\n";
        print "namespaces: ", (grep { syscall(308, $pidfd, $_) == 0 } 0x10000000, 0x20000, 0x20000000, 0x10020000)
            ? "ENTERED" : "refused", "\\n";
        """

    /// Two that are let meet by their caller, one asks the kernel for a handle of the other (SO_PEERPIDFD).
    @Test(arguments: identities)
    func noRunGetsIntoAnother(identity: [String]) throws {
        let shared = try TemporaryDirectory(in: NSHomeDirectory())
        let world = try World()
        let options = identity + ["--bind", shared.path, "/shared"]
        #expect(try world.obstacle(options) == nil)
        let victim = try Conversation(
            world.command(options) + ["perl", "-e", ReuseHostileTests.victim])
        let words = try #require(victim.line()).split(separator: " ")
        try #require(words.count == 2 && words[0] == "ready")
        let thief = try run(
            world.command(options) + ["perl", "-e", ReuseHostileTests.thief, String(words[1])])
        #expect(
            thief.output == "none"
                || thief.output == "signal: refused\ndescriptor: refused\nnamespaces: refused",
            "\(thief)")
        #expect(victim.line() == "alive")
        #expect(victim.child.wait() == 0)
    }

    /// Of what nsrun has open for a run, and of the world's namespaces, a command with capabilities finds nothing.
    @Test(arguments: identities)
    func nothingIsOpenThatLeadsElsewhere(identity: [String]) throws {
        let world = try World()
        let script = """
            for link in /proc/[0-9]*/fd/*; do readlink "$link"; done 2>/dev/null | grep -v '^pipe:' | sort | uniq
            for process in /proc/[0-9]*; do readlink $process/root $process/cwd; done 2>/dev/null | sort -u
            for kind in user mnt pid; do readlink /proc/[0-9]*/ns/$kind; done 2>/dev/null | sort | uniq -c | wc -l
            """
        let cold = try inRoot(script, identity)
        let seen = try world.runs(script, identity)
        #expect(seen.lines.count == cold.lines.count, "\(seen)\n\(cold)")
        for word in ["mnt:", "user:", "/nsrun", "/proc/1/"] {
            #expect(
                !seen.lines.contains { $0.hasPrefix(word) || $0.contains("socket:[") }, "\(seen)")
        }
    }

    // MARK: Who keeps it

    /// Asks in a keeper's own words.
    private static let beggar = """
        import os, socket, struct, sys
        for name in sys.argv[1:]:
            os.chdir(os.path.dirname(name)); name = os.path.basename(name)  # the whole is too long for some
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            s.settimeout(3)
            for wish in b"wce":
                try:
                    s.connect(name); s.send(struct.pack("=I4xq", wish, 10**9)); print(s.recvmsg(4096, 4096)[:2])
                except OSError as error: print("refused")
                s.close(); s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        """

    /// A program in a namespace of its own has the same user id and may reach the directory where worlds are met.
    @Test(arguments: [[], ["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"]])
    func aRunGetsNothingFromTheKeeper(identity: [String]) throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let keeper = try world.keeper()
        let seen = try nsrun(
            identity + ["--", "python3", "-c", ReuseHostileTests.beggar] + world.files())
        #expect(seen.lines.count == 3, "\(seen)")
        for line in seen.lines { #expect(line == "refused" || line == "(b'', [])", "\(seen)") }
        #expect(try world.keeper() == keeper)
        // Whoever is in the same place gets all of it, so the question was asked right.
        let asked = try run(["python3", "-c", ReuseHostileTests.beggar] + world.files())
        #expect(asked.lines.first?.hasPrefix("(b'+', [(1, 1, b'") == true, "\(asked)")
        #expect(HostState.eventually { !World.isAlive(keeper) })
    }

    /// Nor can it make others start from a world of its own.
    @Test(arguments: [
        "s.listen(9); c, _ = s.accept(); c.recv(64); socket.send_fds(c, [b'+'], [own('user'), own('mnt')])",
        "s.listen(0); crowd = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(9)]",
    ])
    func aRunCannotLureOthers(trick: String) throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let file = try #require(try world.files().first)
        let script = """
            import os, socket, sys
            def own(kind): return os.open("/proc/self/ns/" + kind, os.O_RDONLY)
            s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            os.chdir(os.path.dirname(sys.argv[1])); name = os.path.basename(sys.argv[1])
            os.unlink(name); s.bind(name); print("bound", flush=True)
            import threading
            def act():
                \(trick)
            threading.Thread(target=act, daemon=True).start()
            sys.stdin.readline()
            """
        let thief = try Conversation([Bench.current().nsrun, "--", "python3", "-c", script, file])
        #expect(thief.line() == "bound")
        for _ in 0..<3 {
            let seen = try world.runs("echo mine; readlink /proc/self/ns/mnt; ls -d /usr/bin")
            #expect(seen.status == 0 && seen.lines.first == "mine" && seen.error == "", "\(seen)")
        }
        thief.hangUp()
        #expect(thief.child.wait() == 0)
        unlink(file)
    }

    /// A root whose links lead to a place of the run's own: what was made ahead there would not be seen.
    @Test func linksOfTheRootLeadNoMountAstray() throws {
        let root = try BareRoot(with: ["cat", "ls"])
        let here = try TemporaryDirectory(in: NSHomeDirectory())
        try here.write("note\n", to: "note")
        try root.directory.link("opt", to: "tmp")
        let world = try World(root: root.path)
        let options = ["--ro-bind", here.path, "/opt/data"]
        let cold = try inRoot("cat /opt/data/note", options, root: root.path)
        #expect(try world.runs("cat /opt/data/note", options) == cold)
        let hostile = ["/etc": "/proc/1/root/etc", "/run": "../../../../..", "/var": "/dev/shm"]
        for (name, text) in hostile {
            unlink(root.path + name)
            try root.directory.link(String(name.dropFirst()), to: text)
            let other = try World(root: root.path)
            let script = "ls -d /etc /tmp /var /run; echo x >/tmp/x && cat /tmp/x"
            #expect(try other.runs(script) == inRoot(script, root: root.path), "\(name)")
        }
    }
}
