// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A root file system is hostile input: no link in it leads a mount or a new file onto the host.
@Suite struct HostileRootTests {
    static let places = [
        "tmp", "proc", "etc", "home", "dev", "run", "var", "sys", "var/tmp", "etc/passwd",
        "etc/resolv.conf",
    ]

    /// Where the links point; HOST stands for a directory of the host that the attacker can name.
    static let texts = [
        "/", "../../..", "HOST", "../../../../../../../../../../HOST", "/proc/self/root/HOST",
        "/proc/self/cwd", "loop",
    ]

    @Test(arguments: MountPath.allCases, texts)
    func linksLeadNoMountAndNoFileOntoTheHost(path: MountPath, text: String) throws {
        let host = try TemporaryDirectory()
        try host.write("untouched", to: "tmp/file")
        try host.write("untouched", to: "passwd")
        let before = try host.listing()
        let mounts = try HostState.mounts()
        for place in HostileRootTests.places {
            let root = try BareRoot()
            let parent = (place as NSString).deletingLastPathComponent
            if !parent.isEmpty { try root.directory.makeDirectory(parent) }
            try root.directory.link("loop", to: "loop")
            try root.directory.link(place, to: text.replacing("HOST", with: host.path))
            let inside = try root.directory.listing()
            let script =
                "for d in /tmp /run /var/tmp /dev/shm /home; do (: >$d/made) 2>/dev/null; done; :"
            let seen = try inRoot(script, path.options, root: root.path)
            #expect([0, 125].contains(seen.status), "\(place): \(seen)")
            #expect(try root.directory.listing() == inside, "\(place)")
            #expect(try host.listing() == before, "\(place)")
        }
        #expect(try HostState.mounts() == mounts)
    }

    /// The standard places are the run's own, even where the image has links for them.
    @Test(arguments: MountPath.allCases, ["tmp", "proc", "dev", "run", "sys"])
    func standardPlacesReplaceTheImagesLinks(path: MountPath, place: String) throws {
        let root = try BareRoot()
        let host = try TemporaryDirectory()
        try root.directory.link(place, to: host.path)
        let script = "[ -d /\(place) ] && [ ! -L /\(place) ] && echo own"
        try expect(inRoot(script, path.options, root: root.path), prints: "own")
    }

    static let deepOptions: [[String]] = [
        ["--tmpfs", "/a/b/new"], ["--dir", "/a/b/new"], ["--symlink", "x", "/a/b/new"],
        ["--bind", "/usr", "/a/b/new"], ["--ro-bind", "/etc/passwd", "/a/b/new"],
        ["--proc", "/a/b/new"], ["--dev", "/a/b/new"], ["--file", "7", "/a/b/new"],
        ["--bind-data", "7", "/a/b/new"], ["--ro-bind-data", "7", "/a/b/new"],
        ["--chmod", "0777", "/a/b/file"], ["--remount-ro", "/a/b"],
    ]

    @Test(
        arguments: MountPath.allCases,
        ["HOST", "../../../../../../../..HOST", "/proc/self/root/HOST", "/proc/self/cwd", "/"])
    func askedForPlacesBelowALinkStayInTheRoot(path: MountPath, text: String) throws {
        let host = try TemporaryDirectory()
        try host.write("untouched", to: "file", mode: 0o600)
        let before = try host.listing()
        for layer in [[], ["--ephemeral"], ["--writable"]] {
            for option in HostileRootTests.deepOptions {
                let root = try BareRoot()
                try root.directory.makeDirectory("a")
                try root.directory.link("a/b", to: text.replacing("HOST", with: host.path))
                let seen = try nsrun(
                    ["--rootfs", root.path] + layer + path.options + option + ["true"],
                    directory: host.path, descriptors: [7: "data"])
                #expect([0, 125, 127].contains(seen.status), "\(option): \(seen)")
                #expect(try host.listing() == before, "\(layer) \(option)")
            }
        }
    }

    @Test(arguments: MountPath.allCases)
    func linkedHomeStaysInTheRoot(path: MountPath) throws {
        let host = try TemporaryDirectory()
        let root = try BareRoot(with: ["cat"])
        let top = NSHomeDirectory().split(separator: "/")[0]
        try root.directory.link(String(top), to: host.path)
        let seen = try inRoot("echo x >$HOME/x; cat $HOME/x", path.options, root: root.path)
        #expect(seen.output == "x" || seen.status == 125, "\(seen)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: host.path) == [])
    }

    /// Whatever the root was put together from, its parent is itself.
    @Test(
        arguments: MountPath.allCases,
        [[], ["--ephemeral"], ["--writable"], ["--dir", "/new"], ["--tmpfs", "/new/deep"]])
    func nothingIsAboveTheRoot(path: MountPath, options: [String]) throws {
        let bare = try BareRoot()
        let script = "[ \"$(cd /; echo *)\" = \"$(cd /; cd ..; echo *)\" ] && echo /../*"
        let listing = try inRoot("echo /*", options + path.options, root: bare.path)
        let above = try inRoot(script, options + path.options, root: bare.path)
        #expect(above.status == 0 && above.output == listing.output.replacing("/", with: "/../"))
    }

    @Test(arguments: MountPath.allCases)
    func rootItselfMayBeALink(path: MountPath) throws {
        let root = try BareRoot()
        let links = try TemporaryDirectory()
        try links.link("root", to: root.path)
        try expect(inRoot("echo x", path.options, root: links / "root"), prints: "x")
    }

    @Test(arguments: MountPath.allCases)
    func chrootTricksDoNotLeaveTheRoot(path: MountPath) throws {
        let trick = """
            mkdir "/tmp/x"; opendir(my $top, "/"); chroot("/tmp/x") or die "chroot: $!";
            chdir("..") for 1..100; chroot(".");
            print -e "/etc/debian_version" ? "inside\\n" : "?\\n", -e $ARGV[0] ? "OUT" : "kept";
            """
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        let bench = try Bench.current()
        let seen = try nsrun(
            ["--rootfs", bench.rootfs, "--uid", "0", "--gid", "0"] + path.options
                + ["perl", "-e", trick, host.path])
        expect(seen, prints: "inside\nkept")
    }

    @Test(arguments: MountPath.allCases)
    func nothingOfTheHostIsLeftToUnmountTo(path: MountPath) throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        let script = """
            umount -l / 2>/dev/null; umount -l /.. 2>/dev/null
            [ -e \(host.path) ] && echo out; cd /..; pwd; readlink /proc/self/root
            """
        let options = ["--uid", "0", "--gid", "0"] + path.options
        try expect(inRoot(script, options), prints: "/\n/")
    }

    /// The kernel would follow a link of proc to whatever nsrun has open at that moment: of the host, for instance.
    @Test(
        arguments: [
            [], ["--share-pid"], ["--as-pid-1"], ["--timeout", "60"], ["--join", "NAME"],
            ["--debug-opt=force-classic-mounts"], ["--debug-opt=force-openat-fallback"],
        ], [["--chdir", "/link"], ["--lock-file", "/link"], []])
    func noLinkLeadsToWhatIsOpen(shape: [String], option: [String]) throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        let name = "links-\(UUID().uuidString)"
        for descriptor in 3..<12 {
            let root = try BareRoot(with: ["readlink"])
            try root.directory.link("link", to: "/proc/self/fd/\(descriptor)/..")
            // What the caller's directory leads to.
            let top = host.path.split(separator: "/")[0]
            try root.directory.link(String(top), to: "/proc/self/fd/\(descriptor)/../\(top)")
            let script = """
                for place in . /proc/self/cwd /proc/1/fd/*; do
                    for up in . .. ../.. ../../.. ../../../../..; do
                        [ -e $place/$up/\(host.path) ] && echo out by $place/$up
                    done
                done; :
                """
            let seen = try run(
                [
                    "sh", "-c", "exec \"$@\" 9</", "sh", Bench.current().nsrun, "--rootfs",
                    root.path,
                    "--ro-bind-fd", "9", "/mnt",
                ] + shape.map { $0 == "NAME" ? "\(name)-\(descriptor)" : $0 } + option
                    + ["--", "sh", "-c", script], directory: host.path)
            #expect([0, 125].contains(seen.status) && seen.output == "", "\(seen)")
        }
    }

    /// What had to be copied into memory for a symlink or a file is as read-only as the rootfs.
    @Test(arguments: MountPath.allCases)
    func copiesInMemoryAreReadOnly(path: MountPath) throws {
        let options = ["--symlink", "foo", "/usr/share/link"] + path.options
        let script = "readlink /usr/share/link; : >/usr/share/new; : >/etc/new; ls /usr/share/new"
        let seen = try inRoot(script, options)
        #expect(seen.output.hasPrefix("foo") && seen.status != 0, "\(seen)")
        #expect(!seen.output.contains("new"), "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func rootInsideCannotMakeTheRootWritable(path: MountPath) throws {
        let script = "mount -o remount,bind,rw / 2>/dev/null; : >/made-by-test"
        let seen = try inRoot(script, ["--uid", "0", "--gid", "0"] + path.options)
        let made = try Bench.current().rootfs + "/made-by-test"
        #expect(seen.status != 0)
        #expect(!FileManager.default.fileExists(atPath: made))
    }

    /// /dev of the host stands for device nodes in an image: only root can make real ones.
    @Test(arguments: MountPath.allCases)
    func deviceNodesOfTheImageDoNotOpen(path: MountPath) throws {
        let root = try BareRoot()
        try root.directory.makeDirectory("nodes")
        let bound = ["--bind", "/dev", "/nodes"]
        for node in ["null", "zero"] {
            let seen = try inRoot(": </nodes/\(node)", path.options + bound, root: root.path)
            #expect(seen.status == 2, "\(seen)")
            #expect(seen.error.contains("Permission denied"), "\(seen)")
        }
        let flags = try inRoot(
            "while read -r a b c d point flags e; do [ $point = / ] && echo $flags; done "
                + "</proc/self/mountinfo; :", path.options, root: root.path)
        for line in flags.lines {
            #expect(line.contains("nodev") && line.contains("nosuid"), "\(flags)")
        }
        #expect(!flags.lines.isEmpty)
    }

    @Test(arguments: MountPath.allCases)
    func setuidFilesOfTheImageGainNothing(path: MountPath) throws {
        let root = try BareRoot(with: ["id"])
        try expect(run(["chmod", "4755", root.path + "/bin/id"]), exits: 0)
        let id = try run(["id", "-u"])
        try expect(inRoot("id -u", path.options, root: root.path), id)
    }
}
