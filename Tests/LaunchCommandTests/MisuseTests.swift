// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

/// Options that do not go together, and modifiers without what they modify.
@Suite struct MisuseTests {
    private static let perms =
        "--perms must be followed by an option that makes a file or directory"
    private static let size = "--size must be followed by --tmpfs"

    @Test(arguments: [
        ["--perms", "0700"], ["--perms", "0700", "--bind", "/a", "/b"],
        ["--perms", "0700", "--home", "--dir", "/d"], ["--perms", "0700", "--symlink", "a", "/b"],
    ])
    func modesWithoutUse(options: [String]) throws {
        #expect(try #require(complaint(options + ["true"])).hasPrefix(MisuseTests.perms))
    }

    @Test(arguments: [
        ["--size", "1K"], ["--size", "1K", "--dir", "/d"], ["--size", "1K", "--home"],
        ["--size", "1K", "--perms", "0700", "--dir", "/d"],
    ])
    func sizesWithoutUse(options: [String]) throws {
        #expect(try #require(complaint(options + ["true"])).hasPrefix(MisuseTests.size))
    }

    @Test func bothModifyOneTmpfsAndNoOther() throws {
        for options in [["--perms", "0700", "--size", "1K"], ["--size", "1K", "--perms", "0700"]] {
            let request = try build(options + ["--tmpfs", "/a", "--tmpfs", "/b"]).request
            #expect(
                request.files.operations.map(\.action) == [
                    .tmpfs(target: "/a", mode: 0o700, size: 1024),
                    .tmpfs(target: "/b", mode: 0o755, size: nil),
                ])
        }
    }

    /// As in bubblewrap: one of the two would be lost.
    @Test func aModifierTwice() {
        #expect(complaint("--perms", "0700", "--perms", "0755", "--dir", "/d") != nil)
        #expect(complaint("--size", "1K", "--size", "2K", "--tmpfs", "/d") != nil)
    }

    @Test func oneLayerAtATime() {
        #expect(
            complaint("--rootfs", "/r", "--writable", "--ephemeral") == """
                --ephemeral contradicts an earlier option
                  one of --writable, --ephemeral and --overlay-dir
                """)
        #expect(complaint("--overlay-dir", "/a", "--overlay-dir", "/b") != nil)
        #expect(complaint("--ephemeral", "--ephemeral") == nil)
    }

    @Test(arguments: [
        (
            ["--writable"],
            "--writable needs --rootfs\n  the host's files are as writable as ever"
        ),
        (
            ["--nvidia"],
            "--nvidia needs --rootfs\n  without a rootfs the host's driver is there as it is"
        ),
        (
            ["--cdi-spec-dir", "/s"],
            "--cdi-spec-dir needs --device\n  which of the devices there is meant"
        ),
        (["--allow-socket="], "--allow-socket: the path is empty"),
        (["--hide", ""], "--hide: the path is empty"),
        (["--allow-read", ""], "--allow-read: the path is empty"),
        (["--allow-write", ""], "--allow-write: the path is empty"),
        (["--cdi-spec-dir="], "--cdi-spec-dir: the path is empty"),
        (["--kill-after", "1"], "--kill-after needs --timeout"),
        (
            ["--network", "bridge"],
            "--network: unknown kind \"bridge\"\n  host, none, pasta or pasta=PORT[:INSIDE],..."
        ),
        (
            ["--network", "pasta=80a"],
            "--network: \"80a\" passes on no port\n"
                + "  pasta=8080 or pasta=8080:80, from 1 to 65535, of the host and inside"
        ),
        (
            ["--network", "pasta="],
            "--network: \"\" passes on no port\n"
                + "  pasta=8080 or pasta=8080:80, from 1 to 65535, of the host and inside"
        ),
        (
            ["--allow-host", "*.example.org:80"],
            "cannot allow *.example.org:80: names are looked up when the run starts, and this is none\n"
                + "  name each host by itself"
        ),
        (
            ["--allow-host", "a:80", "--netns", "2"],
            "--allow-host cannot be combined with --netns\n"
                + "  it stands for a network that reaches what is allowed, and nothing else"
        ),
        (["--network", "pasta=80,90:1,80:2"], "--network: port 80 is passed on twice"),
        (
            ["--preset", "x"],
            "unknown preset \"x\"\n  one of host, rootfs, toolbox, action, test, sandbox, hpc; or a file of that name in ~/.config/nsrun/presets or /etc/nsrun/presets"
        ),
        (
            ["--engine", "chroot"],
            "--engine: unknown engine \"chroot\"\n  one of auto, userns, fakechroot, proot"
        ),
        (
            ["--require", "speed"],
            "--require: unknown requirement \"speed\"\n  --require isolation"
        ),
        (["--explain=xml"], "--explain: unknown format \"xml\"\n  --explain=json"),
        (["--list=xml"], "--list: unknown format \"xml\"\n  --list=json"),
        (
            ["--reuse-idle", "9", "true"],
            "--reuse-idle needs --reuse\n  --reuse NAME says which world is kept"
        ),
        (["--rootfs", ""], "--rootfs: the path is empty"),
        (["--overlay-dir", ""], "--overlay-dir: the path is empty"),
        (["--chdir="], "--chdir: the path is empty"),
        (["--debug-opt", "x"], "--debug-opt: unknown name \"x\""),
    ])
    func others(options: [String], wanted: String) {
        #expect(complaint(options) == wanted)
    }

    @Test(arguments: ["arm", "arm=", "=/opt/qemu", "=", ""])
    func emulatorsWithoutTheirTwoHalves(text: String) {
        #expect(
            complaint("--emulator", text, "true") == """
                --emulator: "\(text)" is not A=PATH
                  an architecture and a static QEMU for it, as in arm=/opt/qemu-arm-static
                """)
    }

    @Test(arguments: [
        ["--as-pid-1"], ["--userns", "0"], ["--userns2", "0"], ["--pidns", "0"],
        ["--info-fd", "0"], ["--json-status-fd", "0"],
    ])
    func aGroupsNamespacesAreNobodysOwn(options: [String]) {
        let wanted = """
            --join cannot be combined with \(options[0])
              the namespaces are those of a group, not of one process
            """
        #expect(complaint(options + ["--join", "x", "true"]) == wanted)
    }

    @Test(arguments: ["--unshare-pid", "--unshare-all"])
    func aGroupHasNoPidNamespace(option: String) {
        let wanted = """
            --join cannot be combined with --unshare-pid
              a pid namespace ends with its first process; after --unshare-all, --share-pid takes \
            it back
            """
        #expect(complaint(option, "--join", "x", "true") == wanted)
        #expect(complaint(option, "--share-pid", "--join", "x", "true") == nil)
    }

    /// A run on the host's own root is not what was asked for.
    @Test func theRootfsPresetNeedsARootfs() {
        #expect(complaint("--preset", "rootfs", "true") != nil)
    }

    @Test(arguments: [Preset.rootfs, .toolbox, .action])
    func presetsOfARootfsNeedOne(preset: Preset) {
        let wanted = """
            --preset \(preset.name.text) needs --rootfs
              --rootfs R says which root is meant
            """
        let words = ["--preset", preset.name.text]
        for options in [words, words + ["--ephemeral"], ["--preset", "test"] + words] {
            #expect(complaint(options + ["true"]) == wanted)
        }
        #expect(complaint(words + ["--rootfs", "/r", "true"]) == nil)
    }

    @Test func aPresetDoesNotExcuseTwoLayers() {
        for preset in ["action", "test", "toolbox"] {
            let options = ["--rootfs", "/r", "--preset", preset, "--ephemeral", "--writable"]
            #expect(complaint(options + ["true"])?.contains("contradicts") == true)
        }
    }

    @Test func whatAPresetHasNeedsNoOption() {
        #expect(complaint("--kill-after", "1", "--preset", "test", "true") == nil)
        #expect(complaint("--kill-after", "1", "--preset", "toolbox", "--rootfs", "/r") != nil)
    }

    @Test func aHostProgramNeedsARootfsAndAName() {
        #expect(
            complaint("--host-exec", "true") == """
                --host-exec needs --rootfs
                  without a rootfs every program is the host's
                """)
        #expect(
            complaint("--host-exec", "--rootfs", "/r") == """
                --host-exec needs a command
                  name a program of the host
                """)
    }
}
