import Foundation
import Testing

/// `nsrun-rootfs remove`: nothing that somebody runs in, and all of what nobody does.
@Suite struct RemovalTests {
    @Test(arguments: [[], ["--share-pid"], ["--ephemeral"], ["--writable"]])
    func aRootThatSomethingRunsInStays(options: [String]) throws {
        let bare = try BareRoot()
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
        try folder.write("", to: "root.image")
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
        let talk = try Conversation(
            inRoot: "echo ready; read -r line", ["--bind", root, "/tmp/x"])
        #expect(talk.line() == "ready")
        #expect(try rootfsTool(["remove", folder / "root"]).status == 125)
        talk.hangUp()
        talk.child.wait()
        expect(try rootfsTool(["remove", folder / "root"]), exits: 0)
    }
}
