// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What becomes of changes to the root.
@Suite struct LayerTests {
    static let change =
        "echo new >/etc/file && mkdir -p /opt/a/b && : >/opt/a/b/c && rm /etc/gone && ls /etc/gone 2>/dev/null; cat /etc/file"

    private func changeable() throws -> BareRoot {
        let root = try BareRoot(with: ["cat", "mkdir", "rm", "ls"])
        try root.directory.write("old\n", to: "etc/file")
        try root.directory.write("", to: "etc/gone")
        try root.directory.write("", to: "var/lib/x")
        return root
    }

    @Test(arguments: MountPath.allCases)
    func writableWritesForReal(path: MountPath) throws {
        let root = try changeable()
        try expect(
            inRoot(LayerTests.change, ["--writable"] + path.options, root: root.path), prints: "new"
        )
        #expect(root.directory.content("etc/file") == "new\n")
        #expect(root.directory.content("opt/a/b/c") == "")
        #expect(root.directory.content("etc/gone") == nil)
    }

    @Test(arguments: MountPath.allCases)
    func writableCanMakeNewThingsAtTheTop(path: MountPath) throws {
        let root = try changeable()
        try expect(
            inRoot("mkdir /new; : >/file; :", ["--writable"] + path.options, root: root.path),
            prints: "")
        #expect(root.directory.content("file") == "")
    }

    @Test(arguments: MountPath.allCases)
    func ephemeralChangesVanish(path: MountPath) throws {
        let root = try changeable()
        let before = try root.directory.listing()
        try expect(
            inRoot(LayerTests.change, ["--ephemeral"] + path.options, root: root.path),
            prints: "new")
        try expect(inRoot("cat /etc/file", ["--ephemeral"], root: root.path), prints: "old")
        #expect(try root.directory.listing() == before)
    }

    @Test(arguments: MountPath.allCases)
    func ephemeralWorksOnAWholeDebian(path: MountPath) throws {
        // Files of another owner stay that owner's: new ones go where the caller may write.
        let script = "chmod 755 /tmp; : >/run/x; ls /usr/bin/dash; echo on"
        let seen = try inRoot(script, ["--ephemeral"] + path.options)
        expect(seen, prints: "/usr/bin/dash\non")
    }

    @Test(arguments: MountPath.allCases)
    func overlayDirectoryKeepsChanges(path: MountPath) throws {
        let root = try changeable()
        let layer = try TemporaryDirectory()
        let before = try root.directory.listing()
        let options = ["--overlay-dir", layer / "layer"] + path.options
        try expect(inRoot(LayerTests.change, options, root: root.path), prints: "new")
        try expect(
            inRoot(
                "cat /etc/file; ls /opt/a/b; [ -e /etc/gone ] || echo gone", options,
                root: root.path),
            prints: "new\nc\ngone")
        #expect(try root.directory.listing() == before)
        #expect(layer.content("layer/upper/etc/file") == "new\n")
    }

    @Test func layerDirectoryThatCannotBeMadeIsNamed() throws {
        let root = try changeable()
        let seen = try inRoot("true", ["--overlay-dir", "/proc/none"], root: root.path)
        #expect(seen.status == 125)
        #expect(seen.error.contains("/proc/none"), "\(seen)")
    }

    @Test func layerOnAFileSystemThatCannotIsRefused() throws {
        let root = try changeable()
        let file = try TemporaryDirectory()
        try file.write("", to: "file")
        let seen = try inRoot("true", ["--overlay-dir", file / "file"], root: root.path)
        #expect(seen.status == 125 && seen.error.contains(file / "file"), "\(seen)")
    }

    @Test(arguments: [
        ["--writable", "--ephemeral"], ["--ephemeral", "--overlay-dir", "/x"],
        ["--overlay-dir", "/x", "--writable"],
    ])
    func onlyOneLayerCanBeAskedFor(options: [String]) throws {
        let seen = try inRoot("true", options)
        #expect(seen.status == 125 && seen.error.contains("contradicts"), "\(seen)")
    }

    @Test func writableNeedsARootfs() throws {
        let seen = try onHost("true", ["--writable"])
        expect(seen, refuses: "--writable needs --rootfs", remedy: "host's files")
    }

    @Test(arguments: [[], ["--writable"], ["--ephemeral"]])
    func scratchStaysPrivateInEveryLayer(layer: [String]) throws {
        let root = try BareRoot()
        try expect(
            inRoot("echo x >/tmp/kept; echo x >/run/kept", layer, root: root.path), prints: "")
        #expect(root.directory.content("tmp/kept") == nil)
        #expect(root.directory.content("run/kept") == nil)
    }
}
