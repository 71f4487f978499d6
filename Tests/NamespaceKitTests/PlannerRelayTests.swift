// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Servers that a run reaches through its relay: what is written, and what becomes of it.
@Suite struct PlannerRelayTests {
    @Test(
        arguments: [
            ("example.org:443", "example.org", 443), ("192.0.2.1:80", "192.0.2.1", 80),
            ("[2001:db8::1]:65535", "2001:db8::1", 65535),
            ("xn--bcher-kva.example:1", "xn--bcher-kva.example", 1),
            ("under_score.local:22", "under_score.local", 22),
        ] as [(ByteString, ByteString, UInt16)])
    func whatAServerIs(text: ByteString, name: ByteString, port: UInt16) throws {
        let host = try AllowedHost(parsing: text)
        #expect(host == AllowedHost(name: name, port: port))
        #expect(host.text == text.text)
    }

    @Test(
        arguments: [
            ("example.org", "it has no port"), (":80", "it has no port"), ("", "it has no port"),
            ("https://example.org:443", "it is not a name and a port"),
            ("example.org:443/path", "it is not a name and a port"),
            ("::1:80", "where its port begins cannot be told"),
            ("a:b:80", "where its port begins cannot be told"),
            ("example.org:", "\"\" is no port"), ("example.org:https", "\"https\" is no port"),
            ("example.org:0", "\"0\" is no port"), ("example.org:65536", "\"65536\" is no port"),
            ("example.org:80-90", "\"80-90\" is no port"),
            ("example.org:80,90", "\"80,90\" is no port"),
            ("example.org:*", "\"*\" is no port"),
            ("*.example.org:80", "names are looked up when the run starts, and this is none"),
            ("*:80", "names are looked up when the run starts, and this is none"),
            ("a b:80", "that is no name of a host"), ("a\nb:80", "that is no name of a host"),
            ("bücher.example:80", "that is no name of a host"),
            ("[]:80", "that is no name of a host"),
        ] as [(ByteString, String)])
    func whatIsNone(text: ByteString, cause: String) {
        let error = #expect(throws: LaunchError.self) { try AllowedHost(parsing: text) }
        #expect(error?.message == "cannot allow \(text.text): \(cause)")
        #expect(error?.kind == .usage && error?.remedy != nil)
    }

    private func address(_ last: UInt8) -> InternetAddress {
        InternetAddress(bytes: [192, 0, 2, last])
    }
    private let ipv6 = InternetAddress(
        bytes: [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 11) + [1])

    private func host(_ name: ByteString, _ port: UInt16, _ addresses: [InternetAddress])
        -> ResolvedHost
    {
        ResolvedHost(AllowedHost(name: name, port: port), addresses: addresses)
    }

    /// Where it is not known which server is meant, only what is right for each of them is tried.
    @Test func anAddressOfSeveralNames() {
        let relay = Relay(to: [
            host("a", 80, [address(1), address(2)]), host("b", 80, [address(2), address(3)]),
            host("b", 81, [address(2)]),
        ])
        #expect(relay.routes.map(\.name) == ["a:80", "a:80 or b:80", "b:80", "b:81"])
        #expect(
            relay.routes.map(\.servers) == [
                [address(1), address(2)], [address(2)], [address(3), address(2)], [address(2)],
            ])
    }

    /// Without IPv6 a server is reached by its other address, where it has one.
    @Test func addressesThatAreNotNeeded() {
        let relay = Relay(to: [
            host("a", 80, [ipv6, address(1)]), host("b", 80, [ipv6]),
            host("c", 81, [ipv6, address(1)]),
        ])
        #expect(relay.routes.map(\.isOptional) == [false, false, true, false])
    }

    @Test func theNameOfTheHostItself() {
        let hosts = [host("a", 80, [address(1)])]
        #expect(
            Relay.hostsFile(hosts)
                == "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n192.0.2.1\ta\n"
        )
    }

    @Test func theNamesInside() {
        let loopback = InternetAddress(bytes: [127, 0, 0, 1])
        let text = Relay.hostsFile([
            host("a", 80, [ipv6, address(1)]), host("a", 81, [ipv6, address(1)]),
            host("localhost", 80, [loopback]),
            ResolvedHost(
                AllowedHost(name: "192.0.2.9", port: 1), addresses: [address(9)], isAddress: true),
        ])
        #expect(
            text
                == "2001:db8::1\ta\n192.0.2.1\ta\n127.0.0.1\tlocalhost\n"
        )
    }

    @Test(
        arguments: [
            ([0, 0, 0, 0], false), ([224, 0, 0, 1], false), ([255, 255, 255, 255], false),
            ([127, 0, 0, 1], true),
            ([169, 254, 1, 1], true), ([0xfe, 0x80] + [UInt8](repeating: 1, count: 14), false),
            ([0xff, 2] + [UInt8](repeating: 0, count: 14), false),
            ([UInt8](repeating: 0, count: 16), false),
            ([UInt8](repeating: 0, count: 15) + [1], true),
            ([UInt8](repeating: 0, count: 10) + [0xff, 0xff, 127, 0, 0, 1], false),
        ] as [([UInt8], Bool)])
    func whatAServerCanHave(bytes: [UInt8], isUsable: Bool) {
        #expect(InternetAddress(bytes: bytes).isOfHost == isUsable)
    }

    private func request() -> LaunchRequest {
        var request = LaunchRequest(command: ["true"])
        request.network = .relay(to: [AllowedHost(name: "a", port: 80)])
        return request
    }

    private func facts() -> HostFacts {
        var facts = HostFacts.alice
        facts.allowedHosts = .found([host("a", 80, [address(1)])])
        return facts
    }

    @Test(arguments: [.host, .rootfs("/srv/root"), .empty] as [LaunchRequest.View])
    func itListensBeforeAnythingIsMountedAndNamesAreTheLast(view: LaunchRequest.View) throws {
        var request = request()
        request.root.view = view
        let plan = try plan(request, on: facts())
        #expect(plan.namespaces.contains(.network))
        let index = try #require(
            plan.actions.firstIndex { if case .relay = $0 { true } else { false } })
        #expect(plan.actions[index - 1] == .raiseLoopback)
        for place: ByteString in ["/etc/hosts", "/etc/resolv.conf"] {
            let steps = plan.steps.filter { $0.target == place }
            #expect(steps.count == 1)
            guard case .bindData = steps.last?.action else { throw LaunchError(.setup, "\(steps)") }
        }
    }

    @Test func whoIsNotKnownIsRefused() throws {
        var facts = facts()
        let error = LaunchError(.setup, "cannot allow a:80: there is no such name")
        facts.allowedHosts = .refused(error)
        #expect(throws: error) { try plan(request(), on: facts) }
    }

    @Test func aProgramThatLaunchesIsToldOfNames() {
        let host = AllowedHost(name: "a b", port: 80)
        guard case .refused(let error) = ResolvedHost.find([host]) else {
            Issue.record("found")
            return
        }
        #expect(error.message.hasPrefix("cannot allow a b:80: that is no name"))
    }

    @Test func thereAreNotEndlesslyMany() {
        var facts = facts()
        facts.allowedHosts = .found((0..<600).map { host("a", UInt16($0 + 1), [address(1)]) })
        let error = #expect(throws: LaunchError.self) { try plan(request(), on: facts) }
        #expect(error?.message == "cannot allow 600 addresses: 512 are the most")
    }
}
