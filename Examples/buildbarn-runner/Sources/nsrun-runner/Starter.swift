// SPDX-License-Identifier: Apache-2.0

import CRunner
import GRPCCore
import Glibc
import NamespaceKit
import SwiftProtobuf

/// A process that starts actions, one at a time, for the server: as small as it can be, and with one thread.
///
/// A launch begins as a copy of the launching process. To copy the server costs more than the launch, as its
/// threads go on writing to memory that is shared from then on; and an action's memory is never less than that
/// of what it was copied from.
struct Starter {
    /// Where runner_start_again() puts the link.
    private static let linkNumber: Int32 = 3

    private let configuration: Configuration
    private let link: Link
    private let socket: SocketFile
    /// Where actions have none of their own.
    private var network: ActionNetwork?
    /// Of the last action.
    private var facts: HostFacts?

    /// The server's socket is the file that has this identity.
    init(_ configuration: Configuration, socket identity: String) throws {
        self.configuration = configuration
        // An action's pid 1 begins as a copy, and closes what is marked so before the action can see it.
        _ = fcntl(Starter.linkNumber, F_SETFD, FD_CLOEXEC)
        link = Link(descriptor: try Descriptor(Starter.linkNumber, "the link"))
        socket = SocketFile(configuration.socket, identity: identity)
        // It ends when the server does, which gets these as well, and not before.
        for number in [SIGHUP, SIGINT, SIGTERM] { signal(number, SIG_IGN) }
        if !configuration.hasNetwork { network = ActionNetwork() }
    }

    /// Starts what the server asks for, until that is gone; then removes the server's socket, which it
    /// could not do itself if it was killed.
    mutating func serve() {
        while let message = link.receive() {
            guard link.send(message.isEmpty ? [] : answer(to: message).message) else { break }
            // While nobody waits.
            if network?.renew() == false { network = nil }
        }
        socket.remove()
    }

    private mutating func answer(to message: [UInt8]) -> StarterAnswer {
        do {
            return .response(try run(Buildbarn_Runner_RunRequest(serializedBytes: message)))
        } catch {
            let unknown = RPCError(code: .internalError, message: "\(error)")
            return .error(error as? RPCError ?? unknown)
        }
    }

    /// Runs an action to its end.
    private mutating func run(
        _ request: Buildbarn_Runner_RunRequest
    ) throws -> Buildbarn_Runner_RunResponse {
        let files = try ActionFiles(request, of: configuration)
        let launch = LaunchRequest(
            request, with: files, of: configuration,
            ownNetwork: !configuration.hasNetwork && network == nil)
        var plan: LaunchPlan?
        do {
            let facts = HostFacts.read(for: launch, after: facts)
            self.facts = facts
            let made = try Planner.plan(launch, on: facts)
            plan = made
            let process = try Launcher().start(made, facts: facts)
            try awaitEnd(of: process)
            return try Buildbarn_Runner_RunResponse(end: process.wait(), of: process)
        } catch let error as LaunchError {
            files.log(error, plan)
            throw RPCError(error)
        }
    }

    /// Waits for the end of an action, from the beginning of its set-up on. Brings it about when the server
    /// does not want the action any more, or is gone.
    private func awaitEnd(of process: RunningProcess) throws(LaunchError) {
        let end: Int32
        do {
            end = try process.openProcessDescriptor()
        } catch {
            process.kill()
            _ = try process.wait()
            throw error
        }
        defer { close(end) }
        var states = [end, link.descriptor.number].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while states[0].revents == 0 {
            guard poll(&states, 2, -1) > 0, states[1].revents != 0 else { continue }
            process.kill()
            states[1].fd = -1  // what it is comes to light in serve()
        }
    }
}

extension RPCError {
    /// What kept an action from running: its command, or what is no fault of the request.
    fileprivate init(_ error: LaunchError) {
        self.init(
            code: error.kind == .setup ? .internalError : .invalidArgument,
            message: error.message + (error.remedy.map { "; \($0)" } ?? ""))
    }
}
