import CRunner
import GRPCCore
import Logging
import SwiftProtobuf

/// The service that a worker calls.
struct RunnerService: Buildbarn_Runner_Runner.ServiceProtocol {
    private let configuration: Configuration
    private let logger: Logger
    private let readiness: Readiness
    private let starters: IdleStarters

    init(_ configuration: Configuration, _ starters: IdleStarters, _ logger: Logger) {
        self.configuration = configuration
        self.starters = starters
        self.logger = logger
        readiness = Readiness(needsNetworkNamespace: !configuration.hasNetwork)
    }

    func checkReadiness(
        request: ServerRequest<Buildbarn_Runner_CheckReadinessRequest>, context: ServerContext
    ) async throws -> ServerResponse<Google_Protobuf_Empty> {
        do {
            let directory = try configuration.openBuildDirectory()
            _ = try directory.open(request.message.path, of: "path", as: RUNNER_ANYTHING)
            try await readiness.check()
        } catch let error as RPCError {
            logger.warning("not ready", metadata: ["cause": "\(error.message)"])
            // No action is at fault here, whatever it is.
            throw RPCError(code: .internalError, message: error.message)
        }
        return ServerResponse(message: Google_Protobuf_Empty())
    }

    func run(
        request: ServerRequest<Buildbarn_Runner_RunRequest>, context: ServerContext
    ) async throws -> ServerResponse<Buildbarn_Runner_RunResponse> {
        var logger = logger
        logger[metadataKey: "input_root"] = "\(request.message.inputRootDirectory)"
        do {
            if request.message.arguments.isEmpty {
                throw RPCError(code: .invalidArgument, message: "arguments: there are none")
            }
            let message: [UInt8] = try request.message.serializedBytes()
            let deadline = request.metadata.timeout.map { ContinuousClock.now + $0 }
            let call = ActionCall()
            let response = try await withRPCCancellationHandler {
                try await onOwnThread {
                    try call.run(message, until: deadline, by: starters)
                }
            } onCancelRPC: {
                call.cancel()
            }
            logger.debug("ended", metadata: ["exit_code": "\(response.exitCode)"])
            return ServerResponse(message: response)
        } catch let error as RPCError {
            logger.notice(
                "failed", metadata: ["code": "\(error.code)", "cause": "\(error.message)"])
            throw error
        }
    }
}
