// SPDX-License-Identifier: Apache-2.0

import CRunner
import GRPCCore
import Glibc
import NIOCore
import NIOExtras
import NIOPosix

/// A starter, as the server sees it.
struct StarterProcess: Sendable {
    private let channel: any Channel

    /// Starts one with the arguments of this program, for a server that listens on the socket.
    init(for socket: SocketFile?, on eventLoop: any EventLoop) async throws {
        let arguments = CommandLine.arguments + ["--starter", socket?.identity ?? "none"]
        var vector = arguments.map { strdup($0) } + [nil]
        defer { for argument in vector { free(argument) } }
        var link: Int32 = -1
        let pid = runner_start_again(&vector, &link)
        guard pid > 0 else { throw RPCError.cannotOpen("a process for the action", -pid) }
        channel = try await ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        ByteToMessageHandler(
                            LengthFieldBasedFrameDecoder(lengthFieldBitLength: .fourBytes)),
                        LengthFieldPrepender(lengthFieldBitLength: .fourBytes),
                        RequestResponseHandler<ByteBuffer, ByteBuffer>())
                }
            }
            .withConnectedSocket(link).get()
        // It closes the link only by ending.
        channel.closeFuture.whenComplete { _ in
            while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        }
    }

    var isAlive: Bool { channel.isActive }

    /// Sends a message. The answers come in the order of the messages; there is none from one that is gone.
    func send(_ message: ByteBuffer) -> EventLoopFuture<ByteBuffer> {
        let answer = channel.eventLoop.makePromise(of: ByteBuffer.self)
        channel.writeAndFlush((message, answer), promise: nil)
        return answer.futureResult
    }
}
