// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What RUN runs, in roots that `nsrun-rootfs build` makes, and what is kept of it.
@Suite struct BuildRunTests {
    private let folder: TemporaryDirectory
    private let bare: BareRoot

    init() throws {
        folder = try TemporaryDirectory()
        bare = try BareRoot(with: [
            "cat", "chown", "id", "ln", "ls", "mkdir", "rm", "sleep", "stat", "touch",
        ])
        for name in ["dev", "etc", "proc", "sys", "tmp"] {
            try bare.directory.makeDirectory(name)
        }
        try bare.directory.write(
            "root:x:0:0::/root:/bin/sh\nuser:x:7:8::/home/user:/bin/sh\n", to: "etc/passwd")
        try bare.directory.write("root:x:0:\nusers:x:8:\nothers:x:9:\n", to: "etc/group")
    }

    private func build(
        _ text: String, _ options: [String] = [], to name: String = "root"
    ) throws -> Outcome {
        try keepBase()
        try folder.write("FROM base\n" + text, to: "Containerfile")
        return try rootfsTool(
            ["build", "--quiet"] + options + [folder / "Containerfile", folder / name],
            environment: environment)
    }

    private var environment: [String: String?] {
        ["XDG_CACHE_HOME": folder / "cache", "XDG_DATA_HOME": folder / "data"]
    }

    /// Makes the root in the store what the bare one is now.
    private func keepBase() throws {
        _ = try rootfsTool(["remove", "base"], environment: environment)
        expect(
            try rootfsTool(["import", "--quiet", bare.path, "base"], environment: environment),
            exits: 0)
    }

    /// Builds it, and gives what a file of it says.
    private func content(_ name: String, _ text: String, _ options: [String] = []) throws -> String
    {
        expect(try build(text, options), exits: 0)
        defer { expectGone() }
        return try #require(folder.content("root/\(name)")).trimmingCharacters(in: .newlines)
    }

    private func expectGone() {
        let seen = try? rootfsTool(["remove", folder / "root"])
        #expect(seen == Outcome(status: 0, output: "", error: ""))
    }

    private func layers() throws -> [String] {
        try folder.names(in: "cache/nsrun/build")
    }

    // MARK: - What it sees

    @Test func itIsRootOfItsRoot() throws {
        #expect(
            try content("x", "RUN id -u >x; chown 5:6 /etc/group; stat -c %u:%g /etc/group >>x")
                .hasPrefix("0\n"))
        #expect(try content("x", "WORKDIR /w/v\nRUN pwd >/x") == "/w/v")
        #expect(try content("x", #"RUN ["/bin/sh", "-c", "echo $HOME >/x"]"#) == "/root")
        #expect(
            try content("x", "SHELL [\"/bin/sh\", \"-uc\"]\nENV a=b\nRUN echo $a$- >/x") == "bu")
        #expect(try content("x", "ARG a=1\nARG b\nENV a=2\nRUN echo $a$b >/x") == "2")
        #expect(
            try content("x", "ARG b\nRUN echo $b$http_proxy >/x", ["--build-arg", "b=3"]) == "3")
    }

    @Test func theUserIsWhomItNames() throws {
        let seen = "RUN mkdir w\nUSER %\nRUN echo $(id -u):$(id -g) $HOME >/tmp/x"
        for (user, wanted) in [
            ("user", "7:8 /home/user"), ("7", "7:8 /home/user"), ("user:others", "7:9 /home/user"),
            ("12:13", "12:13 /"), ("root", "0:0 /root"),
        ] {
            #expect(
                try content("tmp/x", seen.replacingOccurrences(of: "%", with: user)) == wanted)
        }
    }

    /// Nothing of the host's but its settings of the network; not its files, processes and variables.
    @Test func nothingElseOfTheHostIsThere() throws {
        try folder.write("secret", to: "secret")
        let text = """
            RUN for file in \(folder.path)/* /home/* /root/*; do [ ! -e $file ] || echo $file; done >/x; \
            [ -z "${XDG_CACHE_HOME:-}" ] || echo variable >>/x; \
            for pid in /proc/[0-9]*; do cat $pid/comm; done >>/x; ls /sys/kernel >>/y
            """
        let seen = try content("x", text).split(separator: "\n")
        #expect(seen.allSatisfy { ["sh", "cat", "nsrun-rootfs"].contains($0) }, "\(seen)")
        #expect(
            try content("x", "RUN --network=none cat /proc/net/dev >/x").split(separator: "\n")
                .count
                == 3)
    }

    /// Places that were mounted on for the run, and were not there.
    @Test func noMountPointsStay() throws {
        for name in ["dev", "proc", "sys"] { rmdir(bare.path + "/" + name) }
        expect(try build("RUN echo >/x"), exits: 0)
        #expect(
            try folder.names(in: "root") == [".nsrun", "bin", "etc", "lib", "lib64", "tmp", "x"])
        #expect(try folder.names(in: "root/etc") == ["group", "passwd"])
        expectGone()
    }

    // MARK: - What is kept

    @Test func whatItDoesIsInTheRoot() throws {
        let before = try bare.directory.listing()
        expect(
            try build(
                """
                RUN mkdir -p d/e d/f && echo 1 >d/e/x && echo 2 >d/y && ln -s e d/link && ln d/y d/z
                RUN rm -r d/e && mkdir d/e && echo 3 >d/e/new && rm d/z && rm -r d/f && rm etc/group
                RUN echo 4 >>d/y && ln d/y d/h && rm d/y
                """), exits: 0)
        #expect(try folder.names(in: "root/d") == ["e", "h", "link"])
        #expect(try folder.names(in: "root/d/e") == ["new"])
        #expect(folder.content("root/d/h") == "2\n4\n")
        #expect(
            try folder.names(in: "root/etc").filter { $0 != "resolv.conf" && $0 != "hosts" } == [
                "passwd"
            ])
        #expect(try bare.directory.listing() == before)
        expectGone()
    }

    private static let uuid = "RUN cat /proc/sys/kernel/random/uuid >/uuid"

    /// What was run is not run again where all before it is the same.
    @Test func layersAreKept() throws {
        try folder.write("1", to: "file")
        let text = "ENV a=1\nCOPY file /file\n\(Self.uuid)\nRUN touch /y"
        let first = try content("uuid", text)
        #expect(try content("uuid", text) == first)
        #expect(try content("uuid", text + "\nRUN touch /z") == first)
        #expect(try content("uuid", "# another\nLABEL a=b\n" + text) == first)
        #expect(try content("uuid", text.replacingOccurrences(of: "a=1", with: "a=2")) != first)
        // Times of the context do not matter; its contents do.
        expect(try run(["touch", "-d", "2001-01-01", folder / "file"]), exits: 0)
        #expect(try content("uuid", text) == first)
        try folder.write("2", to: "file")
        #expect(try content("uuid", text) != first)
        try folder.write("1", to: "file")
        chmod(folder / "file", 0o755)
        #expect(try content("uuid", text) != first)
        chmod(folder / "file", 0o644)
        #expect(try content("uuid", text) == first)
        let removed = try rootfsTool(
            ["remove", "--unused", "--quiet"],
            environment: environment)
        expect(removed, exits: 0)
        #expect(try layers() == [])
        let second = try content("uuid", text)
        #expect(second != first)
        // And what it begins with.
        try bare.directory.write("x", to: "etc/new")
        #expect(try content("uuid", text) != second)
    }

    @Test func aStepThatFailsLeavesNothing() throws {
        let seen = try build("RUN touch /x\nRUN echo a secret; exit 3")
        #expect(seen.status == 125)
        let lines = seen.error.split(separator: "\n")
        #expect(
            lines.first?.hasPrefix(
                "nsrun-rootfs: cannot build \(folder.path)/Containerfile: line 3: cannot run")
                == true,
            "\(seen)")
        #expect(lines.first?.hasSuffix("/bin/sh failed with status 3") == true, "\(seen)")
        #expect(lines.last == "  a secret", "\(seen)")
        #expect(try folder.names().sorted() == ["Containerfile", "cache", "data"])
        // The step before it is kept.
        #expect(try layers().count == 1)
    }

    @Test(arguments: [SIGINT, SIGTERM]) func anInterruptedStepLeavesNothing(_ signal: Int32) throws
    {
        try keepBase()
        try folder.write("FROM base\nRUN echo started; sleep 100", to: "Containerfile")
        let talk = try Conversation(
            [
                "sh", "-c", "exec \"$0\" build \"$1\" \"$2\" 2>&1", RootfsTool.path(),
                folder / "Containerfile", folder / "root",
            ], environment: environment)
        while let line = talk.line(), !line.hasSuffix("started") {}
        talk.child.send(signal)
        #expect(talk.child.wait() == 128 + signal)
        #expect(try folder.names().sorted() == ["Containerfile", "cache", "data"])
        #expect(try layers() == [])
    }

    /// A step may leave in the root what it likes: directories that shut everybody out, and names of all kinds.
    @Test func whateverAStepLeavesIsTaken() throws {
        expect(
            try build(
                """
                RUN mkdir -m 0 shut && mkdir -m 0 kept && mkdir -p 'a b/.wh.c' && touch '.wh.x' 'n\u{fc}'
                RUN rm -rf shut && echo x >kept/x && mkdir .nsrun && echo cmd evil >.nsrun/image
                CMD good
                """), exits: 0)
        #expect(try folder.names(in: "root/a b") == [".wh.c"])
        expect(try run(["stat", "-c", "%a", folder / "root/kept"]), prints: "0")
        chmod(folder / "root/kept", 0o755)
        #expect(folder.content("root/kept/x") == "x\n")
        #expect(folder.content("root/.nsrun/image")?.contains("evil") == false)
        expectGone()
    }
}
