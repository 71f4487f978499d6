// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Instances: runs in the background that others enter.
@Suite struct ApptainerInstanceTests {
    /// Files and instances of a test's own, which end with it.
    private final class Desk {
        let folder: TemporaryDirectory
        let root: BareRoot
        let name = "t\(UInt32.random(in: 1...UInt32.max))"

        init(_ files: [String: String] = [:]) throws {
            folder = try TemporaryDirectory()
            try folder.makeDirectory("bin")
            try folder.link("bin/apptainer", to: Bench.current().nsrun)
            root = try BareRoot(with: ["cat", "id", "sleep"])
            for (name, text) in files {
                try root.directory.write(text, to: ".singularity.d/\(name)", mode: 0o755)
            }
        }

        deinit { _ = try? run("-s", "instance", "stop", "-F", name + "*") }

        func run(
            _ arguments: String..., environment: [String: String?] = [:], directory: String? = nil
        ) throws -> Outcome {
            var environment = environment
            environment["APPTAINER_CONFIGDIR"] = folder / "settings"
            return try LaunchTests.run(
                [folder / "bin/apptainer"] + arguments, environment: environment,
                directory: directory ?? "/")
        }

        func starts(_ words: String..., options: [String] = [], verb: String = "start") throws {
            let seen = try LaunchTests.run(
                [folder / "bin/apptainer", "instance", verb] + options + [root.path, name] + words,
                environment: ["APPTAINER_CONFIGDIR": folder / "settings"], directory: folder.path)
            expect(
                seen,
                Outcome(status: 0, output: "", error: "INFO:    instance started successfully"))
        }

        func inside(_ script: String, _ options: String...) throws -> Outcome {
            try LaunchTests.run(
                [folder / "bin/apptainer", "exec"] + options
                    + ["instance://\(name)", "sh", "-c", script], directory: "/")
        }

        /// What is in its log, `out` or `err`.
        func log(_ kind: String) -> String {
            let path = folder / "settings/instances/logs"
            let all = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
            let file = all.first { $0.hasSuffix("/\(name).\(kind)") }
            return file.flatMap { folder.content("settings/instances/logs/\($0)") } ?? ""
        }
    }

    private func check(
        _ seen: Outcome, _ message: String, _ status: Int32,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(seen.status == status, "\(seen)", sourceLocation: sourceLocation)
        #expect(seen.output == "", sourceLocation: sourceLocation)
        #expect(
            seen.error.split(separator: "\n").first.map(String.init) == message, "\(seen)",
            sourceLocation: sourceLocation)
    }

    @Test func itRunsTheStartscriptAndIsEntered() throws {
        let desk = try Desk([
            "startscript": "#!/bin/sh\necho started $# \"$1\" $IMAGE $S\necho error >&2\n",
            "runscript": "#!/bin/sh\necho ran $# $IMAGE $S\n",
            "env/90-environment.sh": "export IMAGE=yes\n",
        ])
        try desk.starts("a b", "c", options: ["--env", "S=1", "-c"])
        #expect(HostState.eventually { desk.log("err").contains("error\n") })
        #expect(desk.log("out") == "started 2 a b yes 1\n")
        // In the same world, with the image's environment and the instance's name, and not with what it was started with.
        expect(
            try desk.inside("echo $IMAGE ${S-none} $APPTAINER_INSTANCE $SINGULARITY_INSTANCE"),
            prints: "yes none \(desk.name) \(desk.name)")
        expect(try desk.inside("echo kept >/tmp/file"), exits: 0)
        expect(try desk.inside("cat /tmp/file; id -u"), prints: "kept\n\(getuid())")
        expect(
            try desk.run("run", "instance://\(desk.name)", "x"), prints: "ran 1 yes")
        expect(try desk.inside("exit 7"), exits: 7)
        check(
            try desk.run("exec", "instance://\(desk.name)", "nope"),
            "FATAL:   \"nope\": executable file not found in $PATH", 255)
    }

    @Test func whereTheCallerIs() throws {
        let desk = try Desk()
        try desk.starts()
        func here(_ options: [String], at directory: String) throws -> Outcome {
            try run(
                [desk.folder / "bin/apptainer", "exec"] + options
                    + ["instance://\(desk.name)", "sh", "-c", "pwd"], directory: directory)
        }
        expect(try here([], at: desk.folder.path), prints: desk.folder.path)
        expect(try here(["--pwd", "/bin"], at: "/"), prints: "/bin")
        let other = try here([], at: "/usr/share")
        #expect(other.status == 0 && other.output == NSHomeDirectoryForUser(NSUserName()))
        #expect(other.error.hasPrefix("WARNING: /usr/share is not there"))
        #expect(try here(["--pwd", "/nope"], at: "/").status == 255)
    }

    @Test func theListIsApptainers() throws {
        let desk = try Desk()
        check(
            try desk.run("exec", "instance://\(desk.name)", "true"),
            "FATAL:   While setting image/instance: no instance found with name \(desk.name)", 255)
        expect(
            try desk.run("instance", "list", desk.name + "*"),
            prints: "INSTANCE NAME    PID    IP    IMAGE")
        expect(
            try desk.run("instance", "list", "-j", desk.name), prints: "{\n\t\"instances\": []\n}")
        try desk.starts()
        check(
            try desk.run("instance", "start", desk.root.path, desk.name),
            "FATAL:   instance \(desk.name) already exists", 255)
        let kept = try #require(try Kept.group("apptainer:\(desk.name)"))
        let pid = try #require(kept.processes.first)
        let table = try desk.run("instance", "list", desk.name.prefix(3) + "*").lines
        #expect(
            table.contains { line in
                line.split(separator: " ").map(String.init) == [
                    desk.name, "\(pid)", desk.root.path,
                ]
            })
        let json = try desk.run("instance", "list", "--json", desk.name).output
        let object = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        let one = (object?["instances"] as? [[String: Any]])?.first
        #expect(one?["instance"] as? String == desk.name)
        #expect(one?["pid"] as? Int32 == pid)
        #expect(one?["img"] as? String == desk.root.path)
        let log = try #require(one?["logOutPath"] as? String)
        #expect(log.hasPrefix(desk.folder / "settings/instances/logs/"))
        #expect(try desk.run("instance", "list", "-l", desk.name).output.contains(log))
        check(
            try desk.run("instance", "list", "-j", "-l"),
            "FATAL:   more than one flags have been set", 255)
    }

    @Test(arguments: [[], ["-F"], ["-s", "KILL"], ["-t", "1"]])
    func stoppedItIsGone(options: [String]) throws {
        let desk = try Desk()
        try desk.root.directory.write(
            "#!/bin/sh\ntrap '' TERM\necho ready\nwhile :; do sleep 0.1; done\n",
            to: ".singularity.d/startscript", mode: 0o755)
        if options == [] {
            try desk.root.directory.write(
                "#!/bin/sh\necho ready\n", to: ".singularity.d/startscript", mode: 0o755)
        }
        try desk.starts(options: ["--pid-file", desk.folder / "pid"])
        #expect(HostState.eventually { desk.log("out") == "ready\n" })
        let kept = try #require(try Kept.group("apptainer:\(desk.name)"))
        let pid = try #require(kept.processes.first)
        #expect(desk.folder.content("pid") == "\(pid)\n")
        let seen = try run(
            [desk.folder / "bin/apptainer", "instance", "stop"] + options + [desk.name])
        #expect(
            seen
                == Outcome(
                    status: 0, output: "",
                    error:
                        "INFO:    Stopping \(desk.name) instance of \(desk.root.path) (PID=\(pid))"),
            "\(seen)")
        #expect(try Kept.group("apptainer:\(desk.name)") == nil)
        #expect(HostState.state(of: pid) ?? "Z" == "Z")
        check(
            try desk.run("instance", "stop", desk.name),
            "Error for command \"stop\": no instance found", 1)
    }

    /// The script that `run` runs; without one of either kind it stays all the same, as does one whose script has ended.
    @Test func itStaysUntilItIsStopped() throws {
        let desk = try Desk([
            "runscript": "#!/bin/sh\necho ran $1\n", "startscript": "#!/bin/sh\necho started\n",
        ])
        try desk.starts("x", verb: "run")
        #expect(HostState.eventually { desk.log("out") == "ran x\n" })
        expect(try desk.inside("echo there"), prints: "there")
        expect(try desk.run("-q", "instance", "stop", desk.name), exits: 0)
        try desk.starts()
        // As Apptainer, behind what the one before has said.
        #expect(HostState.eventually { desk.log("out") == "ran x\nstarted\n" })
        expect(try desk.inside("echo there"), prints: "there")
    }

    @Test func whatItWasStartedAsCounts() throws {
        let desk = try Desk()
        try desk.starts(options: ["--fakeroot", "--ipc", "--net", "--network", "none", "-c"])
        expect(try desk.inside("id -u; echo $HOME"), prints: "0\n/root")
        expect(
            try desk.inside(
                "n=0; while read -r line; do n=$((n + 1)); done </proc/net/dev; echo $n"),
            prints: "3")
        let seen = try desk.inside("echo ran", "-B", "/etc:/mnt")
        #expect(seen.status == 0 && seen.output == "ran")
        #expect(seen.error.hasPrefix("WARNING: -B means nothing to an instance"))
        #expect(
            try nsrun(["--join", "apptainer:\(desk.name)", "true"]).error.contains(
                "apptainer exec instance://\(desk.name)"))
    }

    @Test func whatCannotBeStartedIsSaid() throws {
        let desk = try Desk()
        for name in ["a/b", "a b", "", String(repeating: "x", count: 60)] {
            check(
                try desk.run("instance", "start", desk.root.path, name),
                "FATAL:   \(name) is not a valid instance name", 255)
        }
        check(
            try desk.run("instance", "start", "/nope.sif", desk.name),
            "FATAL:   could not open image /nope.sif: no such file or directory", 255)
        check(
            try desk.run("instance", "start", desk.root.path),
            "Error for command \"start\": requires at least 2 arg(s), only received 1", 1)
        check(try desk.run("instance", "stop"), "Error for command \"stop\": invalid command", 1)
        unlink(desk.root.path + "/bin/sh")
        check(
            try desk.run("instance", "start", desk.root.path, desk.name),
            "FATAL:   /bin/sh does not exist in container, which an instance needs", 255)
        #expect(try Kept.group("apptainer:\(desk.name)") == nil)
    }
}
