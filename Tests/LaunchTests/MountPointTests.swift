// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What is made to be mounted on in a directory that stays is taken away with the run, and nothing else is.
@Suite struct MountPointTests {
    private static func home() throws -> TemporaryDirectory {
        // The host view has a /tmp of its own.
        let home = try TemporaryDirectory(in: NSHomeDirectory())
        try home.write("kept\n", to: "file")
        try home.makeDirectory("empty")
        return home
    }

    /// Without times, which change.
    private static func names(_ directory: TemporaryDirectory) throws -> String {
        try run(["find", directory.path, "-printf", "%P %y %m\\n"]).output
            .split(separator: "\n").sorted().joined(separator: "\n")
    }

    private static func started(_ options: [String], home: TemporaryDirectory) throws
        -> Conversation
    {
        let bench = try Bench.current()
        let script = "echo started; read -r line; cat ~/.secret/file 2>/dev/null || echo none"
        let run = try Conversation(
            [bench.nsrun, "--rootfs", bench.rootfs, "--home"] + options + ["sh", "-c", script],
            environment: ["HOME": home.path])
        #expect(run.line() == "started")
        return run
    }

    @Test(arguments: MountPath.allCases)
    func nothingStaysInAHome(path: MountPath) throws {
        let home = try MountPointTests.home()
        let source = try TemporaryDirectory()
        try source.write("", to: "file")
        let before = try MountPointTests.names(home)
        let inside = home.path
        let options = [
            "--tmpfs", "\(inside)/.secret", "--tmpfs", "\(inside)/.a/deep/one",
            "--bind", source.path, "\(inside)/.a/deep/two",
            "--ro-bind", source / "file", "\(inside)/.b/file", "--tmpfs", "\(inside)/empty",
        ]
        let seen = try inRoot(
            "touch ~/.secret/x ~/.a/deep/two/y ~/new && echo done",
            ["--home"] + options + path.options, environment: ["HOME": inside])
        expect(seen, prints: "done")
        #expect(try MountPointTests.names(home) == before + "\nnew f 644")
    }

    @Test(arguments: MountPath.allCases)
    func nothingStaysInAWritableRoot(path: MountPath) throws {
        let root = try BareRoot()
        let before = try MountPointTests.names(root.directory)
        let options = ["--writable", "--tmpfs", "/opt/a/b"] + path.options
        try expect(inRoot("echo runs", options, root: root.path), prints: "runs")
        #expect(try MountPointTests.names(root.directory) == before)
    }

    /// A set-up that fails has made some of them, in a root that no run has entered yet.
    @Test(arguments: MountPath.allCases, [true, false])
    func nothingStaysOfALaunchThatFails(path: MountPath, inHome: Bool) throws {
        let root = try BareRoot()
        let home = try MountPointTests.home()
        let before = try MountPointTests.names(inHome ? home : root.directory)
        let place = inHome ? "\(home.path)/.a/deep" : "/opt/a/b"
        let options = inHome ? ["--home"] : ["--writable"]
        let seen = try inRoot(
            "true",
            options + ["--tmpfs", place, "--bind", home / "file", "/proc"] + path.options,
            root: inHome ? nil : root.path, environment: ["HOME": home.path])
        #expect(seen.status == 125 && seen.error.contains("/proc is a directory"), "\(seen)")
        #expect(try MountPointTests.names(inHome ? home : root.directory) == before)
    }

    /// Neither what was there nor what others have put there meanwhile is taken away, be it no more than a change.
    @Test func whatOthersHaveChangedStays() throws {
        let home = try MountPointTests.home()
        let names = [".one", ".two", ".three", ".four"]
        let options = names.flatMap { ["--tmpfs", "\(home.path)/\($0)"] }
        let run = try MountPointTests.started(options, home: home)
        try home.write("mine\n", to: ".one/file")
        try home.write("mine\n", to: ".two/file")
        #expect(unlink(home / ".two/file") == 0)
        #expect(rmdir(home / ".three") == 0)
        try home.makeDirectory(".three")
        run.say("")
        #expect(run.rest() == ["none"] && run.child.wait() == 0)
        #expect(home.content(".one/file") == "mine\n")
        #expect(access(home / ".two", F_OK) == 0)
        #expect(access(home / ".three", F_OK) == 0)
        #expect(access(home / ".four", F_OK) != 0)
    }

    /// Two runs with one mount point: it is there until the last has ended.
    @Test(arguments: [["--verbose"], ["--share-pid"], ["--writable"], ["--as-pid-1"]])
    func anotherRunKeepsIt(options: [String]) throws {
        let home = try MountPointTests.home()
        let source = try TemporaryDirectory()
        try source.write("secret\n", to: "file")
        let mount = ["--bind", source.path, "\(home.path)/.secret"]
        let first = try MountPointTests.started(mount, home: home)
        let second = try MountPointTests.started(mount + options, home: home)
        first.say("")
        #expect(first.rest() == ["secret"] && first.child.wait() == 0)
        #expect(access(home / ".secret", F_OK) == 0)
        second.say("")
        #expect(second.rest() == ["secret"] && second.child.wait() == 0)
        // Nobody stays behind who could take it away where the command has taken nsrun's place.
        #expect((access(home / ".secret", F_OK) == 0) == (options == ["--share-pid"]))
    }

    /// A root that is not to be changed does without what another run has made in it.
    @Test(arguments: MountPath.allCases, [[], ["--share-pid"]])
    func aReadOnlyRootDoesNotNeedIt(path: MountPath, options: [String]) throws {
        let root = try BareRoot(with: ["cat"])
        let source = try TemporaryDirectory()
        try source.write("shown\n", to: "file")
        let bench = try Bench.current()
        func start(_ options: [String]) throws -> Conversation {
            let run = try Conversation(
                [bench.nsrun, "--rootfs", root.path, "--bind", source.path, "/opt/here"] + options
                    + ["sh", "-c", "echo started; read -r line; cat /opt/here/file"])
            #expect(run.line() == "started")
            return run
        }
        let before = try MountPointTests.names(root.directory)
        let first = try start(["--writable"])
        let second = try start(options + path.options)
        first.say("")
        #expect(first.rest() == ["shown"] && first.child.wait() == 0)
        second.say("")
        #expect(second.rest() == ["shown"] && second.child.wait() == 0)
        #expect(try MountPointTests.names(root.directory) == before)
    }

    /// Many at once, of which each may make what another is about to take away.
    @Test func manyRunsAtOnce() throws {
        let home = try MountPointTests.home()
        let bench = try Bench.current()
        let before = try MountPointTests.names(home)
        let script = """
            for round in 1 2 3 4 5 6 7 8; do
                for run in 1 2 3 4; do
                    "$@" &
                done
                wait
            done
            """
        let launch = [
            bench.nsrun, "--rootfs", bench.rootfs, "--home", "--tmpfs", "\(home.path)/.a",
            "--tmpfs", "\(home.path)/.secret", "sh", "-c",
            "touch ~/.secret/x ~/.a/x && ls -A ~/.secret",
        ]
        let seen = try run(["sh", "-c", script, "sh"] + launch, environment: ["HOME": home.path])
        expect(seen, prints: Array(repeating: "x", count: 32).joined(separator: "\n"))
        #expect(try MountPointTests.names(home) == before)
    }

    /// What is asked for by itself is no mount point.
    @Test func directoriesThatAreAskedForStay() throws {
        let root = try BareRoot()
        let options = ["--writable", "--dir", "/opt/new", "--symlink", "text", "/srv/link"]
        try expect(inRoot(":", options, root: root.path), prints: "")
        #expect(access(root.path + "/opt/new", F_OK) == 0)
        #expect(access(root.path + "/srv", F_OK) == 0)
    }
}
