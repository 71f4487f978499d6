// SPDX-License-Identifier: Apache-2.0

import CRunner
import GRPCCore
import NamespaceKit
import Synchronization

/// Whether actions can be launched on this host, found out by trying. Workers ask before each action, so what
/// was found good is taken for good for a while.
final class Readiness: Sendable {
    private static let validity = Duration.seconds(60)

    private let configuration: Configuration
    private let lastSuccess = Mutex<ContinuousClock.Instant?>(nil)

    init(_ configuration: Configuration) { self.configuration = configuration }

    /// Blocks while it tries. What it throws is the host's fault.
    func check(_ path: String) throws(RPCError) {
        do throws(RPCError) {
            let directory = try configuration.openBuildDirectory()
            _ = try directory.open(path, of: "path", as: RUNNER_ANYTHING)
        } catch {
            throw RPCError(code: .internalError, message: error.message)
        }
        if let last = lastSuccess.withLock(\.self), last.duration(to: .now) < Readiness.validity {
            return
        }
        let findings = Doctor.examine()
        let missing = findings.filter { !$0.works && ($0.isEssential || needs.contains($0.what)) }
        let unknown = needs.filter { need in !findings.contains { $0.what == need } }
        guard missing.isEmpty, unknown.isEmpty else {
            throw RPCError(
                code: .internalError, message: (missing.map(\.text) + unknown).joined())
        }
        lastSuccess.withLock { $0 = .now }
    }

    /// What an action needs beyond what any launch does, in the doctor's words.
    private var needs: [String] {
        ["ipc, uts and cgroup namespaces", "own devices", "openat2 (Linux 5.6)"]
            + (configuration.hasNetwork ? [] : ["network namespace"])
    }
}
