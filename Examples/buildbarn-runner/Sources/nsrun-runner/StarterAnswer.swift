// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import NIOCore
import SwiftProtobuf

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

    init?(_ message: ByteBuffer) {
        var content = message
        guard let first = content.readInteger(as: UInt8.self) else { return nil }
        if let code = Status.Code(rawValue: Int(first)).flatMap({ RPCError.Code($0) }) {
            self = .error(RPCError(code: code, message: String(buffer: content)))
        } else {
            let bytes = Array(content.readableBytesView)
            guard let response = try? Buildbarn_Runner_RunResponse(serializedBytes: bytes) else {
                return nil
            }
            self = .response(response)
        }
    }
}
