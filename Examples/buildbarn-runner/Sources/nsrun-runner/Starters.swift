// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import NIOCore
import Synchronization

/// The starters of a server.
final class Starters: Sendable {
    private let eventLoop: any EventLoop
    private let socket = Mutex<SocketFile?>(nil)
    private let idle = Mutex<[StarterProcess]>([])

    init(on eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    /// Starts one ahead of time. It and all later ones remove the socket when the server is gone.
    func prepare(for socket: SocketFile?) async throws {
        self.socket.withLock { $0 = socket }
        let starter = try await start()
        idle.withLock { $0.append(starter) }
    }

    private func start() async throws -> StarterProcess {
        try await StarterProcess(for: socket.withLock(\.self), on: eventLoop)
    }

    /// Has one that has nothing to do, or a new one, run an action to its end. That comes early if the call is
    /// cancelled or its time is over.
    func run(
        _ request: Buildbarn_Runner_RunRequest, within timeout: Duration?
    ) async throws -> Buildbarn_Runner_RunResponse {
        let message = try ByteBuffer(bytes: request.serializedBytes() as [UInt8])
        var starter = idle.withLock { $0.popLast() }
        while starter?.isAlive == false { starter = idle.withLock { $0.popLast() } }
        let used = if let starter { starter } else { try await start() }
        let action = StartedAction(message, by: used)
        let deadline = timeout.map {
            eventLoop.scheduleTask(in: TimeAmount($0)) { action.interrupt() }
        }
        defer { deadline?.cancel() }
        let answer = try? await withRPCCancellationHandler {
            try await action.answer.get()
        } onCancelRPC: {
            action.interrupt()
        }
        let isInterrupted = action.end()
        guard let answer, let answer = StarterAnswer(answer) else { throw RPCError.lostAction }
        idle.withLock { $0.append(used) }
        if isInterrupted { throw RPCError.cancelledAction }
        switch answer {
        case .response(let response): return response
        case .error(let error): throw error
        }
    }
}

/// An action, as the server sees it.
private final class StartedAction: Sendable {
    private enum State { case running, interrupted, over }

    /// Comes after the end of the action, also where that was interrupted.
    let answer: EventLoopFuture<ByteBuffer>
    private let starter: StarterProcess
    private let state = Mutex(State.running)

    init(_ request: ByteBuffer, by starter: StarterProcess) {
        self.starter = starter
        answer = starter.send(request)
    }

    /// Ends it at once, with everything that it has started.
    func interrupt() {
        state.withLock { state in
            guard state == .running else { return }
            state = .interrupted
            _ = starter.send(Link.interruption)
        }
    }

    /// Says that it has ended: an interruption would now meet another one. Returns whether there was one.
    func end() -> Bool {
        state.withLock { state in
            defer { state = .over }
            return state == .interrupted
        }
    }
}

extension RPCError {
    fileprivate static let cancelledAction = RPCError(
        code: .cancelled, message: "the action was cancelled, and nothing of it runs any more")
    fileprivate static let lostAction = RPCError(
        code: .internalError, message: "the process that started the action was killed")
}
