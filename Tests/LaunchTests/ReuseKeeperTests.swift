// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The process that keeps a prepared world: how it is seen, how it ends, and that nothing hangs on its life.
@Suite struct ReuseKeeperTests {
    // MARK: Seen and ended

    @Test func worldsAreListedAndStopped() throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let keeper = try world.keeper()
        #expect(World.isAlive(keeper))
        let table = try nsrun(["--list"])
        #expect(
            table.lines.first?.split(separator: " ") == [
                "NAME", "KIND", "PID", "SINCE", "PROCESSES", "ROOT", "OPTIONS",
            ])
        #expect(
            table.lines.contains {
                $0.hasPrefix(world.name) && $0.contains(" \(world.root) ")
                    && $0.hasSuffix(" --rootfs \(world.root)")
            })
        let json = try nsrun(["--list=json"])
        let all = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [[String: Any]]
        let own = try #require(all?.first { $0["name"] as? String == world.name })
        #expect(own["kind"] as? String == "world" && own["pid"] as? Int == Int(keeper))
        #expect(own["root"] as? String == world.root)
        #expect(own["options"] as? [String] == ["--rootfs", world.root])
        #expect(own["processes"] as? [Int] == [])
        let since = try #require(own["since"] as? String)
        let age = try #require(ISO8601DateFormatter().date(from: since)).timeIntervalSinceNow
        #expect(age < 1 && age > -3600)

        // Runs that have started from it go on.
        let talk = try world.member("echo ready; read -r line; echo $line; ls -d /usr")
        #expect(talk.line() == "ready")
        expect(try nsrun(["--stop", world.name]), exits: 0)
        #expect(try world.files().isEmpty && world.kept().isEmpty)
        #expect(HostState.eventually { !World.isAlive(keeper) })
        talk.say("alive")
        #expect(talk.line() == "alive")
        talk.hangUp()
        #expect(talk.rest() == ["/usr"])
        expect(
            try nsrun(["--stop", world.name]),
            refuses: "cannot end \(world.name): there is no world and no group of that name",
            remedy: "nsrun --list")
    }

    /// Of a world those of its runs, which nobody else counts.
    @Test func theProcessesOfRunsAreListed() throws {
        let world = try World()
        let talk = try world.member("echo ready; read -r line || :")
        #expect(talk.line() == "ready")
        let own = try #require(try Kept.all().first { $0.name == world.name })
        // Pid 1, which nobody can look into, is none.
        #expect(own.processes.count == 1, "\(own)")
        talk.hangUp()
        #expect(talk.child.wait() == 0)
    }

    @Test func itEndsWhenNobodyAsksForIt() throws {
        let world = try World()
        // Time enough to be found.
        let idle = ["--reuse-idle", "5"]
        expect(try world.runs("true", idle), exits: 0)
        let keeper = try world.keeper()
        #expect(world.isGone(keeper))
        expect(try world.runs("echo again", idle), prints: "again")
        #expect(world.isGone(try world.keeper()))
    }

    @Test func itEndsWithItsRoot() throws {
        let root = try BareRoot()
        let world = try World(root: root.path)
        expect(try world.runs("true"), exits: 0)
        let keeper = try world.keeper()
        expect(try run(["mv", root.path, root.path + ".old"]), exits: 0)
        #expect(world.isGone(keeper))
        // Another one in its place is another root.
        expect(try run(["mv", root.path + ".old", root.path]), exits: 0)
        expect(try world.runs("echo here"), prints: "here")
    }

    @Test func aRootByARelativePathIsThatOfItsPlace() throws {
        let places = try (0..<2).map { _ in try TemporaryDirectory(in: NSHomeDirectory()) }
        let root = try BareRoot(with: ["cat"])
        let world = try World(root: "./root")
        for (index, place) in places.enumerated() {
            expect(try run(["cp", "-a", root.path, place / "root"]), exits: 0)
            try place.write("\(index)\n", to: "root/note")
        }
        expect(try world.runs("cat /note", directory: places[0].path), prints: "0")
        #expect(try world.obstacle(directory: places[0].path) == nil)
        #expect(World.isAlive(try world.keeper()))
        // The same name for another root.
        #expect(try world.runs("cat /note", directory: places[1].path).status == 125)
        let auto = [
            "--rootfs", "./root", "--reuse", "auto", "--reuse-idle", "2", "--", "cat", "/note",
        ]
        for (index, place) in places.enumerated() {
            expect(try nsrun(auto, directory: place.path), prints: "\(index)")
        }
    }

    /// What is kept is in nobody's way, and shows nothing that has been removed.
    @Test func aRootThatIsReplacedIsNotMetAgain() throws {
        let root = try BareRoot(with: ["cat"])
        let world = try World(root: root.path)
        try root.directory.write("old\n", to: "note")
        expect(try world.runs("cat /note"), prints: "old")
        let script = """
            cp -a "$0" "$0.new"; echo new >"$0.new/note"; rm -rf "$0"; mv "$0.new" "$0"
            """
        expect(try run(["sh", "-c", script, root.path]), exits: 0)
        expect(try world.runs("cat /note"), prints: "new")
    }

    @Test func moreThanAUserMayKeepAreNotKept() throws {
        let root = try BareRoot()
        // Elsewhere they would be in the way of other tests'.
        let runtime = try TemporaryDirectory(in: NSHomeDirectory())
        let worlds = try (0..<70).map { _ in try World(root: root.path, runtime: runtime) }
        var reasons: [String] = []
        for world in worlds {
            let seen = try world.runs("echo ran", ["--verbose"])
            #expect(seen.output == "ran")
            reasons += seen.error.split(separator: "\n").map(String.init).filter {
                $0.contains("launched without")
            }
        }
        #expect(reasons.count == 6, "\(reasons)")
        #expect(reasons.allSatisfy { $0.hasSuffix("64 of them are kept already") }, "\(reasons)")
    }

    // MARK: It holds nothing up

    @Test func itHeedsNoSignalAndHoldsNothingOfItsCaller() throws {
        let world = try World()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        // Its output ends with it, so it has no copy of that.
        let talk = try Conversation(
            world.command() + ["sh", "-c", "echo ran"], directory: folder.path)
        #expect(talk.rest() == ["ran"])
        #expect(talk.child.wait() == 0)
        let keeper = try world.keeper()
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT, SIGPIPE] { kill(keeper, signal) }
        expect(try world.runs("echo again"), prints: "again")
        #expect(try world.keeper() == keeper)
        #expect(getsid(keeper) == keeper)
        let proc = "/proc/\(keeper)"
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: proc + "/cwd") == "/")
        let place = try world.files().first.map { ($0 as NSString).deletingLastPathComponent }
        let open = try FileManager.default.contentsOfDirectory(atPath: proc + "/fd").map {
            try FileManager.default.destinationOfSymbolicLink(atPath: proc + "/fd/" + $0)
        }
        for target in open {
            let isOwn = ["socket:", "user:", "mnt:"].contains { target.hasPrefix($0) }
            #expect(
                isOwn || ["/dev/null", "/proc", proc + "/mountinfo", place].contains(target),
                "\(target)")
        }
        // It is where its caller was, so in no run.
        for kind in ["user", "mnt", "pid", "net"] {
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: proc + "/ns/" + kind)
                    == FileManager.default.destinationOfSymbolicLink(
                        atPath: "/proc/self/ns/" + kind))
        }
    }

    @Test func itIsSmall() throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let text = try String(
            contentsOfFile: "/proc/\(try world.keeper())/smaps_rollup", encoding: .utf8)
        let own = text.split(separator: "\n").filter { $0.hasPrefix("Private_") }
            .compactMap { $0.split(separator: " ").dropFirst().first.flatMap { Int($0) } }
        #expect(own.count >= 2 && own.reduce(0, +) <= 1024, "\(text)")
    }

    // MARK: Sudden ends

    /// Whenever it dies, launches succeed.
    @Test func itMayDieAtAnyMoment() throws {
        let world = try World()
        let loop =
            "i=0; while [ $i -lt 40 ]; do \"$@\" || echo failed; i=$((i + 1)); done; echo done"
        let talks = try (0..<4).map { _ in
            try Conversation(
                ["sh", "-c", loop, "sh"] + world.command() + ["sh", "-c", "cd /tmp && : >x"])
        }
        var random = SystemRandomNumberGenerator()
        var deaths = 0
        for _ in 0..<60 {
            for pid in try HostState.processes(world.name).compactMap({ pid_t($0) })
            where World.isAlive(pid) {
                kill(pid, SIGKILL)
                deaths += 1
            }
            usleep(UInt32.random(in: 0..<20_000, using: &random))
        }
        for talk in talks { #expect(talk.rest() == ["done"]) }
        #expect(deaths > 0)
        expect(try world.runs("echo at last"), prints: "at last")
    }

    /// Or who makes it, on the way.
    @Test func whoMakesItMayDieAtAnyMoment() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let world = try World()
            let victims = try (0..<3).map { _ in try world.member("read -r _ || :") }
            usleep(UInt32.random(in: 0..<5000, using: &random))
            for victim in victims { victim.child.send(SIGKILL) }
            expect(try world.runs("echo ran"), prints: "ran")
            for victim in victims { victim.child.wait() }
        }
    }

    /// What is left of one that was killed is swept away by the next.
    @Test func aSocketThatNobodyListensOnIsNoObstacle() throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let keeper = try world.keeper()
        kill(keeper, SIGKILL)
        #expect(HostState.eventually { !World.isAlive(keeper) })
        #expect(try world.obstacle() == nil)
        #expect(try world.keeper() != keeper)
        #expect(try world.files().count == 1)
        // Or by the last that leaves.
        let other = try World()
        expect(try other.runs("true"), exits: 0)
        kill(try world.keeper(), SIGKILL)
        expect(try nsrun(["--stop", other.name]), exits: 0)
        #expect(try world.files().isEmpty)
    }

    /// One that does not answer costs moments, not the launch.
    @Test func oneThatHangsIsNotWaitedForForLong() throws {
        // Elsewhere other tests would wait for it, too.
        let world = try World(runtime: TemporaryDirectory(in: NSHomeDirectory()))
        expect(try world.runs("true"), exits: 0)
        let keeper = try world.keeper()
        kill(keeper, SIGSTOP)
        let seen = try world.runs("echo ran", ["--verbose"])
        #expect(seen.output == "ran" && seen.error.contains("does not answer"), "\(seen)")
        // Nor is it passed over by who wants to know.
        expect(
            try world.list(),
            refuses: "cannot list what is kept: one of the processes that keep worlds and groups "
                + "does not answer", remedy: "kill -CONT")
        expect(
            try world.stop(),
            refuses: "cannot end \(world.name): one of the processes that keep worlds and groups "
                + "does not answer", remedy: "kill -KILL")
        kill(keeper, SIGCONT)
        expect(try world.stop(), exits: 0)
    }

    @Test func oneWhoseSocketIsTakenAwayEnds() throws {
        let world = try World()
        expect(try world.runs("true"), exits: 0)
        let keeper = try world.keeper()
        for file in try world.files() { unlink(file) }
        #expect(world.isGone(keeper))
    }

    /// Nothing is left after the last of them: no mount, no file, no directory of theirs.
    @Test func nothingIsLeft() throws {
        let mounts = try HostState.mounts()
        let runtime = try TemporaryDirectory(in: NSHomeDirectory())
        let environment = ["XDG_RUNTIME_DIR": runtime.path]
        let words = [
            "--rootfs", try Bench.current().rootfs, "--reuse", "auto", "--reuse-idle", "1", "true",
        ]
        expect(try nsrun(words, environment: environment), exits: 0)
        #expect(try !nsrun(["--list"], environment: environment).output.isEmpty)
        #expect(try HostState.mounts() == mounts)
        #expect(
            HostState.eventually {
                (try? FileManager.default.contentsOfDirectory(atPath: runtime.path + "/nsrun"))?
                    .isEmpty != false
            })
    }
}
