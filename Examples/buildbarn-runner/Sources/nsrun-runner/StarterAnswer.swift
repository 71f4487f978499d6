import GRPCCore
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
