// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Dispatch
import GRPCCore
import Glibc
import Logging
import NIOPosix

@main
struct NSRunRunner: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nsrun-runner",
        abstract: "Runs the actions of a Buildbarn worker, each in namespaces of its own.")

    enum Network: String, ExpressibleByArgument, CaseIterable {
        case none, host
    }

    @Option(help: "The unix socket to listen on.")
    var socket: String

    @Option(help: "The directory that the paths of requests are relative to, the worker's own.")
    var buildDirectory: String

    @Flag(help: "The input root is the action's root, not a directory of the host's.")
    var chrootInputRoot = false

    @Option(help: "The network of an action.")
    var network = Network.none

    @Option(help: "What to write to standard error.")
    var logLevel = Logger.Level.info

    /// Only the server itself says so, to a process that it starts: the identity of its socket.
    @Option(help: .hidden)
    var starter: String?

    func validate() throws {
        for path in [socket, buildDirectory] where !path.hasPrefix("/") {
            throw ValidationError("\(path) is not an absolute path")
        }
        if !chrootInputRoot, buildDirectory == "/tmp" || buildDirectory.hasPrefix("/tmp/") {
            throw ValidationError("an action has its own /tmp, which would hide its input root")
        }
    }

    func run() throws {
        let configuration = Configuration(
            buildDirectory: buildDirectory, socket: socket, chrootsIntoInputRoot: chrootInputRoot,
            hasNetwork: network == .host)
        if let starter {
            var starter = try Starter(configuration, socket: starter)
            starter.serve()
            return
        }
        Task {
            do {
                try await serve(configuration)
            } catch {
                NSRunRunner.exit(withError: error)
            }
        }
        dispatchMain()
    }

    private func serve(_ configuration: Configuration) async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "nsrun-runner")
        logger.logLevel = logLevel
        // One thread for all connections: what is done for a call takes less time than to hand it on.
        let eventLoops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let transport = RunnerTransport(socket: socket, on: eventLoops)
        let starters = Starters(on: eventLoops.any())
        let service = RunnerService(Readiness(configuration), starters, logger)
        let server = GRPCServer(transport: transport, services: [service])
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { try await server.serve() }
            try await transport.awaitListening()
            // There has to be one to remove the socket.
            try await starters.prepare(for: SocketFile(socket))
            logger.info(
                "listening",
                metadata: ["socket": "\(socket)", "build_directory": "\(buildDirectory)"])
        }
    }
}

// An enumeration of swift-log's, parsed by swift-argument-parser: neither knows the other.
// swift-format-ignore: AvoidRetroactiveConformances
extension Logger.Level: @retroactive ExpressibleByArgument {}
