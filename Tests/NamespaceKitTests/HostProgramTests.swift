// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// How a program of the host's is found, and what its loader says of it.
@Suite struct HostProgramTests {
    // MARK: The loader's lines

    @Test(
        arguments: [
            ("\tlibc.so.6 => /lib/libc.so.6 (0x00007f00)", "libc.so.6", "/lib/libc.so.6"),
            ("\tlibpart.so => not found", "libpart.so", nil),
            (
                "\tlibpart.so => /a folder/lib part.so (0x00007f00)", "libpart.so",
                "/a folder/lib part.so"
            ),
            (
                "\t/lib64/ld-linux-x86-64.so.2 => /lib64/ld-2.so (0x1)",
                "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-2.so"
            ),
            // Those that are asked for by a path, the loader among them.
            ("\t/lib/a b/x.so (0x00007f00)", "/lib/a b/x.so", "/lib/a b/x.so"),
            ("\tlibpart.so => /a\tb/libpart.so (0x1)", "libpart.so", "/a\tb/libpart.so"),
        ] as [(ByteString, ByteString, ByteString?)])
    func aLibraryHasANameAndAPath(text: ByteString, name: ByteString, path: ByteString?) throws {
        let line = try #require(LoaderLine(text))
        #expect(line.name == name)
        #expect(line.path == path)
    }

    @Test(arguments: [
        "", "\t", "\tlinux-vdso.so.1 (0x00007ffd)", "\tstatically linked", "libc.so.6 =>",
        "(0x1)", "\t(0x1", "=> (0x1)",
    ])
    func otherLinesNameNone(text: String) { #expect(LoaderLine(ByteString(text)) == nil) }

    // MARK: Looking for it

    private func find(
        _ command: ByteString?, path: String = "/usr/bin:/bin", directory: ByteString = "/"
    ) -> HostProgram.Finding {
        var facts = HostFacts()
        facts.currentDirectory = directory
        facts.environment = [ByteString("PATH=" + path)]
        return .find(command, in: facts)
    }

    private func program(_ finding: HostProgram.Finding) throws -> HostProgram {
        guard case .found(let program) = finding else {
            return try #require(nil, "\(finding)")
        }
        return program
    }

    private func error(_ finding: HostProgram.Finding) throws -> LaunchError {
        guard case .refused(let error) = finding else {
            return try #require(nil, "\(finding)")
        }
        return error
    }

    /// A folder with these files in it, executable.
    private func folder(_ files: [String: String]) throws -> String {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: UUID().uuidString)
        for (name, text) in files {
            let file = folder.appending(path: name)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            chmod(file.path, 0o755)
        }
        return try #require(HostFile.canonicalPath(ByteString(folder.path))).text
    }

    @Test func aDynamicProgramHasALoaderAndLibraries() throws {
        let found = try program(find("env"))
        #expect(found.foundAs == "/usr/bin/env" || found.foundAs == "/bin/env")
        #expect(found.path == HostFile.canonicalPath("/usr/bin/env"))
        #expect(found.leading == [])
        let loader = try #require(found.loader)
        #expect(HostFile.canonicalPath(loader) == loader)
        let library = try #require(found.libraries.first { $0.name == "libc.so.6" })
        #expect(HostFile.canonicalPath(library.path) == library.path)
        #expect(!found.libraries.contains { $0.path == loader })
        #expect(found.loaderTakesName)
    }

    @Test func theFirstOnThePathIsTaken() throws {
        let folder = try folder(["a/x": "#!/bin/sh\n", "b/tool": "#!/bin/sh\n"])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = "/nonexistent::\(folder)/a:\(folder)/b:/usr/bin:/bin"
        let found = try program(find("tool", path: path))
        #expect(found.leading == [ByteString("/run/host\(folder)/b/tool")])
        #expect(try error(find("x")).exitStatus == 127)
    }

    @Test func aPathIsTheCallersOwn() throws {
        let folder = try folder(["bin/tool": "#!/bin/sh -eu\n"])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = ByteString("/run/host\(folder)/bin/tool")
        for command in ["./tool", "../bin/tool", "\(folder)/bin/tool"] {
            let found = try program(
                find(ByteString(command), directory: ByteString(folder + "/bin")))
            #expect(found.path == HostFile.canonicalPath("/bin/sh"))
            #expect(found.foundAs == "/bin/sh")
            #expect(found.leading == ["-eu", script])
        }
    }

    /// As execve(2) has it: the inner script gets the outer one's words.
    @Test func anInterpreterMayBeAScript() throws {
        let folder = try folder(["inner": "#!/bin/sh\n"])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("#!\(folder)/inner -x\n".utf8).write(to: URL(filePath: folder + "/outer"))
        chmod(folder + "/outer", 0o755)
        let found = try program(find(ByteString(folder + "/outer")))
        #expect(found.path == HostFile.canonicalPath("/bin/sh"))
        #expect(
            found.leading.map(\.text)
                == ["/run/host\(folder)/inner", "-x", "/run/host\(folder)/outer"])
    }

    // MARK: What cannot be one

    @Test func whatIsNowhereIsNotFound() throws {
        for command in ["no-such-program", "./no-such-program", "/no/such/program"] {
            let error = try error(find(ByteString(command)))
            #expect(error.exitStatus == 127)
            #expect(error.message == "cannot run \(command): not found on this host")
        }
        #expect(try error(find(nil)) == .emptyCommand)
        #expect(try error(find("")) == .emptyCommand)
    }

    @Test(arguments: ["echo hello\n", "", "#!\n"]) func textIsTheShells(text: String) throws {
        let folder = try folder(["file": text])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        guard case .found(let program) = find(ByteString(folder + "/file")) else {
            Issue.record("not found")
            return
        }
        #expect(program.foundAs == "/bin/sh")
        #expect(program.leading == [ByteString("/run/host" + folder + "/file")])
    }

    @Test(arguments: ["\0echo\n", "#!\0\n", "#!/no/such/interpreter\n", "\u{7f}ELF\0"])
    func whatIsThereButIsNoProgramIsNotExecutable(text: String) throws {
        let folder = try folder(["file": text])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let error = try error(find(ByteString(folder + "/file")))
        #expect(error.exitStatus == 126)
        #expect(error.message.hasPrefix("cannot run \(folder)/file: "))
        #expect(error.remedy != nil)
    }

    @Test func whatMayNotBeExecutedIsNotExecutable() throws {
        let folder = try folder(["file": "#!/bin/sh\n"])
        defer { try? FileManager.default.removeItem(atPath: folder) }
        chmod(folder + "/file", 0o644)
        for path in [folder + "/file", folder] {
            #expect(try error(find(ByteString(path))).exitStatus == 126)
        }
    }
}
