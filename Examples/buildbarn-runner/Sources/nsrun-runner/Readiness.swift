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
        let missing = Doctor.examine().filter { !$0.works && isNeeded($0) }
        guard missing.isEmpty else {
            throw RPCError(code: .internalError, message: missing.map(\.text).joined())
        }
        lastSuccess.withLock { $0 = .now }
    }

    private func isNeeded(_ finding: Doctor.Finding) -> Bool {
        finding.isEssential || !configuration.hasNetwork && finding.what == "network namespace"
    }
}
