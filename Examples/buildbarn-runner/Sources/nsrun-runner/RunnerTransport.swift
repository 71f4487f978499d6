// SPDX-License-Identifier: Apache-2.0

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import NIOCore
import NIOPosix

/// A unix socket to listen on, where each call that nobody waits for any more is cancelled.
struct RunnerTransport: ServerTransport {
    typealias Bytes = HTTP2ServerTransport.Posix.Bytes

    private let base: HTTP2ServerTransport.Posix
    private let eventLoop: any EventLoop

    init(socket: String, on eventLoops: MultiThreadedEventLoopGroup) {
        eventLoop = eventLoops.any()
        base = HTTP2ServerTransport.Posix(
            address: .unixDomainSocket(path: socket), transportSecurity: .plaintext,
            eventLoopGroup: eventLoops)
    }

    /// Returns when connections can be made.
    func awaitListening() async throws { _ = try await base.listeningAddress }

    func configure(context: GRPCServerContext) { base.configure(context: context) }

    func beginGracefulShutdown() { base.beginGracefulShutdown() }

    func listen(
        streamHandler:
            @escaping @Sendable (RPCStream<Inbound, Outbound>, ServerContext) async -> Void
    ) async throws {
        try await withTaskExecutorPreference(EventLoopExecutor(eventLoop)) {
            try await base.listen { stream, context in
                guard await isOpen(stream) else { return }
                let inbound = stream.inbound.map { part in part.withoutDeadline }
                await streamHandler(
                    RPCStream(
                        descriptor: stream.descriptor,
                        inbound: RPCAsyncSequence(wrapping: inbound), outbound: stream.outbound),
                    context)
            }
        }
    }

    /// Whether the client is still there. If it is, gRPC will notice when it goes; but where one has gone before
    /// its call began to be handled, gRPC tells nobody, and the call would run on.
    private func isOpen(_ stream: RPCStream<Inbound, Outbound>) async -> Bool {
        // After what gRPC has asked of the event loop, which is to be told of the end of the stream.
        try? await eventLoop.submit {}.get()
        do {
            try await stream.outbound.write(contentsOf: [])
            return true
        } catch {
            return false
        }
    }
}

/// Runs tasks on an event loop.
///
/// Most of what gRPC does for a call concerns the event loop; on other threads each such step would wake up two
/// of them.
private final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension RPCRequestPart {
    /// The deadline under another name, where gRPC does not see it.
    ///
    /// It would sleep until then in a task, and cancel that when the call has ended. A sleep that has been
    /// cancelled keeps its memory until it would have ended, and workers allow an action an hour.
    fileprivate var withoutDeadline: Self {
        guard case .metadata(var metadata) = self else { return self }
        for timeout in Array(metadata[stringValues: "grpc-timeout"]) {
            metadata.addString(timeout, forKey: Metadata.timeoutKey)
        }
        metadata.removeAllValues(forKey: "grpc-timeout")
        return .metadata(metadata)
    }
}

extension Metadata {
    fileprivate static let timeoutKey = "runner-timeout"

    /// How long the client waits. What makes no sense is no timeout.
    var timeout: Duration? {
        // As gRPC writes it: up to eight digits and a unit.
        guard let text = self[stringValues: Metadata.timeoutKey].first(where: { _ in true }),
            let unit = text.last, let count = Int64(text.dropLast()), 0..<100_000_000 ~= count
        else { return nil }
        // In nanoseconds, which the event loop counts, more would not fit.
        let longest: Int64 = 1 << 32
        switch unit {
        case "H": return .seconds(Swift.min(count * 3600, longest))
        case "M": return .seconds(Swift.min(count * 60, longest))
        case "S": return .seconds(count)
        case "m": return .milliseconds(count)
        case "u": return .microseconds(count)
        case "n": return .nanoseconds(count)
        default: return nil
        }
    }
}
