// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// A network of the run's own that pasta connects to the host's.
@Suite struct PlannerNetworkTests {
    private let command = LaunchRequest(command: ["true"])
    private let pasta = Pasta(program: "/usr/bin/pasta")

    private func connected(
        _ view: LaunchRequest.View = .host, ports: [PassedPort] = []
    ) -> LaunchRequest {
        command.with {
            $0.root.view = view
            $0.network = .pasta(ports: ports)
        }
    }

    private func facts(_ pasta: Pasta) -> HostFacts {
        var facts = HostFacts.alice
        facts.pasta = .found(pasta)
        return facts
    }

    @Test func itIsConnectedBeforeAnythingIsMounted() throws {
        let actions = try plan(connected(), on: facts(pasta)).actions
        let index = try #require(actions.firstIndex(of: .connectNetwork(pasta, ports: [])))
        #expect(actions[index - 1] == .raiseLoopback)
        #expect(actions[index + 1] == .hostRoot)
    }

    @Test func portsArePassedOn() throws {
        let ports = [PassedPort(outside: 8080, inside: 80), PassedPort(outside: 9, inside: 9)]
        let actions = try plan(connected(ports: ports), on: facts(pasta)).actions
        #expect(actions.contains(.connectNetwork(pasta, ports: ports)))
        let words = Step(action: .connectNetwork(pasta, ports: ports)).description
        #expect(words.hasSuffix("and pass on 8080:80, 9:9"), "\(words)")
    }

    @Test(
        arguments: [
            ("8080", (8080, 8080)), ("8080:80", (8080, 80)), ("65535:1", (65535, 1)), ("", nil),
            (":", nil), ("0", nil),
            ("65536", nil), ("80:", nil), (":80", nil), ("1:2:3", nil), ("-1", nil), ("80a", nil),
            ("+80", nil),
            ("99999999999999999999", nil), ("8080:65617", nil),
        ] as [(ByteString, (UInt16, UInt16)?)])
    func whatAPortIs(text: ByteString, numbers: (UInt16, UInt16)?) {
        #expect(
            PassedPort(parsing: text)
                == numbers.map { PassedPort(outside: $0.0, inside: $0.1) })
    }

    @Test func somebodyMustBeThereToConnectIt() throws {
        var request = connected()
        request.namespaces.new.remove(.pid)
        let inPlace = try Planner.plan(request, on: facts(pasta), as: .replaceable)
        #expect(inPlace.shape == .child)
    }

    @Test(arguments: [.host, .rootfs("/srv/root")] as [LaunchRequest.View])
    func aResolverOutOfReachIsReplaced(view: LaunchRequest.View) throws {
        func sources(_ pasta: Pasta) throws -> [FileSystemOperation.Source] {
            try plan(connected(view), on: facts(pasta)).actions.compactMap {
                if case .bind(let bind) = $0, bind.target == "/etc/resolv.conf" {
                    bind.source
                } else {
                    nil
                }
            }
        }
        var other = pasta
        other.resolverFile = "/run/systemd/resolve/resolv.conf"
        #expect(try sources(other) == [.path("/run/systemd/resolve/resolv.conf")])
        #expect(try sources(pasta) == (view == .host ? [] : [.path("/etc/resolv.conf")]))
    }

    @Test func whyItCannotBeConnected() throws {
        var facts = HostFacts.alice
        let error = LaunchError(.setup, "cannot connect the network: pasta is not installed")
        facts.pasta = .refused(error)
        #expect(throws: error) { try plan(connected(), on: facts) }
        // Who asks for less needs none.
        #expect(throws: Never.self) { try plan(command, on: facts) }
    }

    @Test func aGroupHasNone() throws {
        var request = connected()
        request.namespaces.join = .named("x")
        let error = #expect(throws: LaunchError.self) { try plan(request, on: facts(pasta)) }
        #expect(error?.message.contains("connects no network") == true)
    }

    @Test(
        arguments: [
            ("nameserver 127.0.0.53\n", true), ("nameserver ::1\nnameserver\t127.0.0.1\n", true),
            ("nameserver 192.0.2.1\n", false), ("search example.org\n", false), ("", false),
            ("nameserver 127.0.0.1\nnameserver 192.0.2.1", false),
            ("# nameserver 127.0.0.1\n", false),
        ])
    func resolversOnTheLoopbackInterface(text: String, isOutOfReach: Bool) {
        #expect(Pasta.asksLoopbackAlone(Array(text.utf8)) == isOutOfReach)
        #expect(!Pasta.asksLoopbackAlone(nil))
    }
}
