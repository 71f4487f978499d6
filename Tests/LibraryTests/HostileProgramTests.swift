// SPDX-License-Identifier: Apache-2.0

import Foundation
import NamespaceKit
import Testing

/// What a program that means harm finds of the one that has launched it: neither its descriptors nor its threads.
@Suite struct HostileProgramTests {
    /// A directory with a program of the host's, and beside it one whose first line or loader leads there through a
    /// descriptor that this process has open, close-on-exec as it is.
    private struct Trap {
        let folder: URL
        let descriptor: Int32

        init() throws {
            folder = URL(filePath: NSHomeDirectory()).appending(path: "trap-\(UUID().uuidString)")
            let closed = folder.appending(path: "closed")
            try FileManager.default.createDirectory(
                at: closed, withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                at: URL(filePath: "/bin/echo"), to: folder.appending(path: "tool"))
            // O_PATH, which the importer does not show.
            descriptor = open(closed.path(), 0o10000000 | O_DIRECTORY | O_CLOEXEC)
        }

        func write(_ content: Data) throws -> ByteString {
            let program = folder.appending(path: "start")
            try content.write(to: program)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: program.path())
            return ByteString(program.path())
        }

        func remove() throws {
            close(descriptor)
            try FileManager.default.removeItem(at: folder)
        }
    }

    static let shapes: [@Sendable (inout LaunchRequest) -> Void] = [
        { _ in },
        { $0.namespaces.new.remove(.pid) },
        { $0.lifecycle.commandIsPidOne = true },
        { $0.lifecycle.newSession = true },
        { $0.identity = .init(user: 0, group: 0) },
        { $0.compatibility = .mountAPI },
    ]

    /// What the program has printed, or nothing where it could not be started.
    private func output(
        of command: [ByteString], _ change: (inout LaunchRequest) -> Void
    ) throws -> String {
        let pipe = Pipe()
        var request = LaunchRequest(command: command)
        request.program.workingDirectory = "/"
        request.program.standardOutput = pipe.fileHandleForWriting.fileDescriptor
        change(&request)
        let process: RunningProcess?
        do { process = try Launcher().launch(request) } catch { process = nil }
        try pipe.fileHandleForWriting.close()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        _ = try process?.wait()
        return String(decoding: output, as: UTF8.self)
    }

    @Test(arguments: shapes.indices)
    func openDirectoriesAreClosedWhenTheKernelLooksForTheInterpreter(shape: Int) throws {
        let trap = try Trap()
        defer { #expect(throws: Never.self) { try trap.remove() } }
        for link in ["self", "thread-self", "1"] {
            let line = "#!/proc/\(link)/fd/\(trap.descriptor)/../tool escaped\n"
            let program = try trap.write(Data(line.utf8))
            #expect(try output(of: [program], HostileProgramTests.shapes[shape]) == "", "\(link)")
        }
    }

    @Test(arguments: shapes.indices)
    func norForTheLoader(shape: Int) throws {
        let trap = try Trap()
        defer { #expect(throws: Never.self) { try trap.remove() } }
        var content = try Data(contentsOf: URL(filePath: "/bin/true"))
        let loader = try #require(
            ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"].lazy
                .compactMap { content.range(of: Data($0.utf8)) }.first)
        // It starts tool, which as a loader of its own would do anything at all.
        let link = "/proc/self/fd/\(trap.descriptor)/../tool"
        content.replaceSubrange(
            loader, with: Data(link.utf8) + Data(count: loader.count - link.utf8.count))
        let program = try trap.write(content)
        #expect(
            try output(of: [program, "escaped"], HostileProgramTests.shapes[shape]) == "")
    }

    /// Nor as the command's own path.
    @Test(arguments: shapes.indices)
    func norForTheCommand(shape: Int) throws {
        let trap = try Trap()
        defer { #expect(throws: Never.self) { try trap.remove() } }
        let path = ByteString("/proc/self/fd/\(trap.descriptor)/../tool")
        #expect(try output(of: [path, "escaped"], HostileProgramTests.shapes[shape]) == "")
    }

    /// A pool's threads come and go: the run lives as long as this process.
    @Test func theThreadThatLaunchesMayEnd() throws {
        final class Launched: @unchecked Sendable { var process: RunningProcess? }
        let launched = Launched()
        let pipe = Pipe()
        let writing = pipe.fileHandleForWriting.fileDescriptor
        let ended = DispatchSemaphore(value: 0)
        let thread = Thread {
            var request = LaunchRequest(command: ["/bin/sh", "-c", "sleep 0.5; echo lives"])
            request.program.workingDirectory = "/"
            request.program.standardOutput = writing
            request.lifecycle.diesWithParent = true
            launched.process = try? Launcher().launch(request)
            ended.signal()
        }
        thread.start()
        ended.wait()
        while !thread.isFinished { usleep(1000) }
        try pipe.fileHandleForWriting.close()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        #expect(String(decoding: output, as: UTF8.self) == "lives\n")
        #expect(try launched.process?.wait() == .exited(0))
    }
}
