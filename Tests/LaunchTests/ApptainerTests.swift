// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// nsrun under the names `apptainer` and `singularity`, in directories. For SIFs see `ApptainerImageTests`.
@Suite struct ApptainerTests {
    private let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("bin")
        for name in ["apptainer", "singularity"] {
            try folder.link("bin/\(name)", to: Bench.current().nsrun)
        }
    }

    private func apptainer(
        _ arguments: [String], as name: String = "apptainer", input: String = "",
        environment: [String: String?] = [:], directory: String = "/"
    ) throws -> Outcome {
        try run(
            [folder / "bin/\(name)"] + arguments, input: input, environment: environment,
            directory: directory)
    }

    /// A shell script in the Debian of all tests.
    private func inside(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> Outcome {
        try apptainer(
            ["exec"] + options + [Bench.current().rootfs, "sh", "-c", script],
            environment: environment, directory: directory)
    }

    private func check(
        _ seen: Outcome, fails message: String, _ status: Int32 = 255,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(seen.status == status, "\(seen)", sourceLocation: sourceLocation)
        #expect(seen.output == "", sourceLocation: sourceLocation)
        #expect(
            seen.error.split(separator: "\n").first.map(String.init) == message, "\(seen)",
            sourceLocation: sourceLocation)
    }

    // MARK: The words

    @Test(arguments: ["apptainer", "singularity"]) func theNameIsEnough(name: String) throws {
        expect(
            try apptainer(["--version"], as: name), prints: "apptainer version 1.4.5")
        expect(try apptainer(["version"], as: name), prints: "1.4.5")
        #expect(
            try apptainer(["help"], as: name).output.contains("apptainer exec [options...] IMAGE"))
        let seen = try apptainer(["exec", Bench.current().rootfs, "id", "-u"], as: name)
        expect(seen, prints: "\(getuid())")
    }

    /// 255 for what failed and 1 for what makes no sense, and the command's own.
    @Test func statuses() throws {
        let root = try Bench.current().rootfs
        for (line, message, status) in [
            (["exec", root, "nope"], "FATAL:   \"nope\": executable file not found in $PATH", 255),
            (["exec", root, "/nope"], "FATAL:   stat /nope: no such file or directory", 255),
            (
                ["exec", root, "--", "true"], "FATAL:   \"--\": executable file not found in $PATH",
                255
            ),
            (
                ["exec", "/nope.sif", "true"],
                "FATAL:   could not open image /nope.sif: no such file or directory", 255
            ),
            (["sign", "x"], "FATAL:   apptainer sign is not among what nsrun does", 255),
            (
                ["exec", "--app", "x", root, "true"],
                "FATAL:   --app is not among what nsrun does under the name of Apptainer", 255
            ),
            (
                ["exec", "--nope", root, "true"],
                "Error for command \"exec\": unknown flag: --nope", 1
            ),
            (["nope"], "Error: unknown command \"nope\" for \"apptainer\"", 1),
            (
                ["exec", root],
                "Error for command \"exec\": requires at least 2 arg(s), only received 1", 1
            ),
        ] as [([String], String, Int32)] {
            check(try apptainer(line), fails: message, status)
        }
        #expect(try inside("exit 7").status == 7)
        #expect(try apptainer(["exec", root, "/etc/passwd"]).status == 255)
        #expect(try apptainer(["exec", "docker://x", "true"]).status == 255)
    }

    // MARK: Who and where

    @Test func itIsTheCallerWithoutPower() throws {
        let own = try run(["sh", "-c", "id -u; id -g; id -un"]).output
        let script = """
            id -u; id -g; id -un; grep -E 'Cap(Eff|Bnd)|NoNewPrivs' /proc/self/status | tr -d '\\t'
            (: >/new) 2>/dev/null || echo read-only
            """
        expect(
            try inside(script),
            prints: own
                + "\nCapEff:0000000000000000\nCapBnd:0000000000000000\nNoNewPrivs:1\nread-only")
    }

    /// The same processes, host name and network as outside, unless they are asked for.
    @Test func namespacesAreTheHostsUnlessAskedFor() throws {
        let kinds = ["cgroup", "ipc", "net", "pid", "uts"]
        func own(_ options: [String]) throws -> [String] {
            let script =
                "for k in \(kinds.joined(separator: " ")); do readlink /proc/self/ns/$k; done"
            let inner = try inside(script, options).lines
            let outer = try run(["sh", "-c", script]).lines
            return zip(kinds, zip(inner, outer)).filter { $0.1.0 != $0.1.1 }.map(\.0)
        }
        #expect(try own([]) == [])
        #expect(try own(["-p"]) == ["pid"])
        #expect(try own(["-i", "--uts"]) == ["ipc", "uts"])
        #expect(try own(["-C"]) == ["ipc", "pid"])
        #expect(try own(["--net", "--network", "none"]) == ["net"])
    }

    @Test func fakerootIsRootAndItsFilesAreTheCallers() throws {
        expect(
            try inside("id -u; echo $HOME; chown 5:5 /tmp/x-$$ 2>/dev/null; stat -c %u /", ["-f"]),
            prints: "0\n/root\n0")
        try folder.write("x\n", to: "mine")
        expect(
            try inside("stat -c %u /d/mine", ["--fakeroot", "-B", "\(folder.path):/d"]),
            prints: "0")
    }

    @Test func homeAndDirectory() throws {
        let home = try run(["sh", "-c", "getent passwd $(id -u) | cut -d: -f6"]).output
        expect(
            try inside("echo $HOME", environment: ["HOME": "/elsewhere"]), prints: home)
        expect(
            try inside("pwd; touch here", directory: folder.path), prints: folder.path)
        #expect(folder.content("here") == "")
        try folder.makeDirectory("h")
        expect(
            try inside(
                "echo $HOME; echo x >~/kept; grep -c :/my/home: /etc/passwd",
                ["--home", folder / "h:/my/home"]),
            prints: "/my/home\n1")
        #expect(folder.content("h/kept") == "x\n")
        expect(try inside("pwd", ["--pwd", "/usr"]), prints: "/usr")
        #expect(try inside("pwd", ["--pwd", "/nope"]).status == 255)
    }

    @Test func linksInTheDirectorysNameStay() throws {
        try folder.makeDirectory("real")
        try folder.link("link", to: "real")
        let script =
            "cd \(folder.path)/link && exec \(folder.path)/bin/apptainer exec "
            + "\(try Bench.current().rootfs) sh -c 'echo $PWD'"
        expect(try run(["sh", "-c", script]), prints: folder / "link")
    }

    @Test func whoIsContainedSeesNothingOfTheCallers() throws {
        let script = "ls -A ~ /tmp /var/tmp; pwd; [ -e /dev/kmsg ] || echo small; touch ~/x /tmp/x"
        let seen = try inside(script, ["-c"], directory: folder.path)
        let home = try run(["sh", "-c", "getent passwd $(id -u) | cut -d: -f6"]).output
        expect(
            seen, prints: "\(home):\n\n/tmp:\n\n/var/tmp:\n\(home)\nsmall")
        expect(
            try inside("cat /proc/1/comm; echo ${X-none} $LANG", ["-C"], environment: ["X": "1"]),
            prints: "apptainer\nnone C")
        expect(try inside("echo $$", ["-C", "--no-init"]), prints: "1")
        try folder.makeDirectory("w")
        expect(
            try inside("echo x >/tmp/kept", ["-c", "-W", folder / "w"]), exits: 0)
        #expect(folder.content("w/tmp/kept") == "x\n")
    }

    // MARK: Binds

    @Test func bindsOfAllForms() throws {
        try folder.write("one\n", to: "d/file")
        let (place, file) = (folder / "d", folder / "d/file")
        for options in [
            ["-B", "\(place):/new/place"], ["--bind=\(place):/new/place:rw"],
            ["--mount", "type=bind,source=\(place),destination=/new/place"],
            ["-B", "\(place):/new/place,\(file):/other"],
        ] {
            expect(try inside("cat /new/place/file", options), prints: "one")
        }
        for name in ["APPTAINER_BIND", "APPTAINER_BINDPATH"] {
            expect(
                try inside("cat /new/file", environment: [name: "\(place):/new"]), prints: "one")
        }
        expect(
            try inside("cat /new/file", ["-q"], environment: ["SINGULARITY_BIND": "\(place):/new"]),
            prints: "one")
        expect(
            try inside("(: >/m/new) 2>/dev/null || cat /m/file", ["-B", "\(place):/m:ro"]),
            prints: "one")
        for value in ["/nope:/m", "\(place):m", "\(place):/m:z", "\(place):/etc/passwd"] {
            #expect(try inside("true", ["-B", value]).status == 255, "\(value)")
        }
    }

    // MARK: Changes

    @Test func layers() throws {
        let root = try BareRoot(with: ["cat"])
        func change(_ options: [String], _ script: String) throws -> Outcome {
            try apptainer(["exec"] + options + [root.path, "sh", "-c", script])
        }
        expect(
            try change(["--writable-tmpfs"], "echo 1 >/x; cat /x"), prints: "1")
        let layer = try folder.makeDirectory("layer")
        expect(try change(["-o", layer], "echo 2 >/x"), exits: 0)
        expect(try change(["-o", layer], "cat /x"), prints: "2")
        #expect(folder.content("layer/upper/x") == "2\n")
        #expect(root.directory.content("x") == nil)
        expect(try change(["-w"], "echo 3 >/x"), exits: 0)
        #expect(root.directory.content("x") == "3\n")
    }

    // MARK: The process

    @Test(arguments: [[], ["-p"]]) func signalsReachTheCommand(options: [String]) throws {
        let output = try Scratch.openFile()
        defer { close(output) }
        let child = try Child(
            [folder / "bin/apptainer", "exec"] + options + [
                Bench.current().rootfs, "sh", "-c",
                "trap 'echo caught; exit 5' USR1; echo ready; while :; do sleep 0.05; done",
            ], descriptors: [1: output])
        #expect(try waitFor("ready", in: output))
        child.send(SIGUSR1)
        #expect(child.wait() == 5)
        #expect(Scratch.content(output) == "ready\ncaught")
    }

    private func waitFor(_ word: String, in file: Int32) throws -> Bool {
        for _ in 0..<800 {
            if Scratch.content(file).contains(word) { return true }
            usleep(50_000)
        }
        return false
    }

    /// The shell of a test counts both as 128 and the number; that it dies of it is told by perl.
    @Test func whoeverIsKilledIsSeenToBe() throws {
        let script =
            "exec '\(folder.path)/bin/apptainer' exec OPT '\(try Bench.current().rootfs)' sh -c 'kill -TERM $$'"
        for (option, status) in [("-e", "15"), ("-C", "143")] {
            let seen = try run([
                "perl", "-e",
                "system('sh', '-c', $ARGV[0]); print $? & 127 ? $? & 127 : $? >> 8",
                script.replacingOccurrences(of: "OPT", with: option),
            ])
            expect(seen, prints: status)
        }
    }

    @Test func aShellReadsItsCommands() throws {
        let root = try Bench.current().rootfs
        expect(
            try apptainer(["shell", root, "ignored"], input: "echo $0\n"),
            prints: "/bin/bash")
        expect(
            try apptainer(["shell", "-s", "/bin/sh", root], input: "echo $0\n"), prints: "/bin/sh")
        let seen = try apptainer(["run", root, "-c", "echo ran"])
        #expect(seen.output == "ran")
        #expect(seen.error == "INFO:    No runscript found in container, executing /bin/sh")
        expect(
            try apptainer(["-q", "run", root, "-c", "echo ran"]), prints: "ran")
    }

    // MARK: What the image says

    /// A root with the files of an image, as `nsrun-rootfs` and Apptainer make them.
    private func image(_ files: [String: String]) throws -> BareRoot {
        let root = try BareRoot(with: ["cat"])
        for (name, text) in files {
            try root.directory.write(text, to: ".singularity.d/\(name)", mode: 0o755)
        }
        return root
    }

    @Test func theImagesScriptsAreRead() throws {
        let root = try image([
            "env/10-docker2singularity.sh": "export PATH=/opt/bin:/bin A=image B=image\n",
            "env/90-environment.sh": "export C=$HOSTS$A\nset -f -- x y\n",
            "runscript": "#!/bin/sh\necho \"runs $# $1\" \"$A\"\n",
            "test": "#!/bin/sh\necho \"tests $A\"\nexit 3\n",
        ])
        let script = "echo $PATH; echo $A $B $C $D; echo $#"
        expect(
            try apptainer(
                ["exec", "--env", "B=caller", root.path, "sh", "-c", script, "sh", "1"],
                environment: ["A": "host", "HOSTS": "host", "D": "host"]),
            prints: "/opt/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin\n"
                + "image caller image host\n1")
        expect(
            try apptainer(["run", root.path, "a b"]), prints: "runs 1 a b image")
        expect(
            try apptainer(["test", root.path]), Outcome(status: 3, output: "tests image", error: "")
        )
    }

    @Test func variablesAreTakenAsTheyAre() throws {
        let root = try image(["env/90-environment.sh": "export A=1\n"])
        let values = [
            "'", "\"", "a\"b'c", "line\nline", "end\\", "\\\"", "a  b *", "$(echo x)", "`echo x`",
            "$HOME", "=", "-n",
        ]
        for value in values {
            expect(
                try apptainer(
                    ["exec", "--no-eval", root.path, "sh", "-c", "printf '%s.' \"$V\""],
                    environment: ["APPTAINERENV_V": value]),
                prints: value + ".")
            expect(
                try apptainer(
                    ["exec", root.path, "sh", "-c", "printf '%s.' \"$V\""],
                    environment: ["V": value]),
                prints: value + ".")
        }
        expect(
            try apptainer(
                ["exec", root.path, "sh", "-c", "echo \"$V\""],
                environment: ["APPTAINERENV_V": "$(echo x)$A\"end\\"]),
            prints: "x1\"end\\")
    }

    /// Neither the launch nor `inspect` is led to the host's files by links of the image's.
    @Test func linksOfTheImageLeadNowhereElse() throws {
        let secret = try folder.write("export SECRET=of-the-host\n", to: "secret.sh")
        try folder.write("{\"secret\": \"of-the-host\"}\n", to: "labels.json")
        let up = String(repeating: "../", count: 20)
        for target in [folder.path, up + folder.path.dropFirst()] {
            let root = try image(["runscript": "#!/bin/sh\necho run\n"])
            try root.directory.link(".singularity.d/env", to: target)
            try root.directory.link(".singularity.d/labels.json", to: "\(target)/labels.json")
            try root.directory.link(".singularity.d/Singularity", to: "\(target)/secret.sh")
            expect(
                try apptainer([
                    "exec", "-c", root.path, "sh", "-c", "echo ${SECRET-none}",
                ]), prints: "none")
            for options in [[], ["-e"], ["-d"], ["-l"], ["-j"], ["-j", "-e", "-d", "-l"]] {
                let seen = try apptainer(["inspect"] + options + [root.path])
                #expect(!seen.output.contains("of-the-host"), "\(seen)")
            }
        }
        #expect(FileManager.default.fileExists(atPath: secret))
    }

    /// What is no ordinary file is not waited for.
    @Test func pipesOfTheImageAreNotReadByInspect() throws {
        let root = try image([:])
        try root.directory.makeDirectory(".singularity.d/env")
        for name in ["runscript", "labels.json", "env/90-environment.sh"] {
            #expect(mkfifo("\(root.path)/.singularity.d/\(name)", 0o755) == 0)
        }
        #expect(try apptainer(["inspect", "-j", "-r", "-l", "-e", root.path]).status == 0)
    }

    @Test func inspectShowsWhatADirectorySays() throws {
        let root = try image([
            "labels.json": "{\"b\": \"2\", \"a\": \"1\"}", "runscript": "#!/bin/sh\necho hi\n",
            "Singularity": "Bootstrap: scratch\n", "env/90-environment.sh": "export A=1\n",
        ])
        func inspect(_ options: String...) throws -> Outcome {
            try apptainer(["inspect"] + options + [root.path])
        }
        expect(try inspect(), prints: "a: 1\nb: 2")
        expect(try inspect("-r"), prints: "#!/bin/sh\necho hi\n")
        expect(try inspect("--deffile"), prints: "Bootstrap: scratch\n")
        #expect(
            try inspect("-e").output
                == "=== /.singularity.d/env/90-environment.sh ===\nexport A=1\n\n")
        let text = try inspect("--json", "-l").output
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        let attributes = (object?["data"] as? [String: Any])?["attributes"] as? [String: Any]
        #expect(attributes?["labels"] as? [String: String] == ["a": "1", "b": "2"])
    }

    /// Workflow engines look for these words when they try an image that has no shell.
    @Test func aRootWithoutAShell() throws {
        let bare = try BareRoot(with: ["cat"])
        unlink(bare.path + "/bin/sh")
        check(
            try apptainer(["exec", "--userns", bare.path, "true"]),
            fails: "FATAL:   \"true\": executable file not found in $PATH")
        check(
            try apptainer(["run", bare.path]),
            fails: "FATAL:   /bin/sh does not exist in container, which run needs")
        expect(
            try apptainer(["exec", "--env", "A=1", bare.path, "cat", "/proc/self/comm"]),
            prints: "cat")
    }
}
