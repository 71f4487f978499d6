import CRunner
import GRPCCore
import Glibc
import NamespaceKit
import SwiftProtobuf

/// A process that starts actions, one at a time, for the server: as small as it can be, and with one thread.
///
/// A launch begins as a copy of the launching process. To copy the server costs more than the launch, as its
/// threads go on writing to memory that is shared from then on; and what a copy has, its action has for a moment.
struct Starter {
    /// Where runner_start_again() puts the link.
    private static let linkNumber: Int32 = 3

    private let configuration: Configuration
    private let link: Link

    init(_ configuration: Configuration) throws {
        self.configuration = configuration
        _ = fcntl(Starter.linkNumber, F_SETFD, FD_CLOEXEC)
        link = Link(descriptor: try Descriptor(Starter.linkNumber, "the link"))
    }

    /// Starts what the server asks for, until it goes, or interrupts an action.
    func serve() throws {
        while let message = link.receive() {
            let (answer, isInterrupted) = run(message)
            guard link.send(answer.message), !isInterrupted else { return }
        }
    }

    private func run(_ message: [UInt8]) -> (answer: StarterAnswer, isInterrupted: Bool) {
        do {
            let request = try Buildbarn_Runner_RunRequest(serializedBytes: message)
            let end = try run(request)
            return (.response(try Buildbarn_Runner_RunResponse(end)), end.isInterrupted)
        } catch {
            let unknown = RPCError(code: .internalError, message: "\(error)")
            return (.error(error as? RPCError ?? unknown), false)
        }
    }

    /// Runs an action to its end.
    private func run(_ request: Buildbarn_Runner_RunRequest) throws(RPCError) -> ActionEnd {
        let files = try ActionFiles(request, of: configuration)
        let launch = try LaunchRequest(request, with: files, of: configuration)
        var plan: LaunchPlan?
        do throws(LaunchError) {
            let facts = HostFacts.read(for: launch)
            let made = try Planner.plan(launch, on: facts)
            plan = made
            let process = try Launcher().launch(made, facts: facts)
            var usage = rusage()
            let isInterrupted = runner_await_end(process.pid, Starter.linkNumber, &usage) == 1
            return ActionEnd(
                status: try process.wait(), usage: usage, isInterrupted: isInterrupted)
        } catch {
            files.log(error, plan)
            throw RPCError(error)
        }
    }
}

/// How an action ended, and what it took.
struct ActionEnd {
    var status: ExitStatus
    var usage: rusage
    /// The server did not want it any more.
    var isInterrupted: Bool
}

/// What a starter says to the server.
enum StarterAnswer {
    case response(Buildbarn_Runner_RunResponse)
    case error(RPCError)

    /// A byte with the code, 0 for none, and the response or the error's words.
    var message: [UInt8] {
        switch self {
        case .response(let response):
            let bytes: [UInt8]? = try? response.serializedBytes()
            return [0] + (bytes ?? [])
        case .error(let error): return [UInt8(error.code.rawValue)] + Array(error.message.utf8)
        }
    }

    init?(_ message: [UInt8]) {
        guard let first = message.first else { return nil }
        let content = message.dropFirst()
        if let code = Status.Code(rawValue: Int(first)).flatMap({ RPCError.Code($0) }) {
            let text = String(decoding: content, as: UTF8.self)
            self = .error(RPCError(code: code, message: text))
        } else {
            guard let response = try? Buildbarn_Runner_RunResponse(serializedBytes: Array(content))
            else { return nil }
            self = .response(response)
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
