// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Images that were fetched, and what starts from them.
@Suite struct ContainerCacheTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
        mkdir(workspace("home"), 0o700)
        try workspace.script(
            "program", "#!/bin/sh\nprintf '%s|' \"$0\" \"$TMPDIR\" \"$@\"\n")
    }

    private func run(
        _ arguments: [String], _ more: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        var environment = [
            "HOME": workspace("home"), "APPTAINER_CACHEDIR": workspace("kept"),
            "APPTAINER_TMPDIR": workspace("home"), "TMPDIR": "/tmp",
        ]
        environment.merge(more) { $1 }
        return try command.run(arguments, environment: environment)
    }

    private func kept() -> [String] { (try? workspace.names("kept/cache/oci-tmp")) ?? [] }

    /// Starts a program in the way that nsrun is started once more.
    private func start(
        _ source: String, _ options: [String] = []
    ) throws -> (status: Int32, output: String) {
        try run(
            ["apptainer-fetch", "--quiet", "--index=2"] + options + [
                "--", workspace("program"), "own", "exec", source, "a b", "",
            ])
    }

    private func save(_ text: String) throws {
        let image = SavedImage(workspace: workspace, layers: [tar { $0.file("etc/x", text) }])
        let entry = try image.docker(config: "c.json", layers: ["l.tar"])
        try image.write("manifest.json", "[\(entry)]")
        _ = try image.archive("saved.tar")
    }

    /// The same command line with the file in the image's place; and made once for the same bytes.
    @Test func anArchiveIsStartedFromItsFile() throws {
        try save("1")
        let source = "docker-archive:saved.tar"
        for _ in 0..<2 {
            let seen = try start(source)
            #expect(kept().count == 1)
            let file = "\(workspace("kept"))/cache/oci-tmp/\(kept().first ?? "")"
            #expect(seen.output == "\(workspace("program"))|/tmp|exec|\(file)|a b||", "\(seen)")
            #expect(
                FileManager.default.contents(atPath: file)?.starts(with: Array("#!".utf8)) == true)
        }
        try save("2")
        #expect(try start(source).status == 0)
        #expect(kept().count == 2)
        #expect(try workspace.names("home") == [])
    }

    @Test func whatCannotBeHadIsSaid() throws {
        let seen = try start("docker-archive:nope.tar")
        #expect(seen.status == 255)
        #expect(seen.output.hasPrefix("FATAL:   cannot read nope.tar: no such file"), "\(seen)")
        try save("1")
        let without = try start("docker-archive:saved.tar", ["--disable-cache"])
        #expect(without.status == 255 && without.output.contains("apptainer pull"))
        #expect(kept() == [])
        // Others could change it.
        mkdir(workspace("kept"), 0o777)
        chmod(workspace("kept"), 0o777)
        let shared = try start("docker-archive:saved.tar")
        #expect(shared.status == 255 && shared.output.contains("APPTAINER_CACHEDIR"), "\(shared)")
    }

    @Test func aRegistryIsAskedWhetherItIsTheSame() throws {
        let registry = try Registry(in: workspace)
        func push(_ text: String) throws {
            try save(text)
            try ExternalTool(name: "skopeo", package: "skopeo").run(
                [
                    "copy", "--quiet", "--dest-tls-verify=false",
                    "docker-archive:\(workspace("saved.tar"))",
                    "docker://\(registry.address)/app:1",
                ], cannot: "push", text)
        }
        try push("1")
        let source = "docker://\(registry.address)/app:1"
        #expect(try start(source).status == 255, "it has no TLS")
        for _ in 0..<2 {
            #expect(try start(source, ["--no-https"]).status == 0)
            #expect(kept().count == 1)
        }
        // pull and build take it from there, as a file of its own.
        let pull = ["apptainer", "--quiet", "--no-https", "--", source, "x.sif"]
        let seen = try run(pull)
        #expect(seen.status == 0 && seen.output == "", "\(seen)")
        #expect(
            workspace.read("x.sif") == workspace.read("kept/cache/oci-tmp/\(kept().first ?? "")"))
        #expect(try workspace.status("x.sif").st_nlink == 1)
        try push("2")
        #expect(try start(source, ["--no-https"]).status == 0)
        #expect(kept().count == 2)
        let anew = [
            "apptainer", "--quiet", "--no-https", "--force", "--disable-cache", "--", source,
            "x.sif",
        ]
        #expect(try run(anew).status == 0)
        #expect(kept().count == 2)
    }

    @Test func itIsListedAndCleaned() throws {
        func cache(_ words: String...) throws -> String {
            let seen = try run(["apptainer-cache"] + words)
            #expect(seen.status == 0)
            return seen.output
        }
        #expect(
            try cache() == """
                There are 0 container file(s) using 0.00 KiB and 0 oci blob file(s) using 0.00 KiB of space
                Total space used: 0.00 KiB

                """)
        try workspace.write(
            "kept/cache/oci-tmp/abc", [UInt8](repeating: 0, count: 3_000_000))
        try workspace.write("kept/cache/oci-tmp/abd", [UInt8](repeating: 0, count: 3000))
        try workspace.write("kept/cache/blob/blobs/sha256/0", "x")
        #expect(
            try cache() == """
                There are 2 container file(s) using 2.86 MiB and 1 oci blob file(s) using 0.00 KiB of space
                Total space used: 2.86 MiB

                """)
        let lines = try cache("--verbose", "--types=oci-tmp").split(separator: "\n")
        #expect(
            lines.first == "NAME                     DATE CREATED           SIZE             TYPE")
        #expect(lines.count == 5)
        #expect(lines[1].hasPrefix("abc                      20"))
        #expect(lines[1].hasSuffix("    2.86 MiB         oci-tmp"))
        // Nobody answers, or with no.
        #expect(
            try cache("--clean").hasSuffix(
                "Do you want to continue? [y/N] INFO:    Handle cleanup canceled\n"))
        #expect(try cache("--clean", "--force", "--days=1").contains("Removing") == false)
        #expect(
            try cache("--clean", "--dry-run", "--types=oci-tmp") == """
                User requested a dry run. Not actually deleting any data!
                INFO:    Removing oci-tmp cache entry: abc
                INFO:    Removing oci-tmp cache entry: abd

                """)
        #expect(kept().count == 2)
        let seen = try cache("--clean", "--force")
        #expect(seen.contains("INFO:    Removing oci-tmp cache entry: abc\n"))
        #expect(
            seen.contains("INFO:    No cached files to remove at \(workspace("kept"))/cache/net\n"))
        #expect(kept() == [])
        #expect(try run(["apptainer-cache", "--types=nope"]).status == 255)
    }

    @Test func whatCannotBeReadIsNotCalledEmpty() throws {
        try workspace.write("kept/cache/oci-tmp/abc", [0])
        let folder = "\(workspace("kept"))/cache/oci-tmp"
        chmod(folder, 0)
        defer { chmod(folder, 0o700) }
        for words in [[], ["--clean", "--force"]] {
            let seen = try run(["apptainer-cache"] + words)
            #expect(
                seen.status == 255 && seen.output.contains("cannot list the directory \(folder)"),
                "\(seen)")
        }
    }
}
