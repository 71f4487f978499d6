import Foundation
import Testing

/// `nsrun-rootfs debian` where it cannot succeed, or is not let finish: nothing is left.
@Suite struct DebianTests {
    private let folder: TemporaryDirectory
    private var root: String { folder / "roots/new" }

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("tmp")
    }

    /// Nothing of the rootfs, and nothing hidden; no temporary file either.
    private func leavesNothing(sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try folder.names(in: "roots") == [], sourceLocation: sourceLocation)
        #expect(try folder.names(in: "tmp") == [], sourceLocation: sourceLocation)
    }

    @Test(arguments: [["no-such-suite"], ["bookworm", "--arch", "m68k"]])
    func whatTheMirrorDoesNotCarryIsAnError(_ wanted: [String]) throws {
        let seen = try rootfsTool(
            ["debian", "--quiet", wanted[0], root] + wanted.dropFirst(),
            environment: ["TMPDIR": folder / "tmp"])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.output == "")
        let object = wanted.count > 1 ? "bookworm for m68k" : wanted[0]
        #expect(
            seen.error.hasPrefix("nsrun-rootfs: cannot build Debian \(object): "), "\(seen)")
        try leavesNothing()
    }

    /// apt reports success for a mirror without one package.
    @Test func aTreeWithoutPackagesIsAnError() throws {
        let environment = try RootfsTool.environment(mmdebstrap: "exit 0", in: folder)
        let seen = try rootfsTool(
            ["debian", "--quiet", "bookworm", root], environment: environment)
        let message = "cannot build Debian bookworm: the mirror has no packages for it"
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun-rootfs: \(message)\n  choose a release"), "\(seen)")
        try leavesNothing()
    }

    @Test(arguments: ["running apt-get update", "downloading packages"])
    func anInterruptedBuildLeavesNothing(_ step: String) throws {
        try folder.makeDirectory("roots")
        for signal in [SIGINT, SIGTERM] {
            let talk = try Conversation(
                [
                    "sh", "-c", "TMPDIR=$2 exec \"$0\" debian bookworm \"$1\" 2>&1",
                    RootfsTool.path(), root, folder / "tmp",
                ])
            while let line = talk.line(), !line.contains(step) {}
            #expect(try folder.names(in: "roots").count == 1)
            talk.child.send(signal)
            #expect(talk.child.wait() == 128 + signal)
            try leavesNothing()
            #expect(try HostState.processesGo(root))
        }
    }

    @Test func withoutMmdebstrapTheErrorSaysWhatToDo() throws {
        let empty = try folder.makeDirectory("empty")
        let seen = try rootfsTool(["debian", "bookworm", root], environment: ["PATH": empty])
        #expect(seen.status == 125)
        #expect(seen.error.contains("mmdebstrap is not installed\n"), "\(seen)")
        let remedy = try #require(seen.error.split(separator: "\n").last)
        for word in ["apt install mmdebstrap", "nsrun-rootfs unpack", "nsrun-rootfs import"] {
            #expect(remedy.contains(word), "\(seen)")
        }
        #expect(access(folder / "roots", F_OK) != 0)
    }

    /// A real one, though small: every file of one package, from the mirror, in place.
    @Test func theFilesOfAPackageArriveUnconfigured() throws {
        let seen = try rootfsTool(
            [
                "debian", "--quiet", "--variant", "extract", "--include", "hostname", "bookworm",
                root,
            ], environment: ["TMPDIR": folder / "tmp"])
        expect(seen, exits: 0)
        #expect(try folder.names(in: "tmp") == [])
        #expect(try folder.names(in: "roots") == ["new", "new.image"])
        #expect(access("\(root)/bin/hostname", X_OK) == 0)
        let record = folder.content("roots/new.image") ?? ""
        #expect(record.contains("origin debian bookworm extract\nsuite bookworm\n"))
    }

    @Test func oneNameIsNotBuiltTwice() throws {
        try folder.write("mine", to: "roots/new/file")
        let seen = try rootfsTool(["debian", "--quiet", "bookworm", root])
        #expect(seen.status == 125)
        #expect(
            seen.error.hasPrefix("nsrun-rootfs: cannot create \(root): it already exists\n"))
        #expect(folder.content("roots/new/file") == "mine")
        #expect(try folder.names(in: "roots") == ["new"])
    }
}
