// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What `--list=json` says of one that is kept.
struct Kept: Decodable {
    let name, kind, root: String
    let pid: pid_t
    let processes: [pid_t]
    let options: [String]

    static func all() throws -> [Kept] {
        try JSONDecoder().decode([Kept].self, from: Data(nsrun(["--list=json"]).output.utf8))
    }

    static func group(_ name: String) throws -> Kept? {
        try all().first { $0.name == name && $0.kind == "group" }
    }
}

/// `--join NAME` by itself, and the end of a group by `--stop NAME`.
@Suite struct SecondTerminalTests {
    private let group = Group()

    /// A first terminal, which says where it is and then waits.
    private func first(
        _ options: [String], _ script: String = "read -r _ || :",
        environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> Conversation {
        let bench = try Bench.current()
        return try Conversation(
            [bench.nsrun] + options + ["--join", group.name, "--", "sh", "-c"]
                + ["\(Group.where); \(script)"], environment: environment, directory: directory)
    }

    private func second(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> Outcome {
        try nsrun(
            ["--join", group.name] + options + ["--", "sh", "-c", script], environment: environment,
            directory: directory)
    }

    private func ends(_ talk: Conversation) throws {
        talk.hangUp()
        #expect(talk.child.wait() == 0)
        #expect(try group.isGone())
    }

    // MARK: By its name alone

    @Test(arguments: MountPath.allCases)
    func theNameAloneIsEnough(path: MountPath) throws {
        let bench = try Bench.current()
        let options = ["--rootfs", bench.rootfs, "--ephemeral", "--tmpfs", "/srv"] + path.options
        let talk = try first(
            options, "echo here >/srv/note; echo changed >/etc/note; echo; read -r _ || :")
        let place = try #require(talk.line())
        #expect(talk.line() == "")
        expect(
            try second("\(Group.where); cat /srv/note /etc/note"), prints: place + "\nhere\nchanged"
        )
        try ends(talk)
    }

    @Test(arguments: ["host", "toolbox", "hpc", "sandbox", "test"])
    func soItIsInEveryView(preset: String) throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let needsRoot = preset == "toolbox" || preset == "hpc"
        let options = ["--preset", preset] + (needsRoot ? ["--rootfs", bench.rootfs] : [])
        let talk = try first(options, directory: folder.path)
        let place = try #require(talk.line())
        // From elsewhere, and with a session of another kind.
        for (environment, directory) in [
            (
                ["XDG_RUNTIME_DIR": nil, "DISPLAY": ":7", "TERM": "dumb"] as [String: String?],
                "/usr"
            ),
            ([:], folder.path), ([:], "/srv"),
        ] {
            let seen = try second(Group.where, environment: environment, directory: directory)
            expect(seen, prints: place)
        }
        try ends(talk)
    }

    /// What the first called by a relative path is where the first was.
    @Test func pathsAreThoseOfTheFirst() throws {
        let folder = try TemporaryDirectory()
        try folder.write("told\n", to: "data/told")
        let root = try BareRoot(with: ["readlink", "cat"])
        try folder.link("root", to: root.path)
        let talk = try first(
            ["--rootfs", "./root", "--bind", "data", "/mnt", "--overlay-dir", "layer"],
            directory: folder.path)
        let place = try #require(talk.line())
        expect(
            try second("\(Group.where); cat /mnt/told", directory: "/usr"), prints: place + "\ntold"
        )
        let options = try #require(try Kept.group(group.name)).options
        #expect(
            options == [
                "--rootfs", folder / "./root", "--bind", folder / "data", "/mnt", "--overlay-dir",
                folder / "layer",
            ])
        try ends(talk)
    }

    /// Whoever joins is confined as the first is.
    @Test func whatConfinesIsTheSame() throws {
        let bench = try Bench.current()
        let script =
            "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status; ulimit -n; id -u; hostname; tail -n +3 /proc/net/dev | wc -l"
        let options = [
            "--rootfs", bench.rootfs, "--uid", "0", "--cap-drop", "CAP_CHOWN", "--rlimit",
            "nofile=77",
            "--seccomp-profile", "default", "--unshare-uts", "--hostname", "there", "--network",
            "none", "--clean-env",
        ]
        let talk = try first(options, "\(script); env | grep -c FOREIGN; read -r _ || :")
        _ = talk.line()
        let seen = try second("\(script); env | grep -c FOREIGN", environment: ["FOREIGN": "1"])
        #expect(seen.lines.count > 8)
        for line in seen.lines { #expect(talk.line() == line) }
        try ends(talk)
    }

    /// It may be a secret, and is in no list.
    @Test func valuesOfVariablesAreNotKept() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory()
        let file = try folder.write("OTHER=hidden\n", to: "file")
        let talk = try first(
            [
                "--rootfs", bench.rootfs, "--setenv", "SECRET", "hidden", "--env-file", file,
                "--chdir", "/usr",
            ])
        _ = talk.line()
        #expect(try !nsrun(["--list=json"]).output.contains("hidden"))
        #expect(try Kept.group(group.name)?.options == ["--rootfs", bench.rootfs])
        expect(
            try second(
                "pwd; echo $SECRET.$OTHER.$OWN", ["--setenv", "OWN", "1", "--chdir", "/etc"]),
            prints: "/etc\n..1")
        try ends(talk)
    }

    @Test func whatIsNotThereIsSaidSo() throws {
        expect(
            try second("true"),
            refuses: "cannot join the group \(group.name): there is none of that name",
            remedy: "nsrun --list", "--rootfs R", "--preset host")
        #expect(try group.isGone())
        // With options it is set up, as ever.
        let talk = try first(["--preset", "host"])
        _ = talk.line()
        try ends(talk)
    }

    /// What a descriptor gave nobody can give again.
    @Test func whatCannotBeToldIsAskedFor() throws {
        let bench = try Bench.current()
        let data = try Scratch.openFile("text")
        defer { close(data) }
        let options = ["--rootfs", bench.rootfs, "--ro-bind-data", "9", "/run/text"]
        let talk = try Conversation(
            [bench.nsrun] + options + [
                "--join", group.name, "sh", "-c", "echo up; read -r _ || :",
            ],
            passing: [9: data])
        #expect(talk.line() == "up")
        expect(
            try second("true"),
            refuses:
                "cannot join the group \(group.name) by its name alone: its options are not known",
            remedy: "those that it was set up with")
        try ends(talk)
    }

    @Test func itIsExplained() throws {
        let talk = try first(["--preset", "host"])
        _ = talk.line()
        let seen = try nsrun(["--join", group.name, "--explain", "true"])
        #expect(seen.output.contains("join the group \(group.name) as it stands"), "\(seen)")
        try ends(talk)
    }

    // MARK: The end

    @Test func aGroupIsListedWithAllOfItsProcesses() throws {
        let bench = try Bench.current()
        let talk = try first(["--rootfs", bench.rootfs], "sleep 1000 & echo $!; read -r _ || :")
        _ = talk.line()
        let sleeper = try #require(talk.line().flatMap { pid_t($0) })
        let kept = try #require(try Kept.group(group.name))
        #expect(kept.processes.contains(sleeper) && kept.processes.count == 2, "\(kept)")
        #expect(kept.root == bench.rootfs)
        expect(try nsrun(["--stop", group.name]), exits: 0)
        #expect(talk.child.wait() == 128 + SIGTERM)
        #expect(HostState.state(of: sleeper) ?? "Z" == "Z")
        #expect(try group.isGone())
        expect(
            try nsrun(["--stop", group.name]),
            refuses: "cannot end \(group.name): there is no world and no group of that name",
            remedy: "nsrun --list")
    }

    /// What a member has left behind belongs to the group, and holds it.
    @Test func whatIsLeftBehindIsOfTheGroup() throws {
        let bench = try Bench.current()
        let talk = try first(["--rootfs", bench.rootfs], "sleep 1000 & echo $!")
        let place = try #require(talk.line())
        let sleeper = try #require(talk.line().flatMap { pid_t($0) })
        #expect(talk.child.wait() == 0)
        expect(try second(Group.where), prints: place)
        #expect(try Kept.group(group.name)?.processes == [sleeper])
        // By any signal.
        kill(sleeper, SIGKILL)
        #expect(try group.isGone())
    }

    /// One that does not heed TERM, one that is stopped, and one in namespaces of its own.
    @Test func nothingOutlivesIt() throws {
        let bench = try Bench.current()
        let script = """
            (trap '' TERM; while :; do sleep 1; done) & echo $!
            sleep 1000 & kill -STOP $!; echo $!
            unshare -Ur sleep 1000 & echo $!
            read -r _ || :
            """
        let talk = try first(["--rootfs", bench.rootfs], script)
        _ = talk.line()
        let processes = try (0..<3).map { _ in try #require(talk.line().flatMap { pid_t($0) }) }
        // The last is in its own by then.
        #expect(
            try HostState.eventually {
                try FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/\(processes[2])/ns/user")
                    != FileManager.default.destinationOfSymbolicLink(
                        atPath: "/proc/\(processes[0])/ns/user")
            })
        expect(try nsrun(["--stop", group.name, "--kill-after", "0.3"]), exits: 0)
        for pid in processes { #expect(HostState.state(of: pid) ?? "Z" == "Z", "\(pid)") }
        talk.hangUp()
        #expect(talk.child.wait() == 128 + SIGTERM)
        #expect(try group.isGone())
    }

    /// Others of the same user, and another group of the same root, are none of its business.
    @Test func othersAreSpared() throws {
        let bench = try Bench.current()
        let other = Group()
        let (talk, beside) = (try first(["--rootfs", bench.rootfs]), try other.member())
        _ = (talk.line(), beside.line())
        let plain = try Child(["sleep", "1000"], descriptors: [:])
        expect(try nsrun(["--stop", group.name]), exits: 0)
        talk.hangUp()
        beside.hangUp()
        #expect(beside.child.wait() == 0)
        #expect(HostState.state(of: plain.pid) == "S")
        plain.send(SIGKILL)
        _ = talk.child.wait()
    }

    // MARK: Toolbox

    private func toolbox(_ folder: TemporaryDirectory, _ more: [String] = []) throws -> [String] {
        let bench = try Bench.current()
        return [
            bench.nsrun, "--preset", "toolbox", "--rootfs", bench.rootfs, "--overlay-dir",
            folder / "layer",
        ] + more + ["--", "sh", "-c"]
    }

    /// Two words more than a second shell, and it is in the same world.
    @Test func aSecondToolboxIsTheSame() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let script = "\(Group.where); read -r _ || :"
        let talk = try Conversation(toolbox(folder) + [script], directory: folder.path)
        let place = try #require(talk.line())
        let changed = "\(Group.where); echo one >>/srv/x; cat /srv/x"
        for (environment, directory) in [
            (["XDG_RUNTIME_DIR": nil, "DISPLAY": ":7"] as [String: String?], "/usr"), ([:], "/srv"),
        ] {
            let seen = try run(
                toolbox(folder) + [changed], environment: environment, directory: directory)
            #expect(seen.status == 0 && seen.lines.first == place, "\(seen)")
        }
        let kept = try #require(try Kept.all().first { $0.options.contains(folder / "layer") })
        #expect(kept.kind == "group" && kept.name.hasPrefix("toolbox-"))
        expect(try nsrun(["--join", kept.name, "sh", "-c", "cat /srv/x"]), prints: "one\none")
        talk.hangUp()
        #expect(talk.child.wait() == 0)
        // And the changes have stayed, for one that begins anew.
        expect(try run(toolbox(folder) + ["cat /srv/x"]), prints: "one\none")
    }

    /// One after the other they never meet a lock of the one before.
    @Test func oneAfterTheOtherIsAsGood() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        for number in 1...20 {
            let seen = try run(toolbox(folder) + ["echo \(number) >>/srv/x; tail -n 1 /srv/x"])
            expect(seen, prints: "\(number)")
        }
    }

    /// The layer is locked for whoever is not of the group, as long as one of its processes lives.
    @Test func aRunThatIsNoToolboxIsKeptFromItsLayer() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let talk = try Conversation(toolbox(folder) + ["sleep 1000 & echo $!"])
        let sleeper = try #require(talk.line().flatMap { pid_t($0) })
        #expect(talk.child.wait() == 0)
        let plain = ["--rootfs", bench.rootfs, "--overlay-dir", folder / "layer"]
        for options in [plain, plain + ["--join", group.name]] {
            let seen = try nsrun(options + ["true"])
            expect(
                seen, refuses: "cannot use the layer \(folder / "layer"): another run uses it",
                remedy: "--join")
        }
        kill(sleeper, SIGKILL)
        #expect(try HostState.eventually { try nsrun(plain + ["true"]).status == 0 })
    }

    @Test func aToolboxWithOtherOptionsSaysWhatIsDifferent() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let talk = try Conversation(toolbox(folder) + ["echo up; read -r _ || :"])
        #expect(talk.line() == "up")
        let seen = try run(toolbox(folder, ["--tmpfs", "/opt"]) + ["true"])
        #expect(seen.status == 125 && seen.error.contains("/opt"), "\(seen)")
        talk.hangUp()
        #expect(talk.child.wait() == 0)
    }

    @Test func aToolboxShowsTheHostsProcesses() throws {
        let bench = try Bench.current()
        let options = ["--preset", "toolbox", "--rootfs", bench.rootfs]
        let own = String(getpid())
        expect(try nsrun(options + ["sh", "-c", "ls -d /proc/\(own)"]), prints: "/proc/\(own)")
        let alone = try nsrun(options + ["--unshare-pid", "sh", "-c", "ls -d /proc/\(own)"])
        #expect(alone.status != 0)
    }
}
