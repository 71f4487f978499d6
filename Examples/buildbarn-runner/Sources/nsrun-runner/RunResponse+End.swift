import CRunner
import Glibc
import SwiftProtobuf

extension Buildbarn_Runner_RunResponse {
    /// What bb_runner says of an action that has run: -1 and the signal's name where a signal ended it.
    init(_ end: ActionEnd) throws {
        var usage = Buildbarn_Resourceusage_POSIXResourceUsage(end.usage)
        switch end.status {
        case .exited(let code): exitCode = code
        case .signaled(let number):
            exitCode = -1
            usage.terminationSignal = runner_signal_name(number).map { String(cString: $0) } ?? ""
        }
        resourceUsage = [try Google_Protobuf_Any(message: usage)]
    }
}

extension Buildbarn_Resourceusage_POSIXResourceUsage {
    init(_ usage: rusage) {
        userTime = Google_Protobuf_Duration(usage.ru_utime)
        systemTime = Google_Protobuf_Duration(usage.ru_stime)
        maximumResidentSetSize = Int64(usage.ru_maxrss) * 1024
        pageReclaims = Int64(usage.ru_minflt)
        pageFaults = Int64(usage.ru_majflt)
        swaps = Int64(usage.ru_nswap)
        blockInputOperations = Int64(usage.ru_inblock)
        blockOutputOperations = Int64(usage.ru_oublock)
        messagesSent = Int64(usage.ru_msgsnd)
        messagesReceived = Int64(usage.ru_msgrcv)
        signalsReceived = Int64(usage.ru_nsignals)
        voluntaryContextSwitches = Int64(usage.ru_nvcsw)
        involuntaryContextSwitches = Int64(usage.ru_nivcsw)
    }
}

extension Google_Protobuf_Duration {
    fileprivate init(_ time: timeval) {
        self.init(seconds: Int64(time.tv_sec), nanos: Int32(time.tv_usec) * 1000)
    }
}
