// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What an image says about how it wants to be run, kept in its rootfs.
@Suite struct ImageSettingsTests {
    private let folder: TemporaryDirectory
    private var root: String { folder / "root" }

    init() throws {
        folder = try TemporaryDirectory()
        let bare = try BareRoot()
        expect(try run(["cp", "-a", bare.path, root]), exits: 0)
        try folder.write("in the image\n", to: "root/work dir/file")
        try folder.record(
            "root",
            """
            origin an image
            env GREETING=hello \\\\ two\\nlines
            env PATH=/bin:/opt/of the image
            workdir /work dir
            entrypoint /bin/sh
            entrypoint -c
            cmd echo "$GREETING"; echo "$PATH"; pwd; read -r l <file; echo "$l"; echo "$EXTRA"

            """)
    }

    private func launch(_ options: [String], _ command: [String] = []) throws -> Outcome {
        try nsrun(["--rootfs", root] + options + command, environment: ["GREETING": nil])
    }

    private static let said = """
        hello \\ two
        lines
        /bin:/opt/of the image
        /work dir
        in the image
        """

    @Test(arguments: [[], ["--share-pid"], ["--ephemeral"], ["--"]])
    func areUsedWithoutACommand(options: [String]) throws {
        expect(try launch(options), prints: Self.said + "\n")
    }

    @Test func aSlashAfterTheRootDoesNotMatter() throws {
        expect(try nsrun(["--rootfs", root + "/"]), prints: Self.said + "\n")
    }

    @Test func aNameInTheStoreHasThemToo() throws {
        try folder.makeDirectory("nsrun")
        try folder.link("nsrun/rootfs", to: "..")
        let seen = try nsrun(["--rootfs", "root"], environment: ["XDG_DATA_HOME": folder.path])
        expect(seen, prints: Self.said + "\n")
    }

    /// Whatever leads to the root: the settings are its own.
    @Test func everyWayToTheRootHasThem() throws {
        try folder.link("link", to: "root")
        for place in [folder / "link", folder / "link/", folder / "root/.", folder / "root/bin/.."]
        {
            expect(try nsrun(["--rootfs", place]), prints: Self.said + "\n")
        }
        expect(try nsrun(["--rootfs", "."], directory: root), prints: Self.said + "\n")
        expect(try run(["mv", root, folder / "moved"]), exits: 0)
        expect(try nsrun(["--rootfs", folder / "moved"]), prints: Self.said + "\n")
    }

    /// Where nsrun-rootfs has kept them before; nowhere else, and not where others could have put them.
    @Test func besideARootOfTheStoreTheyAreReadToo() throws {
        expect(try run(["mv", folder / "root/.nsrun/image", folder / "root.image"]), exits: 0)
        try folder.makeDirectory("nsrun")
        try folder.link("nsrun/rootfs", to: "..")
        let store = ["XDG_DATA_HOME": folder.path]
        expect(try nsrun(["--rootfs", "root"], environment: store), prints: Self.said + "\n")
        let elsewhere = try nsrun(["--rootfs", root], environment: ["GREETING": nil])
        #expect(!elsewhere.output.contains("hello"), "\(elsewhere)")
        chmod(folder / "root.image", 0o666)
        let open = try nsrun(["--rootfs", "root"], environment: store)
        #expect(!open.output.contains("hello"), "\(open)")
        #expect(
            open.error.contains(
                "nsrun: the image's settings are ignored: \(folder.path)/nsrun/rootfs/root.image: others can write to it"
            ), "\(open)")
    }

    @Test func whatIsIgnoredIsSaid() throws {
        chmod(root + "/.nsrun/image", 0o666)
        let words =
            "nsrun: the image's settings are ignored: \(root)/.nsrun/image: others can write to it"
        let seen = try launch([])
        #expect(seen.error.contains(words), "\(seen)")
        #expect(!seen.output.contains("hello"), "\(seen)")
        #expect(!(try launch(["--quiet"]).error.contains(words)))
        // With a command it would have had its environment.
        let named = try launch([], ["--", "/bin/sh", "-c", "echo ran"])
        #expect(named.output == "ran" && named.error.contains(words), "\(named)")
    }

    @Test func optionsOfTheCallerWin() throws {
        let seen = try launch(
            [
                "--setenv", "EXTRA", "more", "--setenv", "PATH", "/bin", "--ro-bind",
                folder / "root/work dir", "/tmp", "--chdir", "/tmp",
            ])
        expect(
            seen, prints: "hello \\ two\nlines\n/bin\n/tmp\nin the image\nmore")
    }

    @Test func environmentAndDirectoryHoldWithACommand() throws {
        let seen = try launch([], ["--", "/bin/sh", "-c", "echo \"$GREETING\"; pwd"])
        expect(seen, prints: "hello \\ two\nlines\n/work dir")
        let other = try launch(
            ["--setenv", "GREETING", "mine", "--chdir", "/"],
            ["--", "/bin/sh", "-c", "echo \"$GREETING\"; pwd"])
        expect(other, prints: "mine\n/")
    }

    @Test func wordsForTheEntryPoint() throws {
        let seen = try launch(["--entrypoint"], ["--", "echo \"$0 $1 $GREETING\"", "a", "b"])
        expect(seen, prints: "a b hello \\ two\nlines")
        expect(try launch(["--entrypoint"]), prints: Self.said + "\n")
        try folder.record("root", "cmd sh\n")
        let refused = try launch(["--entrypoint"], ["--", "x"])
        expect(
            refused, refuses: "cannot run the entry point of \(root): none is known of it",
            remedy: "nsrun-rootfs show")
        expect(
            try nsrun(["--entrypoint", "--", "x"]), refuses: "--entrypoint needs --rootfs",
            remedy: "--rootfs R")
    }

    @Test func aDirectoryThatIsMissingIsSaid() throws {
        try folder.record("root", "workdir /nowhere\ncmd sh\n")
        for command in [[], ["--", "/bin/sh", "-c", "pwd"]] {
            expect(
                try launch([], command),
                refuses:
                    "cannot start in /nowhere, the image's WORKDIR: no such file or directory",
                remedy: "--chdir")
        }
        expect(try launch(["--chdir", "/"], ["--", "/bin/sh", "-c", "pwd"]), prints: "/")
        try folder.record("root", "workdir nowhere\ncmd sh\n")
        expect(
            try launch([]),
            refuses: "cannot start in nowhere, the image's WORKDIR: it is not an absolute path",
            remedy: "--chdir")
    }

    @Test func aUserThatIsMissingIsSaid() throws {
        try folder.record("root", "user stranger\ncmd /bin/sh\ncmd -c\ncmd echo\n")
        expect(
            try launch([]),
            refuses:
                "cannot run as stranger, the image's USER: /etc/passwd of the rootfs has no user stranger",
            remedy: "--uid")
        expect(try launch(["--uid", "7"]), prints: "")
    }

    @Test func theStatusIsTheEntryPoints() throws {
        try folder.record("root", "entrypoint /bin/sh\nentrypoint -c\ncmd exit 7\n")
        expect(try launch([]), exits: 7)
    }
}
