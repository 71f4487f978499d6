// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// The relay of a run, started before the run is, to which it sends what it listens by.
struct RelayServer {
    /// Ends with the relay, -1 where there is none.
    private var life: Int32 = -1
    /// What the executor sends by; the launcher closes it when the child has its copy, for the relay to notice the child's
    /// end.
    private var descriptor: Int32 = -1

    /// Nanoseconds: what the run has sent may still go out.
    private static let patience: Int64 = 10_000_000_000

    /// What the kernel says to a connection that does not come about.
    private static let codes: [Int32] = [
        ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN, ECONNRESET, EACCES,
        EPERM, EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL,
    ]

    /// Prepares a plan that has a relay, and puts the descriptor into it.
    init(_ plan: inout LaunchPlan) throws(LaunchError) {
        for index in plan.steps.indices {
            guard case .relay(var relay) = plan.steps[index].action else { continue }
            let error = start(relay, saying: plan.messagePrefix)
            guard error == 0 else {
                throw LaunchError(
                    .setup, "cannot start the relay: \(reason(-error))",
                    remedy: Remedy.general(-error, at: nil), code: -error)
            }
            relay.descriptor = descriptor
            plan.steps[index].action = .relay(relay)
            plan.launcherDescriptors.append(life)
        }
    }

    /// The relay has a copy of all this.
    private mutating func start(_ relay: Relay, saying prefix: ByteString) -> Int32 {
        var words = CStringArray()
        var reasons = CStringArray()
        defer {
            words.free()
            reasons.free()
        }
        for code in Self.codes { reasons.append(ByteString(reason(code))) }
        words.append(prefix)
        for route in relay.routes { words.append(ByteString(route.name)) }
        let servers = relay.routes.flatMap { route in
            route.servers.map { $0.endpoint(port: route.port) }
        }
        var doors = [Int32](repeating: -1, count: relay.routes.count)
        let vector = reasons.terminated()
        return servers.withUnsafeBufferPointer { servers in
            var routes: [nsrun_route] = []
            var next = 0
            for (index, route) in relay.routes.enumerated() {
                routes.append(
                    nsrun_route(
                        listen: route.address.endpoint(port: route.port),
                        dialled: servers.baseAddress! + next, count: UInt32(route.servers.count),
                        name: words.pointers[index + 1]!))
                next += route.servers.count
            }
            return routes.withUnsafeBufferPointer { routes in
                doors.withUnsafeMutableBufferPointer { doors in
                    Self.codes.withUnsafeBufferPointer { codes in
                        vector.withMemoryRebound(
                            to: UnsafePointer<CChar>?.self, capacity: reasons.pointers.count + 1
                        ) { reasons in
                            var made = nsrun_relay(
                                routes: routes.baseAddress, count: UInt32(routes.count),
                                doors: doors.baseAddress, prefix: words.pointers[0],
                                codes: codes.baseAddress, reasons: reasons, errors: 2)
                            return nsrun_start_relay(&made, &descriptor, &life)
                        }
                    }
                }
            }
        }
    }

    /// When the run has ended: waits until the relay has, too.
    mutating func awaitEnd() {
        guard life >= 0 else { return }
        while nsrun_poll3(life, -1, -1, Self.patience) != 0, nsrun_await(life) > 0 {}
        close()
    }

    mutating func closeAfterLaunch() {
        if descriptor >= 0 { closeDescriptor(descriptor) }
        descriptor = -1
    }

    mutating func close() {
        closeAfterLaunch()
        if life >= 0 { closeDescriptor(life) }
        life = -1
    }
}
