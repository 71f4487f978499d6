// SPDX-License-Identifier: Apache-2.0

import CHost

/// The seccomp programs that are nsrun's own (seccomp(2)).
enum SystemCallFilter {
    /// Calls of real root appear to succeed, or those that make device nodes alone.
    static func fakeRoot(onlyDevices: Bool) throws(LaunchError) -> [UInt8] {
        try make(onlyDevices ? NSRUN_FILTER_FAKE_DEVICES : NSRUN_FILTER_FAKE_ROOT)
    }

    /// Nothing can be typed in on a terminal in its user's place (ioctl_tty(2), TIOCSTI).
    static func terminal() throws(LaunchError) -> [UInt8] { try make(NSRUN_FILTER_TERMINAL) }

    /// What a program that nobody vouches for needs none of is refused.
    static func standard() throws(LaunchError) -> [UInt8] { try make(NSRUN_FILTER_DEFAULT) }

    private static func make(_ kind: nsrun_filter) throws(LaunchError) -> [UInt8] {
        let capacity = 65536
        var length = 0
        let program = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            length = buffer.withMemoryRebound(to: CChar.self) {
                nsrun_make_filter(kind, $0.baseAddress!, capacity)
            }
            count = max(0, length)
        }
        guard length > 0 else {
            throw LaunchError(
                .setup, "cannot make the seccomp filter: \(reason(Int32(-length)))",
                code: Int32(-length))
        }
        return program
    }
}

extension LaunchRequest {
    /// A command that shares the caller's terminal could type into it what his shell would run outside. Where it
    /// has his home directory it needs no such way.
    var isToSpareTerminal: Bool {
        if lifecycle.newSession { return false }
        return switch root.view {
        case .rootfs: files.home != .bound
        case .host: files.home == .empty
        case .empty: false
        }
    }
}
