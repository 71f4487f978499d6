import GRPCCore
import NamespaceKit

/// Whether this host lets actions be launched, found out by trying. Workers ask before each action, so what
/// was found good is taken for good for a while.
actor Readiness {
    private static let validity = Duration.seconds(60)

    private let needsNetworkNamespace: Bool
    private var lastSuccess: ContinuousClock.Instant?

    init(needsNetworkNamespace: Bool) {
        self.needsNetworkNamespace = needsNetworkNamespace
    }

    func check() async throws {
        if let lastSuccess, lastSuccess.duration(to: .now) < Readiness.validity { return }
        let findings = try await onOwnThread { Doctor.examine() }
        let missing = findings.filter { !$0.works && isNeeded($0) }
        guard missing.isEmpty else {
            throw RPCError(code: .internalError, message: missing.map(\.text).joined())
        }
        lastSuccess = .now
    }

    private func isNeeded(_ finding: Doctor.Finding) -> Bool {
        finding.isEssential || needsNetworkNamespace && finding.what == "network namespace"
    }
}
