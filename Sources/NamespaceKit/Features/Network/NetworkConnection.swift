// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// A run's network, connected to the host's by ``Pasta`` as long as the run lasts.
struct NetworkConnection {
    /// Has ended when pasta has, -1 where there is none.
    private(set) var descriptor: Int32 = -1

    /// Nanoseconds for what takes a few hundredths of a second.
    private static let patience: Int64 = 10_000_000_000

    /// Where it complains until the network is connected, -1 otherwise.
    private var errors: Int32 = -1
    private var due: Int64 = 0

    /// It has been started and is not ready yet: until then ``descriptor`` tells of that.
    var isPending: Bool { errors >= 0 }
    /// Nanoseconds that it may still take.
    var timeLeft: Int64 { max(0, due - nsrun_now()) }

    /// Starts to connect the network of a run, of which this is the first process.
    mutating func start(
        _ pasta: Pasta, passing ports: [PassedPort], for child: Int32
    ) throws(LaunchError) {
        for port in ports { try NetworkConnection.check(port.outside) }
        let passed = ports.isEmpty ? "none" : ports.map { $0.text }.joined(by: ",")
        var arguments = CStringArray()
        var words: [ByteString] = [
            "pasta", "--config-net", "--quiet", "--foreground", "--pid", "/proc/self/fd/1",
            // Nothing listens on the host for what listens inside, nor the other way round, but where that is asked for.
            "--tcp-ports", passed, "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
            "--no-map-gw",
        ]
        // It would become nobody, who may not enter root's namespaces.
        if HostProcess.isRoot { words += ["--runas", "0:0"] }
        words.append(ByteString(String(child)))
        for word in words { arguments.append(word) }
        defer { arguments.free() }
        var errors: Int32 = -1
        let argv = arguments.terminated()
        let error = withCString(pasta.program) {
            nsrun_start_pasta($0, argv, nsrun_environment()!, child, &descriptor, &errors)
        }
        guard error == 0 else {
            throw LaunchError(
                .setup, "cannot connect the network: cannot start pasta: \(reason(-error))",
                code: -error)
        }
        self.errors = errors
        due = TimeLimit.later(by: NetworkConnection.patience)
    }

    /// pasta is content when it gets a port at some of the host's addresses.
    private static func check(_ port: UInt16) throws(LaunchError) {
        let error = nsrun_try_port(port)
        if error == 0 { return }
        let remedy: String? =
            switch -error {
            case EADDRINUSE: "another program has it: take another port"
            case EACCES, EPERM:
                "ports below sysctl net.ipv4.ip_unprivileged_port_start, usually 1024, are root's: take a higher one"
            default: nil
            }
        throw LaunchError(
            .setup, "cannot pass on port \(port): \(reason(-error))", remedy: remedy, code: -error)
    }

    /// Nobody waits for it any more.
    mutating func abandon() {
        if isPending { closeDescriptor(errors) }
        errors = -1
    }

    /// Takes what it says, a line when it is ready, or its end. To be called when there is something, or its time is over.
    mutating func finish() throws(LaunchError) {
        defer { abandon() }
        guard nsrun_poll3(descriptor, -1, -1, 0) != 0 else {
            throw failure("it is not ready after 10 seconds")
        }
        // A line with its pid, or the end.
        if nsrun_await(descriptor) > 0 { return }
        var said = "it has ended"
        var isOfPasta = false
        if case .content(let bytes) = HostFile.read(descriptor: errors, limit: 65536) {
            // Without a system log it says so, too, line by line.
            let lines = ByteString(bytes: bytes).split(on: UInt8(ascii: "\n"))
            if let last = lines.last(where: { !$0.isEmpty && !$0.hasPrefix("Failed to send") }) {
                said = last.text
                isOfPasta = said != "it cannot be started"
            }
        }
        throw failure(said, isOfPasta: isOfPasta)
    }

    private func failure(_ said: String, isOfPasta: Bool = false) -> LaunchError {
        let other = OptionNames.current.hostNetwork
        return LaunchError(
            .setup, "cannot connect the network: pasta: \(said)",
            remedy: isOfPasta
                ? "the host needs a route to somewhere; or use \(other)"
                : "memory or open files may be short: start it once more; or use \(other)")
    }

    /// When the run has ended: waits until pasta has, too.
    mutating func close() {
        abandon()
        guard descriptor >= 0 else { return }
        while nsrun_poll3(descriptor, -1, -1, NetworkConnection.patience) != 0,
            nsrun_await(descriptor) > 0
        {}
        closeDescriptor(descriptor)
        descriptor = -1
    }
}
