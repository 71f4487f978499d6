// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Namespaces of others, user namespaces inside the run's own, locks, labels and held descriptors.
@Suite struct PlannerNestedTests {
    private let command = LaunchRequest(command: ["true"])

    /// The steps between the new root and the command's own process.
    private func afterRoot(_ plan: LaunchPlan) throws -> [Step.Action] {
        let enter = try #require(plan.actions.firstIndex(of: .enterRoot))
        return plan.actions[(enter + 1)..<plan.commandStart].dropLast(2)
            .filter { !$0.isOfEveryRun }
    }

    // MARK: User namespaces

    /// One more namespace, from inside which the limit cannot be raised again; the ids stay.
    @Test func forbiddingUserNamespaces() throws {
        let request = command.with {
            $0.identity = Identity(user: 5, group: 6)
            $0.namespaces.forbidsNestedUser = true
        }
        #expect(
            try afterRoot(plan(request)) == [
                .write(text: "1\n", file: "/proc/sys/user/max_user_namespaces"),
                .unshare(.user),
                .write(text: "deny", file: "/proc/self/setgroups"),
                .write(text: "6 6 1\n", file: "/proc/self/gid_map"),
                .write(text: "5 5 1\n", file: "/proc/self/uid_map"),
            ])
        #expect(try afterRoot(plan(command)) == [])
    }

    @Test func forbiddingThemNeedsOneOfTheRun() {
        let request = command.with {
            $0.namespaces.new = [.mount]
            $0.namespaces.forbidsNestedUser = true
        }
        #expect(refusal(request) == .disableNeedsUser)
        #expect(refusal(request.with { $0.namespaces.optional = .user }) == nil)
    }

    /// It must see what the command will be able to do, before a filter hides it.
    @Test func theirAbsenceIsCheckedByTheCommandsProcess() throws {
        let plan = try plan(
            command.with {
                $0.namespaces.requiresNoNestedUser = true
                $0.program.filters = [[1]]
            })
        #expect(plan.actions.suffix(3).prefix(2) == [.assertNoUserNamespaces, .filter([1])])
        #expect(plan.actions[plan.commandStart...].contains(.assertNoUserNamespaces))
    }

    @Test func aFinalUserNamespaceIsEnteredWhenTheRootStands() throws {
        let plan = try plan(command.with { $0.namespaces.finalUser = 9 })
        #expect(try afterRoot(plan) == [.enterNamespace(descriptor: 9, .user)])
        #expect(plan.closedDescriptors == [9])
    }

    // MARK: Namespaces of others

    @Test func aUserNamespaceIsEnteredFirstOfAll() throws {
        let request = command.with {
            $0.namespaces.new.subtract([.user, .pid])
            $0.namespaces.enteredUser = 7
            $0.namespaces.enteredPID = 8
        }
        let plan = try plan(request, as: .replaceable)
        #expect(
            plan.entered == [.init(descriptor: 7, kind: .user), .init(descriptor: 8, kind: .pid)])
        #expect(plan.closedDescriptors == [7, 8])
        #expect(!plan.transcript.contains("_map"))
    }

    /// A pid namespace is entered, or one is made: clone(2) refuses both at once.
    @Test func aPidNamespaceIsEnteredOrMade() {
        let request = command.with { $0.namespaces.enteredPID = 8 }
        #expect(request.namespaces.new.contains(.pid))
        #expect(refusal(request)?.message.contains("another pid namespace") == true)
    }

    /// setns(2) takes a user namespace only in a process of one thread.
    @Test func aProgramWithThreadsCannotEnterOne() {
        let request = command.with { $0.namespaces.enteredUser = 7 }
        #expect(refusal(request) == .needsOneThread)
    }

    /// Only a child is in the pid namespace that its parent entered.
    @Test func aPidNamespaceOfAnotherNeedsAChild() throws {
        let request = command.with {
            $0.namespaces.new.remove(.pid)
            $0.namespaces.enteredPID = 8
        }
        #expect(try plan(request, as: .replaceable).shape == .child)
    }

    // MARK: Waiting for others

    @Test func somebodyElseWritesTheMaps() throws {
        let plan = try plan(command.with { $0.lifecycle.mapsDescriptor = 5 })
        #expect(plan.particular.first == .await(descriptor: 5))
        #expect(!plan.transcript.contains("_map"))
        #expect(plan.closedDescriptors == [5])
    }

    @Test func theCommandWaitsOnceEverythingStands() throws {
        let plan = try plan(command.with { $0.lifecycle.startDescriptor = 5 })
        #expect(plan.actions[plan.commandStart] == .await(descriptor: 5))
        #expect(plan.closedDescriptors == [5])
    }

    // MARK: What lasts as long as the run

    @Test func locksAreTakenInsideTheRootInOrder() throws {
        let request = command.with {
            $0.files.operations = [
                .init(.lockFile(target: "/a"), origin: "--lock-file"),
                .init(.tmpfs(target: "/t", mode: 0o755, size: nil)),
                .init(.lockFile(target: "/t/b"), origin: "--lock-file"),
            ]
        }
        let plan = try plan(request)
        #expect(try afterRoot(plan) == [.lockFile(target: "/a"), .lockFile(target: "/t/b")])
        #expect(plan.steps.filter { $0.origin == "--lock-file" }.count == 2)
    }

    /// A lock is a process's: somebody of ours stays, even without a pid namespace.
    @Test func whatIsHeldNeedsAHolder() throws {
        let shared = command.with { $0.namespaces.new.remove(.pid) }
        let locked = shared.with { $0.files.operations = [.init(.lockFile(target: "/a"))] }
        let held = shared.with { $0.lifecycle.heldDescriptors = [6, 7] }
        for request in [locked, held] {
            #expect(try plan(request, as: .replaceable).shape == .childWithInit)
        }
        #expect(try plan(held).closedDescriptors == [6, 7])
    }

    @Test func whoeverIsToldNeedsATeller() throws {
        let shared = command.with { $0.namespaces.new.remove(.pid) }
        let info = shared.with { $0.lifecycle.infoDescriptor = 6 }
        let status = shared.with { $0.lifecycle.statusDescriptor = 6 }
        for request in [info, status] {
            let plan = try plan(request, as: .replaceable)
            #expect(plan.shape == .child)
            #expect(plan.closedDescriptors == [6])
        }
    }

    // MARK: Labels

    @Test func labelsNeedSELinux() throws {
        let labelled = command.with {
            $0.program.label = "x_t"
            $0.files.label = "f_t"
        }
        #expect(refusal(labelled) == .noSELinux)
        var facts = HostFacts.alice
        facts.hasSELinux = true
        let actions = try plan(labelled, on: facts).actions
        let file = Step.Action.write(text: "f_t", file: "/proc/self/attr/fscreate")
        let execution = Step.Action.write(text: "x_t", file: "/proc/self/attr/exec")
        // Before the first file is made; and while the host's proc can still be reached.
        let order = try [file, .hostRoot, execution, .enterRoot].map {
            try #require(actions.firstIndex(of: $0))
        }
        #expect(order == order.sorted())
    }
}
