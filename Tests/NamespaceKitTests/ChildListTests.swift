// SPDX-License-Identifier: Apache-2.0

import CHost
import Testing

/// The children that are killed with a run, as proc_tid_children(5) lists them.
@Suite struct ChildListTests {
    private func read(_ text: String) -> [Int32] {
        var pids: [Int32] = []
        text.withCString { start in
            var next: UnsafePointer<CChar>? = start
            while true {
                let pid = nsrun_next_pid(&next)
                if pid <= 0 { break }
                pids.append(pid)
            }
        }
        return pids
    }

    /// A list that is longer than there is room for ends within a number, which is that of somebody else.
    @Test func whatIsCutOffIsNobody() {
        let all: [Int32] = [12, 345, 67890]
        let text = "12 345 67890 "
        #expect(read(text) == all)
        for length in 0..<text.count {
            let some = read(String(text.prefix(length)))
            #expect(some == Array(all.prefix(some.count)), "\(length)")
        }
    }
}
