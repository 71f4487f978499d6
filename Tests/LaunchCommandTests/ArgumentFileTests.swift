// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit
import Testing

@testable import LaunchCommand

/// `@FILE` and `--args FD`.
@Suite struct ArgumentFileTests {
    private func lines(_ text: String) throws -> [ByteString] {
        let file = TemporaryFile(text)
        return try parse("@\(file.path)").command
    }

    @Test(arguments: [
        ("x\na b\n\"c\"\n", ["x", "a b", "\"c\""]), ("x", ["x"]), ("x\n\ny\n", ["x", "", "y"]),
        ("x\n\n", ["x", ""]), ("x\n \n", ["x", " "]), ("", []),
    ])
    func oneArgumentALineWithoutQuoting(text: String, wanted: [String]) throws {
        #expect(try lines(text) == words(wanted))
    }

    @Test func linesStandWhereTheFileStood() throws {
        let file = TemporaryFile("--tmpfs\n/a b\n--setenv\nA\n\n")
        let line = try parse("--home", "@\(file.path)", "--cwd", "ls")
        #expect(line.typed == ["--home", "--tmpfs", "/a b", "--setenv", "A", "", "--cwd"])
        #expect(line.command == ["ls"])
    }

    @Test func aFileMayBeginTheCommand() throws {
        let file = TemporaryFile("--home\n--\n@x\n")
        #expect(try parse("@\(file.path)", "y").command == ["@x", "y"])
    }

    /// Only before the program's name, and never where a value stands.
    @Test func theCommandsOwnWordsStay() throws {
        let file = TemporaryFile("--home\n")
        #expect(try parse("ls", "@\(file.path)").command == ["ls", ByteString("@" + file.path)])
        #expect(try parse("--", "@x").command == ["@x"])
        #expect(try parse("--setenv", "A", "@x", "ls").typed == ["--setenv", "A", "@x"])
        #expect(try parse("@", "x").command == ["@", "x"])
    }

    @Test func filesMayNameFiles() throws {
        let inner = TemporaryFile("--cwd\n")
        let outer = TemporaryFile("--home\n@\(inner.path)\n--quiet\n")
        #expect(try parse("@\(outer.path)", "ls").typed == ["--home", "--cwd", "--quiet"])
    }

    @Test func aFileThatNamesItselfIsRefused() {
        let file = TemporaryFile("")
        let loop = TemporaryFile("--home\n@\(file.path)\n")
        #expect(rename(loop.path, file.path) == 0)
        #expect(complaint("@\(file.path)", "ls") == "argument files are nested too deeply")
    }

    /// Many files one after the other are not nested.
    @Test func manyFilesAreFine() throws {
        let file = TemporaryFile("--home\n")
        let texts = Array(repeating: "@\(file.path)", count: 500) + ["ls"]
        #expect(complaint(texts) == nil)
    }

    @Test func bytesThatAreNotUTF8() throws {
        let file = TemporaryFile([0xff, 0xfe, 0x0a, 0xe9])
        #expect(
            try parse("@\(file.path)").command == [
                ByteString(bytes: [0xff, 0xfe]), ByteString(bytes: [0xe9]),
            ])
    }

    @Test func aNULByteIsRefused() {
        let file = TemporaryFile("--chdir\n/a\0b\n")
        #expect(complaint("@\(file.path)") == "cannot use @\(file.path): it contains a NUL byte")
    }

    @Test func aMissingFile() {
        #expect(
            complaint("@/no/such", "ls")
                == "cannot read @/no/such: no such file or directory\n  name what is there")
        #expect(
            complaint("@/tmp", "ls")
                == "cannot read @/tmp: is a directory\n  a file is wanted there")
    }

    // MARK: --args

    private func arguments(_ bytes: String) throws -> ParsedCommandLine {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        defer { close(ends[0]) }
        #expect(write(ends[1], bytes, bytes.utf8.count) == bytes.utf8.count)
        close(ends[1])
        return try parse("--home", "--args", "\(ends[0])", "--cwd", "ls")
    }

    @Test func argumentsFromADescriptorEndWithNUL() throws {
        let line = try arguments("--tmpfs\0/a\nb\0--setenv\0A\0\0")
        #expect(line.typed == ["--home", "--tmpfs", "/a\nb", "--setenv", "A", "", "--cwd"])
        #expect(line.command == ["ls"])
        #expect(try arguments("").typed == ["--home", "--cwd"])
        #expect(try arguments("--quiet").typed == ["--home", "--quiet", "--cwd"])
    }

    @Test func aDescriptorThatIsNotOpen() {
        #expect(
            complaint("--args", "9999") == """
                --args: descriptor 9999 is not open
                  open it in the shell, as in: ... 9999<FILE
                """)
        #expect(complaint("--args", "x") == "--args: \"x\" is no file descriptor")
        #expect(complaint("--args", "-1") == "--args: \"-1\" is no file descriptor")
    }
}
