// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `nsrun-rootfs remove`: nothing that somebody runs in, and all of what nobody does.
@Suite struct RemovalTests {
    @Test(arguments: [[], ["--share-pid"], ["--ephemeral"], ["--writable"]])
    func aRootThatSomethingRunsInStays(options: [String]) throws {
        let bare = try BareRoot()
        try bare.directory.record(".")
        let bench = try Bench.current()
        let talk = try Conversation(
            [bench.nsrun, "--rootfs", bare.path] + options
                + ["--", "sh", "-c", "echo ready; read -r line; echo \"$line\""])
        #expect(talk.line() == "ready")
        let refused = try rootfsTool(["remove", bare.path])
        let error = "nsrun-rootfs: cannot remove \(bare.path): it is in use\n"
        expect(
            refused,
            Outcome(status: 125, output: "", error: error + "  end what runs in it first"))
        #expect(access("\(bare.path)/bin/sh", X_OK) == 0)
        talk.say("still there")
        #expect(talk.line() == "still there")
        #expect(talk.child.wait() == 0)
        expect(try rootfsTool(["remove", bare.path]), exits: 0)
        #expect(access(bare.path, F_OK) != 0)
    }

    @Test func twoLaunchesAtOnceBothHoldIt() throws {
        let bare = try BareRoot()
        try bare.directory.record(".")
        let bench = try Bench.current()
        let talks = try (1...2).map { _ in
            try Conversation(
                [bench.nsrun, "--rootfs", bare.path, "--", "sh", "-c", "echo ready; read -r line"])
        }
        for talk in talks { #expect(talk.line() == "ready") }
        for talk in talks {
            #expect(try rootfsTool(["remove", bare.path]).status == 125)
            talk.hangUp()
            talk.child.wait()
        }
        expect(try rootfsTool(["remove", bare.path]), exits: 0)
    }

    @Test func unwritableDirectoriesGoToo() throws {
        let folder = try TemporaryDirectory()
        try folder.write("text", to: "root/closed/below/file", mode: 0o400)
        try folder.write("text", to: "root/unreadable/file")
        try folder.record("root")
        try folder.link("root/out", to: "/etc")
        let close = "chmod 0 root/unreadable; chmod 555 root/closed/below root/closed root"
        expect(try run(["sh", "-c", close], directory: folder.path), exits: 0)
        expect(try rootfsTool(["remove", folder / "root"]), exits: 0)
        #expect(try folder.names() == [])
    }

    @Test func filesOfSubordinateIdsGoToo() throws {
        _ = try SubordinateRange.first()
        let folder = try TemporaryDirectory()
        let root = try folder.makeDirectory("root")
        try folder.record("root")
        let script = """
            cd /tmp/x; mkdir -p hers/below; echo text >hers/below/file
            chown -R 5:7 hers; chmod 700 hers/below hers
            """
        let made = try inRoot(
            script, ["--map-auto", "--uid", "0", "--gid", "0", "--bind", root, "/tmp/x"])
        expect(made, exits: 0)
        #expect(access("\(root)/hers/below", F_OK) != 0, "the caller has no power over it")
        expect(try rootfsTool(["remove", root]), exits: 0)
        #expect(try folder.names() == [])
    }

    @Test func whatIsMountedElsewhereIsInUse() throws {
        let folder = try TemporaryDirectory()
        let root = try folder.makeDirectory("root/sub")
        try folder.record("root")
        let talk = try Conversation(
            inRoot: "echo ready; read -r line", ["--bind", root, "/tmp/x"])
        #expect(talk.line() == "ready")
        #expect(try rootfsTool(["remove", folder / "root"]).status == 125)
        talk.hangUp()
        talk.child.wait()
        expect(try rootfsTool(["remove", folder / "root"]), exits: 0)
    }

    // MARK: What is mounted

    /// A folder that the host view shows, with a root and somebody's files beside it.
    private func withFiles() throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.makeDirectory("root/mount")
        try folder.record("root")
        try folder.write("years of work", to: "thesis/chapter")
        return folder
    }

    /// Runs the tool where the files are mounted in a place below; of the same file system, which st_dev does not tell.
    private func tool(
        _ arguments: [String], in folder: TemporaryDirectory, mountedAt place: String
    ) throws -> Outcome {
        try nsrun(
            ["--bind", folder / "thesis", folder / place, "--", try RootfsTool.path()] + arguments)
    }

    @Test func whatIsMountedInARootStays() throws {
        let folder = try withFiles()
        let seen = try tool(["remove", folder / "root"], in: folder, mountedAt: "root/mount")
        #expect(seen.status == 125 && seen.error.contains("it is in use"), "\(seen)")
        #expect(folder.content("thesis/chapter") == "years of work")
    }

    @Test func aMountPointStays() throws {
        let folder = try withFiles()
        try folder.record("thesis")
        let seen = try tool(["remove", folder / "root"], in: folder, mountedAt: "root")
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error
                == "nsrun-rootfs: cannot remove \(folder / "root"): something is mounted on it\n"
                + "  unmount it first", "\(seen)")
        #expect(folder.content("thesis/chapter") == "years of work")
    }

    /// Also where something is only swept that a killed run has left.
    @Test func sweepingStopsAtMounts() throws {
        let folder = try withFiles()
        try folder.makeDirectory(".x.partial-1-f/mount")
        try folder.write("x", to: "tree/file")
        let seen = try tool(
            ["import", "--quiet", folder / "tree", folder / "new"], in: folder,
            mountedAt: ".x.partial-1-f/mount")
        expect(seen, exits: 0)
        #expect(folder.content("thesis/chapter") == "years of work")
        #expect(try folder.names().contains(".x.partial-1-f"))
        // And goes on when nothing is mounted any more.
        expect(try rootfsTool(["remove", folder / "new"]), exits: 0)
        #expect(try folder.names() == ["root", "thesis", "tree"])
    }

    /// The same directory by another name is the same directory.
    @Test func theHomeStaysUnderEveryName() throws {
        let folder = try withFiles()
        try folder.makeDirectory("root/home")
        let home = ["--setenv", "HOME", folder / "root/home"]
        for (source, place) in [(folder / "root", "/mnt"), (folder.path, "/mnt")] {
            let name = source == folder.path ? "/mnt/root" : "/mnt"
            let seen = try nsrun(
                ["--bind", source, place] + home
                    + ["--", try RootfsTool.path(), "remove", "--force", name])
            #expect(seen.status == 125, "\(seen)")
            #expect(seen.error.contains("your home directory lies in it"), "\(seen)")
        }
        #expect(try folder.names(in: "root") == [".nsrun", "home", "mount"])
    }
}
