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
                link.send(Link.interruption)
                state = .cancelled
            case .cancelled, .over: break
            }
        }
    }

    /// Has a starter run an action to its end, or until a deadline.
    func run(
        _ request: [UInt8], until deadline: ContinuousClock.Instant?, by idle: IdleStarters
    ) throws(RPCError) -> Buildbarn_Runner_RunResponse {
        let starter = try state.withLock { state throws(RPCError) in
            guard case .beginning = state else { throw .cancelledAction }
            let starter = try idle.start(request)
            state = .running(starter.link)
            return starter
        }
        if !starter.link.wait(until: deadline) { cancel() }
        // Comes after the end of the action, also where that was cancelled.
        let answer = starter.link.receive()
        let isCancelled = state.withLock { state in
            defer { state = .over }
            if case .cancelled = state { return true }
            return false
        }
        guard let answer else {
            starter.bury()
            throw .lostAction
        }
        idle.put(starter)
        if isCancelled { throw .cancelledAction }
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
