// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--hide`: what is covered of what is shown.
@Suite struct HiddenPlaceTests {
    /// A project with secrets in it, in the caller's home.
    private func project() throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        for name in [
            ".env", "a/.env", "a/b/c/.env", "a/plain", "keys/id", "keys/deep/er", "elsewhere/real",
        ] {
            _ = try folder.write("secret", to: name)
        }
        try folder.link("link", to: "elsewhere/real")
        try folder.link("a/keys", to: "../keys")
        try folder.link("nowhere", to: "not/there")
        return folder
    }

    /// Reads all that can be read, however it is called, also after it was moved and its mode changed.
    private static let read = """
        chmod -R u+rwX . 2>/dev/null; mv a moved 2>/dev/null; mv .env other 2>/dev/null; rm -rf .env 2>/dev/null
        grep -rls secret . | sort; grep -Rls secret . | wc -l
        """

    private func seen(
        _ options: [String], _ script: String = read, in folder: TemporaryDirectory,
        base: [String] = ["--preset", "sandbox"]
    ) throws -> Outcome {
        try nsrun(base + options + ["--", "sh", "-c", script], directory: folder.path)
    }

    @Test(arguments: MountPath.allCases) func patternsBelowWhatIsBound(path: MountPath) throws {
        let folder = try project()
        let before = try folder.listing()
        let seen = try seen(
            ["--hide", "**/.env", "--hide", "keys", "--hide", "link"],
            "grep -Rls secret . | sort; ls -A keys; cat .env 2>/dev/null; echo x >.env; rm -f .env; mv .env other; ls -A . | grep env",
            in: folder, base: ["--preset", "sandbox"] + path.options)
        #expect(seen.output.split(separator: "\n") == ["./a/plain", ".env"], "\(seen)")
        #expect(try folder.listing() == before)
    }

    /// What is hidden stays hidden whatever is done around it, and leaves nothing on the host.
    @Test(
        arguments: [
            ["--preset", "sandbox"], ["--preset", "sandbox", "--uid", "0", "--cap-add", "ALL"],
            ["--preset", "test"], [],
            ["--share-pid"], ["--preset", "sandbox", "--reuse", "auto"],
        ])
    func nothingBringsItBack(base: [String]) throws {
        let folder = try project()
        let places = ["**/.env", "keys", "a/keys", "link"].map { "\(folder.path)/\($0)" }
        let script = """
            umount .env keys a/.env 2>/dev/null; mount --bind . /mnt 2>/dev/null; unshare -Umr sh -c 'umount -l .env keys' 2>/dev/null
            \(Self.read)
            """
        let seen = try seen(places.flatMap { ["--hide", $0] }, script, in: folder, base: base)
        #expect(seen.output.split(separator: "\n") == ["./moved/plain", "1"], "\(base) \(seen)")
        #expect(folder.content("keys/id") == "secret" && folder.content(".env") == "secret")
        #expect(folder.content("a/.env") == nil || folder.content("a/.env") == "secret")
        #expect(!FileManager.default.fileExists(atPath: folder / "other"))
    }

    @Test func theHomeIsCalledByATilde() throws {
        let folder = try project()
        let name = URL(filePath: folder.path).lastPathComponent
        let seen = try seen(
            ["--home", "--hide", "~/\(name)/keys", "--hide", "~/\(name)/*/.env"],
            "grep -rls secret . | sort", in: folder, base: [])
        #expect(
            seen.output.split(separator: "\n") == [
                "./.env", "./a/b/c/.env", "./a/plain", "./elsewhere/real",
            ], "\(seen)")
    }

    /// Under each name that the same file is shown by.
    @Test func otherNamesOfTheSame() throws {
        let folder = try project()
        let seen = try nsrun(
            [
                "--rootfs", try Bench.current().rootfs, "--bind", folder.path, "/mnt/all",
                "--ro-bind",
                folder.path + "/keys", "/mnt/keys", "--bind", folder.path + "/a/b", "/mnt/b",
                "--host-root", "--hide",
                folder.path + "/keys", "--hide", folder.path + "/a/**/.env", "--", "sh", "-c",
                "cd /mnt; grep -rls secret . | sort; cat /run/host\(folder.path)/keys/id /run/host\(folder.path)/a/b/c/.env 2>/dev/null",
            ], directory: folder.path)
        #expect(
            seen.output.split(separator: "\n") == [
                "./all/.env", "./all/a/plain", "./all/elsewhere/real",
            ], "\(seen)")
    }

    /// A link leads to what it has led to at the start, and to nothing that appears there.
    @Test func aLinkThatLeadsNowhere() throws {
        let folder = try project()
        let script = "mkdir not; echo secret >not/there; cat nowhere 2>/dev/null || echo no"
        expect(try seen(["--hide", "nowhere"], script, in: folder), prints: "no")
    }

    @Test func whatIsNotThereNeedsNoCover() throws {
        let folder = try project()
        expect(
            try seen(
                ["--hide", "~/.no-such-file", "--hide", "**/no-such-*"], "echo ran", in: folder),
            prints: "ran")
    }

    @Test func whatCannotBeHidden() throws {
        expect(
            try nsrun(["--hide", "**/.env", "true"]),
            refuses: "cannot hide **/.env: it does not say in which directory",
            remedy: "~/work/**/.env")
        expect(
            try nsrun(["--hide", "/a/../b", "true"]),
            refuses: "cannot hide /a/../b: \"..\" and / are no names of what lies in a directory",
            remedy: "~/.ssh")
    }

    /// A search that is not finished is an error.
    @Test func moreThanIsLookedAt() throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let deep = Array(repeating: "d", count: 140).joined(separator: "/")
        try folder.makeDirectory(deep)
        let seen = try seen(["--hide", "**/.env"], "echo ran", in: folder)
        expect(
            seen,
            refuses:
                "cannot hide what is below \(folder.path): it holds more than is looked through",
            remedy: "200,000 files and directories, 128 deep")
    }
}
