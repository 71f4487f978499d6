// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The options that make files, links and directories inside.
@Suite struct FileOptionTests {
    @Test(arguments: MountPath.allCases)
    func filesComeFromDescriptors(path: MountPath) throws {
        let options = [
            "--file", "5", "/tmp/file", "--bind-data", "6", "/tmp/data", "--ro-bind-data", "7",
            "/tmp/ro",
        ]
        let script =
            "cat /tmp/file /tmp/data /tmp/ro; echo w >/tmp/file; echo w >/tmp/data; (: >>/tmp/ro) 2>/dev/null || echo ro"
        let seen = try inRoot(
            script, options + path.options, descriptors: [5: "five\n", 6: "six\n", 7: "seven\n"])
        expect(seen, prints: "five\nsix\nseven\nro")
    }

    @Test(arguments: MountPath.allCases)
    func dataIsBoundOntoFilesOfTheRootfs(path: MountPath) throws {
        let seen = try inRoot(
            "cat /etc/fstab /etc/new",
            ["--ro-bind-data", "5", "/etc/fstab", "--ro-bind-data", "6", "/etc/new"] + path.options,
            descriptors: [5: "five\n", 6: "six\n"])
        expect(seen, prints: "five\nsix")
    }

    @Test(arguments: MountPath.allCases)
    func modesAreAsAskedFor(path: MountPath) throws {
        let options = [
            "--dir", "/tmp/a", "--perms", "0700", "--dir", "/tmp/b", "--file", "5", "/tmp/c",
            "--perms", "0640", "--file", "6", "/tmp/d", "--bind-data", "7", "/tmp/e", "--perms",
            "0444", "--ro-bind-data", "8", "/tmp/f", "--dir", "/tmp/g", "--chmod", "0111", "/tmp/g",
        ]
        let seen = try inRoot(
            "stat -c %a /tmp/?", options + path.options,
            descriptors: [5: "", 6: "", 7: "", 8: ""])
        expect(seen, prints: "755\n700\n666\n640\n600\n444\n111")
    }

    @Test func umaskDoesNotChangeThem() throws {
        let bench = try Bench.current()
        let script =
            "umask 077; exec \(bench.nsrun) --rootfs \(bench.rootfs) --dir /tmp/a --tmpfs /tmp/b sh -c 'stat -c %a /tmp /run /dev /tmp/a /tmp/b; umask'"
        try expect(run(["sh", "-c", script]), prints: "1777\n755\n755\n755\n755\n0077")
    }

    @Test(arguments: MountPath.allCases)
    func linksAreMadeAndFollowedInside(path: MountPath) throws {
        let options = ["--symlink", "/usr", "/tmp/usr", "--symlink", "nowhere", "/tmp/deep/link"]
        try expect(
            inRoot(
                "readlink /tmp/usr /tmp/deep/link; ls /tmp/usr/bin/dash", options + path.options),
            prints: "/usr\nnowhere\n/tmp/usr/bin/dash")
    }

    @Test(arguments: MountPath.allCases)
    func sameLinkAndSameDirectoryAgainAreFine(path: MountPath) throws {
        let options = [
            "--symlink", "a", "/tmp/l", "--symlink", "a", "/tmp/l", "--dir", "/tmp/d", "--dir",
            "/tmp/d",
        ]
        try expect(inRoot("readlink /tmp/l", options + path.options), prints: "a")
    }

    @Test func otherLinkInTheWayIsRefused() throws {
        let seen = try inRoot("true", ["--symlink", "a", "/tmp/l", "--symlink", "b", "/tmp/l"])
        #expect(seen.status == 125 && seen.error.contains("/tmp/l"), "\(seen)")
    }

    @Test(arguments: [
        ["--perms", "0700", "--bind", "/usr", "/mnt"], ["--size", "9", "--dir", "/tmp/a"],
        ["--perms", "0700"], ["--size", "5"],
    ])
    func modifiersWithoutTheirOptionAreRefused(options: [String]) throws {
        let seen = try inRoot("true", options)
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("\(options[0]) must be followed by"), "\(seen)")
    }

    @Test func consumedDescriptorsAreNotPassedOn() throws {
        let seen = try inRoot(
            "[ -e /proc/$$/fd/5 ] || echo closed; cat <&6", ["--file", "5", "/tmp/x"],
            descriptors: [5: "five", 6: "six"])
        expect(seen, prints: "closed\nsix")
    }

    @Test(arguments: ["--file", "--bind-data", "--ro-bind-data"])
    func descriptorThatIsNotOpenIsRefused(option: String) throws {
        let seen = try inRoot("true", [option, "77", "/tmp/x"])
        expect(seen, refuses: "\(option): descriptor 77 is not open", remedy: "77<FILE")
    }

    @Test func largeContentArrivesWhole() throws {
        let text = String(repeating: "0123456789abcde\n", count: 100_000)
        for option in ["--file", "--bind-data"] {
            try expect(
                inRoot("wc -c </tmp/x", [option, "5", "/tmp/x"], descriptors: [5: text]),
                prints: "1600000")
        }
    }
}
