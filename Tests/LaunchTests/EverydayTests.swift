// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What people run into in the first hour, see issue 21: each mistake has the words that get one on.
@Suite struct EverydayTests {
    private var root: String { get throws { try Bench.current().rootfs } }

    // MARK: No command

    @Test(
        arguments: [
            (["--tmpfs", "ls"], "--tmpfs has taken ls for its DEST"),
            (["--hostname", "true"], "--hostname has taken true for its NAME"),
            (["--setenv", "A", "true"], "--setenv has taken true for its VALUE"),
            ([], "name one"), (["--"], "name one"),
        ])
    func aScriptNamesItsCommand(options: [String], remedy: String) throws {
        let seen = try nsrun(["--rootfs", try root] + options)
        expect(seen, refuses: "there is no command", remedy: remedy, "-- COMMAND")
    }

    @Test func anExplanationNeedsNone() throws {
        #expect(try nsrun(["--rootfs", try root, "--explain"]).status == 0)
    }

    // MARK: Words of others

    @Test(
        arguments: [
            (["--net", "none"], "--network"), (["--env", "A=B"], "--setenv NAME VALUE"),
            (["-e", "A=B"], "--setenv NAME VALUE"), (["--rw"], "--writable"),
            (["-v", "/a:/b"], "--bind SRC DEST"), (["-it"], "leave it out"),
            (["--rm"], "leave it out"), (["--nv"], "--nvidia"), (["--cleanenv"], "--clean-env"),
            (["--workdir", "/x"], "--chdir"), (["--pwd", "/x"], "--chdir"),
        ])
    func otherLaunchersWordsAreKnown(options: [String], remedy: String) throws {
        let seen = try nsrun(options + ["--rootfs", try root, "true"])
        expect(seen, refuses: "unknown option \(options[0])", remedy: remedy)
    }

    /// Each word that is said to be an option of nsrun's is one.
    @Test func whatIsCalledOtherwiseIsCalledSo() throws {
        let help = try nsrun(["--help"]).output
        for word in [
            "-p", "-e", "-w", "-v", "--rw", "--fakeroot", "--nv", "--platform", "--memory", "-B",
            "--user",
        ] {
            let said = try nsrun([word, "x", "true"]).error
            #expect(said.contains("\n  "), "\(word): \(said)")
            for part in said.split(whereSeparator: { " :;,.\n".contains($0) })
            where part.hasPrefix("--") && String(part) != word {
                #expect(help.contains("\(part)"), "\(word): \(said)")
            }
        }
    }

    @Test func aNameAndItsValueAreTwoWords() throws {
        let seen = try nsrun(["--setenv", "A=B", "--rootfs", try root, "true"])
        expect(
            seen, refuses: "--setenv takes NAME and VALUE as two words, not A=B",
            remedy: "--setenv A VALUE")
    }

    // MARK: Roots

    @Test(arguments: ["/etc", "/usr/share"]) func whatIsNoRootIsCalledNone(path: String) throws {
        let seen = try nsrun(["--rootfs", path, "true"])
        expect(
            seen,
            refuses: "cannot use the rootfs \(path): it is none, for it has no usr and no bin",
            remedy: "usr, bin and etc")
    }

    @Test func aRootsNameIsNoCommand() throws {
        let store = try TemporaryDirectory()
        try store.makeDirectory("nsrun/rootfs/mydebian")
        let environment = ["XDG_DATA_HOME": store.path]
        let own = try nsrun(["mydebian"], environment: environment)
        #expect(own.status == 127)
        #expect(
            own.error.contains(
                "\n  for a shell in the rootfs of that name: nsrun --rootfs mydebian"),
            "\(own)")
        let release = try nsrun(["trixie"], environment: environment)
        #expect(release.error.contains("nsrun-rootfs debian trixie trixie"), "\(release)")
        let near = try nsrun(["--rootfs", "trixi", "true"], environment: environment)
        #expect(near.error.contains("did you mean the release trixie?"), "\(near)")
        let other = try nsrun(["--rootfs", "mydebain", "true"], environment: environment)
        #expect(other.error.contains("did you mean mydebian?"), "\(other)")
        withExtendedLifetime(store) {}
    }

    /// Where the environment says no home the user database does.
    @Test func theStoreIsFoundWithoutAnEnvironment() throws {
        let bench = try Bench.current()
        let seen = try run(["env", "-i", bench.nsrun, "--rootfs", "nosuch-\(getpid())", "true"])
        #expect(seen.error.contains("/nsrun/rootfs\n"), "\(seen)")
        #expect(!seen.error.contains("HOME"), "\(seen)")
    }

    // MARK: Files of arguments

    @Test func aFileOfArgumentsHasComments() throws {
        let directory = try TemporaryDirectory()
        let good = try directory.write(
            "# a root\n--rootfs\n\(try root)\n#--network\n#none\n", to: "good")
        expect(try nsrun(["@\(good)", "echo", "ran"]), prints: "ran")
        let bad = try directory.write("--rootfs \(try root)\n", to: "bad")
        let seen = try nsrun(["@\(bad)", "true"])
        #expect(seen.status == 125)
        #expect(
            seen.error.contains("\n  each argument is a word of its own, and in an @FILE a line"),
            "\(seen)")
        withExtendedLifetime(directory) {}
    }

    // MARK: Presets of one's own

    @Test func aFileIsAPreset() throws {
        let home = try TemporaryDirectory()
        try home.write(
            "# quick\n--preset\ntest\n--setenv\nOWN\nyes\n", to: ".config/nsrun/presets/mine")
        try home.write("--setenv\nOWN\nno\n", to: ".config/nsrun/presets/test")
        let environment = ["HOME": home.path, "XDG_CONFIG_HOME": nil]
        let seen = try nsrun(
            ["--preset", "mine", "--", "sh", "-c", "echo $OWN; uname -n"], environment: environment)
        expect(seen, prints: "yes\ntest")
        // What comes later counts.
        let changed = try nsrun(
            ["--preset", "mine", "--setenv", "OWN", "changed", "--", "sh", "-c", "echo $OWN"],
            environment: environment)
        expect(changed, prints: "changed")
        // nsrun's own are nobody's to change.
        let own = try nsrun(
            ["--preset", "test", "--", "sh", "-c", "echo ${OWN-unset}"], environment: environment)
        expect(own, prints: "unset")
        let list = try nsrun(["--preset", "list"], environment: environment)
        #expect(list.lines.filter { $0.hasPrefix("test ") }.count == 1, "\(list)")
        #expect(
            list.lines.contains { $0.hasPrefix("mine") && $0.hasSuffix("/presets/mine") }, "\(list)"
        )
        for name in ["nosuch", "../mine", "", ".hidden"] {
            let refused = try nsrun(["--preset", name, "true"], environment: environment)
            expect(refused, refuses: "unknown preset \"\(name)\"", remedy: "one of host")
        }
        withExtendedLifetime(home) {}
    }

    /// In a root where the machine has some: `/etc/nsrun/presets`, behind the user's own.
    @Test func theMachineHasPresetsToo() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write("--setenv\nSITE\nmachine\n", to: "etc/site")
        try folder.write("--setenv\nBOTH\nmachine\n", to: "etc/both")
        try folder.write("--setenv\nBOTH\nown\n", to: "own/nsrun/presets/both")
        let script = """
            /run/nsrun --preset list | grep /presets/ | tr -s ' '
            /run/nsrun --preset site --preset both -- /bin/sh -c 'echo $SITE $BOTH'
            """
        let seen = try inRoot(
            script,
            [
                "--ro-bind", folder / "etc", "/etc/nsrun/presets", "--ro-bind", bench.nsrun,
                "/run/nsrun", "--ro-bind", folder / "own", "/mnt", "--setenv", "XDG_CONFIG_HOME",
                "/mnt",
            ])
        expect(
            seen,
            prints: """
                both /mnt/nsrun/presets/both
                site /etc/nsrun/presets/site
                machine own
                """)
    }

    // MARK: Help

    @Test func theShortHelpIsShort() throws {
        let seen = try nsrun(["-h"])
        #expect(seen.status == 0)
        #expect(seen.lines.filter { $0.hasPrefix("  --") }.count == 15)
        #expect(seen.lines.filter { $0.hasPrefix("  nsrun ") }.count == 4)
        let version = try nsrun(["--version"])
        #expect(try nsrun(["-V"]) == version)
    }

    // MARK: Time and ends

    @Test func aTimeLimitEndsWhateverItWasGiven() throws {
        let explained = try nsrun([
            "--rootfs", try root, "--timeout", "5", "--explain=json", "true",
        ])
        #expect(explained.status == 0)
        let stubborn = "trap '' TERM; echo up; while :; do sleep 0.1; done"
        let seen = try nsrun(["--rootfs", try root, "--timeout", "0.2", "--", "sh", "-c", stubborn])
        expect(seen, Outcome(status: 124, output: "up", error: ""))
    }

    /// Python's subprocess.run(timeout=) kills nsrun, and its pipes are to end.
    @Test(arguments: [([], false), (["--linger"], true)])
    func aKilledLauncherTakesItsRunAlong(options: [String], outlives: Bool) throws {
        let bench = try Bench.current()
        let marker = "nsrun-kill-\(UInt32.random(in: 0...UInt32.max))"
        let script = """
            mkfifo pipe; "$@" sh -c 'echo up >pipe; read line <pipe2; echo end >out' \(marker) & run=$!
            mkfifo pipe2; read up <pipe; kill -KILL $run; wait $run; (echo go >pipe2) & sleep 0.5
            kill $! 2>/dev/null; [ -e out ] && echo lived; true
            """
        let directory = try TemporaryDirectory()
        let seen = try run(
            ["bash", "-c", script, "bash", bench.nsrun, "--cwd"] + options + ["--"],
            directory: directory.path)
        #expect(seen.output.contains("lived") == outlives, "\(seen)")
        #expect(try HostState.processesGo(marker))
        withExtendedLifetime(directory) {}
    }

    // MARK: Layers

    @Test func aLayerIsForOneRunAtATime() throws {
        let bench = try Bench.current()
        let directory = try TemporaryDirectory()
        let layer = directory.path + "/layer"
        let script = """
            mkfifo pipe; n="$1 --rootfs $2 --overlay-dir \(layer)"
            $n -- sh -c 'echo one >/srv/x; echo up; read line' <pipe >up & exec 3>pipe
            until [ -s up ]; do sleep 0.01; done
            $n -- true; echo $?; echo >&3; wait
            $n -- cat /srv/x
            """
        let seen = try run(
            ["bash", "-c", script, "bash", bench.nsrun, bench.rootfs], directory: directory.path)
        #expect(seen.output == "125\none", "\(seen)")
        #expect(
            seen.error.hasPrefix("nsrun: cannot use the layer \(layer): another run uses it\n"),
            "\(seen)")
        #expect(seen.error.contains("--join"), "\(seen)")
        withExtendedLifetime(directory) {}
    }

    /// A root would hold its own changes, and they theirs.
    @Test func aLayerLiesOutsideOfItsRoot() throws {
        let directory = try TemporaryDirectory()
        let root = try directory.makeDirectory("holder/root")
        for layer in ["\(root)/layer", "\(directory.path)/holder"] {
            let seen = try nsrun(["--rootfs", root, "--overlay-dir", layer, "true"])
            expect(
                seen, refuses: "cannot use the layer \(layer): it and the rootfs lie in each other",
                remedy: "elsewhere")
        }
        withExtendedLifetime(directory) {}
    }
}
