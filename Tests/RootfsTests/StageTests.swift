// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `nsrun-rootfs stage`: once a node, whole or not at all.
@Suite struct StageTests {
    private let folder: TemporaryDirectory
    private let image: String
    private let local: String

    init() throws {
        folder = try TemporaryDirectory()
        local = try folder.makeDirectory("local")
        image = folder / "site.squashfs"
        let bare = try BareRoot(with: ["cat"])
        expect(try rootfsTool(["export", "--quiet", bare.path, image]), exits: 0)
        // Long ago, so that a stamp says something.
        expect(try run(["touch", "-d", "2001-01-01", image]), exits: 0)
    }

    private var own: String { "local/nsrun-\(getuid())" }

    private func stage(
        _ source: String? = nil, environment: [String: String?] = [:]
    ) throws -> Outcome {
        try rootfsTool(["stage", "--quiet", source ?? image, local], environment: environment)
    }

    /// The complete copies.
    private func copies() throws -> [String] {
        try folder.names(in: own).filter { !$0.hasPrefix(".") }
    }

    /// A stand-in for unsquashfs that keeps a list of its calls, and runs a script on those that unpack.
    private func unpacker(_ script: String) throws -> [String: String?] {
        try folder.write(
            """
            #!/bin/sh
            [ "$1" = -lln ] && exec /usr/bin/unsquashfs "$@"
            echo call >>\(folder.path)/calls
            \(script)
            """, to: "bin/unsquashfs", mode: 0o755)
        return ["PATH": "\(folder.path)/bin:/usr/bin:/bin"]
    }

    private func calls() -> Int { folder.content("calls")?.split(separator: "\n").count ?? 0 }

    private static let unpacking = "exec /usr/bin/unsquashfs \"$@\""

    @Test func whatIsPrintedIsARootfs() throws {
        let seen = try stage()
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        #expect(seen.output.hasPrefix("\(folder.path)/\(own)/site-"), "\(seen)")
        #expect(seen.output.wholeMatch(of: /.*\/site-[0-9a-f]{16}/) != nil, "\(seen)")
        expect(try inRoot("echo inside", root: seen.output), prints: "inside")
        let tool = try RootfsTool.path()
        let line =
            "\(try Bench.current().nsrun) --rootfs \"$(\(tool) stage --quiet \(image) \(local))\" cat /bin/cat | wc -c"
        #expect(
            try run(["sh", "-c", line]).output
                == run(["sh", "-c", "wc -c <\(seen.output)/bin/cat"]).output)
    }

    @Test func sixteenAtOnceUnpackOnce() throws {
        // Slow enough for all of them to meet.
        let environment = try unpacker("sleep 0.5; \(Self.unpacking)")
        let outputs = try (0..<16).map { _ in try Scratch.openFile() }
        let children = try outputs.map { output in
            try Child(
                [RootfsTool.path(), "stage", "--quiet", image, local], environment: environment,
                descriptors: [0: output, 1: output, 2: output])
        }
        for child in children { #expect(child.wait() == 0) }
        let printed = Set(outputs.map { Scratch.content($0) })
        for output in outputs { close(output) }
        #expect(printed.count == 1, "\(printed)")
        #expect(calls() == 1)
        #expect(try copies().count == 1)
        #expect(try stage(environment: environment).output == printed.first)
        #expect(calls() == 1)
    }

    /// The copy is of the content, wherever the file lies and whenever it was touched.
    @Test func theSameContentIsTheSameCopy() throws {
        let environment = try unpacker(Self.unpacking)
        let first = try stage(environment: environment)
        expect(try run(["touch", image]), exits: 0)
        #expect(try stage(environment: environment) == first)
        expect(try run(["cp", image, folder / "x.tmp"]), exits: 0)
        expect(try run(["mv", folder / "x.tmp", image]), exits: 0)
        #expect(try stage(environment: environment) == first)
        try folder.makeDirectory("other")
        expect(try run(["cp", image, folder / "other/site.squashfs"]), exits: 0)
        #expect(try stage(folder / "other/site.squashfs", environment: environment) == first)
        #expect(calls() == 1)
    }

    @Test func aChangedImageIsAnotherCopy() throws {
        let first = try stage().output
        let bare = try BareRoot()
        try Data("new".utf8).write(to: URL(filePath: bare.path + "/note"))
        expect(try rootfsTool(["export", "--quiet", bare.path, image]), exits: 0)
        let second = try stage().output
        #expect(first != second)
        #expect(try copies().count == 2)
        #expect(access(first + "/note", F_OK) != 0)
        #expect(access(second + "/note", F_OK) == 0)
    }

    /// Even one of the same size at the same time in the same file.
    @Test func aChangeThatHidesIsFound() throws {
        let archive = folder / "a.tar"
        func write(_ text: String) throws {
            try folder.write(text, to: "tree/file")
            expect(try run(["touch", "-d", "2001-01-01", folder / "tree/file"]), exits: 0)
            let pack = "tar -c -C '\(folder.path)/tree' --mtime=2001-01-01 file | cat >'\(archive)'"
            expect(try run(["sh", "-c", "\(pack); touch -d 2001-01-01 '\(archive)'"]), exits: 0)
        }
        try write("one")
        let first = try stage(archive).output
        try write("two")
        let second = try stage(archive).output
        #expect(first != second)
        #expect(try String(contentsOfFile: second + "/file", encoding: .utf8) == "two")
    }

    @Test(arguments: [SIGKILL, SIGTERM]) func aCrashInTheMiddleLeavesNoCopy(
        signal: Int32
    ) throws {
        let stalled = try unpacker("exec sleep 383")
        let output = try Scratch.openFile()
        let child = try Child(
            [RootfsTool.path(), "stage", "--quiet", image, local], environment: stalled,
            descriptors: [0: output, 1: output, 2: output])
        #expect(try HostState.eventually { try HostState.processes("sleep\u{0}383").count == 1 })
        child.send(signal)
        #expect(child.wait() == 128 + signal)
        #expect(Scratch.content(output) == "")
        close(output)
        #expect(try copies() == [])
        // What a killed one has started works on in a tree that nobody will ever see.
        if signal == SIGKILL {
            for name in try HostState.processes("sleep\u{0}383") {
                kill(try #require(pid_t(name)), SIGKILL)
            }
        }
        #expect(try HostState.processesGo("sleep\u{0}383"))
        // The next one neither waits nor trusts what is left.
        let seen = try stage(environment: unpacker(Self.unpacking))
        #expect(seen.status == 0, "\(seen)")
        expect(try inRoot("echo inside", root: seen.output), prints: "inside")
        #expect(try folder.names(in: own).filter { $0.contains("partial") } == [])
    }

    @Test func anImageThatChangesMeanwhileIsRefused() throws {
        let environment = try unpacker("\(Self.unpacking.dropFirst(5)); echo more >>\(image)")
        let seen = try stage(environment: environment)
        expect(
            seen,
            Outcome(
                status: 125, output: "",
                error: """
                    nsrun-rootfs: cannot stage \(image): it changed while it was read
                      replace images by a rename (mv), not by writing into them
                    """))
        #expect(try copies() == [])
    }

    @Test func directoriesCanBeStaged() throws {
        let bare = try BareRoot()
        expect(try run(["mv", bare.path, folder / "tree"]), exits: 0)
        try folder.record("tree", "cmd /bin/sh\ncmd -c\ncmd echo from the image\n")
        let seen = try stage(folder / "tree")
        #expect(seen.status == 0, "\(seen)")
        #expect(try stage(folder / "tree") == seen)
        expect(try nsrun(["--rootfs", seen.output]), prints: "from the image")
        // Another way to run it is another image.
        try folder.record("tree", "cmd /bin/sh\ncmd -c\ncmd echo anew\n")
        expect(try nsrun(["--rootfs", stage(folder / "tree").output]), prints: "anew")
        try folder.write("x", to: "tree/more")
        #expect(try stage(folder / "tree") != seen)
    }

    @Test func whereOthersCouldMeddleNothingIsStaged() throws {
        func refusal() throws -> String {
            let seen = try stage()
            #expect(seen.status == 125 && seen.output == "", "\(seen)")
            let start = "nsrun-rootfs: cannot stage in the directory \(local): "
            #expect(seen.error.hasPrefix(start), "\(seen)")
            return String(seen.error.dropFirst(start.count).prefix { $0 != "\n" })
        }
        // Everybody, and every group: that of a shared project, say. On the whole way.
        for mode in ["0777", "0775", "2770"] {
            for place in [local, folder.path] {
                expect(try run(["chmod", mode, place]), exits: 0)
                #expect(
                    try refusal() == "others can write to \(place), and exchange what is in it")
                expect(try run(["chmod", "0700", place]), exits: 0)
            }
        }
        expect(try run(["chmod", "1777", local]), exits: 0)
        try folder.link(own, to: "/tmp")
        #expect(try refusal() == "/tmp belongs to somebody else")
        unlink(folder / own)
        try folder.write("x", to: own)
        #expect(try refusal() == "\(folder / own) is not a directory")
        unlink(folder / own)
        #expect(try stage().status == 0)
        expect(try run(["chmod", "0770", folder / own]), exits: 0)
        #expect(try refusal() == "others can write to \(folder / own), and exchange what is in it")
    }

    /// A link on the way is fine where its own way is: what is printed has none.
    @Test func linksAreResolvedOnce() throws {
        try folder.link("link", to: "local")
        let seen = try rootfsTool(["stage", "--quiet", image, folder / "link"])
        #expect(seen.output.hasPrefix("\(local)/nsrun-\(getuid())/site-"), "\(seen)")
    }

    /// Scripts pass on what is printed.
    @Test func aPathThatNoScriptCouldPassOnIsRefused() throws {
        let place = try folder.makeDirectory("a\nb\u{1b}")
        let seen = try rootfsTool(["stage", "--quiet", image, place])
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.contains("a\\nb\\x1b: its path has characters"), "\(seen)")
    }

    @Test func aWordIsAName() throws {
        try folder.makeDirectory("data/nsrun/rootfs")
        let bare = try BareRoot()
        expect(try run(["cp", "-a", bare.path, folder / "data/nsrun/rootfs/site"]), exits: 0)
        func stage(_ word: String) throws -> Outcome {
            try rootfsTool(
                ["stage", "--quiet", word, local],
                environment: ["XDG_DATA_HOME": folder / "data"], directory: folder.path)
        }
        #expect(try stage("site").output.hasPrefix("\(folder.path)/\(own)/site-"))
        expect(
            try stage("site.squashfs"),
            Outcome(
                status: 125, output: "",
                error: """
                    nsrun-rootfs: cannot use the rootfs site.squashfs: there is none of that name in the store \(folder / "data/nsrun/rootfs")
                      for the one in the current directory write ./site.squashfs
                    """))
        #expect(try stage("./site.squashfs").status == 0)
    }

    @Test func whatIsNotThereIsSaid() throws {
        expect(
            try stage("/nonexistent/x.squashfs"),
            Outcome(
                status: 125, output: "",
                error:
                    "nsrun-rootfs: cannot stage /nonexistent/x.squashfs: no such file or directory")
        )
        expect(
            try rootfsTool(["stage", "--quiet", image, "/nonexistent"]),
            Outcome(
                status: 125, output: "",
                error:
                    "nsrun-rootfs: cannot stage in the directory /nonexistent: no such file or directory"
            ))
        try folder.write("no image", to: "text.tar")
        let seen = try stage(folder / "text.tar")
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(try copies() == [])
    }
}
