// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Files, directories and links that are made, and the modifiers before them.
@Suite struct FileTests {
    @Test(arguments: Kernel.allCases, Name.allCases)
    func filesHoldWhatTheDescriptorGives(kernel: Kernel, name: Name) throws {
        let options = [
            "--file", "7", "/a", "--bind-data", "8", "/b", "--ro-bind-data", "9", "/c",
        ]
        let script = """
            cat /a /b /c; stat -c %a /a /b /c
            for f in /a /b /c; do (: >$f) 2>&- || echo $f is read-only; done
            """
        let seen = try sandbox(
            script, kernel.options + options, as: name,
            descriptors: [7: "one\n", 8: "two\n", 9: "three\n"])
        expect(seen, prints: "one\ntwo\nthree\n666\n600\n600\n/c is read-only")
    }

    @Test(arguments: Kernel.allCases)
    func permsAreTheModeOfTheNextOnly(kernel: Kernel) throws {
        let options = [
            "--perms", "0400", "--file", "7", "/a", "--perms", "0640", "--bind-data", "8", "/b",
            "--perms", "0444", "--ro-bind-data", "9", "/c", "--perms", "0700", "--dir", "/d",
            "--dir", "/e",
        ]
        let seen = try sandbox(
            "stat -c %a /a /b /c /d /e", kernel.options + options,
            descriptors: [7: "", 8: "", 9: ""])
        expect(seen, prints: "400\n640\n444\n700\n755")
    }

    /// A parent is 0755, less what `--perms` keeps from group and others.
    @Test(arguments: Kernel.allCases, [("0700", "700"), ("0750", "750"), ("0705", "705")])
    func parentsAreNarrowedByPerms(kernel: Kernel, mode: (String, String)) throws {
        let options = ["--perms", mode.0, "--dir", "/a/b/c", "--dir", "/d/e"]
        let wanted = [mode.1, mode.1, mode.1, "755", "755"].joined(separator: "\n")
        try expect(
            sandbox("stat -c %a /a /a/b /a/b/c /d /d/e", kernel.options + options), prints: wanted)
    }

    @Test(arguments: Kernel.allCases)
    func everyOptionMakesParents(kernel: Kernel) throws {
        let host = try TemporaryDirectory()
        try host.write("x\n", to: "x")
        let options = [
            "--bind", host.path, "/1/2/a", "--ro-bind", host / "x", "/1/2/b", "--tmpfs", "/1/2/c",
            "--dir", "/1/2/d", "--file", "7", "/1/2/e", "--bind-data", "8", "/1/2/f", "--symlink",
            "d", "/1/2/g", "--dev", "/1/2/h",
        ]
        try expect(
            sandbox(
                "ls -m /1/2; stat -c %a /1 /1/2", kernel.options + options,
                descriptors: [7: "", 8: ""]),
            prints: "a, b, c, d, e, f, g, h\n755\n755")
    }

    @Test(arguments: Kernel.allCases)
    func chmodChangesWhatIsThere(kernel: Kernel) throws {
        let options = [
            "--dir", "/a", "--chmod", "0710", "/a", "--file", "7", "/b", "--chmod", "4755", "/b",
        ]
        try expect(
            sandbox("stat -c %a /a /b", kernel.options + options, descriptors: [7: ""]),
            prints: "710\n4755")
        expect(
            try sandbox("", kernel.options + ["--chmod", "0700", "/none"]),
            refusedSaying: "/none", "No such file or directory")
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func symlinksAreMadeAsGiven(kernel: Kernel, name: Name) throws {
        let options = ["--symlink", "../no where", "/a/b", "--symlink", "/usr", "/c"]
        try expect(
            sandbox("readlink /a/b /c", kernel.options + options, as: name),
            prints: "../no where\n/usr")
    }

    @Test(arguments: Kernel.allCases)
    func theSameSymlinkTwiceIsFineAndAnotherIsNot(kernel: Kernel) throws {
        let first = kernel.options + ["--symlink", "/usr", "/a"]
        try expect(sandbox("readlink /a", first + ["--symlink", "/usr", "/a"]), prints: "/usr")
        expect(
            try sandbox("", first + ["--symlink", "/etc", "/a"]), refusedSaying: "/a",
            "existing destination is /usr")
        expect(
            try sandbox("", kernel.options + ["--dir", "/a", "--symlink", "/etc", "/a"]),
            refusedSaying: "/a", "not a symlink")
    }

    @Test func aDirectoryThatIsThereIsLeftAsItIs() throws {
        try expect(
            sandbox("stat -c %a /a", ["--perms", "0700", "--dir", "/a", "--dir", "/a"]),
            prints: "700")
    }

    @Test(arguments: [
        ["--perms", "0700", "--bind", "/", "/x"], ["--perms", "0700", "--symlink", "a", "/x"],
        ["--perms", "0700", "--proc", "/x"], ["--perms", "0700", "--unshare-net"],
        ["--perms", "0700", "--perms", "0700", "--dir", "/x"],
    ])
    func permsBeforeAnythingElseAreAMistake(options: [String]) throws {
        expect(try sandbox("", options), refusedSaying: "--perms")
    }

    @Test(arguments: [
        ["--size", "4096", "--dir", "/x"], ["--size", "4096", "--bind", "/", "/x"],
        ["--size", "4096", "--size", "4096", "--tmpfs", "/x"], ["--size", "0", "--tmpfs", "/x"],
        ["--size", "much", "--tmpfs", "/x"], ["--size", "-1", "--tmpfs", "/x"],
        ["--size", "4096", "--perms", "0700", "--dir", "/x"],
    ])
    func sizeIsForTmpfsAndNotNothing(options: [String]) throws {
        expect(try sandbox("", options), refusedSaying: "--size")
    }

    @Test(arguments: ["8", "0o700", "17777", "-1", "u+x", ""])
    func modesAreOctal(mode: String) throws {
        expect(try sandbox("", ["--perms", mode, "--dir", "/x"]), refusedSaying: "--perms")
        expect(
            try sandbox("", ["--dir", "/x", "--chmod", mode, "/x"]), refusedSaying: "--chmod")
    }

    @Test(arguments: ["--file", "--bind-data", "--ro-bind-data", "--bind-fd", "--ro-bind-fd"])
    func descriptorsMustBeOpenNumbers(option: String) throws {
        expect(try sandbox("", [option, "77", "/x"]), refusedSaying: option)
        for value in ["x", "-1", ""] {
            expect(
                try sandbox("", [option, value, "/x"]),
                refusedSaying: "bwrap: Invalid fd: \(value)")
        }
    }
}
