// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

/// What of a command line is kept for those who join its group.
@Suite struct GroupWordsTests {
    private func words(_ typed: String...) throws -> [ByteString] {
        let line = try Parser.parse(typed.map { ByteString($0) } + ["true"])
        return GroupWords.words(in: GroupWords.note(for: line.options))
    }

    @Test func whatIsOfTheWorldIsKept() throws {
        #expect(
            try words("--rootfs", "/r", "--ephemeral", "--tmpfs=/srv", "--cap-drop", "ALL")
                == ["--rootfs", "/r", "--ephemeral", "--tmpfs", "/srv", "--cap-drop", "ALL"])
        #expect(try words("--preset", "sandbox") == ["--preset", "sandbox"])
        #expect(try words("--unsetenv", "A", "--clean-env") == ["--unsetenv", "A", "--clean-env"])
    }

    @Test func whatIsOfOneCommandIsNot() throws {
        #expect(
            try words(
                "--setenv", "SECRET", "x", "--chdir", "/", "--join", "n", "--timeout", "1",
                "--detach", "--log", "l", "--verbose", "--hostname", "h") == ["--hostname", "h"])
    }

    /// Who joins may be elsewhere.
    @Test func pathsAreWhole() throws {
        let here = try #require(HostProcess.currentDirectory)
        func at(_ name: ByteString) -> ByteString { here.appending(path: name) }
        #expect(
            try words(
                "--rootfs", "./r", "--ro-bind", "a", "b", "--overlay-dir", "d", "--overlay-src",
                "s", "--emulator", "arm=q") == [
                    "--rootfs", at("./r"), "--ro-bind", at("a"), "b", "--overlay-dir", at("d"),
                    "--overlay-src", at("s"), "--emulator", "arm=" + at("q"),
                ])
        #expect(try words("--seccomp-profile", "default") == ["--seccomp-profile", "default"])
        #expect(try words("--seccomp-profile", "p") == ["--seccomp-profile", at("p")])
    }

    /// What was read from it nobody reads a second time; without it the group would be another.
    @Test(arguments: [["--seccomp", "9"], ["--file", "9", "/f"], ["--bind-fd", "9", "/f"]])
    func descriptorsMakeItImpossible(options: [String]) throws {
        let line = try Parser.parse((["--rootfs", "/r"] + options).map { ByteString($0) })
        #expect(GroupWords.note(for: line.options).isEmpty)
    }

    @Test func whatMayStandBesideANameAlone() throws {
        func areOwn(_ typed: String...) throws -> Bool {
            GroupWords.areOwn(try Parser.parse(typed.map { ByteString($0) }).options)
        }
        #expect(try areOwn("--join", "n", "--chdir", "/", "--setenv", "A", "1", "--clean-env"))
        #expect(try areOwn("--join", "n", "--detach", "--explain", "--rlimit", "nofile=9"))
        #expect(try !areOwn("--join", "n", "--rootfs", "/r"))
        #expect(try !areOwn("--join", "n", "--preset", "host"))
        #expect(try !areOwn("--join", "n", "--seccomp", "9"))
    }
}
