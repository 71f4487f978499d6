// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A squashfs whose files are not root's: the caller's, as in an image of his own directory, or anybody's.
@Suite struct ImageOwnerTests {
    private func image(_ owner: [String]) throws -> (TemporaryDirectory, String) {
        let folder = try TemporaryDirectory()
        let root = try BareRoot(with: ["cat", "stat", "chmod", "mkdir"])
        try root.directory.write("private\n", to: "folder/file", mode: 0o600)
        try expect(run(["chmod", "700", root.path, root.path + "/folder"]), exits: 0)
        let image = folder / "image.squashfs"
        let made = try run(["mksquashfs", root.path, image, "-quiet", "-no-progress"] + owner)
        #expect(made.status == 0, "\(made)")
        return (folder, image)
    }

    static let owners = [
        [], ["-force-uid", "4711", "-force-gid", "4712"], ["-force-uid", "4711"],
        ["-force-gid", "4712"], ["-all-root"],
    ]

    @Test(arguments: owners) func filesAreTheCallers(owner: [String]) throws {
        let (folder, image) = try image(owner)
        let script = "cat /folder/file; stat -c '%a %u' / /folder/file /proc/self/environ"
        let own = getuid()
        for options in [[], ["--share-pid"]] {
            expect(
                try inRoot(script, options, root: image),
                prints: "private\n700 \(own)\n600 \(own)\n400 \(own)")
        }
        withExtendedLifetime(folder) {}
    }

    @Test(arguments: owners) func aLayerIsWritable(owner: [String]) throws {
        let (folder, image) = try image(owner)
        let script = """
            echo more >>/folder/file && cat /folder/file && chmod 640 /folder/file && mkdir /new &&
            stat -c '%a %u' /folder/file /new
            """
        for (identity, user) in [
            ([], "\(getuid())"), (["--fake-root"], "0"), (["--uid", "77"], "77"),
        ] {
            expect(
                try inRoot(script, ["--ephemeral"] + identity, root: image),
                prints: "private\nmore\n640 \(user)\n755 \(user)")
        }
        let kept = try TemporaryDirectory()
        expect(
            try inRoot(script, ["--overlay-dir", kept / "layer"], root: image),
            prints: "private\nmore\n640 \(getuid())\n755 \(getuid())")
        withExtendedLifetime(folder) {}
    }

    /// Where some are root's, they are the caller's, and others can be read as far as anybody may.
    @Test func someMayBeRoots() throws {
        let folder = try TemporaryDirectory()
        let root = try BareRoot(with: ["cat"])
        try root.directory.write("anybody's\n", to: "open")
        try root.directory.write("root's\n", to: "closed", mode: 0o600)
        let image = folder / "image.squashfs"
        let made = try run([
            "mksquashfs", root.path, image, "-quiet", "-no-progress", "-all-root", "-p",
            "other f 644 4711 4712 echo other",
        ])
        #expect(made.status == 0, "\(made)")
        expect(
            try inRoot("cat /open /closed /other", root: image), prints: "anybody's\nroot's\nother")
    }
}
