import GRPCCore
import Glibc

/// Runs something that blocks on a thread of its own, which lasts until it returns: Swift's own threads, one
/// for each processor, are for what never waits.
func onOwnThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        let work = Work { continuation.resume(with: Result(catching: body)) }
        let reference = Unmanaged.passRetained(work)
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { reference in
                Unmanaged<Work>.fromOpaque(reference!).takeRetainedValue().body()
                return nil
            }, reference.toOpaque())
        if error == 0 {
            pthread_detach(thread)
        } else {
            reference.release()
            continuation.resume(throwing: RPCError.cannotOpen("a thread for the action", error))
        }
    }
}

private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}
