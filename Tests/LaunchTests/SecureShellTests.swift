// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// ssh(1) in the host view: it takes what its configuration includes from root or from its own user, and root is nobody
/// inside.
@Suite struct SecureShellTests {
    /// In a world whose `/etc/ssh` is `root`'s, as a user of it. The script finds nsrun in `/tmp`.
    private func inWorld(_ preparation: String, _ script: String) throws -> Outcome {
        let world = """
            set -e; cp \(try Bench.current().nsrun) /tmp/nsrun; chmod 755 /tmp/nsrun
            cd /etc/ssh; \(preparation)
            cd /; export HOME=/nonexistent
            exec setpriv --reuid 5 --regid 5 --clear-groups -- sh -c "$SCRIPT"
            """
        return try onHost(
            world, ["--map-auto", "--uid", "0", "--gid", "0", "--tmpfs", "/etc/ssh"],
            environment: ["SCRIPT": script])
    }

    private let include =
        "echo 'Include /etc/ssh/ssh_config.d/*.conf' >ssh_config; mkdir ssh_config.d"

    /// By links, and as far as one includes another.
    @Test(arguments: MountPath.allCases)
    func includedFilesAreTheCallers(path: MountPath) throws {
        let preparation = """
            \(include); echo 'Host one' >ssh_config.d/one.conf; mkdir elsewhere
            echo 'include "further/two words"' >elsewhere/two
            ln -s ../elsewhere/two ssh_config.d/two.conf
            mkdir further; echo 'Host three' >'further/two words'; echo 'Host four' >ssh_config.d/four
            """
        let files = "ssh_config.d/one.conf elsewhere/two 'further/two words'"
        let options = path.options.joined(separator: " ")
        let script = """
            cd /etc/ssh; cat \(files)
            /tmp/nsrun \(options) sh -c "cat \(files); stat -Lc '%u %a' \(files) ssh_config.d/four"
            """
        let text = "Host one\ninclude \"further/two words\"\nHost three"
        let owners = "5 644\n5 644\n5 644\n65534 644"
        try expect(inWorld(preparation, script), prints: "\(text)\n\(text)\n\(owners)")
    }

    @Test(arguments: ["--ephemeral", "--network none", "--uid 77"])
    func withOtherOptions(options: String) throws {
        let script = """
            /tmp/nsrun \(options) sh -c 'cd /etc/ssh/ssh_config.d; cat x.conf; stat -c %u x.conf; id -u'
            """
        let seen = try inWorld("\(include); echo 'Host x' >ssh_config.d/x.conf", script)
        let user = options == "--uid 77" ? "77" : "5"
        expect(seen, prints: "Host x\n\(user)\n\(user)")
    }

    /// What ssh would not take outside it does not take inside.
    @Test func whatOthersMayWriteStaysTheirs() throws {
        let preparation = """
            \(include); for name in open others; do echo "Host $name" >ssh_config.d/$name.conf; done
            chmod 666 ssh_config.d/open.conf; chown 7 ssh_config.d/others.conf
            """
        let script = "/tmp/nsrun sh -c 'stat -c %u /etc/ssh/ssh_config.d/*'"
        try expect(inWorld(preparation, script), prints: "65534\n65534")
    }

    /// Files that come and go, include themselves or are none.
    @Test(arguments: [
        "echo 'Include /etc/ssh/ssh_config' >ssh_config", "mkdir ssh_config", "mkfifo ssh_config",
        "\(Self.folder); ln -s loop ssh_config.d/loop; mkdir ssh_config.d/directory",
        "\(Self.folder); mkfifo ssh_config.d/pipe; ln -s /dev/zero ssh_config.d/zero",
        "\(Self.folder); ln -s ../ssh_config ssh_config.d/again; : >ssh_config.d/empty", ":",
    ])
    func oddOnesAreInNobodysWay(preparation: String) throws {
        try expect(inWorld(preparation, "/tmp/nsrun echo on"), prints: "on")
    }

    private static let folder = "echo 'Include ssh_config.d/*' >ssh_config; mkdir ssh_config.d"
}
