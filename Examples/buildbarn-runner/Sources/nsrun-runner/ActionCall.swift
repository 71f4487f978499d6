import GRPCCore
import Synchronization

/// An action, from the server's side. One thread makes the call; it may be cancelled from any.
final class ActionCall: Sendable {
    private enum State {
        case beginning
        case running(Link)
        case cancelled
        case over
    }

    private let state = Mutex(State.beginning)

    /// Ends the action at once, with everything that it has started.
    func cancel() {
        state.withLock { state in
            switch state {
            case .beginning: state = .cancelled
            case .running(let link):
                link.interrupt()
                state = .cancelled
            case .cancelled, .over: break
            }
        }
    }

    /// Has a starter run an action to its end, or until a deadline.
    func run(
        _ request: [UInt8], until deadline: ContinuousClock.Instant?, by idle: IdleStarters
    ) throws(RPCError) -> Buildbarn_Runner_RunResponse {
        let starter = try idle.take()
        let isWanted = state.withLock { state in
            guard case .beginning = state else { return false }
            state = .running(starter.link)
            return true
        }
        guard isWanted else {
            idle.put(starter)
            throw .cancelledAction
        }
        if starter.link.send(request), !starter.link.wait(until: deadline) { cancel() }
        let answer = starter.link.receive()
        let isCancelled = state.withLock { state in
            defer { state = .over }
            if case .cancelled = state { return true }
            return false
        }
        // A starter that has been interrupted ends, and does so after its action.
        guard let answer, !isCancelled else {
            StarterProcess.bury(starter.pid)
            throw isCancelled ? .cancelledAction : .lostAction
        }
        idle.put(starter)
        switch StarterAnswer(answer) {
        case .response(let response): return response
        case .error(let error): throw error
        case nil: throw .lostAction
        }
    }
}

extension RPCError {
    fileprivate static let cancelledAction = RPCError(
        code: .cancelled, message: "the action was cancelled, and nothing of it runs any more")
    fileprivate static let lostAction = RPCError(
        code: .internalError, message: "the process that started the action was killed")
}
