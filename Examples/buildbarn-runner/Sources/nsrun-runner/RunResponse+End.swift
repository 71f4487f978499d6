// SPDX-License-Identifier: Apache-2.0

import CRunner
import Glibc
import NamespaceKit
import SwiftProtobuf

extension Buildbarn_Runner_RunResponse {
    /// What bb_runner says of an action that has run: -1 and the signal's name where a signal ended it.
    init(end: ExitStatus, of process: RunningProcess) throws {
        var usage = Buildbarn_Resourceusage_POSIXResourceUsage()
        if let used = process.resourceUsage { usage.set(used) }
        switch end {
        case .exited(let code): exitCode = code
        case .signaled(let number):
            exitCode = -1
            usage.terminationSignal = name(ofSignal: number)
        }
        resourceUsage = [try Google_Protobuf_Any(message: usage)]
    }
}

private func name(ofSignal number: Int32) -> String {
    if let name = runner_signal_name(number) { return String(cString: name) }
    return "RTMIN+\(number - __libc_current_sigrtmin())"
}

extension Buildbarn_Resourceusage_POSIXResourceUsage {
    fileprivate mutating func set(_ usage: ResourceUsage) {
        userTime = Google_Protobuf_Duration(microseconds: usage.userTime)
        systemTime = Google_Protobuf_Duration(microseconds: usage.systemTime)
        maximumResidentSetSize = usage.maximumResidentSize * 1024
        pageReclaims = usage.minorFaults
        pageFaults = usage.majorFaults
        swaps = usage.swaps
        blockInputOperations = usage.blocksRead
        blockOutputOperations = usage.blocksWritten
        messagesSent = usage.messagesSent
        messagesReceived = usage.messagesReceived
        signalsReceived = usage.signals
        voluntaryContextSwitches = usage.voluntarySwitches
        involuntaryContextSwitches = usage.involuntarySwitches
    }
}

extension Google_Protobuf_Duration {
    fileprivate init(microseconds: Int64) {
        self.init(
            seconds: microseconds / 1_000_000, nanos: Int32(microseconds % 1_000_000) * 1000)
    }
}
