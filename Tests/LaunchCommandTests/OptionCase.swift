// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

/// A command line and the change that it makes to a request for the same command: that and no other.
struct OptionCase: Sendable, CustomTestStringConvertible {
    let options: [String]
    let change: @Sendable (inout LaunchRequest) -> Void

    init(_ options: String..., change: @escaping @Sendable (inout LaunchRequest) -> Void) {
        self.options = options
        self.change = change
    }

    /// An option about the file system.
    static func mount(
        _ action: FileSystemOperation.Action, _ options: String..., parents: UInt32 = 0o755
    ) -> OptionCase {
        let words = options
        return OptionCase(words: words) {
            let name = ByteString(words.first { $0 != "--perms" && $0.hasPrefix("--") } ?? "")
            $0.files.operations = [FileSystemOperation(action, origin: name)]
            $0.files.operations[0].parentMode = parents
        }
    }

    init(words: [String], change: @escaping @Sendable (inout LaunchRequest) -> Void) {
        options = words
        self.change = change
    }

    var testDescription: String { options.joined(separator: " ") }
}

extension RequestBuilderTests {
    /// Identity beyond one's own, and what bubblewrap calls for now and then.
    static let more: [OptionCase] = [
        OptionCase("--fake-root") { $0.identity.fakesRoot = true },
        OptionCase("--map-auto") { $0.identity.mapsSubordinates = true },
        OptionCase("--map-users", "0:100000:5", "--map-users", "9:200000:1") {
            $0.identity.users = [
                IDRange(inside: 0, outside: 100_000, count: 5),
                IDRange(inside: 9, outside: 200_000, count: 1),
            ]
        },
        OptionCase("--map-groups", "1:2:3") {
            $0.identity.groups = [IDRange(inside: 1, outside: 2, count: 3)]
        },

        OptionCase("--arch", "armhf", "--arch=riscv64") {
            $0.program.emulators = [.init(architecture: "armhf"), .init(architecture: "riscv64")]
        },
        OptionCase("--emulator", "arm=/opt/a=b:c/qemu", "--emulator=x=y") {
            $0.program.emulators = [
                .init(architecture: "arm", path: "/opt/a=b:c/qemu"),
                .init(architecture: "x", path: "y"),
            ]
        },

        OptionCase("--device", "v.com/c=1", "--device=v.com/c=2", "--cdi-spec-dir", "/s") {
            $0.devices.names = ["v.com/c=1", "v.com/c=2"]
            $0.devices.directories = ["/s"]
        },
        OptionCase("--rootfs", "/r", "--nvidia") {
            $0.root.view = .rootfs("/r")
            $0.devices.showsNVIDIADriver = true
        },
        OptionCase("--debug-opt", "driver-root=/fake") { $0.devices.driverRoot = "/fake" },

        OptionCase("--join", "ranks") { $0.namespaces.join = .named("ranks") },
        OptionCase("--join=auto") { $0.namespaces.join = .jobStep },
        OptionCase("--join", "x", "--unshare-all", "--share-pid") {
            $0.namespaces.join = .named("x")
            $0.namespaces.new = [.user, .mount, .ipc, .uts]
            $0.network = .none
            $0.namespaces.optional = [.user, .cgroup]
        },
        OptionCase("--reuse", "tests") { $0.reuse = Reuse(.named("tests")) },
        OptionCase("--reuse=auto", "--reuse-idle", "5m") {
            $0.reuse = Reuse(.byContent, idle: 300_000_000_000)
        },
        // They change how the request is run, not what it asks for.
        OptionCase("--detach", "--log", "/f") { _ in },
        OptionCase("--engine", "proot", "--require", "isolation") { _ in },

        OptionCase("--userns", "2") {
            $0.namespaces.enteredUser = 2
            $0.namespaces.new = [.mount, .pid]
        },
        OptionCase("--userns2", "2") { $0.namespaces.finalUser = 2 },
        OptionCase("--pidns", "2") { $0.namespaces.enteredPID = 2 },
        OptionCase("--disable-userns") { $0.namespaces.forbidsNestedUser = true },
        OptionCase("--assert-userns-disabled") { $0.namespaces.requiresNoNestedUser = true },
        OptionCase("--exec-label", "x_t", "--file-label", "f_t") {
            $0.program.label = "x_t"
            $0.files.label = "f_t"
        },
        OptionCase("--not-a-security-boundary") { $0.files.toleratesSubmounts = true },
        OptionCase("--level-prefix") { _ in },

        OptionCase("--sync-fd", "1", "--sync-fd", "2") {
            $0.lifecycle.heldDescriptors = [1, 2]
        },
        OptionCase("--block-fd", "2") { $0.lifecycle.startDescriptor = 2 },
        OptionCase("--userns-block-fd", "2", "--info-fd", "2", "--unshare-user") {
            $0.lifecycle.mapsDescriptor = 2
            $0.lifecycle.infoDescriptor = 2
        },
        OptionCase("--json-status-fd", "2") { $0.lifecycle.statusDescriptor = 2 },

        .mount(
            .bind(source: .descriptor(2), target: "/b", options: []), "--bind-fd", "2", "/b"),
        .mount(
            .bind(source: .descriptor(2), target: "/b", options: .readOnly), "--ro-bind-fd", "2",
            "/b"),
        .mount(.lockFile(target: "/l"), "--lock-file", "/l"),
    ]
}
