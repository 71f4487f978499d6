// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// How long a run may take: TERM goes to the command when the time is over, and KILL to the run a while later.
struct TimeLimit {
    /// What the time asks for now.
    enum Turn { case nothing, end, kill }

    /// On the clock of ``nsrun_now``; nil where nothing is due any more.
    private var due: Int64?
    private let killAfter: Int64?
    private(set) var isOver = false

    /// The time begins now.
    init(_ lifecycle: Lifecycle) {
        due = lifecycle.timeout.map { TimeLimit.later(by: $0) }
        killAfter = lifecycle.killAfter
    }

    /// Nanoseconds until the next turn; nil for never.
    var remaining: Int64? { due.map { max(0, $0 - nsrun_now()) } }

    /// Each turn comes once.
    mutating func turn() -> Turn {
        guard let due, nsrun_now() >= due else { return .nothing }
        if isOver {
            self.due = nil
            return .kill
        }
        isOver = true
        self.due = killAfter.map { TimeLimit.later(by: $0) }
        return .end
    }

    /// On that clock, and never too late for it.
    static func later(by nanoseconds: Int64) -> Int64 {
        let (time, overflows) = nsrun_now().addingReportingOverflow(nanoseconds)
        return overflows ? .max : time
    }
}
