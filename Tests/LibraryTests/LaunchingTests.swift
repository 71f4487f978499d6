// SPDX-License-Identifier: Apache-2.0

import Foundation
import NamespaceKit
import Testing

/// The library used as a program with threads would: this test process has several.
@Suite struct LaunchingTests {
    /// Runs `command` over the host view and gives its status and what it printed.
    private func run(
        _ command: [ByteString], change: (inout LaunchRequest) -> Void = { _ in }
    ) throws -> (status: NamespaceKit.ExitStatus, output: String) {
        let pipe = Pipe()
        var request = LaunchRequest(command: command)
        request.program.workingDirectory = "/"
        request.program.standardOutput = pipe.fileHandleForWriting.fileDescriptor
        change(&request)
        let process = try Launcher().launch(request)
        try pipe.fileHandleForWriting.close()
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        return (try process.wait(), String(decoding: output, as: UTF8.self))
    }

    @Test func commandHasAPidNamespaceOfItsOwn() throws {
        let seen = try run(["/bin/sh", "-c", "echo $$"])
        #expect(seen.status == .exited(0))
        #expect(seen.output == "2\n")
    }

    @Test func callerStaysWhereItIs() throws {
        let before = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")
        _ = try run(["/bin/true"])
        let after = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")
        #expect(before == after)
    }

    @Test func serversAreReachedThroughARelay() throws {
        let server = Process()
        let pipe = Pipe()
        let program = """
            import socket
            listener = socket.create_server(("127.0.0.1", 0)); print(listener.getsockname()[1], flush=True)
            while True:
                guest = listener.accept()[0]; guest.sendall(b"hello\\n"); guest.close()
            """
        server.executableURL = URL(filePath: "/usr/bin/python3")
        server.arguments = ["-c", program]
        server.standardOutput = pipe
        try server.run()
        // By KILL: threads of libdispatch block other signals, and so do the processes that they start.
        defer { kill(server.processIdentifier, SIGKILL) }
        let text = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        let port = try #require(UInt16(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        for name: ByteString in ["localhost", "127.0.0.1"] {
            let script = ByteString("cat </dev/tcp/\(name.text)/\(port)")
            let seen = try run(["/bin/bash", "-c", script]) {
                $0.network = .relay(to: [AllowedHost(name: name, port: port)])
            }
            #expect(seen.status == .exited(0) && seen.output == "hello\n")
        }
    }

    @Test func statusesAreTold() throws {
        #expect(try run(["/bin/sh", "-c", "exit 7"]).status == .exited(7))
        #expect(try run(["/bin/sh", "-c", "kill -9 $$"]).status == .signaled(9))
    }

    @Test func missingProgramIsThrown() throws {
        let error = #expect(throws: LaunchError.self) { try run(["/no/such/program"]) }
        #expect(error?.exitStatus == 127)
        #expect(error?.message == "cannot run /no/such/program: no such file on this machine")
    }

    @Test func missingSourceIsThrown() throws {
        let error = #expect(throws: LaunchError.self) {
            try run(["/bin/true"]) { request in
                request.files.operations = [
                    FileSystemOperation(
                        .bind(source: .path("/no/such/source"), target: "/mnt", options: []))
                ]
            }
        }
        #expect(error?.message.contains("/no/such/source does not exist on the host") == true)
    }

    @Test func signalReachesTheCommand() throws {
        let pipe = Pipe()
        var request = LaunchRequest(
            command: ["/bin/sh", "-c", "trap 'exit 5' USR1; echo ready; while :; do sleep 0; done"]
        )
        request.program.workingDirectory = "/"
        request.program.standardOutput = pipe.fileHandleForWriting.fileDescriptor
        let process = try Launcher().launch(request)
        try pipe.fileHandleForWriting.close()
        #expect(pipe.fileHandleForReading.availableData == Data("ready\n".utf8))
        try process.signal(SIGUSR1)
        #expect(try process.wait() == .exited(5))
    }

    /// A signal during set-up is the command's, and no handler of the launching program runs in its copy.
    @Test func handlersAreNotTheCommands() throws {
        signal(SIGUSR2) { _ in }
        let gate = Pipe()
        var request = LaunchRequest(command: ["/bin/true"])
        request.program.workingDirectory = "/"
        request.namespaces.new.remove(.pid)
        request.lifecycle.startDescriptor = gate.fileHandleForReading.fileDescriptor
        let facts = HostFacts.read(for: request)
        let process = try Launcher().start(Planner.plan(request, on: facts), facts: facts)
        kill(process.pid, SIGUSR2)
        gate.fileHandleForWriting.write(Data("x".utf8))
        #expect(try process.wait() == .signaled(SIGUSR2))
    }

    /// A thread of Dispatch has all signals blocked, which is no wish of anybody's for what it starts.
    @Test func blockedSignalsAreTheThreadsOwn() throws {
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let seen = try run(["/bin/grep", "^SigBlk", "/proc/self/status"])
        #expect(seen.output == "SigBlk:\t0000000000000000\n")
    }

    @Test func killEndsEverything() throws {
        var request = LaunchRequest(command: ["/bin/sleep", "1000"])
        request.program.workingDirectory = "/"
        let process = try Launcher().launch(request)
        process.kill()
        #expect(try process.wait() == .signaled(SIGKILL))
    }

    @Test func manyThreadsLaunchAtOnce() throws {
        let results = Results()
        DispatchQueue.concurrentPerform(iterations: 64) { index in
            do {
                let seen = try run(["/bin/sh", "-c", "echo \(index); exit \(index)".bytes])
                results.add(seen.status == .exited(Int32(index)) && seen.output == "\(index)\n")
            } catch {
                results.add(false)
            }
        }
        #expect(results.all == Array(repeating: true, count: 64))
    }

    /// Which any of them may make; the program itself stays where it is, with no descriptor more.
    @Test func manyThreadsStartFromOneWorld() throws {
        let root = ByteString(
            try #require(ProcessInfo.processInfo.environment["NSRUN_TEST_ROOTFS"]))
        let name = ByteString("library-\(UUID().uuidString.prefix(12))")
        func open() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
                let link = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/fd/\($0)")
                return link?.hasPrefix("mnt:") == true || link?.hasPrefix("user:") == true
            }.count
        }
        let before = try open()
        let results = Results()
        DispatchQueue.concurrentPerform(iterations: 32) { index in
            do {
                let seen = try run(["/bin/sh", "-c", "ls /tmp; : >/tmp/x; exit \(index)".bytes]) {
                    $0.root.view = .rootfs(root)
                    $0.reuse = Reuse(.named(name))
                }
                results.add(seen.status == .exited(Int32(index)) && seen.output == "")
            } catch {
                results.add(false)
            }
        }
        #expect(results.all == Array(repeating: true, count: 32))
        #expect(try open() == before)
        let own = try KeptWorld.list().filter { $0.name == name }
        #expect(own.map(\.kind) == [.world] && own.map(\.root) == [root])
        #expect(try KeptWorld.stop(name) == 1)
        #expect(throws: LaunchError.self) { try KeptWorld.stop(name) }
    }

    @Test func noDescriptorIsLeftOpen() throws {
        func count() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        }
        _ = try run(["/bin/true"])
        let before = try count()
        for _ in 0..<20 {
            _ = try run(["/bin/true"])
            _ = try? run(["/no/such/program"])
        }
        // Other tests run meanwhile and have descriptors of their own, but not forty.
        #expect(try count() < before + 20)
    }

    /// Pid 1 is a copy of the launching program: its memory and what it has open are none of the command's business,
    /// not even for the moment in which that starts.
    @Test func pidOneTellsNothingOfTheLaunchingProgram() throws {
        let root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(root) }
        let script = """
            for place in fd/\(root)/. environ mem; do
                cat /proc/1/$place 2>&1 >/dev/null | grep -o 'Permission denied'
            done
            """
        for _ in 0..<20 {
            let seen = try run(["/bin/sh", "-c", ByteString(script)])
            #expect(seen.output == String(repeating: "Permission denied\n", count: 3))
        }
    }

    @Test func everyMountPathWorks() throws {
        let ways: [AvoidedInterfaces] = [
            [], .detachedMounts, .mountAPI, .openat2, [.mountAPI, .openat2],
        ]
        for avoided in ways {
            let seen = try run(["/bin/cat", "/mnt/made/hosts"]) { request in
                request.compatibility = avoided
                request.files.operations = [
                    FileSystemOperation(.tmpfs(target: "/mnt", mode: 0o755, size: 65536)),
                    FileSystemOperation(.directory(target: "/mnt/made", mode: 0o700)),
                    FileSystemOperation(
                        .bindData(
                            content: .bytes(Array("text".utf8)), target: "/mnt/made/hosts",
                            mode: 0o600, readOnly: true)),
                ]
            }
            #expect(seen.output == "text", "\(avoided)")
        }
    }
}

extension String {
    fileprivate var bytes: ByteString { ByteString(self) }
}

private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Bool] = []

    func add(_ value: Bool) { lock.withLock { values.append(value) } }

    var all: [Bool] { lock.withLock { values } }
}
