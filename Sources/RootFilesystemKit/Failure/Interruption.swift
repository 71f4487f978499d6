// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// Stopping early and tidily: a signal sets a flag, long work looks at it and throws, and what was
/// half done is removed on the way out like after any other failure.
public enum Interruption {
    /// From now on SIGINT, SIGTERM and SIGHUP are seen by ``check()``. `sigaction(2)`
    public static func watch() {
        nsrun_rootfs_catch_signals()
    }

    /// Throws ``Interrupted`` once a signal has come in.
    static func check() throws {
        let signal = nsrun_rootfs_pending_signal()
        if signal != 0 { throw Interrupted(signal: signal) }
    }

    /// A line of standard input, without its end; empty at the end of it. Throws ``Interrupted`` where a signal
    /// comes first.
    public static func readLine() throws -> String {
        var line: [UInt8] = []
        while true {
            try check()
            var byte: UInt8 = 0
            let count = read(STDIN_FILENO, &byte, 1)
            if count < 0 && errno == EINTR { continue }
            guard count == 1, byte != UInt8(ascii: "\n") else {
                return String(decoding: line, as: UTF8.self)
            }
            line.append(byte)
        }
    }

    /// Ends the process by the signal that interrupted it, as if it had never been caught.
    public static func finish(_ interrupted: Interrupted) -> Never {
        nsrun_rootfs_die_of(interrupted.signal)
        exit(128 + interrupted.signal)
    }
}
