import CRunner
import GRPCCore
import Glibc
import Synchronization

/// A starter, as the server sees it.
struct StarterProcess: Sendable {
    let pid: pid_t
    let link: Link

    /// Starts one with the arguments of this program.
    init() throws(RPCError) {
        let arguments = CommandLine.arguments + ["--starter"]
        var vector = arguments.map { strdup($0) } + [nil]
        defer { for argument in vector { free(argument) } }
        var end: Int32 = -1
        pid = runner_start_again(&vector, &end)
        link = Link(descriptor: try Descriptor(pid < 0 ? pid : end, "a process for the action"))
    }

    /// Waits until it is gone, as it will be when it has been interrupted or nobody holds its link.
    static func bury(_ pid: pid_t) {
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }
}

/// The starters that have nothing to do.
final class IdleStarters: Sendable {
    private let starters = Mutex<[StarterProcess]>([])

    /// An idle starter, or a new one.
    func take() throws(RPCError) -> StarterProcess {
        if let starter = starters.withLock({ $0.popLast() }) { return starter }
        return try StarterProcess()
    }

    func put(_ starter: StarterProcess) { starters.withLock { $0.append(starter) } }
}
