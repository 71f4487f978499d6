// SPDX-License-Identifier: Apache-2.0

import Glibc

private final class Work {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

/// A lock, and a way to wait for a change of what it guards (pthread_mutex_lock(3), pthread_cond_wait(3)).
///
/// `@unchecked`: POSIX threads may all use both.
final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    init() {
        // With default attributes neither fails.
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }
    func unlock() { pthread_mutex_unlock(mutex) }
    /// Gives the lock up until somebody tells of a change.
    func wait() { pthread_cond_wait(condition, mutex) }
    /// Tells all who wait.
    func broadcast() { pthread_cond_broadcast(condition) }

    /// Runs `body` on a thread of its own, which nobody waits for. An errno where there can be none (pthread_create(3)).
    static func detachThread(_ body: @escaping @Sendable () -> Void) -> Int32 {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let error = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        if error == 0 { pthread_detach(thread) } else { work.release() }
        return error
    }
}
