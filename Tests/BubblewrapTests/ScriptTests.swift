// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A script without a `#!` line runs through /bin/sh, as env(1), timeout(1) and every shell have it (execvp(3)).
@Suite struct ScriptTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// What runs a file of the folder, by its path or by name.
    private func start(
        _ command: [String], _ options: [String] = [], as name: Name = .bwrap
    ) throws -> Outcome {
        let binds = ["--ro-bind", folder.path, "/s", "--setenv", "PATH", "/s:/usr/bin:/bin"]
        return try run(name.command() + binds + options + ["--"] + command)
    }

    @Test(
        arguments: Name.allCases,
        [[], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"], ["--argv0", "other"]])
    func textIsGivenToTheShell(name: Name, options: [String]) throws {
        try folder.write("echo \"$0\" $# \"$1\" \"$2\"; exit 7\n", to: "script", mode: 0o755)
        for (word, path) in [("/s/script", "/s/script"), ("script", "/s/script")] {
            let seen = try start([word, "a b", ""], options, as: name)
            expect(seen, Outcome(status: 7, output: "\(path) 2 a b ", error: ""))
        }
    }

    @Test(arguments: Name.allCases) func withoutArgumentsToo(name: Name) throws {
        try folder.write("echo $0 $#", to: "script", mode: 0o755)
        try expect(start(["script"], as: name), prints: "/s/script 0")
    }

    @Test(arguments: Name.allCases) func anEmptyFileDoesNothing(name: Name) throws {
        try folder.write("", to: "empty", mode: 0o755)
        try expect(start(["empty", "x"], as: name), exits: 0)
    }

    /// The first that may be executed ends the search, whatever it is.
    @Test func whatIsNotExecutableIsPassedOver() throws {
        try folder.write("echo wrong\n", to: "uname")
        try expect(start(["uname"]), prints: "Linux")
    }

    /// The kernel has refused them, and a shell would only talk nonsense.
    @Test(
        arguments: Name.allCases,
        [[0x7f, 0x45, 0x4c, 0x46, 0, 1, 2, 3, 10], [0xca, 0xfe, 0, 0], [0]] as [[UInt8]])
    func dataIsNot(name: Name, content: [UInt8]) throws {
        let path = folder.path + "/data"
        try Data(content).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o755)
        let seen = try start(["data"], as: name)
        #expect(seen.status == (name == .bwrap ? 1 : 126) && seen.output == "", "\(seen)")
        #expect(seen.error.contains("/s/data"), "\(seen)")
    }

    /// The interpreter of its line is what it asks for, and nothing stands in for that.
    @Test func anInterpreterThatIsMissingStaysMissing() throws {
        try folder.write("#!/none\necho wrong\n", to: "script", mode: 0o755)
        let seen = try start(["script"])
        #expect(seen.status == 1 && seen.output == "", "\(seen)")
    }

    @Test func withoutAShellItIsSaid() throws {
        try folder.write("echo wrong\n", to: "script", mode: 0o755)
        expect(
            try bwrap(["--ro-bind", folder.path, "/s", "/s/script"]),
            refusedSaying: "bwrap: execvp /s/script: Exec format error\n", "no /bin/sh")
    }

    /// A filter that allows no more than execve(2) does not stand in the way.
    @Test(arguments: [[], ["--unshare-pid"]])
    func behindAFilterToo(options: [String]) throws {
        try folder.write("echo here\n", to: "script", mode: 0o755)
        let file = try Scratch.openFile()
        let program = FilterTests.refusing(FilterTests.chdirCall, EPERM)
        _ = write(file, program, program.count)
        lseek(file, 0, SEEK_SET)
        defer { close(file) }
        let seen = try run(
            Name.bwrap.command() + ["--ro-bind", folder.path, "/s", "--seccomp", "8"] + options
                + ["/s/script"], passing: [8: file])
        expect(seen, prints: "here")
    }
}
