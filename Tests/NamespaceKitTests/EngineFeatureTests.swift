// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import NamespaceKit

/// What a request asks for in so many words, and which engine can do it.
@Suite struct EngineFeatureTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let feature: EngineFeature
        let change: @Sendable (inout LaunchRequest) -> Void

        init(_ feature: EngineFeature, _ change: @escaping @Sendable (inout LaunchRequest) -> Void)
        {
            self.feature = feature
            self.change = change
        }

        static func operation(
            _ feature: EngineFeature, _ action: FileSystemOperation.Action
        ) -> Case {
            Case(feature) { $0.files.operations = [.init(action)] }
        }

        var testDescription: String { "\(feature)" }
    }

    static let cases: [Case] = [
        Case(.network) { $0.network = .none },
        Case(.hostname) { $0.namespaces.hostname = "box" },
        Case(.hostname) { $0.namespaces.new.insert(.uts) },
        Case(.ipc) { $0.namespaces.new.insert(.ipc) },
        Case(.cgroup) { $0.namespaces.new.insert(.cgroup) },
        .operation(
            .readOnlyBinds, .bind(source: .path("/a"), target: "/b", options: .readOnly)),
        .operation(
            .readOnlyBinds, .bindData(content: .bytes([]), target: "/b", mode: 0, readOnly: true)),
        .operation(.readOnlyBinds, .remountReadOnly(target: "/b")),
        .operation(.messageQueues, .mqueue(target: "/q")),
        Case(.memoryLayer) { $0.root.layer = .memory },
        Case(.keptLayer) { $0.root.layer = .directory("/d") },
        .operation(.overlays, .overlay(target: "/b", lower: ["/a"], upper: .memory)),
        Case(.identity) { $0.identity.user = 0 }, Case(.identity) { $0.identity.group = 0 },
        Case(.ranges) { $0.identity.mapsSubordinates = true },
        Case(.ranges) { $0.identity.users = [IDRange(inside: 0, outside: 1, count: 1)] },
        Case(.fakeRoot) { $0.identity.fakesRoot = true },
        Case(.fakeRoot) { $0.identity.fakesDeviceNodes = true },
        Case(.capabilities) { $0.identity.capabilities = [.dropAll, .add(1)] },
        Case(.capabilities) { $0.identity.capabilities = [.addAll] },
        Case(.filters) { $0.program.filters = [[0]] },
        .operation(.locks, .lockFile(target: "/l")),
        Case(.heldDescriptors) { $0.lifecycle.heldDescriptors = [9] },
        Case(.reports) { $0.lifecycle.infoDescriptor = 9 },
        Case(.reports) { $0.lifecycle.statusDescriptor = 9 },
        Case(.reports) { $0.lifecycle.mapsDescriptor = 9 },
        Case(.otherNamespaces) { $0.namespaces.enteredUser = 9 },
        Case(.otherNamespaces) { $0.namespaces.enteredPID = 9 },
        Case(.otherNamespaces) { $0.namespaces.finalUser = 9 },
        Case(.nestedNamespaces) { $0.namespaces.forbidsNestedUser = true },
        Case(.nestedNamespaces) { $0.namespaces.requiresNoNestedUser = true },
        Case(.labels) { $0.program.label = "x" }, Case(.labels) { $0.files.label = "x" },
        Case(.pidOne) { $0.lifecycle.commandIsPidOne = true },
        Case(.hostPrograms) { $0.program.runsHostProgram = true },
        Case(.emulators) { $0.program.emulators = [.init(architecture: "arm")] },
        Case(.rootDescriptor) { $0.root.descriptor = 9 },
        Case(.writableRoot) { $0.root.layer = .writable },
        Case(.hostRoot) { $0.files.showsHostRoot = true },
        Case(.devices) { $0.devices.names = ["vendor.com/class=0"] },
        Case(.devices) { $0.devices.showsNVIDIADriver = true },
        Case(.limits) { $0.limits.processes = 9 },
        Case(.joins) { $0.namespaces.join = .named("ranks") },
        .operation(.modes, .changeMode(target: "/b", mode: 0)),
        .operation(.sizes, .tmpfs(target: "/b", mode: 0o755, size: 5)),
    ]

    @Test(arguments: cases) func eachIsNoticed(example: Case) {
        var request = LaunchRequest.rootfs()
        example.change(&request)
        #expect(request.engineFeatures == [example.feature])
    }

    @Test func everyFeatureIsTried() {
        // That the rootfs is a squashfs, the host tells.
        let all = Set(EngineFeature.allCases).subtracting([.images])
        #expect(Set(EngineFeatureTests.cases.map(\.feature)) == all)
    }

    /// What the views do by themselves, and what every engine does.
    @Test func defaultsAskForNothing() {
        var request = LaunchRequest(command: ["true"])
        #expect(request.engineFeatures == [])
        request = .rootfs()
        request.files.operations = [
            .init(.bind(source: .path("/a"), target: "/b", options: [.optional, .devices])),
            .init(.tmpfs(target: "/t", mode: 0o700, size: nil)), .init(.proc(target: "/p")),
            .init(.dev(target: "/d")), .init(.directory(target: "/d", mode: 0o755)),
            .init(.file(content: .bytes([]), target: "/f", mode: 0o644)),
            .init(.bindData(content: .bytes([]), target: "/f", mode: 0, readOnly: false)),
            .init(.symlink(text: "a", target: "/l")),
        ]
        request.files.home = .bound
        request.files.bindsCurrentDirectory = true
        request.identity.capabilities = [.dropAll, .drop(3)]
        request.lifecycle.timeout = 1
        request.lifecycle.newSession = true
        request.lifecycle.diesWithParent = true
        request.program.limits = [ResourceLimit(resource: 7, soft: 1, hard: 1)]
        request.program.workingDirectory = "/"
        request.program.argument0 = "x"
        #expect(request.engineFeatures == [])
    }

    @Test func whoHonoursWhat() {
        #expect(EngineFeature.allCases.allSatisfy { $0.isHonoured(by: .namespaces) })
        #expect(EngineFeature.allCases.filter { $0.isHonoured(by: .fakechroot) } == [.filters])
        #expect(
            EngineFeature.allCases.filter { $0.isHonoured(by: .proot) } == [
                .identity, .fakeRoot, .emulators, .writableRoot, .hostRoot,
            ])
    }

    @Test(arguments: cases, [Engine.fakechroot, .proot])
    func whatIsNotHonouredIsRefused(example: Case, engine: Engine) throws {
        var request = LaunchRequest.rootfs()
        example.change(&request)
        if example.feature.isHonoured(by: engine) { return }
        do throws(LaunchError) {
            _ = try EngineRun(request, on: .alice, by: engine)
            Issue.record("\(engine) took it")
        } catch {
            let name = OptionNames.current.features[example.feature.rawValue]
            #expect(error.message == "the engine \(engine.name) cannot honour \(name)")
            #expect(error.remedy?.contains("userns") == true)
            #expect(error.exitStatus == 125)
        }
    }

    /// Bubblewrap's empty root is put together of mounts alone.
    @Test(arguments: [Engine.fakechroot, .proot]) func anEmptyRootIsRefused(engine: Engine) {
        let request = LaunchRequest(command: ["true"]).with { $0.root.view = .empty }
        #expect(throws: LaunchError.self) {
            _ = try EngineRun(request, on: .alice, by: engine)
        }
    }

    @Test func namesOfEngines() {
        for engine in Engine.allCases { #expect(Engine(named: ByteString(engine.name)) == engine) }
        #expect(Engine(named: "chroot") == nil)
    }

    // MARK: Content of descriptors

    @Test func contentIsReadOnce() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        #expect(write(ends[1], "text", 4) == 4)
        close(ends[1])
        defer { close(ends[0]) }
        var request = LaunchRequest.rootfs()
        request.files.operations = [
            .init(.file(content: .descriptor(ends[0]), target: "/f", mode: 0o600)),
            .init(
                .bindData(content: .descriptor(ends[0]), target: "/g", mode: 0, readOnly: false)),
        ]
        for _ in 0..<2 {
            try request.readContents()
            #expect(
                request.files.operations.map(\.action) == [
                    .file(content: .bytes(Array("text".utf8)), target: "/f", mode: 0o600),
                    .bindData(content: .bytes([]), target: "/g", mode: 0, readOnly: false),
                ])
            // The command does not get them.
            #expect(request.program.closedDescriptors == [ends[0], ends[0]])
        }
        request.files.operations = [
            .init(.file(content: .descriptor(9999), target: "/f", mode: 0o600))
        ]
        #expect(throws: LaunchError.self) { try request.readContents() }
    }
}
