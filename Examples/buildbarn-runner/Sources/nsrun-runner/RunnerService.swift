// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import Logging
import NIOPosix
import SwiftProtobuf

/// The service that a worker calls.
struct RunnerService: Buildbarn_Runner_Runner.ServiceProtocol {
    private let readiness: Readiness
    private let starters: Starters
    private let logger: Logger

    init(_ readiness: Readiness, _ starters: Starters, _ logger: Logger) {
        self.readiness = readiness
        self.starters = starters
        self.logger = logger
    }

    func checkReadiness(
        request: ServerRequest<Buildbarn_Runner_CheckReadinessRequest>, context: ServerContext
    ) async throws -> ServerResponse<Google_Protobuf_Empty> {
        do {
            let path = request.message.path
            try await NIOThreadPool.singleton.runIfActive { try readiness.check(path) }
        } catch let error as RPCError {
            logger.warning("not ready", metadata: ["cause": "\(error.message)"])
            throw error.shortened
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
            let response = try await starters.run(
                request.message, within: request.metadata.timeout)
            logger.debug("ended", metadata: ["exit_code": "\(response.exitCode)"])
            return ServerResponse(message: response)
        } catch let error as RPCError {
            logger.notice(
                "failed", metadata: ["code": "\(error.code)", "cause": "\(error.message)"])
            throw error.shortened
        }
    }
}

extension RPCError {
    /// With no more words than fit into one frame of HTTP/2 when each byte of them takes three. A longer header
    /// ends the connection, and with it every action of its worker.
    fileprivate var shortened: RPCError {
        let most = 4000
        if message.utf8.count <= most { return self }
        return RPCError(
            code: code, message: String(decoding: message.utf8.prefix(most), as: UTF8.self) + "…")
    }
}
