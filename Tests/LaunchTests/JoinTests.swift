// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A name that processes join by, of which nothing is left when the last of them has ended.
struct Group {
    let name = "test-\(UUID().uuidString.prefix(12))"

    /// One process of the group that says which namespaces it is in, then runs a script.
    func member(
        _ script: String = "read -r _ || :", _ options: [String] = [],
        passing beside: [Int32: Int32] = [:]
    ) throws -> Conversation {
        let bench = try Bench.current()
        return try Conversation(
            [bench.nsrun] + command(options, bench) + ["sh", "-c", "\(Group.where); \(script)"],
            passing: beside)
    }

    /// One process of the group, to its end.
    func runs(_ script: String, _ options: [String] = [], directory: String = "/") throws -> Outcome
    {
        let bench = try Bench.current()
        return try nsrun(command(options, bench) + ["sh", "-c", script], directory: directory)
    }

    private func command(_ options: [String], _ bench: Bench) -> [String] {
        ["--preset", "hpc", "--rootfs", bench.rootfs, "--join", name] + options + ["--"]
    }

    static let `where` =
        "echo $(readlink /proc/self/ns/user /proc/self/ns/mnt /proc/self/ns/ipc /proc/self/ns/uts)"

    /// The process that keeps the group: the only one of its name that is nobody's child.
    func holder() throws -> pid_t? {
        try HostState.processes(name).compactMap { pid_t($0) }.first {
            (try? String(contentsOfFile: "/proc/\($0)/comm", encoding: .utf8)) == "nsrun-join\n"
        }
    }

    /// The sockets of that name: the one that listens, and one for each that waits in its queue.
    var sockets: Int { lines?.count ?? -1 }

    /// Others can wait in its queue: before, they wait for the lock. Among the flags is __SO_ACCEPTCON.
    var isListening: Bool {
        lines?.contains { String(decoding: $0, as: UTF8.self).contains(" 00010000 ") } ?? false
    }

    private var lines: [Data]? {
        // Other sockets' names may be any bytes.
        guard let bytes = try? Data(contentsOf: URL(filePath: "/proc/net/unix")) else { return nil }
        let end = Data(" \(name)".utf8)
        return bytes.split(separator: UInt8(ascii: "\n")).filter { $0.suffix(end.count) == end }
    }

    /// Its socket's file, where there is one.
    var file: String? {
        let folders = [
            ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"], "/run/user/\(getuid())",
            NSHomeDirectory() + "/.local/state",
        ]
        let places = folders.compactMap { $0.map { $0 + "/nsrun" } }.flatMap { folder in
            [folder]
                + ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).map {
                    "\(folder)/\($0)"
                }
        }
        for folder in places {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            if let found = names.first(where: { $0.hasSuffix(" \(name)") }) {
                return "\(folder)/\(found)"
            }
        }
        return nil
    }

    /// No process, no socket and no file.
    func isGone() throws -> Bool {
        let noProcess = try HostState.processesGo(name)
        return noProcess && HostState.eventually { sockets == 0 && file == nil }
    }
}

/// `--join`: processes that share one set of namespaces.
@Suite struct JoinTests {
    // MARK: Meeting

    @Test(arguments: MountPath.allCases)
    func membersShareNamespacesAndRoot(path: MountPath) throws {
        let group = Group()
        let first = try group.member("read -r _ || :", path.options + ["--tmpfs", "/srv"])
        let place = try #require(first.line())
        let second = try group.member("echo here >/srv/note", path.options + ["--tmpfs", "/srv"])
        #expect(second.rest() == [place])
        let third = try group.member("cat /srv/note", path.options + ["--tmpfs", "/srv"])
        #expect(third.rest() == [place, "here"])
        first.hangUp()
        #expect(first.child.wait() == 0)
        #expect(try group.isGone())
    }

    /// Nobody says how many there will be; whoever comes first sets up, whoever else was as quick waits.
    @Test func manyAtTheSameTimeAreOne() throws {
        let group = Group()
        let members = try (0..<64).map { _ in try group.member() }
        let places = Set(members.map { $0.line() ?? "none" })
        #expect(places.count == 1, "\(places)")
        for member in members { member.hangUp() }
        for member in members { #expect(member.child.wait() == 0) }
        #expect(try group.isGone())
    }

    @Test func withoutTheOptionAndByOtherNamesTheyDoNotMeet() throws {
        let group = Group()
        let first = try group.member()
        let place = try #require(first.line())
        let other = try Group().runs(Group.where)
        let alone = try nsrun(
            ["--preset", "hpc", "--rootfs", Bench.current().rootfs, "sh", "-c", Group.where])
        #expect(other.status == 0 && other.output != place)
        #expect(alone.status == 0 && alone.output != place && alone.output != other.output)
    }

    /// Its limit is its own, and that of what it has started: not of who keeps the group for others.
    @Test func theFirstMayHaveATimeLimit() throws {
        let group = Group()
        let first = try group.member("sleep 1000 & sleep 1000", ["--timeout", "4"])
        let place = first.line()
        let second = try group.member()
        #expect(second.line() == place)
        #expect(first.child.wait() == 124)
        let third = try group.member("echo met")
        #expect(third.line() == place)
        #expect(third.rest() == ["met"])
        second.say("")
        #expect(second.child.wait() == 0)
        #expect(try HostState.processesGo(group.name))
    }

    @Test func theFirstMayHaveEnded() throws {
        let group = Group()
        let first = try group.member()
        let place = try #require(first.line())
        let second = try group.member()
        #expect(second.line() == place)
        first.child.send(SIGKILL)
        #expect(first.child.wait() == 128 + SIGKILL)
        let third = try group.member()
        #expect(third.line() == place)
        second.hangUp()
        #expect(second.child.wait() == 0)
        expect(try group.runs(Group.where), prints: place)
        third.hangUp()
        #expect(try group.isGone())
    }

    /// What is left of a group is for whoever comes next.
    @Test func anAbandonedNameIsFree() throws {
        let group = Group()
        var options: [String] = []
        for _ in 0..<20 {
            // Other options each time: nobody is left to compare them with.
            options += ["--tmpfs", "/srv"]
            expect(try group.runs("true", options), exits: 0)
            #expect(try HostState.eventually { try group.holder() == nil })
        }
        #expect(try group.isGone())
    }

    /// Where a member is and what it calls its home are its own; what the first shows, all see.
    @Test(arguments: ["hpc", "rootfs", "host", "home", "network"])
    func membersMayBeInDifferentPlaces(kind: String) throws {
        let bench = try Bench.current()
        let group = Group()
        let here = try TemporaryDirectory()
        let elsewhere = try TemporaryDirectory(in: NSHomeDirectory())
        let options: [String] =
            switch kind {
            case "hpc": ["--preset", "hpc", "--rootfs", bench.rootfs]
            case "rootfs": ["--rootfs", bench.rootfs, "--ephemeral"]
            case "home": ["--rootfs", bench.rootfs, "--home"]
            case "network": ["--network", "none"]
            default: ["--preset", "host"]
            }
        func member(_ home: String, in directory: String, _ script: String) throws -> Conversation {
            try Conversation(
                [bench.nsrun] + options + ["--join", group.name, "sh", "-c", script],
                environment: ["HOME": home, "TMPDIR": directory, "USER": "u\(home.count)"],
                directory: directory)
        }
        let first = try member(NSHomeDirectory(), in: here.path, "\(Group.where); read -r _ || :")
        let place = try #require(first.line())
        for (home, directory) in [
            ("/nonexistent", "/"), (NSHomeDirectory(), "/usr"), (elsewhere.path, here.path),
        ] {
            let other = try member(home, in: directory, Group.where)
            #expect(other.rest() == [place], "\(home) \(directory)")
            #expect(other.child.wait() == 0)
        }
        first.hangUp()
        #expect(first.child.wait() == 0)
        #expect(try group.isGone())
    }

    /// A home that is to be hidden is not shown to somebody else's.
    @Test func whatIsHiddenMustBeTheSame() throws {
        let group = Group()
        let home = try TemporaryDirectory(in: NSHomeDirectory())
        let words = [try Bench.current().nsrun, "--preset", "test", "--join", group.name]
        let first = try Conversation(words + ["sh", "-c", "\(Group.where); read -r _ || :"])
        _ = try #require(first.line())
        let seen = try run(words + ["true"], environment: ["HOME": home.path])
        #expect(seen.status == 125 && seen.error.contains("a tmpfs on \(home.path) "), "\(seen)")
        first.hangUp()
        first.child.wait()
    }

    /// Nobody starts elsewhere than where he is.
    @Test func aPlaceThatTheGroupDoesNotShowIsNamed() throws {
        let group = Group()
        let bench = try Bench.current()
        let first = try Conversation([
            bench.nsrun, "--preset", "host", "--join", group.name, "sh", "-c",
            "\(Group.where); read -r _ || :",
        ])
        _ = try #require(first.line())
        let folder = try TemporaryDirectory(in: "/tmp")
        let seen = try nsrun(
            ["--preset", "host", "--join", group.name, "true"], directory: folder.path)
        expect(
            seen, refuses: "cannot start in \(folder.path): no such file or directory",
            remedy: "first process was elsewhere", "--chdir")
        first.hangUp()
    }

    @Test func theHostsRootCanBeShared() throws {
        let group = Group()
        let nsrun = try Bench.current().nsrun
        let words = [nsrun, "--preset", "host", "--join", group.name, "sh", "-c"]
        let first = try Conversation(
            words + ["\(Group.where); echo shared >/tmp/note; echo; read -r _ || :"])
        let place = try #require(first.line())
        #expect(first.line() == "")
        expect(try run(words + ["\(Group.where); cat /tmp/note"]), prints: "\(place)\nshared")
    }

    // MARK: Each for itself

    @Test func commandEnvironmentDirectoryAndLimitsAreTheirOwn() throws {
        let group = Group()
        let first = try group.member()
        _ = first.line()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let script = "pwd; echo $COLOR; ulimit -n; exit 7"
        let options = ["--setenv", "COLOR", "blue", "--rlimit", "nofile=99"]
        expect(
            try group.runs(script, options, directory: folder.path),
            Outcome(status: 7, output: "\(folder.path)\nblue\n99", error: ""))
        expect(
            try group.runs("pwd; ulimit -n", ["--chdir", "/usr", "--rlimit", "nofile=88"]),
            prints: "/usr\n88")
        expect(try group.runs("kill -USR1 $$"), exits: 128 + SIGUSR1)
        let missing = try nsrun([
            "--preset", "hpc", "--rootfs", Bench.current().rootfs, "--join", group.name, "nosuch",
        ])
        #expect(missing.status == 127)
    }

    @Test(arguments: [[], ["--uid", "0", "--gid", "0"], ["--disable-userns"]])
    func nobodyHasMorePowerThanAlone(options: [String]) throws {
        let script = """
            grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups|Sig(Blk|Ign))' /proc/self/status
            id -u; cat /proc/self/uid_map
            mount -o remount,bind,rw / 2>&1 | head -1; touch /x 2>&1
            """
        let alone = try nsrun(
            ["--preset", "hpc", "--rootfs", Bench.current().rootfs] + options
                + ["--", "sh", "-c", script])
        let group = Group()
        let first = try group.member("\(script); read -r _ || :", options)
        let place = try #require(first.line())
        let second = try group.member(script, options)
        #expect(second.line() == place)
        let lines = second.rest()
        #expect(lines == alone.lines)
        #expect(lines.map { _ in first.line() ?? "" } == lines)
    }

    /// All of the namespaces, and those below others.
    @Test(
        arguments: [
            ["--unshare-ipc", "--hostname", "node7"], ["--network", "none"],
            ["--unshare-ipc", "--unshare-cgroup", "--hostname", "node7", "--disable-userns"],
            ["--uid", "0"], ["--map-auto", "--uid", "0", "--gid", "0"], ["--arch", "armhf"],
            ["--uid", "0", "--network", "none", "--unshare-ipc", "--hostname", "node7"],
            ["--cap-add", "CAP_NET_ADMIN", "--network", "none", "--hostname", "node7"],
            ["--timeout", "60"], ["--new-session"], ["--ephemeral"],
        ])
    func otherOptionsHoldForAll(options: [String]) throws {
        let script = """
            readlink /proc/self/ns/net /proc/self/ns/cgroup; hostname; id -u
            cat /proc/self/*id_map; cut -d' ' -f3- /proc/self/mountinfo
            """
        let group = Group()
        let first = try group.member("\(script); echo end; read -r _ || :", options)
        var seen: [String] = []
        while let line = first.line(), line != "end" { seen.append(line) }
        #expect(seen.count > 6)
        let second = try group.member(script, options)
        #expect(second.rest() == seen)
        first.hangUp()
        #expect(first.child.wait() == 0)
        #expect(try group.isGone())
    }

    @Test func theProgramHasNoDescriptorAndNoChildOfIt() throws {
        let script = "ls /proc/self/fd; cat /proc/$$/task/$$/children"
        let alone = try nsrun(
            ["--preset", "hpc", "--rootfs", Bench.current().rootfs, "sh", "-c", "\(script); true"])
        let group = Group()
        let first = try group.member("\(script); echo end; read -r _ || :")
        _ = first.line()
        let second = try group.runs("\(script); true")
        // `cat` itself is the only child, and prints no newline.
        #expect(second.lines.dropLast() == alone.lines.dropLast())
        #expect(alone.lines.dropLast().map { _ in first.line() ?? "" } == alone.lines.dropLast())
        #expect(first.line()?.split(separator: " ").map(String.init).dropFirst() == ["end"])
    }

    // MARK: Large messages

    /// Without a common user namespace the kernel refuses, and MPI's large messages hang.
    @Test func membersReadEachOthersMemory() throws {
        let probe = try MemoryProbe()
        let bench = try Bench.current()
        let group = Group()
        let options = ["--preset", "hpc", "--rootfs", bench.rootfs]
        func outcome(_ first: [String], _ second: [String]) throws -> String {
            let holder = try Conversation([bench.nsrun] + options + first + [probe.path])
            let place = try #require(holder.line()).split(separator: " ").map(String.init)
            return try nsrun(options + second + [probe.path] + place).output
        }
        let join = ["--join", group.name]
        #expect(try outcome(join, join) == "a large message")
        #expect(try outcome([], []) == "Operation not permitted")
        #expect(try outcome(join, []) == "Operation not permitted")
        #expect(try outcome([], join) == "Operation not permitted")
        #expect(try group.isGone())
    }

    // MARK: The job step

    @Test(
        arguments: [
            ["SLURM_JOB_ID": "17", "SLURM_STEP_ID": "0"],
            ["PMIX_NAMESPACE": "slurm.pmix.17.0"], ["PMI_JOBID": "17.0"],
            ["OMPI_MCA_ess_base_jobid": "3453157377"],
        ])
    func theNameOfTheJobStep(environment: [String: String]) throws {
        let bench = try Bench.current()
        let words = [bench.nsrun, "--preset", "hpc", "--rootfs", bench.rootfs, "--join", "auto"]
        // Whatever else this test runs in.
        var step: [String: String?] = [
            "SLURM_JOB_ID": nil, "SLURM_STEP_ID": nil, "PMIX_NAMESPACE": nil, "PMI_JOBID": nil,
        ]
        let unique = UUID().uuidString
        for (name, value) in environment { step[name] = value + unique }
        let first = try Conversation(
            words + ["sh", "-c", "\(Group.where); read -r _ || :"], environment: step)
        let place = try #require(first.line())
        expect(try run(words + ["sh", "-c", Group.where], environment: step), prints: place)
        let name = environment.keys.sorted()[0]
        step[name] = "other" + unique
        let other = try run(words + ["sh", "-c", Group.where], environment: step)
        #expect(other.status == 0 && other.output != place)
    }

    @Test func withoutAJobTheParentsChildrenBelongTogether() throws {
        let bench = try Bench.current()
        let script = """
            unset SLURM_JOB_ID SLURM_STEP_ID PMIX_NAMESPACE PMI_JOBID
            mkfifo fifo
            nsrun="\(bench.nsrun) --preset hpc --rootfs \(bench.rootfs) --join auto"
            $nsrun -- sh -c 'readlink /proc/self/ns/mnt >first; echo >fifo; cat fifo' &
            read -r _ <fifo
            $nsrun readlink /proc/self/ns/mnt >second
            sh -c '"$@"; true' sh $nsrun readlink /proc/self/ns/mnt >other
            echo >fifo; wait
            cmp first second && ! cmp -s first other
            """
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        expect(try run(["bash", "-c", script], directory: folder.path), exits: 0)
    }
}

/// A program that shows its memory, and given where another one's is, reads that (process_vm_readv(2)).
struct MemoryProbe {
    private let folder: TemporaryDirectory
    var path: String { folder / "probe" }

    init() throws {
        folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write(MemoryProbe.source, to: "probe.c")
        expect(
            try run(["gcc", "-static", "-o", folder / "probe", folder / "probe.c"]), exits: 0)
    }

    private static let source = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <sys/prctl.h>
        #include <sys/uio.h>
        #include <unistd.h>

        int main(int argc, char **argv) {
            static char text[64] = "a large message", copy[64];
            if (argc < 3) {
                prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);   // as MPI libraries do
                printf("%d %lu\\n", getpid(), (unsigned long)text);
                fflush(stdout);
                getchar();
                return 0;
            }
            struct iovec here = {copy, sizeof copy};
            struct iovec there = {(void *)strtoul(argv[2], NULL, 10), sizeof copy};
            puts(process_vm_readv(atoi(argv[1]), &here, 1, &there, 1, 0) > 0 ? copy : strerror(errno));
            return 0;
        }
        """
}
