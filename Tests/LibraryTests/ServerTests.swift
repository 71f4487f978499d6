// SPDX-License-Identifier: Apache-2.0

import Foundation
import NamespaceKit
import Testing

/// What a server with threads and libraries of its own asks of a launch.
@Suite struct ServerTests {
    private func output(
        of script: ByteString, change: (inout LaunchRequest) -> Void
    ) throws -> (process: RunningProcess, text: String) {
        let pipe = Pipe()
        var request = LaunchRequest(command: ["/bin/sh", "-c", script])
        request.program.workingDirectory = "/"
        request.program.standardOutput = pipe.fileHandleForWriting.fileDescriptor
        change(&request)
        let process = try Launcher().launch(request)
        try pipe.fileHandleForWriting.close()
        let text = try pipe.fileHandleForReading.readToEnd() ?? Data()
        _ = try process.wait()
        return (process, String(decoding: text, as: UTF8.self))
    }

    /// A descriptor that nobody marked close-on-exec, and an ignored signal.
    @Test(arguments: [false, true])
    func aCleanStart(isClean: Bool) throws {
        let leaked = open("/dev/null", O_RDONLY)
        let before = signal(SIGUSR2, SIG_IGN)
        defer {
            close(leaked)
            signal(SIGUSR2, before)
        }
        let script = ByteString(
            "[ -e /proc/self/fd/\(leaked) ] && echo leaked; kill -USR2 $$; echo ignored")
        let seen = try output(of: script) { $0.program.startsClean = isClean }
        #expect(seen.text == (isClean ? "" : "leaked\nignored\n"))
    }

    @Test func whatTheCommandUsedIsTold() throws {
        let seen = try output(of: "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done") { _ in }
        let usage = try #require(seen.process.resourceUsage)
        #expect(usage.userTime > 10_000)
        #expect(usage.maximumResidentSize > 100)
        #expect(usage.minorFaults > 0)
    }

    @Test func theEndCanBeWatchedFor() throws {
        var request = LaunchRequest(command: ["/bin/sleep", "1000"])
        request.program.workingDirectory = "/"
        let process = try Launcher().launch(request)
        let descriptor = try process.openProcessDescriptor()
        defer { close(descriptor) }
        var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&watched, 1, 0) == 0)
        process.kill()
        #expect(poll(&watched, 1, 10_000) == 1)
        #expect(try process.wait() == .signaled(SIGKILL))
    }

    /// A set-up that never ends, here because nobody lets the command start, can be given up.
    @Test func aSetUpCanBeGivenUp() throws {
        let gate = Pipe()
        var request = LaunchRequest(command: ["/bin/true"])
        request.program.workingDirectory = "/"
        request.lifecycle.startDescriptor = gate.fileHandleForReading.fileDescriptor
        let facts = HostFacts.read(for: request)
        let plan = try Planner.plan(request, on: facts)
        let process = try Launcher().start(plan, facts: facts)
        process.kill()
        #expect(try process.wait() == .signaled(SIGKILL))
    }

    @Test func theEnvironmentCanBeExact() throws {
        let pipe = Pipe()
        var request = LaunchRequest(command: ["/usr/bin/env"])
        request.program.environment.start = .empty
        request.program.environment.setsPWD = false
        request.program.environment.changes = [
            .set(name: "A", value: "1"), .set(name: "PWD", value: "x"),
        ]
        request.program.workingDirectory = "/"
        request.program.standardOutput = pipe.fileHandleForWriting.fileDescriptor
        let process = try Launcher().launch(request)
        try pipe.fileHandleForWriting.close()
        let text = try pipe.fileHandleForReading.readToEnd() ?? Data()
        #expect(try process.wait() == .exited(0))
        #expect(String(decoding: text, as: UTF8.self) == "A=1\nPWD=x\n")
    }

    /// The descriptor is the root, whatever its path leads to by then.
    @Test(arguments: [[], .detachedMounts, .mountAPI] as [AvoidedInterfaces])
    func aRootCanBeADescriptor(avoided: AvoidedInterfaces) throws {
        let folder = URL(filePath: NSTemporaryDirectory()).appending(path: UUID().uuidString)
        let root = folder.appending(path: "root")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        for name in ["bin", "lib", "lib64", "usr"] {
            try FileManager.default.createSymbolicLink(
                atPath: root.appending(path: name).path, withDestinationPath: "/host/\(name)")
        }
        try Data("this one\n".utf8).write(to: root.appending(path: "mark"))
        let descriptor = open(root.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(descriptor) }
        let seen = try output(of: "cat /mark") { request in
            request.root.view = .rootfs("/no/such/place")
            request.root.descriptor = descriptor
            request.root.layer = .writable
            request.compatibility = avoided
            request.files.operations = [
                FileSystemOperation(.bind(source: .path("/"), target: "/host", options: .readOnly))
            ]
        }
        #expect(seen.text == "this one\n")
    }

    @Test func aLayerNeedsAPath() {
        var request = LaunchRequest(command: ["/bin/true"])
        request.root.view = .rootfs("/srv/debian")
        request.root.descriptor = 0
        request.root.layer = .memory
        #expect(throws: LaunchError.self) {
            try Planner.plan(request, on: HostFacts.read(for: request))
        }
    }
}
