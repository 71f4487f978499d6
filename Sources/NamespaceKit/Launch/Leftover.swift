// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// A mount point that was made for a run in a directory which outlasts it, see leftover.h.
struct Leftover {
    let directory: Int32
    /// Holds a lock on it, by which other runs know that it is used.
    let place: Int32
    private let name: ByteString

    /// From what the run says of itself; nil where that is something else, whose descriptors are closed.
    init?(_ report: UnsafeMutablePointer<nsrun_report>, _ passed: (Int32, Int32)) {
        (directory, place) = passed
        name = ByteString(bytes: Diagnosis.Record(report).text)
        guard report.pointee.head.kind == NSRUN_REPORT_LEFTOVER.rawValue, directory >= 0,
            place >= 0, !name.isEmpty, !name.contains(UInt8(ascii: "/")), !name.contains(0)
        else {
            close()
            return nil
        }
    }

    /// When the run has ended, and nothing is mounted on it any more. What others use, or have put something in, stays.
    func takeAway() { withCString(name) { nsrun_take_away(directory, place, $0) } }

    func close() {
        for descriptor in [directory, place] where descriptor >= 0 { closeDescriptor(descriptor) }
    }
}
