// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc

/// Runs a program and waits for it; its output is kept for the error message, should it fail.
struct ExternalTool {
    /// The program's name, looked up in PATH, or its path.
    var name: String
    /// The Debian package that has it, for the remedy when it is missing.
    var package: String
    /// Set in the program's environment, besides what this process has.
    var environment: [String: String] = [:]
    /// Descriptors the program inherits, so that locks held through them outlive this process.
    var inherited: [Descriptor] = []
    /// The program's umask; this process's own where none is given. umask(2)
    var mask: mode_t?
    /// The exit statuses that mean the program did its work.
    var acceptedStatuses: Set<Int32> = [0]
    /// Called a few times a second while the program is waited for. What it throws ends the program.
    var whileWaiting: () throws -> Void = {}

    /// How many of the last lines of output an error repeats.
    private static let linesInErrors = 10
    /// The most that one is expected to print where all of it is wanted, in bytes.
    private static let mostOutput = 16 << 20

    /// Runs it with `arguments` and gives what it wrote to its standard output and error together.
    @discardableResult
    func run(_ arguments: [String], cannot operation: String, _ object: String) throws -> [UInt8] {
        var printed: [UInt8] = []
        try run(arguments, cannot: operation, object) { line in
            printed += line + [UInt8(ascii: "\n")]
            if printed.count > Self.mostOutput {
                throw RootFilesystemError(
                    cannot: operation, object, because: "\(name) prints without end")
            }
        }
        return printed
    }

    /// The same where `line` gets what it writes, a line at a time. What that throws ends the program.
    ///
    /// A signal to this process ends the program, and then throws ``Interrupted``.
    /// `posix_spawnp(3)`, `waitpid(2)`
    func run(
        _ arguments: [String], cannot operation: String, _ object: String,
        line: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        var ends: [Int32] = [-1, -1]
        guard nsrun_rootfs_pipe(&ends) == 0 else {
            throw RootFilesystemError(cannot: "start", name, errno: errno)
        }
        let output = try Descriptor(ends[0], cannot: "start", name)
        let child = try spawn(arguments, writingTo: try Descriptor(ends[1], cannot: "start", name))
        var lines = OutputLines(keeping: Self.linesInErrors)
        do {
            try collect(output, into: &lines, line)
        } catch {
            kill(-child, SIGTERM)
            _ = wait(for: child)
            throw error
        }
        let status = wait(for: child)
        guard acceptedStatuses.contains(status) else {
            throw RootFilesystemError(
                cannot: operation, object, because: cause(status, lines.last))
        }
    }

    private func spawn(_ arguments: [String], writingTo output: Descriptor) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output.number, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.number, STDERR_FILENO)
        // To the same number: takes close-on-exec off, in the child only.
        for descriptor in inherited {
            posix_spawn_file_actions_adddup2(&actions, descriptor.number, descriptor.number)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: one signal ends the program with all it has started.
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        var variables = ProcessInfo.processInfo.environment
        variables.merge(environment) { _, new in new }
        var argv: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) } + [nil]
        var envp: [UnsafeMutablePointer<CChar>?] =
            variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for string in argv + envp { free(string) } }
        var child: pid_t = 0
        let own = mask.map { umask($0) }
        defer { if let own { umask(own) } }
        let code = posix_spawnp(&child, name, &actions, &attributes, &argv, &envp)
        guard code == 0 else {
            throw code == ENOENT
                ? RootFilesystemError(
                    cannot: "run", name, because: "it is not installed",
                    remedy: "install it: apt install \(package)")
                : RootFilesystemError(cannot: "run", name, errno: code)
        }
        return child
    }

    private func collect(
        _ output: Descriptor, into lines: inout OutputLines,
        _ line: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            try Interruption.check()
            var wanted = pollfd(fd: output.number, events: Int16(POLLIN), revents: 0)
            let ready = poll(&wanted, 1, 250)
            if ready == 0 { try whileWaiting() }
            if ready == 0 || (ready < 0 && errno == EINTR) { continue }
            let count = read(output.number, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return try lines.end(line) }
            try lines.add(buffer[..<count], line)
        }
    }

    /// The exit status, or 128 and the number of the signal.
    private func wait(for child: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    private func cause(_ status: Int32, _ lines: [String]) -> String {
        let how =
            status > 128
            ? "\(name) was ended by signal \(status - 128)" : "\(name) failed with status \(status)"
        return ([how] + lines.filter { !$0.isEmpty }).joined(separator: "\n  ")
    }
}
