// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What people run into in the first hour with nsrun-rootfs, see issue 21.
@Suite struct EverydayTests {
    private let folder: TemporaryDirectory
    private var environment: [String: String?] { ["XDG_DATA_HOME": folder / "data"] }

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("data/nsrun/rootfs/mine/usr")
        try folder.record("data/nsrun/rootfs/mine", "origin a test\nsuite bookworm\n")
    }

    /// A change to a file shows in its times only after a while.
    @Test func anImageIsStagedRightAfterItWasCopied() throws {
        let bare = try BareRoot(with: ["cat"])
        let local = try folder.makeDirectory("local")
        expect(
            try rootfsTool(["export", "--quiet", bare.path, folder / "site.squashfs"]), exits: 0)
        for name in ["one", "two", "three"] {
            expect(
                try run(["cp", folder / "site.squashfs", folder / "\(name).squashfs"]), exits: 0)
            let seen = try rootfsTool(["stage", "--quiet", folder / "\(name).squashfs", local])
            #expect(seen.status == 0 && seen.error == "", "\(seen)")
        }
    }

    @Test(arguments: [
        ("rm", "remove"), ("ls", "list"), ("pull", "import"), ("inspect", "show"),
        ("save", "export"),
    ])
    func otherToolsWordsAreKnown(word: String, verb: String) throws {
        let seen = try rootfsTool([word, "x"], environment: environment)
        expect(
            seen,
            Outcome(
                status: 125, output: "",
                error: """
                    nsrun-rootfs: there is no command \(word)
                      it is called nsrun-rootfs \(verb)
                    """))
    }

    @Test(arguments: [
        ["list"], ["list", "--json"], ["show", "mine"], ["--help"], ["--version"],
        ["help", "import"],
    ])
    func wordsThatDoNotArriveAreAnError(arguments: [String]) throws {
        let seen = try run(
            ["sh", "-c", "exec \"$@\" >/dev/full", "sh", try RootfsTool.path()] + arguments,
            environment: environment)
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error.hasPrefix("nsrun-rootfs: cannot write to standard output: no space left"),
            "\(seen)")
    }

    @Test func theListIsForProgramsToo() throws {
        struct Item: Decodable {
            let name, path: String
            let size: Int64
            let suite, architecture, origin: String?
        }
        let seen = try rootfsTool(["list", "--json"], environment: environment)
        let items = try JSONDecoder().decode([Item].self, from: Data(seen.output.utf8))
        #expect(items.map(\.name) == ["mine"])
        #expect(items[0].path == folder / "data/nsrun/rootfs/mine")
        #expect(
            items[0].suite == "bookworm" && items[0].origin == "a test"
                && items[0].architecture == nil)
        let none = try rootfsTool(
            ["list", "--json"], environment: ["XDG_DATA_HOME": folder / "nothing"])
        #expect(none.output.filter { !$0.isWhitespace } == "[]", "\(none)")
    }

    @Test(arguments: [("trixi", "did you mean trixie?"), ("potato", "--mirror")])
    func aSuiteThatIsNotThereIsNamed(suite: String, remedy: String) throws {
        let tools = try RootfsTool.environment(
            mmdebstrap: """
                echo "E: The repository 'https://mirror.example/debian \(suite) Release' does not have a Release file."
                exit 25
                """, in: folder)
        let seen = try rootfsTool(
            ["debian", "--quiet", suite, folder / "new"],
            environment: environment.merging(tools) { $1 })
        #expect(seen.status == 125)
        let lines = seen.error.split(separator: "\n")
        #expect(lines.count == 2, "\(seen)")
        #expect(
            lines.first
                == "nsrun-rootfs: cannot build Debian \(suite): the mirror has no suite \(suite)",
            "\(seen)")
        #expect(lines.last?.contains(remedy) == true, "\(seen)")
        #expect(!FileManager.default.fileExists(atPath: folder / "new"))
    }

    @Test func oneVersionForBoth() throws {
        let own = try rootfsTool(["--version"]).output
        #expect(try nsrun(["--version"]).output == "nsrun \(own)")
    }
}
