// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Layers over a rootfs: whatever the command does, the rootfs stays byte for byte as it was.
@Suite struct UntouchedRootTests {
    private static let vandalism = """
        set -e
        echo more >>/etc/file; echo new >/etc/new; : >/etc/emptied; chmod 0600 /etc/kept
        rm -r /srv/tree; mkdir /srv/tree; echo other >/srv/tree/other
        mv /etc/moved /srv/moved; ln /etc/kept /srv/link; ln -s /etc /srv/symlink; rm /bin/rm
        mv /opt/folder /opt/renamed
        read -r line </etc/file; echo "$line"
        """

    private let bare: BareRoot

    init() throws {
        bare = try BareRoot(with: ["chmod", "ln", "mkdir", "mv", "rm"])
        let libraries = "cp -L \"$R\"/usr/lib/*-linux-gnu/lib{acl,attr}.so.1 lib"
        let root = try Bench.current().rootfs
        let copied = try run(
            ["bash", "-c", libraries], environment: ["R": root], directory: bare.path)
        expect(copied, exits: 0)
        for name in ["etc/file", "etc/emptied", "etc/kept", "etc/moved", "srv/tree/a/b"] {
            try bare.directory.write("\(name)\n", to: name)
        }
        try bare.directory.write("in a folder\n", to: "opt/folder/file")
    }

    /// Names, types, modes, times (also those of inodes), and every byte.
    private func fingerprint() throws -> String {
        let bytes = try run(
            ["sh", "-c", "find . -type f -exec sha256sum {} + | sort"], directory: bare.path)
        return try bare.directory.listing() + bytes.output
    }

    @Test(arguments: [[], ["--fake-root"], ["--share-pid"]])
    func underALayerInMemory(options: [String]) throws {
        let before = try fingerprint()
        let seen = try inRoot(Self.vandalism, ["--ephemeral"] + options, root: bare.path)
        expect(seen, prints: "etc/file")
        #expect(try fingerprint() == before)
    }

    @Test(arguments: [[], ["--fake-root"], ["--share-pid"]])
    func underALayerThatIsKept(options: [String]) throws {
        let folder = try TemporaryDirectory()
        let layer = ["--overlay-dir", folder / "layer"] + options
        let before = try fingerprint()
        expect(try inRoot(Self.vandalism, layer, root: bare.path), prints: "etc/file")
        #expect(try fingerprint() == before)
        // The layer has it all, and goes on from there.
        let later = "while read -r l; do echo \"$l\"; done <\"$F\"; test ! -e /etc/moved"
        let seen = try inRoot(
            later, layer + ["--setenv", "F", "/etc/file"], root: bare.path)
        expect(seen, prints: "etc/file\nmore")
        #expect(try fingerprint() == before)
    }

    @Test func writableIsWhatItSays() throws {
        let before = try fingerprint()
        expect(
            try inRoot(Self.vandalism, ["--writable"], root: bare.path), prints: "etc/file")
        #expect(try fingerprint() != before)
        #expect(bare.directory.content("etc/file") == "etc/file\nmore\n")
    }
}
