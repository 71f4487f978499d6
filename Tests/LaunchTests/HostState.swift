// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a run could leave behind on the host.
enum HostState {
    static func mounts() throws -> String {
        try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
    }

    /// The processes whose command line holds this text.
    static func processes(_ marker: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { name in
            guard name.allSatisfy(\.isNumber), let pid = pid_t(name), pid != getpid() else {
                return false
            }
            let text = try? String(contentsOfFile: "/proc/\(name)/cmdline", encoding: .utf8)
            return text?.contains(marker) == true
        }
    }
}

extension HostState {
    /// The letter that proc(5) gives for a process's state; nil where there is none.
    static func state(of pid: pid_t) -> Character? {
        let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
        return text?.split(separator: ")").last?.dropFirst().first
    }

    static func waits(for pid: pid_t, toBe wanted: Character?) -> Bool {
        eventually { state(of: pid) == wanted }
    }

    /// Whether something comes true, given all the time that a busy machine may need.
    static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        for _ in 0..<20_000 {
            if try condition() { return true }
            usleep(1000)
        }
        return false
    }

    /// Whether these processes go by themselves; if not, they are not left to the next test either.
    static func processesGo(_ marker: String) throws -> Bool {
        if try eventually({ try processes(marker) == [] }) { return true }
        for pid in try processes(marker).compactMap({ pid_t($0) }) { kill(pid, SIGKILL) }
        return false
    }
}
