// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// The modes of what no entry says anything about, whatever the umask.
@Suite struct ImpliedModeTests {
    static let masks = ["000", "022", "077", "777"]

    let workspace: Workspace
    let image: SavedImage

    init() throws {
        workspace = try Workspace()
        image = SavedImage(workspace: workspace)
    }

    private func importRoot(_ source: String, umask: String) throws {
        let seen = try ExternalToolOutcome.of(
            "umask \(umask); exec \(Command.program) import --quiet \(source) ./root",
            in: workspace)
        #expect(seen == (0, ""))
    }

    private func mode(_ name: String) throws -> String {
        String(try workspace.status("root/\(name)").st_mode & 0o7777, radix: 8)
    }

    @Test(arguments: masks) func ofATar(umask: String) throws {
        try workspace.write(
            "a.tar",
            tar {
                $0.file("implied/deep/file", "x", mode: 0o640)
                $0.directory("said", mode: 0o711)
                $0.device("dev/null")
            })
        try importRoot("./a.tar", umask: umask)
        for name in ["", "implied", "implied/deep", "dev"] { #expect(try mode(name) == "755") }
        #expect(try mode("implied/deep/file") == "640")
        #expect(try mode("said") == "711")
        #expect(try mode("dev/null") == "666")
        #expect(try mode(".nsrun") == "755")
        #expect(try mode(".nsrun/image") == "644")
    }

    @Test(arguments: masks) func ofLayers(umask: String) throws {
        var image = image
        image.layers = [
            tar {
                $0.directory("again", mode: 0o700)
                $0.file("again/x")
                $0.file("a/b/c")
            }, tar { $0.file(".wh.again") }, tar { $0.file("again/y") },
        ]
        try image.layout([image.described()])
        try importRoot("./image", umask: umask)
        // What a layer took away is not what the next one has there.
        for name in ["", "a", "a/b", "again"] { #expect(try mode(name) == "755") }
    }

    @Test(arguments: masks) func ofASquashfs(umask: String) throws {
        try workspace.write("from/dir/file", "x")
        chmod(workspace("from"), 0o711)
        chmod(workspace("from/dir"), 0o750)
        try ExternalTool(name: "mksquashfs", package: "squashfs-tools").run(
            [workspace("from"), workspace("x.squashfs"), "-quiet", "-no-progress"],
            cannot: "make", "x.squashfs")
        try importRoot("./x.squashfs", umask: umask)
        #expect(try mode("") == "711")
        #expect(try mode("dir") == "750")
    }

    @Test func whatTheArchiveSaysOfTheRootHolds() throws {
        try workspace.write(
            "a.tar",
            tar {
                $0.directory("./", mode: 0o711)
                $0.file("./x")
            })
        try importRoot("./a.tar", umask: "077")
        #expect(try mode("") == "711")
    }
}
