// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc
import NamespaceKit

/// Runs a program as root of a user namespace, seeing the host's files as they are. What it prints is
/// handed on line by line, and the last lines stand in the error should it fail.
struct NamespaceTool {
    /// Where the program's power over ids comes from.
    enum Power: Equatable {
        /// Real root: no user namespace at all.
        case root
        /// The caller's ranges of subordinate ids are mapped; ownerships are real. subuid(5)
        case subordinateIDs
        /// One mapped id: power over what is the caller's own, and nothing else.
        case ownRoot
        /// One mapped id; calls that would need more appear to succeed.
        case fakedRoot

        /// The most that this caller can have.
        static func available() -> Power {
            if geteuid() == 0 { return .root }
            let ranges = SubordinateRanges.ofCaller()
            return !ranges.isEmpty && access("/usr/bin/newuidmap", X_OK) == 0
                ? .subordinateIDs : .fakedRoot
        }
    }

    var power: Power
    /// By Debian's name, what the program may start besides the host's own kind.
    var architecture: String?
    /// Directories and files that lie over the host's for this run.
    var environment: [(name: String, value: String)] = []
    /// Says what else is to be different.
    var adjust: (inout LaunchRequest) -> Void = { _ in }

    private static let linesInErrors = 12

    /// Runs `command` to its end; `line` sees what it prints, standard output and error together.
    func run(
        _ command: [String], cannot operation: String, _ object: String,
        line: (String) -> Void = { _ in }
    ) throws {
        var ends: [Int32] = [-1, -1]
        guard nsrun_rootfs_pipe(&ends) == 0 else {
            throw RootFilesystemError(cannot: "start", command[0], errno: errno)
        }
        let output = try Descriptor(ends[0], cannot: "start", command[0])
        let process = try start(
            command, writingTo: Descriptor(ends[1], cannot: "start", command[0]))
        var lines = OutputLines(keeping: Self.linesInErrors)
        do {
            try read(output, into: &lines, line)
        } catch {
            process.kill()
            _ = try? process.wait()
            throw error
        }
        let status = try launching(command[0]) { () throws(LaunchError) in try process.wait() }
        guard status == .exited(0) else {
            let how = "\(command[0]) failed with status \(status.shellStatus)"
            throw RootFilesystemError(
                cannot: operation, object, because: ([how] + lines.last).joined(separator: "\n  "))
        }
    }

    /// Runs `command` in the caller's directory and on the caller's terminal, and hands signals on to it.
    /// Returns the exit status for a shell. Only for a program of its own, see ``Supervisor``.
    func handOver(to command: [String]) throws -> Int32 {
        var request = self.request(command)
        request.program.workingDirectory = ByteString(FileManager.default.currentDirectoryPath)
        return try launching(command[0]) { () throws(LaunchError) in
            let facts = HostFacts.read(for: request)
            return try Supervisor.run(Planner.plan(request, on: facts, as: .watcher), facts: facts)
                .status()
        }
    }

    private func start(_ command: [String], writingTo output: Descriptor) throws -> RunningProcess {
        var request = self.request(command)
        request.program.workingDirectory = "/"
        request.program.standardOutput = output.number
        request.program.standardError = output.number
        adjust(&request)
        return try launching(command[0]) { () throws(LaunchError) in
            try Launcher().launch(request)
        }
    }

    private func request(_ command: [String]) -> LaunchRequest {
        var request = LaunchRequest(command: command.map { ByteString($0) })
        // The host as it is, /tmp included: a destination may lie anywhere.
        request.root.view = .empty
        request.files.operations = [
            FileSystemOperation(.bind(source: .path("/"), target: "/", options: .devices)),
            FileSystemOperation(.proc(target: "/proc")),
        ]
        request.identity.capabilities = [.addAll]
        request.lifecycle.diesWithParent = true
        request.program.environment.changes = environment.map {
            .set(name: ByteString($0.name), value: ByteString($0.value))
        }
        if let architecture {
            request.program.emulators = [EmulatorRequest(architecture: ByteString(architecture))]
        }
        switch power {
        case .root where needsEmulator(request):
            // The table of emulators belongs to a user namespace, and the host's is not touched: one
            // in which every id is itself.
            let everybody = IDRange(inside: 0, outside: 0, count: UInt32.max)
            (request.identity.user, request.identity.group) = (0, 0)
            request.identity.users = [everybody]
            request.identity.groups = [everybody]
            request.identity.fakesDeviceNodes = true
        case .root: request.namespaces.new = [.mount, .pid]
        case .subordinateIDs:
            (request.identity.user, request.identity.group) = (0, 0)
            request.identity.mapsSubordinates = true
            request.identity.fakesDeviceNodes = true
        case .ownRoot: (request.identity.user, request.identity.group) = (0, 0)
        case .fakedRoot: request.identity.fakesRoot = true
        }
        return request
    }

    private func needsEmulator(_ request: LaunchRequest) -> Bool {
        !HostFacts.read(for: request).emulation.records.isEmpty
    }

    private func launching<Result>(
        _ program: String, _ body: () throws(LaunchError) -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch {
            throw RootFilesystemError(
                cannot: "run", program, because: error.message, remedy: error.remedy)
        }
    }

    private func read(
        _ output: Descriptor, into lines: inout OutputLines, _ line: (String) -> Void
    ) throws {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        func take(_ bytes: ArraySlice<UInt8>) { line(ByteString(Array(bytes)).printable) }
        while true {
            try Interruption.check()
            let count = Glibc.read(output.number, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            lines.add(buffer[..<count], take)
        }
        lines.end(take)
    }
}
