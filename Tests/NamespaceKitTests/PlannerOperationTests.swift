// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

@Suite struct PlannerOperationTests {
    /// The steps that one operation becomes, in an otherwise empty root.
    private func steps(_ action: FileSystemOperation.Action) throws -> [Step.Action] {
        var request = LaunchRequest(command: ["true"])
        request.root.view = .empty
        request.namespaces.new.insert(.ipc)
        request.files.operations = [FileSystemOperation(action, origin: "--test")]
        let plan = try plan(request)
        return plan.steps.filter { $0.origin == "--test" }.map(\.action)
    }

    @Test func operationsBecomeOneStepEach() throws {
        let bind = FileSystemOperation.Action.bind(
            source: .path("/a"), target: "/b", options: [.readOnly, .devices])
        #expect(
            try steps(bind) == [
                .bind(
                    .init(source: .path("/a"), target: "/b", options: [.readOnly, .devices]))
            ])
        #expect(
            try steps(.tmpfs(target: "/t", mode: 0o700, size: 4096)) == [
                .tmpfs(target: "/t", mode: 0o700, size: 4096, replacesLink: false)
            ])
        #expect(
            try steps(.directory(target: "/d", mode: 0o711)) == [
                .directory(target: "/d", mode: 0o711)
            ])
        #expect(
            try steps(.file(content: .bytes([1]), target: "/f", mode: 0o640)) == [
                .file(.bytes([1]), target: "/f", mode: 0o640)
            ])
        #expect(
            try steps(
                .bindData(content: .bytes([1]), target: "/f", mode: 0o600, readOnly: true)) == [
                    .bindData(.bytes([1]), target: "/f", mode: 0o600, readOnly: true)
                ])
        #expect(
            try steps(.symlink(text: "usr/bin", target: "/bin")) == [
                .symlink(text: "usr/bin", target: "/bin")
            ])
        #expect(
            try steps(.changeMode(target: "/f", mode: 0o500)) == [
                .changeMode(target: "/f", mode: 0o500)
            ])
        #expect(try steps(.remountReadOnly(target: "/b")) == [.remountReadOnly(target: "/b")])
        #expect(try steps(.mqueue(target: "/q")) == [.fileSystem(.mqueue, target: "/q")])
        #expect(try steps(.lockFile(target: "/l")) == [.lockFile(target: "/l")])
        #expect(
            try steps(.overlay(target: "/o", lower: ["/a", "/b"], upper: .none)) == [
                .overlay(.init(target: "/o", lower: ["/a", "/b"], upper: .none))
            ])
    }

    @Test func procIsFreshOnlyWithAPidNamespace() throws {
        #expect(try steps(.proc(target: "/p")) == [.fileSystem(.proc, target: "/p")])
        let request = LaunchRequest(command: ["true"]).with {
            $0.namespaces.new.remove(.pid)
            $0.files.operations = [.init(.proc(target: "/p"))]
        }
        #expect(try sees(request).contains("/p: /proc rw"))
    }

    @Test func devicesGoWhereTheyAreWanted() throws {
        let dev = try steps(.dev(target: "/mnt/dev"))
        #expect(
            dev.first == .tmpfs(target: "/mnt/dev", mode: 0o755, size: nil, replacesLink: true))
        #expect(dev.contains(.fileSystem(.devpts, target: "/mnt/dev/pts")))
        #expect(dev.contains(.symlink(text: "pts/ptmx", target: "/mnt/dev/ptmx")))
    }

    @Test func theOrderIsTheUsersAndTheViewComesFirst() throws {
        let request = LaunchRequest.rootfs().with {
            $0.files.operations = [
                .init(.tmpfs(target: "/a", mode: 0o755, size: nil)),
                .init(.directory(target: "/a/b", mode: 0o755)),
                .init(.bind(source: .path("/x"), target: "/a/b", options: [])),
            ]
        }
        let transcript = try plan(request).transcript
        #expect(
            transcript.contains(
                """
                bind-mount /etc/hosts onto /etc/hosts (read-only, if it can be)
                make the file /run/host/container-manager from 6 bytes (mode 0444)
                mount a tmpfs on /a (mode 0755)
                make the directory /a/b (mode 0755)
                bind-mount /x onto /a/b
                enter the new root

                """))
    }

    /// The machine's root could write to the kernel's settings, whatever his id is called in here and inside.
    @Test(arguments: [[.mount, .pid], [.user, .mount, .pid], [.user, .mount]] as [NamespaceSet])
    func toTheMachinesRootTheKernelsControlsAreCovered(namespaces: NamespaceSet) throws {
        var facts = HostFacts.alice
        facts.kernelControls = ["sys", "sysrq-trigger"]
        let empty = LaunchRequest(command: ["true"]).with {
            $0.root.view = .empty
            $0.files.operations = [.init(.proc(target: "/p"))]
        }
        let views: [(LaunchRequest, String)] = [
            (empty, "/p"), (LaunchRequest(command: ["true"]), "/proc"), (.rootfs(), "/proc"),
            (.rootfs(.memory), "/proc"),
        ]
        for (view, proc) in views {
            let request = view.with { $0.namespaces.new = namespaces }
            func covers(_ change: (inout LaunchRequest) -> Void = { _ in }) throws -> Bool {
                let seen = try sees(request.with(change), on: facts)
                return facts.kernelControls.allSatisfy {
                    seen.contains("\(proc)/\($0.text): \(proc)/\($0.text) ro")
                }
            }
            facts.machinesRoot = 0
            #expect(try !covers())
            #expect(try covers { $0.identity.users = [IDRange(inside: 9, outside: 0, count: 1)] })
            facts.machinesRoot = facts.userID
            #expect(try covers())
            #expect(try covers { $0.identity.user = 7 })
        }
    }

    /// An operation's steps all make what is missing on the way with its mode, and no other's do.
    @Test func directoriesOnTheWayHaveTheOperationsMode() throws {
        var narrow = FileSystemOperation(.dev(target: "/a/dev"), origin: "--dev")
        narrow.parentMode = 0o700
        let request = LaunchRequest.rootfs().with {
            $0.files.operations = [.init(.directory(target: "/b/c", mode: 0o700)), narrow]
        }
        for step in try plan(request).steps {
            #expect(step.parentMode == (step.origin == "--dev" ? 0o700 : 0o755))
        }
    }

    /// Descriptors of the request are nsrun's business, not the command's.
    @Test func descriptorsOfOperationsAreClosed() throws {
        let request = LaunchRequest(command: ["true"]).with {
            $0.files.operations = [
                .init(.file(content: .descriptor(5), target: "/f", mode: 0o600)),
                .init(
                    .bindData(content: .descriptor(6), target: "/g", mode: 0o600, readOnly: false)),
                .init(.bind(source: .descriptor(7), target: "/h", options: [])),
                .init(.file(content: .bytes([]), target: "/i", mode: 0o600)),
            ]
        }
        #expect(try plan(request).closedDescriptors == [5, 6, 7])
    }
}
