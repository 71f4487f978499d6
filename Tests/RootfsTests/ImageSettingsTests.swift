import Foundation
import Testing

/// What an image says about how it wants to be run, kept beside its rootfs.
@Suite struct ImageSettingsTests {
    private let folder: TemporaryDirectory
    private var root: String { folder / "root" }

    init() throws {
        folder = try TemporaryDirectory()
        let bare = try BareRoot()
        expect(try run(["cp", "-a", bare.path, root]), exits: 0)
        try folder.write("in the image\n", to: "root/work dir/file")
        try folder.write(
            """
            origin an image
            env GREETING=hello \\\\ two\\nlines
            env PATH=/bin:/opt/of the image
            workdir /work dir
            entrypoint /bin/sh
            entrypoint -c
            cmd echo "$GREETING"; echo "$PATH"; pwd; read -r l <file; echo "$l"; echo "$EXTRA"

            """, to: "root.image")
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

    @Test func optionsOfTheCallerWin() throws {
        let seen = try launch(
            [
                "--setenv", "EXTRA", "more", "--setenv", "PATH", "/bin", "--ro-bind",
                folder / "root/work dir", "/tmp", "--chdir", "/tmp",
            ])
        expect(
            seen, prints: "hello \\ two\nlines\n/bin\n/tmp\nin the image\nmore")
    }

    @Test func areNotUsedWithACommand() throws {
        let seen = try launch([], ["--", "/bin/sh", "-c", "echo \"<$GREETING>\"; pwd"])
        expect(seen, prints: "<>\n/")
    }

    @Test func theStatusIsTheEntryPoints() throws {
        try folder.write("entrypoint /bin/sh\nentrypoint -c\ncmd exit 7\n", to: "root.image")
        expect(try launch([]), exits: 7)
    }
}
