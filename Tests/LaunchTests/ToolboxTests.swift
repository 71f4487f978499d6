// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--preset toolbox`: a rootfs with the caller's own surroundings.
@Suite struct ToolboxTests {
    // MARK: Yourself

    @Test(arguments: MountPath.allCases)
    func youAreYourself(path: MountPath) throws {
        let script = "id -u; id -g; id -un; id -gn; getent passwd $(id -u) | cut -d: -f7"
        try expect(inToolbox(script, path.options), run(["sh", "-c", script]))
        let entry = try inToolbox("getent passwd $(id -u) | cut -d: -f6; echo $HOME", path.options)
        expect(entry, prints: "\(NSHomeDirectory())\n\(NSHomeDirectory())")
    }

    @Test func yourGroupsHaveTheirNames() throws {
        let names = try run(["id", "-Gn"]).output
        let script = "for name in \(names); do getent group $name | cut -d: -f1,3; done"
        try expect(inToolbox(script), run(["sh", "-c", script]))
    }

    @Test(arguments: MountPath.allCases)
    func homeIsYourOwn(path: MountPath) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write("outside\n", to: "there")
        let name = (folder.path as NSString).lastPathComponent
        let seen = try inToolbox("cat ~/\(name)/there; echo inside >~/\(name)/made", path.options)
        expect(seen, prints: "outside")
        #expect(folder.content("made") == "inside\n")
    }

    @Test(arguments: MountPath.allCases)
    func homeMayBeALink(path: MountPath) throws {
        let folder = try TemporaryDirectory(in: "/var/tmp")
        try folder.write("outside\n", to: "real/there")
        try folder.link("home", to: "real")
        let seen = try inToolbox(
            "cat ~/there", path.options, environment: ["HOME": folder / "home"])
        expect(seen, prints: "outside")
    }

    @Test(arguments: [nil, "", "/", "relative", "/nonexistent/home"])
    func withoutAHomeTheRunGoesOn(home: String?) throws {
        for directory in ["/", "/usr"] {
            let seen = try inToolbox("pwd", environment: ["HOME": home], directory: directory)
            expect(seen, prints: directory)
        }
    }

    // MARK: The current directory

    @Test(arguments: MountPath.allCases)
    func directoryBelowHomeIsKept(path: MountPath) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let seen = try inToolbox("pwd; echo x >made", path.options, directory: folder.path)
        expect(seen, prints: folder.path)
        #expect(folder.content("made") == "x\n")
    }

    /// The rootfs has such a directory of its own.
    @Test(arguments: MountPath.allCases, ["/srv", "/opt"])
    func directoryElsewhereIsTheHosts(path: MountPath, place: String) throws {
        let script = "pwd; stat -c '%d %i' ."
        let seen = try inToolbox(script, path.options, directory: place)
        expect(seen, try run(["sh", "-c", script], directory: place))
    }

    @Test(arguments: MountPath.allCases)
    func directoryThatTheRootLacksIsThere(path: MountPath) throws {
        let root = try BareRoot(with: ["stat"])
        let script = "pwd; stat -c '%d %i' ."
        let seen = try inToolbox(script, path.options, root: root.path, directory: "/srv")
        expect(seen, try run(["sh", "-c", script], directory: "/srv"))
    }

    /// They are the host's already, so nothing is left out.
    @Test(arguments: ["/tmp", "/var/tmp", "/dev/shm"])
    func directoryInAScratchPlaceIsKept(place: String) throws {
        let folder = try TemporaryDirectory(in: place)
        let seen = try inToolbox("pwd; echo x >made", ["--verbose"], directory: folder.path)
        #expect(seen.status == 0 && seen.output == folder.path, "\(seen)")
        #expect(folder.content("made") == "x\n")
        #expect(!seen.error.contains("left out \(folder.path)"), "\(seen)")
    }

    @Test(arguments: ["/tmp", "/tmp/"])
    func directoryThatAPrivateTmpHidesIsLeftOut(target: String) throws {
        let folder = try TemporaryDirectory()
        let options = ["--tmpfs", target, "--verbose"]
        let seen = try inToolbox("pwd", options, directory: folder.path)
        #expect(seen.status == 0 && seen.output == NSHomeDirectory(), "\(seen)")
        #expect(seen.error.contains("nsrun: left out \(folder.path): "), "\(seen)")
    }

    @Test(arguments: ["/usr", "/usr/share", "/usr/share/zoneinfo", "/usr/bin", "/var/lib/dpkg"])
    func systemDirectoryIsTheRootfss(place: String) throws {
        let rootfs = try Bench.current().rootfs
        let script = "pwd; stat -c '%d %i' ."
        let own = try run(["stat", "-c", "%d %i", rootfs + place]).output
        let seen = try inToolbox(script, ["--verbose"], directory: place)
        #expect(seen.status == 0 && seen.output == "\(place)\n\(own)", "\(seen)")
        #expect(seen.error.contains("nsrun: left out \(place): "), "\(seen)")
    }

    @Test func removedDirectoryDoesNotMatter() throws {
        let bench = try Bench.current()
        let folder = try TemporaryDirectory()
        let directory = try folder.makeDirectory("gone")
        let script = "cd \"$0\" && rmdir \"$0\" && exec \"$@\""
        let command = [
            bench.nsrun, "--rootfs", bench.rootfs, "--preset", "toolbox", "--verbose", "pwd",
        ]
        let seen = try run(["sh", "-c", script, directory] + command)
        #expect(seen.status == 0 && seen.output == NSHomeDirectory(), "\(seen)")
        #expect(seen.error.contains("left out the current directory: "), "\(seen)")
    }

    // MARK: The host's places

    @Test(arguments: MountPath.allCases, ["/tmp", "/var/tmp"])
    func scratchIsTheHosts(path: MountPath, place: String) throws {
        let folder = try TemporaryDirectory(in: place)
        try folder.write("outside\n", to: "there")
        let script = "cat \(folder / "there"); echo inside >\(folder / "made")"
        try expect(inToolbox(script, path.options), prints: "outside")
        #expect(folder.content("made") == "inside\n")
    }

    @Test func tmpCanBePrivate() throws {
        let options = ["--tmpfs", "/tmp"]
        let folder = try TemporaryDirectory()
        let name = "\(folder.path)-made"
        for order in [["--preset", "toolbox"] + options, options + ["--preset", "toolbox"]] {
            let seen = try inRoot(
                "stat -f -c %T /tmp; ls -A /tmp; : >\(name)", order,
                environment: Session.none)
            expect(seen, prints: "tmpfs")
        }
        #expect(!FileManager.default.fileExists(atPath: name))
    }

    @Test(arguments: MountPath.allCases)
    func devicesAreTheHosts(path: MountPath) throws {
        let script = "ls /dev; stat -c '%d %i' /dev/null /dev/pts"
        try expect(inToolbox(script, path.options), run(["sh", "-c", script]))
        let used = """
            : >/dev/null; head -c2 /dev/zero | od -An -tx1
            script -qec 'tty' /dev/null </dev/null | grep -c /dev/pts/
            """
        try expect(inToolbox(used, path.options), prints: " 00 00\n1")
    }

    @Test(arguments: MountPath.allCases, ["/media", "/mnt", "/run/media"])
    func removableMediaAreTheHosts(path: MountPath, place: String) throws {
        let host = try run(["stat", "-c", "%d %i", place])
        guard host.status == 0 else {
            let seen = try inToolbox(":", ["--verbose"] + path.options)
            #expect(seen.error.contains("left out \(place): "), "\(seen)")
            return
        }
        try expect(inToolbox("stat -c '%d %i' \(place)", path.options), host)
    }

    @Test func networkIsTheHosts() throws {
        let script = "readlink /proc/self/ns/net"
        try expect(inToolbox(script), run(["sh", "-c", script]))
    }

    @Test(arguments: MountPath.allCases)
    func theHostIsAtRunHost(path: MountPath) throws {
        let folder = try TemporaryDirectory()
        try folder.write("outside\n", to: "there")
        let script = "stat -c %i $host/ $host/usr $host/etc; cat $host\(folder.path)/*"
        try expect(
            inToolbox("host=/run/host; " + script, path.options),
            run(["sh", "-c", "host=; " + script]))
    }

    @Test(arguments: MountPath.allCases, [[], ["--writable"], ["--ephemeral"]])
    func whatIsAtRunHostIsReadOnly(path: MountPath, layer: [String]) throws {
        let root = try BareRoot(with: ["grep", "rm"])
        let folder = try TemporaryDirectory()
        let file = "nsrun-made-\(getpid())"
        let script = """
            for place in \(NSHomeDirectory()) \(folder.path) /tmp /var/tmp /dev/shm; do
                (: >/run/host$place/\(file)) 2>&1 | grep -q 'Read-only file system' || echo $place
            done
            while read -r _ _ _ _ point _; do
                case $point in /run/host*) (: >$point/\(file)) 2>/dev/null && echo $point; esac
            done </proc/self/mountinfo
            rm -f \(NSHomeDirectory())/\(file) /tmp/\(file) /var/tmp/\(file) \
                /dev/shm/\(file)
            """
        let options = layer + path.options
        try expect(inToolbox(script, options, root: root.path), prints: "")
    }

    @Test func nothingStaysMounted() throws {
        let before = try HostState.mounts()
        try expect(inToolbox(":"), prints: "")
        #expect(try HostState.mounts() == before)
    }

    // MARK: What is left out

    private static let absent = [
        "HOME": "/nonexistent/home", "XDG_RUNTIME_DIR": "/nonexistent/run",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent/bus,guid=0123",
        "WAYLAND_DISPLAY": "/nonexistent/wayland-0", "PULSE_SERVER": "unix:/nonexistent/pulse",
        "XAUTHORITY": "/nonexistent/cookie", "SSH_AUTH_SOCK": "/nonexistent/agent",
    ]
    private static let absentPlaces = [
        "home", "run", "bus", "wayland-0", "pulse", "cookie", "agent",
    ].map { "/nonexistent/\($0)" }

    @Test(arguments: MountPath.allCases)
    func whatIsMissingIsLeftOutInSilence(path: MountPath) throws {
        let seen = try inToolbox(
            "ls -d /nonexistent 2>&1", path.options, environment: ToolboxTests.absent)
        #expect(seen.status == 2 && seen.error == "", "\(seen)")
    }

    @Test func verboseNamesWhatIsLeftOut() throws {
        let seen = try inToolbox("echo on", ["--verbose"], environment: ToolboxTests.absent)
        #expect(seen.status == 0 && seen.output == "on", "\(seen)")
        for place in ToolboxTests.absentPlaces {
            let line = "nsrun: left out \(place): there is none on this host"
            #expect(seen.error.split(separator: "\n").contains { $0 == line }, "\(seen)")
        }
    }

    @Test func explainNamesWhatIsLeftOut() throws {
        let seen = try inToolbox("echo on", ["--explain"], environment: ToolboxTests.absent)
        let parts = seen.output.components(separatedBy: "\nLeft out:\n")
        #expect(seen.status == 0 && seen.error == "" && parts.count == 2, "\(seen)")
        let part = parts.last?.components(separatedBy: "\n\n").first ?? ""
        for place in ToolboxTests.absentPlaces {
            #expect(part.contains("  \(place): there is none on this host"), "\(part)")
            #expect(!parts[0].contains("bind-mount \(place) "), "\(parts[0])")
        }
    }

    @Test func explainInJsonNamesWhatIsLeftOut() throws {
        let seen = try inToolbox("echo on", ["--explain=json"], environment: ToolboxTests.absent)
        let json = try JSONSerialization.jsonObject(with: Data(seen.output.utf8))
        let plan = try #require(json as? [String: Any])
        let omissions = try #require(plan["omissions"] as? [[String: String]])
        for place in ToolboxTests.absentPlaces {
            #expect(
                omissions.contains(["what": place, "reason": "there is none on this host"]),
                "\(omissions)")
        }
    }

    /// Places of the session are added to the rootfs; they do not take its own away.
    @Test(arguments: ["/", "/usr", "/usr/lib"])
    func aRuntimeDirectoryDoesNotReplaceTheSystem(place: String) throws {
        let rootfs = try Bench.current().rootfs
        let own = try run(["stat", "-c", "%d %i", rootfs + place]).output
        let seen = try inToolbox(
            "stat -c '%d %i' \(place)", ["--verbose"], environment: ["XDG_RUNTIME_DIR": place])
        #expect(seen.status == 0 && seen.output == own, "\(seen)")
        #expect(seen.error.contains("nsrun: left out \(place): "), "\(seen)")
    }

    // MARK: The shell

    @Test func withoutACommandYourShellRuns() throws {
        try expectShell("/usr/bin/dash", environment: ["SHELL": "/bin/dash"])
    }

    @Test func withoutTheVariableTheAccountsShellRuns() throws {
        let name = try run(["sh", "-c", "getent passwd $(id -u) | cut -d: -f7"]).output
        let rootfs = try Bench.current().rootfs
        let isThere = FileManager.default.isExecutableFile(atPath: rootfs + name)
        let wanted = try run(["realpath", rootfs + (isThere ? name : "/bin/bash")]).output
        try expectShell(String(wanted.dropFirst(rootfs.count)), environment: ["SHELL": nil])
    }

    @Test func withoutYourShellBashRuns() throws {
        try expectShell("/usr/bin/bash", environment: ["SHELL": "/usr/bin/fish"])
    }

    @Test func withoutBashShRuns() throws {
        let root = try BareRoot(with: ["readlink"])
        try expectShell("/bin/sh", root: root.path, environment: ["SHELL": "/usr/bin/fish"])
    }

    /// Whatever the image would run by itself.
    @Test func anImagesEntryPointIsNotTheShell() throws {
        let folder = try TemporaryDirectory()
        let bare = try BareRoot(with: ["readlink"])
        expect(try run(["cp", "-a", bare.path, folder / "root"]), exits: 0)
        try folder.write(
            "entrypoint /bin/sh\nentrypoint -c\ncmd echo image\n", to: "root/.nsrun/image")
        expect(try nsrun(["--rootfs", folder / "root"]), prints: "image")
        try expectShell("/bin/sh", root: folder / "root")
    }

    private func expectShell(
        _ program: String, root: String? = nil, environment: [String: String?] = [:]
    ) throws {
        let root = try root ?? Bench.current().rootfs
        try Terminal.expectShell(
            program, ["--preset", "toolbox", "--rootfs", root], environment: environment)
    }

    // MARK: Environment

    private static let misleading = [
        "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LOCPATH", "GCONV_PATH", "TMPDIR",
        "GIO_EXTRA_MODULES", "GI_TYPELIB_PATH", "GST_PLUGIN_PATH", "GTK_PATH", "LIBGL_DRIVERS_PATH",
        "PYTHONHOME", "QT_PLUGIN_PATH", "VK_ICD_FILENAMES",
    ]
    private static let usual = [
        "COLORTERM", "DBUS_SESSION_BUS_ADDRESS", "DESKTOP_SESSION", "DISPLAY", "EDITOR", "LANG",
        "LC_TIME", "PULSE_SERVER", "SSH_AUTH_SOCK", "TERM", "USER", "WAYLAND_DISPLAY", "XAUTHORITY",
        "XDG_CURRENT_DESKTOP", "XDG_DATA_DIRS", "XDG_RUNTIME_DIR", "XDG_SESSION_ID",
        "XDG_SESSION_TYPE", "XMODIFIERS", "https_proxy",
    ]

    @Test func misleadingVariablesAreDropped() throws {
        let host = Dictionary(
            uniqueKeysWithValues: ToolboxTests.misleading.map { ($0, Optional("")) })
        let script = "env | grep -E '^(\(ToolboxTests.misleading.joined(separator: "|")))='"
        try expect(inToolbox(script, environment: host), exits: 1)
        let back = ["--setenv", "GTK_PATH", "/x"]
        try expect(inToolbox(script, back, environment: host), prints: "GTK_PATH=/x")
    }

    @Test func theDesktopsVariablesAreKept() throws {
        let host = Dictionary(
            uniqueKeysWithValues: ToolboxTests.usual.map { ($0, Optional("value of \($0)")) })
        let script = "env | grep -E '^(\(ToolboxTests.usual.joined(separator: "|")))=' | sort"
        let seen = try inToolbox("LC_ALL=C; export LC_ALL; " + script, environment: host)
        let wanted = ToolboxTests.usual.map { "\($0)=value of \($0)" }
        expect(seen, prints: wanted.joined(separator: "\n"))
    }

    // MARK: Changes

    @Test(arguments: MountPath.allCases)
    func theRootfsIsReadOnly(path: MountPath) throws {
        let script = """
            for place in / /etc /usr /var /opt; do
                (: >$place/new) 2>&1 | grep -q 'Read-only file system' || echo $place
            done
            """
        try expect(inToolbox(script, path.options), prints: "")
    }

    @Test(arguments: MountPath.allCases)
    func changesAreKeptInALayer(path: MountPath) throws {
        let root = try BareRoot(with: ["cat", "mkdir"])
        try root.directory.write("old\n", to: "etc/file")
        let before = try root.directory.listing()
        let layer = try TemporaryDirectory()
        let options = ["--overlay-dir", layer / "layer"] + path.options
        let change = "echo new >/etc/file; mkdir -p /opt/a; echo kept >/opt/a/b"
        try expect(inToolbox(change, options, root: root.path), prints: "")
        try expect(
            inToolbox("cat /etc/file /opt/a/b", options, root: root.path), prints: "new\nkept")
        #expect(try root.directory.listing() == before)
    }

    @Test(arguments: MountPath.allCases)
    func changesAreKeptInTheRootfsItself(path: MountPath) throws {
        let root = try BareRoot(with: ["mkdir"])
        try root.directory.write("old\n", to: "etc/file")
        let options = ["--writable"] + path.options
        let change = "echo new >/etc/file; mkdir -p /opt/a; echo kept >/opt/a/b"
        try expect(inToolbox(change, options, root: root.path), prints: "")
        #expect(root.directory.content("etc/file") == "new\n")
        #expect(root.directory.content("opt/a/b") == "kept\n")
    }

    @Test func aRootThatMayNotBeWrittenServesAsWell() throws {
        let root = try BareRoot(with: ["cat"])
        try expect(run(["chmod", "-R", "a-w", root.path]), exits: 0)
        for layer in [[], ["--writable"], ["--ephemeral"]] {
            let seen = try inToolbox("cat /etc/hosts", layer, root: root.path)
            expect(seen, try run(["cat", "/etc/hosts"]))
        }
    }

    // MARK: Misuse

    @Test func thereMustBeARootfs() throws {
        let seen = try nsrun(["--preset", "toolbox", "true"])
        expect(seen, refuses: "--preset toolbox needs --rootfs", remedy: "--rootfs R")
    }

    @Test func otherOptionsWin() throws {
        let options = ["--network", "none", "--chdir", "/usr", "--tmpfs", NSHomeDirectory()]
        let script = "pwd; ls -A ~; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"
        for order in [options + ["--preset", "toolbox"], ["--preset", "toolbox"] + options] {
            try expect(inRoot(script, order), prints: "/usr\nlo")
        }
    }
}

/// Sockets of the desktop session, and what else of it lies in files.
@Suite struct ToolboxSessionTests {
    @Test(arguments: MountPath.allCases)
    func theRuntimeDirectorysSocketsAnswer(path: MountPath) throws {
        // In a place that only the host's /run has.
        let folder = try TemporaryDirectory(in: "/run/lock")
        try folder.makeDirectory("pulse")
        let places = ["bus", "wayland-0", "pulse/native", "pipewire-0"].map { folder / $0 }
        let sockets = try places.map(Session.listen)
        defer { for socket in sockets { close(socket) } }
        var environment = Session.none
        environment["XDG_RUNTIME_DIR"] = folder.path
        environment["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=\(places[0])"
        let seen = try inToolbox(
            Session.connect(places) + "; echo $XDG_RUNTIME_DIR; : >$XDG_RUNTIME_DIR/made",
            path.options, environment: environment)
        expect(seen, prints: "connected\nconnected\nconnected\nconnected\n\(folder.path)")
        #expect(folder.content("made") == "")
    }

    /// Sockets that are elsewhere are found by the variables that name them.
    @Test(arguments: MountPath.allCases)
    func namedSocketsAnswer(path: MountPath) throws {
        let folder = try TemporaryDirectory(in: "/run/lock")
        let places = ["bus", "wayland", "pulse", "agent"].map { folder / $0 }
        let sockets = try places.map(Session.listen)
        defer { for socket in sockets { close(socket) } }
        try folder.write("cookie\n", to: "authority")
        var environment = Session.none
        environment["DBUS_SESSION_BUS_ADDRESS"] = "tcp:host=x;unix:path=\(places[0]),guid=0123"
        environment["WAYLAND_DISPLAY"] = places[1]
        environment["PULSE_SERVER"] = "unix:\(places[2])"
        environment["SSH_AUTH_SOCK"] = places[3]
        environment["XAUTHORITY"] = folder / "authority"
        let seen = try inToolbox(
            Session.connect(places) + "; cat $XAUTHORITY", path.options, environment: environment)
        expect(seen, prints: "connected\nconnected\nconnected\nconnected\ncookie")
    }

    /// The X server's socket and an ssh-agent's are below /tmp, and stay within reach where that is
    /// private, which it otherwise is.
    @Test(
        .serialized, arguments: MountPath.allCases,
        [[], ["--tmpfs", "/tmp"], ["--tmpfs", "/tmp/"]])
    func socketsBelowTmpAnswer(path: MountPath, options: [String]) throws {
        let display = Int.random(in: 1_000...1_000_000)
        let isNew = mkdir(Session.displays, 0o1777) == 0
        let folder = try TemporaryDirectory()
        let places = ["\(Session.displays)/X\(display)", folder / "agent"]
        let sockets = try places.map(Session.listen)
        defer {
            for socket in sockets { close(socket) }
            unlink(places[0])
            if isNew { rmdir(Session.displays) }
        }
        let other = try TemporaryDirectory()
        var environment = Session.none
        environment["DISPLAY"] = ":\(display)"
        environment["SSH_AUTH_SOCK"] = places[1]
        let script = Session.connect(places) + "; test -e \(other.path) && echo shared; :"
        let seen = try inToolbox(script, options + path.options, environment: environment)
        let tail = options.isEmpty ? "\nshared" : ""
        expect(seen, prints: "connected\nconnected" + tail)
    }
}

/// Files of the host's /etc, which the rootfs follows and keeps none of.
@Suite struct ToolboxSettingsTests {
    static let names = ["hosts", "host.conf", "localtime", "resolv.conf", "machine-id", "timezone"]

    /// What the rootfs may have there; HOST stands for a directory of the host that is not its own.
    static let links = [
        "/usr/share/zoneinfo/none", "../run/none/stub", "/etc/real", "real", "HOST/file",
        "../../../../../../../..HOST/file", "/proc/self/root/HOST/file", "HOST/new", "SELF", "/",
    ]

    /// Those that this host has.
    private static let present = names.filter {
        FileManager.default.fileExists(atPath: "/etc/\($0)")
    }

    /// Where each leads, and what is in it.
    private let script = """
        for name in \(present.joined(separator: " ")); do
            readlink /etc/$name; sha256sum </etc/$name
        done
        """

    private func wanted() throws -> Outcome {
        let script = """
            for name in \(ToolboxSettingsTests.present.joined(separator: " ")); do
                echo /run/host$(realpath /etc/$name); sha256sum </etc/$name
            done
            """
        return try run(["sh", "-c", script])
    }

    private func root() throws -> BareRoot { try BareRoot(with: ["readlink", "sha256sum"]) }

    @Test(arguments: MountPath.allCases, [[], ["--writable"], ["--ephemeral"]])
    func theyFollowTheHost(path: MountPath, layer: [String]) throws {
        let host = try wanted()
        #expect(ToolboxSettingsTests.present.count >= 4, "\(host)")
        let bare = try root()
        try expect(inToolbox(script, layer + path.options, root: bare.path), host)
    }

    @Test(arguments: MountPath.allCases)
    func theyFollowTheHostInAWholeDebian(path: MountPath) throws {
        try expect(inToolbox(script, path.options), wanted())
    }

    /// In a run whose /etc is the test's own, which so can be changed while a toolbox runs in it.
    private func launch(
        _ script: String, onHostWith etc: TemporaryDirectory, _ options: [String]
    ) throws -> Outcome {
        let bench = try Bench.current()
        // What lies in a /tmp of the host would be hidden.
        let inner = [bench.nsrun, bench.rootfs].flatMap { ["--ro-bind", $0, $0] }
        return try nsrun(
            inner + ["--bind", etc.path, "/etc", "--", bench.nsrun, "--rootfs", bench.rootfs]
                + ["--preset", "toolbox"] + options + ["--", "sh", "-c", script])
    }

    private func etc() throws -> TemporaryDirectory {
        let etc = try TemporaryDirectory(in: NSHomeDirectory())
        for name in ["passwd", "group"] {
            expect(try run(["cp", "/etc/\(name)", etc / name]), exits: 0)
        }
        return etc
    }

    /// Also where they are replaced, as programs do that change them.
    @Test(arguments: MountPath.allCases, names.filter { $0 != "localtime" })
    func theyFollowTheHostWhileItRuns(path: MountPath, name: String) throws {
        let etc = try etc()
        let replace = "echo after >\(etc / "new"); mv \(etc / "new")"
        try etc.write("before\n", to: name)
        let seen = try launch(
            "cat /etc/\(name); \(replace) \(etc / name); cat /etc/\(name)", onHostWith: etc,
            path.options)
        expect(seen, prints: "before\nafter")
        // As systemd-resolved has it.
        try etc.write("before\n", to: "stub")
        unlink(etc / name)
        try etc.link(name, to: etc / "stub")
        let linked = try launch(
            "cat /etc/\(name); \(replace) \(etc / "stub"); cat /etc/\(name)", onHostWith: etc,
            path.options)
        expect(linked, prints: "before\nafter")
    }

    @Test func whatTheHostLacksStaysTheRootfss() throws {
        let etc = try etc()
        try etc.link("resolv.conf", to: "/nonexistent/resolv.conf")
        let seen = try launch("cat /etc/host.conf", onHostWith: etc, ["--verbose"])
        let own = try run(["cat", Bench.current().rootfs + "/etc/host.conf"])
        #expect(seen.status == 0 && seen.output == own.output, "\(seen)")
        for name in ToolboxSettingsTests.names {
            #expect(seen.error.contains("nsrun: left out /etc/\(name): there is none"), "\(seen)")
        }
    }

    @Test(arguments: MountPath.allCases, links)
    func linksOfTheRootfsGiveWay(path: MountPath, text: String) throws {
        let host = try TemporaryDirectory()
        try host.write("untouched\n", to: "file")
        let before = try host.listing()
        let bare = try root()
        try bare.directory.write("the image's own\n", to: "etc/real")
        for name in ToolboxSettingsTests.names {
            let text = text.replacing("HOST", with: host.path).replacing("SELF", with: name)
            try bare.directory.link("etc/\(name)", to: text)
        }
        let inside = try bare.directory.listing()
        // A writable root gets /etc/passwd and the like, where they were not.
        let own = "find etc -type l -printf '%p %i %l\\n' -o -name real -printf '%p %i %s\\n'"
        let etc = try run(["sh", "-c", own], directory: bare.path)
        try expect(inToolbox(script, path.options, root: bare.path), wanted())
        #expect(try bare.directory.listing() == inside)
        for layer in [["--ephemeral"], ["--writable"]] {
            try expect(inToolbox(script, layer + path.options, root: bare.path), wanted())
        }
        try expect(run(["sh", "-c", own], directory: bare.path), etc)
        #expect(try host.listing() == before)
    }

    /// The rootfs's own files are as they were, whatever is written inside.
    @Test(arguments: MountPath.allCases)
    func theRootfssOwnStay(path: MountPath) throws {
        let bare = try root()
        for name in ToolboxSettingsTests.present {
            try bare.directory.write("the image's own \(name)\n", to: "etc/\(name)")
        }
        let attack =
            script + """

                for name in \(ToolboxSettingsTests.present.joined(separator: " ")); do
                    (echo attack >/etc/$name) 2>/dev/null && echo $name was written
                done; :
                """
        for layer in [[], ["--writable"], ["--ephemeral"]] {
            try expect(inToolbox(attack, layer + path.options, root: bare.path), wanted())
        }
        for name in ToolboxSettingsTests.present {
            #expect(bare.directory.content("etc/\(name)") == "the image's own \(name)\n")
        }
    }

    /// Packages such as tzdata replace them, which a mount point would not let them do.
    @Test(arguments: MountPath.allCases, [["--fake-root"], ["--uid", "0"]])
    func rootMayReplaceThem(path: MountPath, options: [String]) throws {
        let root = try BareRoot(with: ["cat", "rm"])
        let names = ["host.conf", "localtime", "machine-id", "timezone"]
        for name in names { try root.directory.write("the image's own\n", to: "etc/\(name)") }
        let script = """
            for name in \(names.joined(separator: " ")); do
                cat /etc/$name; rm -f /etc/$name; echo new >/etc/$name; cat /etc/$name
            done
            """
        let seen = try inToolbox(
            script, options + ["--ephemeral", "--verbose"] + path.options, root: root.path)
        let wanted = String(repeating: "the image's own\nnew\n", count: names.count).dropLast()
        #expect(seen.status == 0 && seen.output == wanted, "\(seen)")
        for name in names where ToolboxSettingsTests.present.contains(name) {
            #expect(seen.error.contains("nsrun: left out /etc/\(name): "), "\(seen)")
        }
    }

    @Test(arguments: MountPath.allCases)
    func aDirectoryInTheirPlaceStaysOne(path: MountPath) throws {
        let root = try BareRoot(with: ["cat", "ls"])
        try root.directory.write("", to: "etc/localtime/kept")
        let seen = try inToolbox(
            "ls /etc/localtime; cat /etc/hosts", path.options, root: root.path)
        let hosts = try run(["cat", "/etc/hosts"])
        expect(seen, prints: "kept\n" + hosts.output)
    }

    static let places = [
        "etc", "tmp", "var", "var/tmp", "dev", "run", "media", "mnt", "home", "srv", "run/host",
    ]

    /// No link where the host's places go leads a mount or a file onto the host.
    @Test(
        arguments: MountPath.allCases,
        ["HOST", "../../../../../../../..HOST", "/proc/self/root/HOST"])
    func linksLeadNothingOntoTheHost(path: MountPath, text: String) throws {
        let host = try TemporaryDirectory(in: "/run/lock")
        try host.write("untouched", to: "file")
        try host.makeDirectory("tmp")
        let before = try host.listing()
        let mounts = try HostState.mounts()
        for place in ToolboxSettingsTests.places {
            for layer in [[], ["--writable"]] {
                let root = try BareRoot()
                let parent = (place as NSString).deletingLastPathComponent
                if !parent.isEmpty { try root.directory.makeDirectory(parent) }
                try root.directory.link(place, to: text.replacing("HOST", with: host.path))
                let seen = try inToolbox(
                    ":", layer + path.options, root: root.path, directory: "/srv")
                #expect([0, 125].contains(seen.status), "\(place): \(seen)")
                #expect(try host.listing() == before, "\(place)")
            }
        }
        #expect(try HostState.mounts() == mounts)
    }
}

/// Runs a shell script in the rootfs as a toolbox.
private func inToolbox(
    _ script: String, _ options: [String] = [], root: String? = nil,
    environment: [String: String?] = [:], directory: String = "/"
) throws -> Outcome {
    try inRoot(
        script, ["--preset", "toolbox"] + options, root: root, environment: environment,
        directory: directory)
}

/// A desktop session of the test's own making.
enum Session {
    static let displays = "/tmp/.X11-unix"

    /// Nothing of the session that the tests themselves may run in.
    static let none: [String: String?] = [
        "DBUS_SESSION_BUS_ADDRESS": nil, "DISPLAY": nil, "PULSE_SERVER": nil, "SSH_AUTH_SOCK": nil,
        "WAYLAND_DISPLAY": nil, "XAUTHORITY": nil, "XDG_RUNTIME_DIR": nil,
    ]

    /// A socket that takes connections: the system does, before anybody accepts them.
    static func listen(at path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard bound == 0, Glibc.listen(descriptor, 4) == 0 else {
            throw POSIXError(.init(rawValue: errno) ?? .EIO)
        }
        return descriptor
    }

    /// A command line that says of each socket whether it answers.
    static func connect(_ places: [String]) -> String {
        """
        perl -MSocket -e '
            for (@ARGV) {
                socket(my $s, PF_UNIX, SOCK_STREAM, 0);
                print connect($s, pack_sockaddr_un($_)) ? "connected\\n" : "$_: $!\\n";
            }' \(places.joined(separator: " "))
        """
    }
}
