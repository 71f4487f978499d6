// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--detach`: a run that goes on when nsrun has returned.
@Suite struct DetachTests {
    /// A home of its own, for the logs, and what ends with the test.
    private final class Desk {
        let home: TemporaryDirectory
        private(set) var names: [String] = []

        init() throws { home = try TemporaryDirectory(in: NSHomeDirectory()) }

        deinit { for name in names { _ = try? nsrun(["--stop", name, "--kill-after", "1"]) } }

        /// The name of the run.
        func starts(
            _ script: String, _ options: [String] = [], rooted: Bool = true,
            isNamed: Bool = false, sourceLocation: SourceLocation = #_sourceLocation
        ) throws -> String {
            // A name that is made up may be another test's when this one is at its end.
            let own = isNamed || options.contains("--join") ? [] : ["--join", Group().name]
            let seen = try launch(["sh", "-c", script], options + own, rooted: rooted)
            #expect(seen.status == 0 && seen.error == "", "\(seen)", sourceLocation: sourceLocation)
            names.append(seen.output)
            return seen.output
        }

        func launch(_ command: [String], _ options: [String] = [], rooted: Bool = true) throws
            -> Outcome
        {
            let root = rooted ? ["--rootfs", try Bench.current().rootfs] : []
            return try nsrun(
                ["--detach"] + root + options + ["--"] + command,
                environment: ["HOME": home.path, "XDG_STATE_HOME": nil])
        }

        /// What has been written to a log so far; `nil` for the one by the name.
        func log(_ name: String) -> String? { home.content(".local/state/nsrun/logs/\(name).log") }

        func says(_ name: String, _ text: String) -> Bool {
            HostState.eventually { self.log(name) == text }
        }
    }

    private func isGone(_ name: String) throws -> Bool {
        try HostState.eventually { try !Kept.all().contains { $0.name == name } }
    }

    @Test(arguments: [true, false])
    func itStartsAndIsMetByItsName(rooted: Bool) throws {
        let desk = try Desk()
        let script = "echo out; echo error >&2; cat; \(Group.where); exec sleep 1000"
        let name = try desk.starts(script, rooted: rooted)
        let kept = try #require(try Kept.group(name))
        #expect(HostState.eventually { self.desk(desk, name).count == 3 })
        let lines = self.desk(desk, name)
        // Its input was at its end.
        #expect(lines.prefix(2) == ["out", "error"])
        expect(try nsrun(["--join", name, "sh", "-c", Group.where]), prints: lines[2])
        // It has a session of its own, without a terminal.
        let process = try #require(kept.processes.first)
        #expect(getsid(process) != getsid(0))
        expect(try nsrun(["--stop", name]), exits: 0)
        #expect(try isGone(name))
        #expect(HostState.state(of: process) ?? "Z" == "Z")
    }

    private func desk(_ desk: Desk, _ name: String) -> [String] {
        (desk.log(name) ?? "").split(separator: "\n").map(String.init)
    }

    /// The command's, and numbers where that is taken.
    @Test func namesAreMadeUp() throws {
        let desk = try Desk()
        let (one, two) = (
            try desk.starts("exec sleep 1000", isNamed: true),
            try desk.starts("exec sleep 1000", isNamed: true)
        )
        #expect(one.hasPrefix("sh") && two.hasPrefix("sh-") && one != two)
        let inOne = try nsrun(["--join", one, "sh", "-c", Group.where]).output
        #expect(try nsrun(["--join", two, "sh", "-c", Group.where]).output != inOne)
    }

    /// However many are started at once.
    @Test func namesAreTakenOnce() throws {
        let desk = try Desk()
        let bench = try Bench.current()
        let talks = try (0..<8).map { _ in
            try Conversation(
                [bench.nsrun, "--detach", "--rootfs", bench.rootfs, "--", "sleep", "1000"],
                environment: ["HOME": desk.home.path, "XDG_STATE_HOME": nil])
        }
        let names = talks.compactMap { $0.line() }
        defer { for name in names { _ = try? nsrun(["--stop", name]) } }
        #expect(Set(names).count == 8, "\(names)")
    }

    @Test func theNameMayBeGiven() throws {
        let desk = try Desk()
        let name = Group().name
        #expect(try desk.starts("echo first; exec sleep 1000", ["--join", name]) == name)
        // Another one in the same world, by its name alone, and its words behind those of the first.
        #expect(
            try desk.starts("echo second; exec sleep 1000", ["--join", name], rooted: false) == name
        )
        #expect(desk.says(name, "first\nsecond\n"), "\(desk.log(name) ?? "")")
        #expect(try Kept.group(name)?.processes.count == 2)
        expect(try nsrun(["--stop", name]), exits: 0)
        #expect(try isGone(name))
    }

    @Test func theLogIsAFile() throws {
        let desk = try Desk()
        let path = try desk.home.write("before\n", to: "log")
        let name = try desk.starts("echo out; echo error >&2", ["--log", path])
        #expect(HostState.eventually { desk.home.content("log") == "before\nout\nerror\n" })
        #expect(desk.log(name) == nil)
        let seen = try desk.launch(["true"], ["--log", desk.home / "no/log"])
        expect(
            seen,
            refuses: "cannot write the log \(desk.home / "no/log"): no such file or directory",
            remedy: "a file that you may write to")
    }

    /// In the foreground, with its own words and status.
    @Test func whatCannotBeStartedIsSaidAtOnce() throws {
        let desk = try Desk()
        let missing = try desk.launch(["no-such-program"])
        #expect(missing.status == 127 && missing.output == "", "\(missing)")
        #expect(
            missing.error.hasPrefix(
                "nsrun: cannot run no-such-program: not found in the rootfs\n  "))
        let directory = try desk.launch(["/usr"])
        #expect(directory.status == 126 && directory.output == "", "\(directory)")
        let unmade = try desk.launch(["true"], ["--bind", "/no/such/place", "/mnt"])
        #expect(unmade.status == 125 && unmade.error.contains("/no/such/place"), "\(unmade)")
        #expect(try !Kept.all().contains { $0.name.hasPrefix("no-such-program") })
        #expect(desk.log("no-such-program") == nil)
        expect(
            try desk.launch([]), refuses: "there is no command",
            remedy: "nsrun [OPTION]... -- COMMAND")
    }

    /// When the command ends, what it has left behind does.
    @Test func nothingIsLeft() throws {
        let desk = try Desk()
        let marker = "1000.\(UInt32.random(in: 1000...UInt32.max))"
        let name = try desk.starts("setsid sleep \(marker) & sleep \(marker) & echo done")
        #expect(desk.says(name, "done\n"))
        #expect(try HostState.processesGo(marker))
        #expect(try isGone(name))
        // Unless that is wanted.
        let other = try desk.starts("sleep \(marker) & echo done", ["--linger"])
        #expect(desk.says(other, "done\n"))
        let kept = try #require(try Kept.group(other))
        #expect(kept.processes.count == 1)
        expect(try nsrun(["--stop", other]), exits: 0)
        #expect(try HostState.processesGo(marker))
    }

    @Test func itHasItsTime() throws {
        let desk = try Desk()
        let name = try desk.starts("echo up; exec sleep 1000", ["--timeout", "1"])
        #expect(try isGone(name))
        #expect(desk.log(name) == "up\n")
    }

    /// Neither the end of the terminal nor that of the job ends it, and presets that end with whoever waits for them do not.
    @Test(arguments: [[], ["--preset", "action"]])
    func theTerminalMayClose(options: [String]) throws {
        let desk = try Desk()
        let bench = try Bench.current()
        let name = Group().name
        let terminal = try Terminal(["env", "-u", "XDG_STATE_HOME", "HOME=\(desk.home.path)", "sh"])
        let root = try BareRoot(with: ["sleep"])
        let words = ["--rootfs", options.isEmpty ? bench.rootfs : root.path] + options
        terminal.type(
            "\(bench.nsrun) --detach \(words.joined(separator: " ")) --join \(name) -- "
                + "/bin/sh -c 'while :; do sleep 1; done'; echo st''arted\n")
        terminal.expect("started")
        terminal.type("kill -HUP 0; exit\n")
        _ = terminal.child.wait()
        let kept = try #require(try Kept.group(name))
        #expect(!kept.processes.isEmpty)
        expect(try nsrun(["--stop", name]), exits: 0)
        #expect(try isGone(name))
    }

    @Test(arguments: [
        (["--die-with-parent"], "outlives"), (["--reuse", "x"], "no copy"),
        (["--network", "pasta"], "background"), (["--join", "auto"], "name the group"),
    ])
    func whatContradictsIsRefused(options: [String], remedy: String) throws {
        let desk = try Desk()
        let seen = try desk.launch(["true"], options)
        let name =
            options == ["--network", "pasta"] || options == ["--join", "auto"]
            ? options.joined(separator: " ") : options[0]
        expect(seen, refuses: "--detach cannot be combined with \(name)", remedy: remedy)
    }

    @Test func aLogNeedsADetachedRun() throws {
        expect(
            try nsrun(["--log", "x", "true"]), refuses: "--log needs --detach", remedy: ">FILE 2>&1"
        )
    }
}
