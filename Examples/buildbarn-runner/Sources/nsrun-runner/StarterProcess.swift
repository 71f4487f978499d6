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

    /// Waits until one is gone that has closed its link.
    func bury() {
        while waitpid(pid, nil, 0) < 0, errno == EINTR {}
    }
}

/// The starters that have nothing to do.
final class IdleStarters: Sendable {
    private let starters = Mutex<[StarterProcess]>([])

    /// Gives a request to one of them, or to a new one.
    func start(_ request: [UInt8]) throws(RPCError) -> StarterProcess {
        while let starter = starters.withLock({ $0.popLast() }) {
            if starter.link.send(request) { return starter }
            starter.bury()  // somebody has killed it
        }
        let starter = try StarterProcess()
        starter.link.send(request)
        return starter
    }

    func put(_ starter: StarterProcess) { starters.withLock { $0.append(starter) } }
}
