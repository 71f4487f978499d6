// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A process that runs beside the test: it gets exactly the descriptors named, and no others.
final class Child {
    let pid: pid_t
    private var ended: Int32?
    /// No test takes this long unless something hangs, and then the test fails instead.
    private static let patience: TimeInterval = 40

    init(
        _ command: [String], environment changes: [String: String?] = [:], directory: String = "/",
        descriptors: [Int32: Int32], terminal: String? = nil
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }

        // First out of the way of the numbers wanted, then onto them.
        let away: Int32 = 400
        for (number, file) in descriptors {
            posix_spawn_file_actions_adddup2(&actions, file, away + number)
        }
        for number in descriptors.keys {
            posix_spawn_file_actions_adddup2(&actions, away + number, number)
        }
        if let terminal {
            // The first terminal that the leader of a session opens becomes its own.
            posix_spawn_file_actions_addopen(&actions, 0, terminal, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, 0, 1)
            posix_spawn_file_actions_adddup2(&actions, 0, 2)
        }
        for number in 3..<away + 100 where descriptors[number] == nil {
            posix_spawn_file_actions_addclose(&actions, number)
        }

        let setSession: Int32 = 0x80
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        flags |= terminal == nil ? POSIX_SPAWN_SETPGROUP : setSession
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)

        var environment = ProcessInfo.processInfo.environment
        for (name, value) in changes { environment[name] = value }
        // env changes the directory, and leaves $PWD as it is.
        let arguments = (["env", "-C", directory, "--"] + command).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in arguments + variables { free(text) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, "env", &actions, &attributes, arguments, variables)
        guard code == 0 else { throw POSIXError(.init(rawValue: code) ?? .EIO) }
        self.pid = pid
    }

    deinit {
        if ended == nil {
            kill(-pid, SIGKILL)
            kill(pid, SIGKILL)
            _ = wait()
        }
    }

    func send(_ signal: Int32) { kill(pid, signal) }

    /// The exit status, or 128 and the signal that ended it.
    @discardableResult
    func wait() -> Int32 {
        if let ended { return ended }
        let deadline = Date(timeIntervalSinceNow: Child.patience)
        var status: Int32 = 0
        while waitpid(pid, &status, WNOHANG) == 0 {
            if Date() > deadline {
                Issue.record("process \(pid) did not end")
                kill(-pid, SIGKILL)
                kill(pid, SIGKILL)
                waitpid(pid, &status, 0)
                break
            }
            usleep(500)
        }
        let signal = status & 0x7f
        let code = signal == 0 ? (status >> 8) & 0xff : 128 + signal
        ended = code
        return code
    }
}

/// A child whose standard output is read line by line while it runs.
final class Conversation {
    let child: Child
    private let reading: Int32
    private var writing: Int32
    private let errors: Int32
    private var received: [UInt8] = []

    /// `beside` are descriptors of the caller to pass on as they are.
    init(
        _ command: [String], environment: [String: String?] = [:], directory: String = "/",
        passing beside: [Int32: Int32] = [:]
    ) throws {
        // One that ends too early fails its own test, not all of them. A child has the signal all the same.
        signal(SIGPIPE, SIG_IGN)
        let output = try Pipe.make()
        let input = try Pipe.make()
        errors = try Scratch.openFile()
        reading = output.read
        writing = input.write
        var files = beside
        files[0] = input.read
        files[1] = output.write
        files[2] = errors
        child = try Child(
            command, environment: environment, directory: directory, descriptors: files)
        close(output.write)
        close(input.read)
    }

    deinit {
        hangUp()
        close(reading)
        close(errors)
    }

    /// nsrun on a shell script in the rootfs.
    convenience init(
        inRoot script: String, _ options: [String] = [], passing beside: [Int32: Int32] = [:]
    ) throws {
        let bench = try Bench.current()
        try self.init(
            [bench.nsrun, "--rootfs", bench.rootfs] + options + ["--", "sh", "-c", script],
            passing: beside)
    }

    func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(writing, bytes, bytes.count)
    }

    /// Ends the child's standard input.
    func hangUp() {
        if writing >= 0 { close(writing) }
        writing = -1
    }

    /// The next line; nil at the end. A line that never comes fails the test.
    func line() -> String? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            guard Pipe.isReadable(reading) else {
                Issue.record("no line came; standard error: \(Scratch.content(errors))")
                return nil
            }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(reading, &buffer, buffer.count)
            guard count > 0 else { return nil }
            received += buffer[..<count]
        }
    }

    /// Everything up to the end.
    func rest() -> [String] {
        var lines: [String] = []
        while let line = line() { lines.append(line) }
        return lines
    }
}

enum Pipe {
    static func make() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// Waits until there is something to read, or the end.
    static func isReadable(_ descriptor: Int32) -> Bool {
        var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&wanted, 1, 30_000) > 0
    }
}
