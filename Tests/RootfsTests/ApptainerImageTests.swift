// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A SIF that nsrun-rootfs writes, run as Apptainer runs one.
@Suite struct ApptainerImageTests {
    private let folder: TemporaryDirectory
    private var image: String { folder / "own.sif" }

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("bin")
        try folder.link("bin/apptainer", to: Bench.current().nsrun)
        try folder.link("bin/nsrun-rootfs", to: RootfsTool.path())
        let bare = try BareRoot(with: ["cat", "id", "ls", "stat"])
        try bare.directory.record(
            ".",
            """
            origin a test
            env GREETING=it's
            env PATH=/opt/bin:/bin
            workdir /bin
            user 5
            entrypoint /bin/sh
            entrypoint -c
            cmd echo "$GREETING $PWD"

            """)
        expect(try rootfsTool(["export", "--quiet", bare.path, image]), exits: 0)
    }

    private func apptainer(
        _ arguments: String..., environment: [String: String?] = [:]
    ) throws -> Outcome {
        var environment = environment
        environment["PATH"] = "\(folder.path)/bin:/usr/bin:/bin"
        return try run(
            [folder / "bin/apptainer"] + arguments, environment: environment, directory: folder.path
        )
    }

    private func check(
        _ seen: Outcome, fails words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(seen.status == 255, "\(seen)", sourceLocation: sourceLocation)
        #expect(seen.output == "", "\(seen)", sourceLocation: sourceLocation)
        #expect(seen.error.hasPrefix("FATAL:   "), "\(seen)", sourceLocation: sourceLocation)
        for word in words {
            #expect(seen.error.contains(word), "\(seen)", sourceLocation: sourceLocation)
        }
    }

    @Test func itsRootIsMountedWhereItLies() throws {
        let own = try run(["id", "-u"]).output
        expect(
            try apptainer(
                "exec", "own.sif", "sh", "-c",
                "id -u; stat -c %u /bin; (: >/new) 2>/dev/null || echo read-only"),
            prints: "\(own)\n\(own)\nread-only")
        let plan = try nsrun(["--rootfs", image, "--explain", "true"]).output
        #expect(plan.contains("mount the squashfs in \(image), from byte "))
        #expect(try ImageServer.isGone(from: image))
        expect(try nsrun(["--rootfs", image, "--", "sh", "-c", "echo too"]), prints: "too")
    }

    /// The caller's own identity and directory, whatever the image wants.
    @Test func theImagesSettingsAreItsScripts() throws {
        expect(
            try apptainer("exec", "own.sif", "sh", "-c", "echo $GREETING $PATH; pwd"),
            prints: "it's /opt/bin:/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin\n"
                + folder.path)
        expect(try apptainer("run", "own.sif"), prints: "it's \(folder.path)")
        expect(try apptainer("run", "own.sif", "echo other"), prints: "other")
        expect(try apptainer("exec", "own.sif", "sh", "-c", "exit 9"), exits: 9)
        check(
            try apptainer("exec", "own.sif", "nope"),
            fails: "\"nope\": executable file not found in $PATH")
    }

    @Test func changesGoWhereTheyAreToldTo() throws {
        let before = try run(["sha256sum", image])
        expect(
            try apptainer("exec", "--writable-tmpfs", "own.sif", "sh", "-c", "echo 1 >/x; cat /x"),
            prints: "1")
        try folder.makeDirectory("layer")
        expect(try apptainer("exec", "-o", "layer", "own.sif", "sh", "-c", "echo 2 >/x"), exits: 0)
        expect(try apptainer("exec", "-o", "layer", "own.sif", "cat", "/x"), prints: "2")
        check(
            try apptainer("exec", "-w", "own.sif", "true"),
            fails: "no SIF writable overlay partition found")
        expect(try run(["sha256sum", image]), before)
    }

    @Test func inspectReadsWhatItWasBuiltWith() throws {
        #expect(try apptainer("inspect", "own.sif").output.contains("build-arch: "))
        #expect(try apptainer("inspect", "-r", "own.sif").output.contains("exec '/bin/sh' '-c'"))
        #expect(try apptainer("inspect", "-d", "own.sif").output.hasPrefix("Bootstrap: localimage"))
        #expect(
            try apptainer("inspect", "-e", "own.sif").output.contains(
                "export GREETING='it'\\''s'\n"))
        let text = try apptainer("inspect", "--json", "own.sif").output
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(object?["type"] as? String == "container")
        #expect(try HostState.processes("squashfuse_ll: \(image)").isEmpty)
    }

    @Test func buildMakesOneFromTheOther() throws {
        expect(try apptainer("--quiet", "build", "--sandbox", "box", "own.sif"), exits: 0)
        expect(try apptainer("run", "box"), prints: "it's \(folder.path)")
        expect(try apptainer("--quiet", "build", "again.sif", "box"), exits: 0)
        expect(try apptainer("run", "again.sif"), prints: "it's \(folder.path)")
        check(
            try apptainer("--quiet", "build", "again.sif", "box"), fails: "already exists",
            "--force")
        expect(try apptainer("--quiet", "build", "--force", "again.sif", "box"), exits: 0)
        check(try apptainer("build", "x.sif", "library://x"), fails: "library")
        #expect(try folder.names().sorted() == ["again.sif", "bin", "box", "own.sif"])
    }

    /// Callers try such an image to see whether namespaces work, and look for these words.
    @Test func theOldFormWithoutAShell() throws {
        try folder.makeDirectory("empty/proc")
        expect(
            try run([
                "mksquashfs", folder / "empty", folder / "plain", "-quiet", "-no-progress",
                "-all-root",
            ]), exits: 0)
        let squashfs = try Data(contentsOf: URL(filePath: folder / "plain"))
        try (Data("#!/usr/bin/env run-singularity\n".utf8) + squashfs).write(
            to: URL(filePath: folder / "hello.simg"))
        check(
            try apptainer("exec", "--userns", "hello.simg", "true"),
            fails: "executable file not found in")
        check(try apptainer("run", "hello.simg"), fails: "/bin/sh does not exist in container")
    }

    /// Nothing is mounted of a file whose numbers do not fit.
    @Test func brokenFilesAreRefusedByName() throws {
        let whole = try Data(contentsOf: URL(filePath: image))
        func refused(_ words: String, _ change: (inout Data) -> Void) throws {
            var bytes = whole
            change(&bytes)
            try bytes.write(to: URL(filePath: folder / "bad.sif"))
            check(try apptainer("exec", "bad.sif", "true"), fails: words)
            check(try apptainer("run", "bad.sif"), fails: words)
            #expect(try HostState.processes("squashfuse_ll: \(folder / "bad.sif")").isEmpty)
        }
        try refused("cut short") { $0.removeLast(4096) }
        try refused("version 07") { $0[43] = UInt8(ascii: "7") }
        try refused("descriptors") { $0[95] = 0x80 }
        try refused("does not lie in the file") { $0[102] = 1 }
        // The last descriptor is the root's.
        let root = 4096 + 3 * 585
        try refused("goes beyond the end of the file") { $0[root + 24] = 0x7f }
        try refused("no primary partition") { $0[root + 205] = 3 }
        try refused("encrypted") { $0[root + 201] = 5 }
        try refused("its root is no squashfs") { $0[root + 18] &-= 1 }
    }
}
