// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Rootfs built as a Containerfile says, as far as nothing is run in them.
@Suite struct BuildTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
        for name in ["a", "b.o", "dir/c", "dir/sub/d", "dir/e.o"] {
            try workspace.write("context/\(name)", name)
        }
        chmod(workspace("context/a"), 0o640)
        symlink("c", workspace("context/dir/link"))
    }

    private func build(
        _ text: String, _ options: [String] = [], to name: String = "root"
    ) throws -> (status: Int32, output: String) {
        try workspace.write("context/Containerfile", text)
        return try command.run(
            ["build", "--quiet"] + options + ["context/Containerfile", "./\(name)"],
            environment: ["HOME": workspace.path, "XDG_CACHE_HOME": workspace("cache")])
    }

    /// Builds it, and gives what came of it: `PATH CONTENTS` each.
    private func tree(_ text: String, _ options: [String] = []) throws -> [String] {
        let seen = try build("FROM scratch\n" + text, options)
        #expect(seen.status == 0 && seen.output == "", "\(seen.output)")
        defer { try? TreeRemoval.remove(workspace("root")) }
        return try files("root")
    }

    private func files(_ name: String) throws -> [String] {
        let reader = try TreeReader(path: workspace(name))
        var found: [String] = []
        while let entry = try reader.next() {
            var line = entry.path.printable
            switch entry.kind {
            case .directory:
                line += "/"
                if entry.path.isRoot { continue }
            case .symbolicLink(let target): line += " -> \(target.printable)"
            case .file: line += " " + (workspace.read("\(name)/\(entry.path.printable)") ?? "")
            case .hardLink(let other): line += " = \(other.printable)"
            case .fifo, .device: line += " special"
            }
            found.append(line)
        }
        return found
    }

    private func expectError(
        _ text: String, _ words: String..., options: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let seen = try build(text, options)
        #expect(seen.status == 125, "\(seen.output)", sourceLocation: sourceLocation)
        #expect(
            seen.output.hasPrefix("nsrun-rootfs: cannot build context/Containerfile: line "),
            "\(seen.output)", sourceLocation: sourceLocation)
        for word in words {
            #expect(seen.output.contains(word), "\(seen.output)", sourceLocation: sourceLocation)
        }
        #expect(
            try workspace.names().filter { $0.contains("root") } == [],
            sourceLocation: sourceLocation)
    }

    // MARK: - Where files go

    @Test func filesGoWhereTheyAreSaidToGo() throws {
        #expect(try tree("COPY a /x") == ["x a"])
        #expect(try tree("COPY a /x/") == ["x/", "x/a a"])
        #expect(try tree("COPY a b.o x/y/") == ["x/", "x/y/", "x/y/a a", "x/y/b.o b.o"])
        #expect(try tree("COPY a /\nCOPY b.o a") == ["a b.o"])
        #expect(try tree("WORKDIR /w\nWORKDIR v\nCOPY a .") == ["w/", "w/v/", "w/v/a a"])
        #expect(try tree("WORKDIR /w\nCOPY a ../x") == ["w/", "x a"])
        #expect(try tree(#"COPY ["a", "b.o", "/x y/"]"#) == ["x y/", "x y/a a", "x y/b.o b.o"])
        #expect(try tree("ARG d=x\nENV e=$d/y\nCOPY a /${e}/z") == ["x/", "x/y/", "x/y/z a"])
    }

    /// What is in it, and not the directory.
    @Test func ofADirectoryWhatIsInIt() throws {
        let all = [
            "x/", "x/c dir/c", "x/e.o dir/e.o", "x/link -> c", "x/sub/", "x/sub/d dir/sub/d",
        ]
        for target in ["x", "/x/", "/x"] { #expect(try tree("COPY dir \(target)") == all) }
        #expect(try tree("COPY dir/sub /") == ["d dir/sub/d"])
        #expect(try tree("COPY dir/link /") == ["link dir/c"])
    }

    @Test func patternsAreMatched() throws {
        #expect(try tree("COPY *.o /x/") == ["x/", "x/b.o b.o"])
        #expect(try tree("COPY d*/[ce]* /x/") == ["x/", "x/c dir/c", "x/e.o dir/e.o"])
        try expectError("FROM scratch\nCOPY *.c /x/", "line 2: there is no *.c", ".containerignore")
        try expectError("FROM scratch\nCOPY *o a /x", "line 2: several files go into a directory")
    }

    @Test func whatIsIgnoredIsNotThere() throws {
        try workspace.write("context/.containerignore", "**/*.o\n!dir/e.o\nContainerfile\n.*\n")
        #expect(
            try tree("COPY . /") == [
                "a a", "dir/", "dir/c dir/c", "dir/e.o dir/e.o", "dir/link -> c", "dir/sub/",
                "dir/sub/d dir/sub/d",
            ])
        try expectError("FROM scratch\nCOPY b.o /", "there is no b.o in the context, or it is left")
        // That of the file goes before that of the context.
        try workspace.write("context/Containerfile.containerignore", "*\n!a")
        #expect(try tree("COPY . /") == ["a a"])
    }

    @Test func modesAndTimesAreTheFiles() throws {
        let seen = try build("FROM scratch\nCOPY a /\nCOPY --chmod=4711 a /b\nCOPY dir /dir")
        #expect(seen.status == 0, "\(seen.output)")
        #expect(try workspace.status("root/a").st_mode & 0o7777 == 0o640)
        // Without the bits that would give others the caller's power.
        #expect(try workspace.status("root/b").st_mode & 0o7777 == 0o711)
        #expect(
            try workspace.status("root/a").st_mtim.tv_sec
                == workspace.status("context/a").st_mtim.tv_sec)
        #expect(try workspace.status("root").st_mode & 0o7777 == 0o755)
    }

    @Test func addUnpacksArchives() throws {
        let archive = tar {
            $0.directory("t", mode: 0o750)
            $0.file("t/f", "x")
            $0.hardLink("t/g", to: "t/f")
        }
        try workspace.write("context/t.tar", archive)
        try workspace.write("context/t.gz", "\u{1f}not gzip")
        let image = SavedImage(workspace: workspace)
        try workspace.write("context/t.tar.gz", image.packed(archive, "gzip"))
        let unpacked = ["x/", "x/t/", "x/t/f x", "x/t/g = x/t/f"]
        #expect(try tree("ADD t.tar /x/") == unpacked)
        #expect(try tree("ADD t.tar.gz x") == unpacked)
        #expect(try tree("ADD t.gz /x/") == ["x/", "x/t.gz \u{1f}not gzip"])
        #expect(try tree("COPY t.gz /x").count == 1)
        #expect(try tree("ADD a dir /x/").first == "x/")
    }

    // MARK: - Stages and images

    /// One that is not needed is not looked at, whatever it says.
    @Test func stagesGiveTheirFiles() throws {
        let seen = try build(
            """
            FROM scratch AS one
            COPY dir /d
            FROM docker://does.not/exist AS never
            RUN false
            FROM one AS two
            COPY a /d/c
            FROM scratch
            COPY --from=two /d/[cs]* /x/
            COPY --from=0 d/c /y/
            """)
        #expect(seen.status == 0, "\(seen.output)")
        #expect(try files("root") == ["x/", "x/c a", "x/d dir/sub/d", "y/", "y/c dir/c"])
    }

    @Test func aStageBeginsWithAnother() throws {
        let seen = try build(
            """
            FROM scratch AS one
            COPY dir /d
            ENV a=1
            ARG b=2
            FROM one
            COPY a /d/$a$b
            """)
        #expect(seen.status == 0, "\(seen.output)")
        #expect(
            try files("root") == [
                "d/", "d/1 a", "d/c dir/c", "d/e.o dir/e.o", "d/link -> c", "d/sub/",
                "d/sub/d dir/sub/d",
            ])
        #expect(try workspace.destination("root").image().environment == ["a=1"])
    }

    @Test func whatItBeginsWithIsFound() throws {
        try workspace.write("data/nsrun/rootfs/mine/etc/x", "stored")
        try workspace.write("data/nsrun/rootfs/mine/.nsrun/image", "env A=1\ncmd old\n")
        let saved = SavedImage(workspace: workspace)
        try saved.layout([saved.described(named: "app")])
        // A skopeo that has every image.
        try workspace.script(
            "bin/skopeo",
            """
            #!/bin/sh
            for word; do case $word in docker:*) ;; dir:*) dir=$word ;; esac; done
            exec /usr/bin/skopeo copy --quiet oci:\(workspace("image")):app "$dir"

            """)
        let found = [
            ("mine", "etc/x stored"), ("localhost/mine:latest", "etc/x stored"),
            ("debian:12", "etc/base 1"), ("docker://example.org/x", "etc/base 1"),
        ]
        for (name, file) in found {
            let seen = try build("ARG base=none\nFROM $base", ["--build-arg", "base=\(name)"])
            #expect(seen.status == 0, "\(seen.output)")
            #expect(try files("root").contains(file))
            // By COPY, too.
            try TreeRemoval.remove(workspace("root"))
            #expect(
                try tree("COPY --from=\(name) /etc /e").contains(
                    "e/" + file.dropFirst("etc/".count)))
        }
        let seen = try build("FROM mine\nENTRYPOINT new")
        #expect(seen.status == 0, "\(seen.output)")
        let record = try workspace.destination("root").image()
        // One instruction sees what was before it.
        #expect(record.environment == ["A=1"] && record.command == [])
        #expect(record.entryPoint == ["/bin/sh", "-c", "new"])
        #expect(workspace.read("data/nsrun/rootfs/mine/etc/x") == "stored")
    }

    @Test func howItWantsToBeRunIsRecorded() throws {
        let seen = try build(
            #"""
            FROM scratch
            ENV A=1 B="two words" \
                C=$A
            ENV D three  words
            ENV A=2 E="$A$A"
            WORKDIR /w
            USER 7:8
            LABEL a=b "c d"="e"
            SHELL ["/bin/x", "-y"]
            CMD run $A
            ENTRYPOINT ["/bin/z", "$A"]
            EXPOSE 80
            """#)
        #expect(seen.status == 0, "\(seen.output)")
        let record = try workspace.destination("root").image()
        // One instruction sees what was before it.
        #expect(record.environment == ["A=2", "B=two words", "C=", "D=three  words", "E=11"])
        #expect(record.workingDirectory == "/w" && record.user == "7:8")
        #expect(record.labels == ["a=b", "c d=e"])
        #expect(record.command == ["/bin/x", "-y", "run $A"])
        #expect(record.entryPoint == ["/bin/z", "$A"])
        #expect(record.origin == "build context/Containerfile")
    }

    @Test func argumentsAreTaken() throws {
        let text = "ARG a\nARG b=2\nENV r=$a.$b.$c"
        func value(_ options: String...) throws -> String? {
            #expect(try build("FROM scratch\n" + text, options).status == 0)
            defer { try? TreeRemoval.remove(workspace("root")) }
            return try workspace.destination("root").image().environment.first
        }
        #expect(try value() == "r=.2.")
        #expect(try value("--build-arg", "a=1", "--build-arg", "b=x=y") == "r=1.x=y.")
        // What the environment has.
        #expect(try value("--build-arg", "HOME", "--build-arg", "c=3") == "r=.2.")
        let seen = try command.run(
            ["build", "--build-arg", "tpyo=1", "context/Containerfile", "./root"],
            environment: ["XDG_CACHE_HOME": workspace("cache")])
        #expect(seen.output.contains("--build-arg tpyo: there is no ARG of that name"))
    }

    // MARK: - What is refused

    static let wrong: [(String, line: Int, says: String)] = [
        ("FROM scratch\nHEALTHCHEK x", 2, "did you mean"),
        ("FROM scratch\n\nCOPY none /", 3, "there is no none"),
        ("FROM scratch\nCOPY ../x /", 2, "leads out of the context"),
        ("FROM scratch\nCOPY a", 2, "COPY takes files, and where"),
        ("FROM scratch\nADD https://example.org/x /", 2, "ADD of what is elsewhere"),
        ("FROM scratch\nCOPY --from=scratch a /", 2, "cannot fetch docker://scratch"),
        ("FROM scratch\nCOPY --chmod=u+x a /", 2, "octal"),
        ("FROM scratch\nARG 1=x", 2, "ARG takes"),
        ("FROM scratch\nENV x", 2, "ENV takes NAME=VALUE"),
        ("FROM scratch\nRUN true", 2, "cannot run "),
        ("FROM scratch\nUSER nobody\nRUN true", 3, "no user or group nobody"),
        ("FROM ./none", 1, "cannot begin with ./none"),
        ("FROM --platform=windows/x scratch", 1, "not for linux"),
        ("FROM scratch\nCOPY a /x\nCOPY b.o /x/y", 3, "x"),
    ]

    @Test(arguments: wrong) func whatIsWrongLeavesNothing(
        _ text: String, line: Int, says: String
    ) throws {
        // No skopeo, so nothing is asked of anybody.
        try workspace.script("bin/skopeo", "#!/bin/sh\nexit 1\n")
        try expectError(text, "line \(line): ", says)
    }

    @Test func whatIsNoTextIsRefused() throws {
        for bytes in [[0xff, 0xfe], Array("FROM a\0".utf8)] as [[UInt8]] {
            try workspace.write("context/binary", bytes)
            let seen = try command.run(["build", "context/binary", "./root"])
            #expect(seen.status == 125 && seen.output.contains("it is no text"), "\(seen.output)")
        }
        try workspace.write(
            "context/large", [UInt8](repeating: 0x23, count: ContainerfileLines.largestFile + 1))
        let seen = try command.run(["build", "context/large", "./root"])
        #expect(seen.status == 125, "\(seen.output)")
        #expect(try command.run(["build", "./none", "./root"]).output.contains("no such file"))
        #expect(try workspace.names().filter { $0.contains("root") } == [])
    }

    // MARK: - A context, a base or an archive that means harm

    /// Links lead where they would lead inside, never out.
    @Test func linksOfTheContextLeadNowhereElse() throws {
        try workspace.write("secret", "secret")
        try workspace.write("context/in/secret", "inside")
        for (name, target) in [
            ("out", workspace("secret")), ("up", "../../../../\(workspace("secret"))"),
            ("updir", "../.."), ("proc", "/proc/self/root"),
        ] {
            symlink(target, workspace("context/\(name)"))
        }
        symlink("../../in", workspace("context/dir/inside"))
        for word in ["out", "up", "updir/secret", "updir/*ecret", "proc/etc/passwd"] {
            try expectError("FROM scratch\nCOPY \(word) /x", "line 2: there is no \(word)")
        }
        #expect(try tree("COPY dir/inside/secret /x") == ["x inside"])
        // As it is where it is one of many.
        #expect(try tree("COPY . /x").contains("x/out -> \(workspace("secret"))"))
    }

    /// Neither by path nor by a transport that takes one.
    @Test(arguments: [
        "/", "./x.tar", "../x", "oci:/x", "dir:/x", "docker-archive:x.tar", "tarball:/etc/passwd",
        "containers-storage:[vfs@/x]y", "oci-archive:x:y", "sif:x", "ostree:x@/y",
    ])
    func aContainerfileNamesNoFiles(_ name: String) throws {
        let says = "cannot begin with \(name): a Containerfile reaches no files outside"
        try expectError("FROM \(name)", "line 1: \(says)")
        try expectError("FROM scratch\nCOPY --from=\(name) a /b", "line 2: \(says)")
    }

    /// What stages have made is followed inside of the tree alone.
    @Test func linksOfTheTreeLeadNowhereElse() throws {
        mkdir(workspace("victim"), 0o755)
        let archive = tar {
            $0.symlink("d", to: workspace("victim"))
            $0.symlink("u", to: "../../../..\(workspace("victim"))")
            $0.symlink("f", to: workspace("victim") + "/f")
        }
        try workspace.write("base.tar", archive)
        #expect(
            try command.run(["import", "--quiet", "./base.tar", "base"]).status == 0)
        let steps = [
            "COPY a /d/x", "COPY dir /u", "COPY a /f", "WORKDIR /d/w", "ADD base.tar /d/t/",
        ]
        try workspace.write("context/base.tar", archive)
        for step in steps {
            _ = try build("FROM base\n" + step)
            #expect(try workspace.names("victim") == [], "\(step)")
            try? TreeRemoval.remove(workspace("root"))
        }
    }

    @Test func recordsOfTheContextAreNotBelieved() throws {
        try workspace.write("context/.nsrun/image", "cmd evil\n")
        try workspace.write("context/evil.tar", tar { $0.file(".nsrun/image", "cmd evil\n") })
        let seen = try build(
            "FROM scratch\nCOPY . /\nADD evil.tar /\nCOPY .nsrun /.nsrun\nCMD good")
        #expect(seen.status == 0, "\(seen.output)")
        #expect(try workspace.destination("root").image().command.last == "good")
        #expect(workspace.read("root/.nsrun/image")?.contains("evil") == false)
    }

    /// In a layer of an image such a name takes something away; in a directory it is one.
    @Test func namesOfWhiteoutsAreNames() throws {
        try workspace.write("context/w/.wh.a", "")
        try workspace.write("context/w/.wh..wh..opq", "")
        #expect(
            try tree("COPY a /x/\nCOPY w /x/") == ["x/", "x/.wh..wh..opq ", "x/.wh.a ", "x/a a"])
    }

    @Test func whatIsNoFileIsRefused() throws {
        mkfifo(workspace("context/fifo"), 0o600)
        try expectError("FROM scratch\nCOPY fifo /", "line 2: ", "neither a file nor a directory")
    }

    @Test func moreThanMayBeIsRefused() throws {
        try workspace.write("context/large", [UInt8](repeating: 1, count: 1 << 20))
        try expectError(
            "FROM scratch\nCOPY large /1\nCOPY large /2", "line 3: ", "--max-size",
            options: ["--max-size", "1500K"])
    }
}
