// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Destinations and sources that cannot be: each is refused, and nothing is made on the host.
@Suite struct DestinationTests {
    /// A file at /file, a directory at /directory, and links to both.
    static let present = [
        "--file", "7", "/file", "--dir", "/directory", "--symlink", "directory", "/link",
        "--symlink", "file", "/file-link", "--symlink", "/none", "/dangling",
    ]

    private func refusal(
        _ options: [String], _ kernel: Kernel = .own, passing: [Int32: Int32] = [:]
    ) throws -> Outcome {
        let content = try OpenFile("/dev/null")
        var files = passing
        for number: Int32 in [7, 8] { files[number] = content.number }
        let options = kernel.options + DestinationTests.present + options
        return try run(Name.bwrap.command() + options + ["true"], passing: files)
    }

    @Test(arguments: Kernel.allCases, ["/link", "/dangling", "/directory/../link"])
    func nothingIsMountedOnASymlink(kernel: Kernel, target: String) throws {
        let host = try TemporaryDirectory()
        let lower = ["--overlay-src", host.path]
        for options in [
            ["--bind", host.path, target], ["--ro-bind", host.path, target],
            ["--dev-bind", host.path, target], ["--bind-try", host.path, target],
            ["--ro-bind", "/etc/passwd", target], ["--ro-bind-data", "8", target],
            ["--tmpfs", target], ["--dev", target], ["--proc", target],
            lower + ["--tmp-overlay", target],
        ] {
            expect(
                try refusal(options, kernel), refusedSaying: target,
                "Can't mount on symlink destination")
        }
    }

    @Test func nothingIsBoundByDescriptorOnASymlink() throws {
        let host = try TemporaryDirectory()
        let open = try OpenFile(host.path)
        expect(
            try refusal(["--bind-fd", "9", "/link"], passing: [9: open.number]),
            refusedSaying: "Can't mount on symlink destination")
    }

    @Test(arguments: Kernel.allCases)
    func parentsMayBeSymlinks(kernel: Kernel) throws {
        let host = try TemporaryDirectory()
        let options = ["--bind", host.path, "/link/a", "--dir", "/link/b", "--tmpfs", "/link/c"]
        try expect(
            sandbox(
                "ls -m /directory", kernel.options + DestinationTests.present + options,
                descriptors: [7: ""]), prints: "a, b, c")
    }

    /// Absolute links and `..` end at the new root, never on the host.
    @Test(arguments: Kernel.allCases)
    func linksStayBelowTheNewRoot(kernel: Kernel) throws {
        let host = try TemporaryDirectory()
        let out = ["--symlink", host.path, "/out", "--symlink", "../../../..\(host.path)", "/up"]
        let made = ["--dir", host.path, "--dir", "/out/a", "--file", "7", "/up/b"]
        try expect(
            sandbox("ls -m \(host.path)", kernel.options + out + made, descriptors: [7: ""]),
            prints: "a, b")
        try #expect(FileManager.default.contentsOfDirectory(atPath: host.path) == [])
    }

    @Test(arguments: Kernel.allCases)
    func magicLinksAreNotFollowed(kernel: Kernel) throws {
        let host = try TemporaryDirectory()
        let open = try OpenFile(host.path)
        let way = ["--dev-bind", "/proc", "/proc", "--symlink", "/proc/self/fd/9", "/magic"]
        for options in [["--dir", "/magic/made"], ["--bind", "/usr", "/magic/made"]] {
            expect(
                try refusal(way + options, kernel, passing: [9: open.number]),
                refusedSaying: "/magic/made")
        }
        try #expect(FileManager.default.contentsOfDirectory(atPath: host.path) == [])
    }

    @Test(arguments: Kernel.allCases)
    func aDirectoryDoesNotGoOntoAFile(kernel: Kernel) throws {
        for option in ["--bind", "--ro-bind", "--dev-bind"] {
            expect(
                try refusal([option, "/usr", "/file"], kernel), refusedSaying: "/file",
                "not a directory")
        }
        for options in [["--tmpfs", "/file"], ["--dir", "/file"], ["--dev", "/file"]] {
            expect(try refusal(options, kernel), refusedSaying: "/file")
        }
    }

    @Test(arguments: Kernel.allCases)
    func aFileDoesNotGoOntoADirectory(kernel: Kernel) throws {
        for option in ["--bind", "--ro-bind", "--dev-bind"] {
            expect(
                try refusal([option, "/etc/passwd", "/directory"], kernel),
                refusedSaying: "/directory", "not a file")
        }
        for option in ["--file", "--bind-data", "--ro-bind-data"] {
            expect(try refusal([option, "8", "/directory"], kernel), refusedSaying: "/directory")
        }
    }

    @Test(arguments: Kernel.allCases)
    func aFileIsNoParent(kernel: Kernel) throws {
        for options in [
            ["--bind", "/usr", "/file/x"], ["--ro-bind", "/etc/passwd", "/file/x"],
            ["--dir", "/file/x"], ["--tmpfs", "/file/x"], ["--symlink", "a", "/file/x"],
            ["--file", "8", "/file/x"], ["--dir", "/file-link/x"],
        ] {
            expect(try refusal(options, kernel), refusedSaying: "Not a directory")
        }
    }

    @Test(arguments: ["--bind", "--ro-bind", "--dev-bind"], Name.allCases)
    func aMissingSourceIsNamed(option: String, name: Name) throws {
        let seen = try sandbox("", [option, "/no/such/source", "/x"], as: name)
        expect(seen, refusedSaying: "/no/such/source", by: name)
        if name == .bwrap {
            expect(seen, refusedSaying: "Can't find source path /no/such/source: No such file")
        }
    }

    @Test(arguments: [
        ["--bind", "", "/x"], ["--bind", "/", ""], ["--ro-bind", "/", ""],
        ["--bind-try", "", "/x"],
        ["--dev-bind", "/", ""], ["--bind-fd", "8", ""], ["--remount-ro", ""], ["--proc", ""],
        ["--dev", ""], ["--tmpfs", ""], ["--mqueue", ""], ["--dir", ""], ["--file", "8", ""],
        ["--bind-data", "8", ""], ["--ro-bind-data", "8", ""], ["--symlink", "a", ""],
        ["--symlink", "", "/x"], ["--chmod", "0700", ""], ["--lock-file", ""],
        ["--overlay-src", ""], ["--chdir", ""],
    ])
    func emptyPathsAreRefused(options: [String]) throws {
        expect(try refusal(options), refusedSaying: options[0], "empty")
    }

    @Test func remountingNeedsAMount() throws {
        expect(try refusal(["--remount-ro", "/none"]), refusedSaying: "/none")
        expect(try refusal(["--remount-ro", "/directory"]), refusedSaying: "/directory")
    }
}
