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
        try folder.names(in: own).filter { !$0.hasPrefix(".") && !$0.hasSuffix(".image") }
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
        try folder.write("cmd /bin/sh\ncmd -c\ncmd echo from the image\n", to: "tree.image")
        expect(try run(["mv", bare.path, folder / "tree"]), exits: 0)
        let seen = try stage(folder / "tree")
        #expect(seen.status == 0, "\(seen)")
        #expect(try stage(folder / "tree") == seen)
        expect(try nsrun(["--rootfs", seen.output]), prints: "from the image")
        try folder.write("x", to: "tree/more")
        #expect(try stage(folder / "tree") != seen)
    }

    @Test func whereOthersCouldMeddleNothingIsStaged() throws {
        expect(try run(["chmod", "0777", local]), exits: 0)
        let open = try stage()
        #expect(open.status == 125)
        #expect(
            open.error.hasPrefix(
                "nsrun-rootfs: cannot stage in the directory \(local): everybody may rename what is in it\n"
            ),
            "\(open)")
        expect(try run(["chmod", "1777", local]), exits: 0)
        try folder.link(own, to: "/tmp")
        let linked = try stage()
        #expect(linked.status == 125)
        #expect(linked.error.contains("it is not a directory of yours alone\n"), "\(linked)")
        unlink(folder / own)
        #expect(try stage().status == 0)
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
