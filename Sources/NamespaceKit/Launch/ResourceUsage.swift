// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What a process and the children that it waited for have used (getrusage(2)).
public struct ResourceUsage: Sendable, Equatable {
    /// Time on a processor, in microseconds.
    public var userTime: Int64
    public var systemTime: Int64
    /// The most memory that one of them held, in KiB.
    public var maximumResidentSize: Int64
    public var minorFaults: Int64
    public var majorFaults: Int64
    public var swaps: Int64
    /// Blocks of 512 bytes that came from and went to a disk.
    public var blocksRead: Int64
    public var blocksWritten: Int64
    public var messagesSent: Int64
    public var messagesReceived: Int64
    public var signals: Int64
    public var voluntarySwitches: Int64
    public var involuntarySwitches: Int64

    init(_ usage: rusage) {
        userTime = ResourceUsage.microseconds(usage.ru_utime)
        systemTime = ResourceUsage.microseconds(usage.ru_stime)
        maximumResidentSize = Int64(usage.ru_maxrss)
        minorFaults = Int64(usage.ru_minflt)
        majorFaults = Int64(usage.ru_majflt)
        swaps = Int64(usage.ru_nswap)
        blocksRead = Int64(usage.ru_inblock)
        blocksWritten = Int64(usage.ru_oublock)
        messagesSent = Int64(usage.ru_msgsnd)
        messagesReceived = Int64(usage.ru_msgrcv)
        signals = Int64(usage.ru_nsignals)
        voluntarySwitches = Int64(usage.ru_nvcsw)
        involuntarySwitches = Int64(usage.ru_nivcsw)
    }

    /// Of a record that the command has forged any number may come.
    private static func microseconds(_ time: timeval) -> Int64 {
        Int64(time.tv_sec) &* 1_000_000 &+ Int64(time.tv_usec)
    }

    /// From the record of the end; nil where it is too short, as one that the command forged may be.
    init?(_ report: UnsafeMutablePointer<nsrun_report>) {
        guard Int(report.pointee.head.length) == MemoryLayout<rusage>.size,
            let text = nsrun_report_text(report)
        else { return nil }
        var usage = rusage()
        withUnsafeMutableBytes(of: &usage) {
            $0.copyMemory(from: UnsafeRawBufferPointer(start: text, count: $0.count))
        }
        self.init(usage)
    }
}
