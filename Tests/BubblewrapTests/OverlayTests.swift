// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Overlays: read-only, in memory and persistent.
@Suite struct OverlayTests {
    /// Two layers that share a name, and a place for changes.
    private func layers() throws -> TemporaryDirectory {
        let host = try TemporaryDirectory()
        try host.write("low\n", to: "low/both")
        try host.write("low\n", to: "low/directory/sub/file")
        try host.write("high\n", to: "high/both")
        try host.write("high\n", to: "high/only")
        for name in ["upper", "work"] { try host.makeDirectory(name) }
        return host
    }

    private func lower(_ host: TemporaryDirectory) -> [String] {
        ["--overlay-src", host / "low", "--overlay-src", host / "high"]
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func laterLayersLieOverEarlierOnes(kernel: Kernel, name: Name) throws {
        let host = try layers()
        let options = kernel.options + lower(host) + ["--ro-overlay", "/x"]
        let script = "cat /x/both; ls -m /x; (: >/x/new) 2>&1 | grep -o 'Read-only file system'"
        try expect(
            sandbox(script, options, as: name),
            prints: "high\nboth, directory, only\nRead-only file system")
    }

    /// Without `userxattr` the kernel answers EIO here.
    static let changes = """
        rm -r /x/directory; mkdir /x/directory; ls /x/directory
        mv /x/only /x/moved; rm /x/both; echo new >/x/new; ls -m /x
        """

    @Test(arguments: Kernel.allCases, Name.allCases)
    func changesInMemoryVanish(kernel: Kernel, name: Name) throws {
        let host = try layers()
        let before = try host.listing()
        let options = kernel.options + lower(host) + ["--tmp-overlay", "/x"]
        try expect(
            sandbox(OverlayTests.changes, options, as: name), prints: "directory, moved, new")
        #expect(try host.listing() == before)
        try expect(sandbox("cat /x/both", options, as: name), prints: "high")
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func changesInADirectoryStay(kernel: Kernel, name: Name) throws {
        let host = try layers()
        let overlay = ["--overlay", host / "upper", host / "work", "/x"]
        let options = kernel.options + lower(host) + overlay
        try expect(
            sandbox(OverlayTests.changes, options, as: name), prints: "directory, moved, new")
        #expect(host.content("upper/new") == "new\n" && host.content("low/both") == "low\n")
        try expect(
            sandbox("ls -m /x; ls /x/directory; cat /x/moved", options, as: name),
            prints: "directory, moved, new\nhigh")
    }

    @Test(arguments: Kernel.allCases)
    func directoriesOfALowerLayerAreRenamed(kernel: Kernel) throws {
        let host = try layers()
        for upper in [
            ["--tmp-overlay", "/x"], ["--overlay", host / "upper", host / "work", "/x"],
        ] {
            let script = """
                mv /x/directory /x/other; cat /x/other/sub/file
                [ -e /x/directory ] || echo gone
                """
            try expect(
                sandbox(script, kernel.options + lower(host) + upper), prints: "low\ngone")
        }
    }

    @Test(arguments: Kernel.allCases)
    func theRootCanBeAnOverlay(kernel: Kernel) throws {
        let host = try layers()
        let options =
            try ["--overlay-src", host / "low", "--tmp-overlay", "/"] + Bubblewrap.programs()
        let seen = try bwrap(
            kernel.options + options + ["sh", "-c", "cat /both; : >/new; ls -m /"])
        expect(seen, prints: "low\nbin, both, directory, lib, lib64, new, usr")
    }

    @Test(arguments: Kernel.allCases)
    func layersMayHaveAwkwardNames(kernel: Kernel) throws {
        let host = try TemporaryDirectory()
        try host.write("x\n", to: "a:b,c\\d e=f/x")
        let options = ["--overlay-src", host / "a:b,c\\d e=f", "--tmp-overlay", "/x"]
        try expect(sandbox("cat /x/x", kernel.options + options), prints: "x")
    }

    @Test func overlaysFollowTheOrderOfOptions() throws {
        let host = try layers()
        let one = ["--overlay-src", host / "low", "--tmp-overlay", "/x"]
        let two = ["--overlay-src", host / "high", "--tmp-overlay", "/x"]
        try expect(sandbox("ls -m /x", one + two), prints: "both, only")
        try expect(sandbox("ls -m /x", two + one), prints: "both, directory")
        try expect(sandbox("ls -A /x", one + ["--tmpfs", "/x"]), prints: "")
    }

    @Test(arguments: [
        ["--overlay-src", "/usr"], ["--overlay-src", "/usr", "--dir", "/x"],
        ["--overlay-src", "/usr", "--ro-overlay", "/x"], ["--ro-overlay", "/x"],
        ["--tmp-overlay", "/x"], ["--overlay", "/tmp", "/tmp", "/x"],
    ])
    func layersAndOverlaysNeedEachOther(options: [String]) throws {
        expect(try sandbox("", options), refusedSaying: "--overlay-src")
    }

    @Test func whatCannotBeALayerIsNamed() throws {
        let host = try layers()
        expect(
            try sandbox("", ["--overlay-src", "/no/such", "--tmp-overlay", "/x"]),
            refusedSaying: "/no/such")
        expect(
            try sandbox("", ["--overlay-src", host / "low/both", "--tmp-overlay", "/x"]),
            refusedSaying: "Not a directory")
        let missing = ["--overlay", host / "none", host / "work", "/x"]
        expect(try sandbox("", lower(host) + missing), refusedSaying: host / "none")
    }

    /// /proc refuses what an upper layer needs.
    @Test func aFileSystemThatRefusesIsExplained() throws {
        let host = try layers()
        let seen = try sandbox("", lower(host) + ["--overlay", "/proc", host / "work", "/x"])
        expect(seen, refusedSaying: "/proc")
        #expect(seen.error.contains("\n  "), "a remedy: \(seen)")
    }
}
