// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A root that lacks /proc, /dev, /tmp, /sys, /run, /etc, /home and is not usr-merged, such as
/// unpacked packages are, is used as it is and stays as it is.
@Suite struct BareRootTests {
    @Test(arguments: MountPath.allCases)
    func missingPlacesAreThereInside(path: MountPath) throws {
        let root = try BareRoot(with: ["cat", "id"])
        let script = """
            for place in /proc /dev /tmp /var/tmp /dev/shm /sys /run "$HOME" /etc; do
                [ -d $place ] || echo $place is missing
            done
            id -un >/dev/null && id -gn >/dev/null && : >/dev/null && echo x >/tmp/x && cat /tmp/x
            """
        try expect(inRoot(script, path.options, root: root.path), prints: "x")
    }

    @Test(arguments: MountPath.allCases)
    func callersEntriesNeedNoEtc(path: MountPath) throws {
        let root = try BareRoot(with: ["cat"])
        let script = "while read -r line; do echo $line; done </etc/passwd"
        let seen = try inRoot(script, path.options, root: root.path)
        #expect(seen.lines.first?.hasPrefix("\(NSUserName()):") == true, "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func nameServiceFilesNeedNoEtc(path: MountPath) throws {
        let root = try BareRoot(with: ["cat"])
        for name in ["hosts", "resolv.conf"] {
            let seen = try inRoot("cat /etc/\(name)", path.options, root: root.path)
            expect(seen, try run(["cat", "/etc/\(name)"]))
        }
    }

    @Test(arguments: MountPath.allCases)
    func rootStaysAsItWas(path: MountPath) throws {
        let root = try BareRoot(with: ["cat"])
        try root.directory.write("kept\n", to: "etc/kept")
        let before = try root.directory.listing()
        for options in [
            [], ["--home", "--cwd", "--host-root"], ["--share-pid"], ["--dir", "/new/x"],
        ] {
            try expect(
                inRoot("cat /etc/kept", path.options + options, root: root.path, directory: "/usr"),
                prints: "kept")
        }
        #expect(try root.directory.listing() == before)
    }

    @Test(arguments: MountPath.allCases)
    func rootThatMayNotBeWrittenServesAsWell(path: MountPath) throws {
        let root = try BareRoot(with: ["cat"])
        try expect(run(["chmod", "-R", "a-w", root.path]), exits: 0)
        try expect(inRoot("echo x >/tmp/x; cat /tmp/x", path.options, root: root.path), prints: "x")
    }

    @Test(arguments: MountPath.allCases)
    func madePlacesAreReadOnlyToo(path: MountPath) throws {
        let root = try BareRoot(with: ["cat"])
        let script =
            "for p in / /etc /bin /var /home; do (: >$p/new) 2>/dev/null && echo $p; done; :"
        try expect(inRoot(script, path.options, root: root.path), prints: "")
    }

    @Test(arguments: MountPath.allCases)
    func entriesBesideMadePlacesStayVisible(path: MountPath) throws {
        let root = try BareRoot(with: ["cat", "readlink", "stat"])
        try root.directory.write("a", to: "var/lib/a")
        try root.directory.write("b", to: "etc/b", mode: 0o600)
        try root.directory.link("etc/mtab", to: "/proc/self/mounts")
        try root.directory.link("top", to: "etc/b")
        let script = "cat /var/lib/a /etc/b /top; readlink /etc/mtab /top; stat -c %a /etc/b"
        try expect(
            inRoot(script, path.options, root: root.path),
            prints: "abb/proc/self/mounts\netc/b\n600")
    }

    @Test(
        arguments: MountPath.allCases,
        [
            "/run/systemd/resolve/stub.conf", "../run/missing/stub.conf", "/etc/elsewhere",
            "../../../x",
        ])
    func danglingNameServiceLinksGiveWay(path: MountPath, text: String) throws {
        let root = try BareRoot(with: ["cat"])
        try root.directory.makeDirectory("etc")
        try root.directory.link("etc/resolv.conf", to: text + ".resolv")
        try root.directory.link("etc/hosts", to: text + ".hosts")
        let before = try root.directory.listing()
        for name in ["hosts", "resolv.conf"] {
            let seen = try inRoot("cat /etc/\(name)", path.options, root: root.path)
            expect(seen, try run(["cat", "/etc/\(name)"]))
        }
        #expect(try root.directory.listing() == before)
    }

    @Test(arguments: MountPath.allCases, ["/etc/real", "real"])
    func linkedNameServiceFilesGiveWay(path: MountPath, text: String) throws {
        let root = try BareRoot(with: ["cat"])
        for name in ["hosts", "resolv.conf"] {
            try root.directory.write("the image's own", to: "etc/real-\(name)")
            try root.directory.link("etc/\(name)", to: "\(text)-\(name)")
            let seen = try inRoot("cat /etc/\(name)", path.options, root: root.path)
            expect(seen, try run(["cat", "/etc/\(name)"]))
            #expect(root.directory.content("etc/real-\(name)") == "the image's own")
        }
    }

    @Test(arguments: MountPath.allCases)
    func ownAccountEntryIsNotDoubledAway(path: MountPath) throws {
        let root = try BareRoot(with: ["cat"])
        try root.directory.write("root:x:0:0::/root:/bin/sh\n", to: "etc/passwd")
        let seen = try inRoot("cat /etc/passwd", path.options, root: root.path)
        #expect(seen.lines.count == 2, "\(seen)")
        #expect(seen.lines.last == "root:x:0:0::/root:/bin/sh")
        #expect(root.directory.content("etc/passwd") == "root:x:0:0::/root:/bin/sh\n")
    }
}
