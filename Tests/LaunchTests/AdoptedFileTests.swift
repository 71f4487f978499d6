// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A root that was made with subordinate ids has files of groups that are not mapped where one id is. A layer over it is
/// writable all the same where root's programs write.
@Suite struct AdoptedFileTests {
    private static let files = ["passwd", "group", "shadow", "gshadow", "shadow-", "gshadow-"]

    /// With `shadow`'s and `mail`'s groups, as Debian has them.
    private func root() throws -> BareRoot {
        let root = try BareRoot(with: ["cat", "stat"])
        for name in AdoptedFileTests.files {
            try root.directory.write("\(name)\n", to: "etc/\(name)")
        }
        try root.directory.write("log\n", to: "var/log/lastlog")
        for name in ["var/mail", "var/local"] { try root.directory.makeDirectory(name) }
        let script = """
            cd /mnt; chgrp 42 etc/*shadow*; chmod 640 etc/*shadow*; chgrp 43 var/log/lastlog
            chgrp 8 var/mail; chmod 2775 var/mail; chgrp 50 var/local
            """
        let options = ["--map-auto", "--uid", "0", "--bind", root.path, "/mnt"]
        try expect(onHost(script, options), exits: 0)
        return root
    }

    @Test(arguments: MountPath.allCases)
    func rootsProgramsWriteThem(path: MountPath) throws {
        let root = try root()
        let before = try root.directory.listing()
        let script = """
            cd /etc; for name in \(AdoptedFileTests.files.joined(separator: " ")); do
                cat $name >$name+ && echo more >>$name && cat $name
            done
            echo more >>/var/log/lastlog; echo mail >/var/mail/user; echo x >/var/local/x
            cat /var/log/lastlog /var/mail/user /var/local/x; stat -c '%a %u %g' /etc/shadow /var/mail
            """
        let kept = try TemporaryDirectory()
        for layer in [["--ephemeral"], ["--overlay-dir", kept / "layer"]] {
            for identity in ["--fake-root", "--uid=0"] {
                let seen = try inRoot(script, path.options + layer + [identity], root: root.path)
                let texts = AdoptedFileTests.files.map { "\($0)\nmore\n" }.joined()
                let group = identity == "--fake-root" ? "0" : "\(getgid())"
                expect(
                    seen, prints: texts + "log\nmore\nmail\nx\n640 0 \(group)\n775 0 \(group)")
                _ = try run(["sh", "-c", "chmod -R u+rwx \(kept.path)/*; rm -rf \(kept.path)/*"])
            }
        }
        #expect(try root.directory.listing() == before)
    }

    /// Links lead nowhere, and what is no file is left alone.
    @Test func aHostileRootGainsNothing() throws {
        let folder = try TemporaryDirectory()
        try folder.write("the host's\n", to: "shadow")
        let root = try BareRoot(with: ["cat"])
        try root.directory.makeDirectory("etc")
        try root.directory.link("etc/shadow", to: folder / "shadow")
        try root.directory.link("var", to: folder.path)
        #expect(mkfifo(root.path + "/etc/gshadow", 0o640) == 0)
        try root.directory.write("taken\n", to: "etc/.nsrun-new")
        let seen = try inRoot(
            "cat /etc/.nsrun-new", ["--ephemeral", "--fake-root"], root: root.path)
        expect(seen, prints: "taken")
        #expect(folder.content("shadow") == "the host's\n")
        #expect(try folder.listing().split(separator: "\n").count <= 2)
    }
}
