// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What each preset stands for.
@Suite struct PresetTests {
    @Test func presetsHaveNames() {
        let names: [ByteString] = ["host", "rootfs", "toolbox", "action", "test"]
        #expect(names.map { Preset(named: $0) } == [.host, .rootfs, .toolbox, .action, .test])
        for preset in Preset.allCases { #expect(Preset(named: preset.name) == preset) }
        for name in ["", "Toolbox", "tool", "toolboxes"] as [ByteString] {
            #expect(Preset(named: name) == nil)
        }
    }

    @Test func someNeedARootfsAndOneStartsAShell() {
        for preset in [Preset.rootfs, .toolbox, .action] { #expect(preset.needsRootfs) }
        for preset in [Preset.host, .test, .sandbox] { #expect(!preset.needsRootfs) }
        #expect(Preset.allCases.filter(\.startsShell) == [.toolbox])
    }

    private func changed(_ preset: Preset) -> LaunchRequest {
        LaunchRequest(command: ["true"]).with { $0.apply(preset) }
    }

    @Test(arguments: [Preset.host, .rootfs])
    func theViewsAreAsTheyAre(preset: Preset) {
        #expect(changed(preset) == LaunchRequest(command: ["true"]))
    }

    @Test func aToolboxIsTheHostWithinReach() {
        let wanted = LaunchRequest(command: ["true"]).with {
            $0.files.home = .bound
            $0.files.bindsCurrentDirectory = true
            $0.files.showsHostRoot = true
            $0.files.hostParts = [.devices, .temporary, .media, .settings, .desktop, .groups]
            $0.files.leavesOutMissing = true
            $0.lifecycle.keyring = .callers
            $0.namespaces.new.remove(.pid)
            $0.namespaces.sharesLayer = true
        }
        #expect(changed(.toolbox) == wanted)
    }

    @Test func anActionStartsFromNothing() {
        let wanted = LaunchRequest(command: ["true"]).with {
            $0.root.layer = .writable
            $0.program.environment.start = .empty
            $0.network = .none
            $0.namespaces.scopesSockets = true
            $0.lifecycle.diesWithParent = true
        }
        #expect(changed(.action) == wanted)
    }

    @Test func aTestHasLimitsAndNoHome() {
        let request = changed(.test)
        #expect(request.files.home == .empty)
        #expect(request.files.bindsSourceTree)
        #expect(request.files.hidesSockets && request.namespaces.scopesSockets)
        #expect(request.namespaces.new == [.user, .mount, .pid])
        #expect(request.network == .none)
        #expect(request.namespaces.hostname == "test")
        #expect(request.lifecycle.timeout == 600_000_000_000)
        #expect(request.lifecycle.killAfter == 10_000_000_000)
        #expect(request.lifecycle.diesWithParent)
        #expect(request.root.view == .host && request.root.layer == .readOnly)
    }

    @Test func aTestsLimitsOnlyLowerTheCallers() throws {
        let limits = changed(.test).program.limits
        let names: [ByteString] = ["nproc", "data"]
        #expect(limits.map(\.resource) == names.map { ResourceLimit.resource(named: $0) })
        #expect(limits.map(\.soft) == [4096, 8 << 30])
        #expect(limits.map(\.hard) == [4096, 8 << 30])
        #expect(limits.map(\.onlyLowers) == [true, true])
        let steps = try plan(changed(.test)).transcript
        #expect(steps.contains("limit nproc to 4096, at most 4096, unless it is lower\n"))
    }

    // MARK: As plans

    @Test func anActionSeesItsRootAndNoHome() throws {
        let request = LaunchRequest.rootfs().with { $0.apply(.action) }
        let plan = try plan(request)
        let seen = try sees(request)
        #expect(seen.first == "/: /srv/debian rw")
        #expect(!seen.contains { $0.hasPrefix("/home") })
        #expect(plan.environment == [])
        #expect(plan.actions.contains(.changeDirectory(["/home/alice/work", "/"])))
        #expect(plan.programs?.contains("/usr/bin/true") == true)
    }

    @Test func anActionMayBeGivenMore() throws {
        let request = LaunchRequest.rootfs().with {
            $0.apply(.action)
            $0.program.environment.changes = [.set(name: "PATH", value: "/tools")]
            $0.program.workingDirectory = "/work"
            $0.files.operations = [
                .init(.bind(source: .path("/scratch"), target: "/tmp", options: []))
            ]
        }
        let plan = try plan(request)
        #expect(plan.environment == ["PATH=/tools"])
        #expect(plan.programs == ["/tools/true"])
        #expect(plan.actions.contains(.changeDirectory(["/work"])))
        #expect(try sees(request).contains("/tmp: /scratch rw"))
    }

    @Test func aTestOnTheHostSeesEmptyPlaces() throws {
        #expect(
            try sees(changed(.test)) == [
                "/: / rw",
                "/dev/shm: tmpfs private",
                "/home/alice: tmpfs private",
                "/home/alice/work: /home/alice/work rw",
                "/proc: proc private",
                "/tmp: tmpfs private",
                "/var/tmp: tmpfs private",
            ])
    }

    @Test func aTestDoesNotFindTheCallersSession() throws {
        var facts = HostFacts.alice
        facts.environment += ["TMPDIR=/scratch", "XDG_RUNTIME_DIR=/run/user/1000", "OTHER=1"]
        #expect(
            try plan(changed(.test), on: facts).environment
                == HostFacts.alice.environment + ["OTHER=1"])
    }
}
