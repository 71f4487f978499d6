// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Namespaces, id maps, the arrangement of processes and the choice of mount calls.
@Suite struct PlannerShapeTests {
    private let command = LaunchRequest(command: ["true"])

    @Test func aPidNamespaceHasNsrunsInit() throws {
        let plan = try plan(command, as: .replaceable)
        #expect(plan.shape == .childWithInit)
        #expect(plan.namespaces == [.user, .mount, .pid])
    }

    @Test func theCommandCanBePidOne() throws {
        let plan = try plan(command.with { $0.lifecycle.commandIsPidOne = true }, as: .replaceable)
        #expect(plan.shape == .child)
        #expect(plan.namespaces.contains(.pid))
    }

    @Test func withoutPidNamespaceTheCommandReplacesNsrun() throws {
        let plan = try plan(
            command.with { $0.namespaces.new.remove(.pid) }, as: .replaceable)
        #expect(plan.shape == .inPlace)
        #expect(plan.namespaces == [])
        #expect(plan.actions.first == .unshare([.user, .mount]))
    }

    /// A caller with threads is never unshared, and one that watches stays.
    @Test(arguments: [.parent, .watcher] as [Planner.Role])
    func aChildWhereSomethingStaysBehind(role: Planner.Role) throws {
        let shared = command.with { $0.namespaces.new.remove(.pid) }
        #expect(try plan(shared, as: role).shape == .child)
    }

    /// What the command leaves behind must end at the time limit, too: only a pid 1 sees to that.
    @Test func aTimeLimitIsKeptByPidOne() throws {
        let timed = command.with {
            $0.namespaces.new.remove(.pid)
            $0.lifecycle.timeout = 1_000_000_000
        }
        #expect(try plan(timed, as: .replaceable).shape == .childWithInit)
    }

    @Test func optionalNamespacesAreTried() throws {
        let request = command.with {
            $0.namespaces.new = [.mount]
            $0.namespaces.optional = [.user, .cgroup]
        }
        let plan = try plan(request)
        #expect(plan.namespaces == [.mount, .user, .cgroup])
        #expect(plan.transcript.contains("/proc/self/uid_map"))
    }

    /// FACTS.md: setgroups is denied first, or the kernel refuses the map of groups.
    @Test func yourIDsStayYours() throws {
        let actions = try plan(command).particular
        #expect(
            actions.prefix(3) == [
                .write(text: "deny", file: "/proc/self/setgroups"),
                .write(text: "1000 1000 1\n", file: "/proc/self/gid_map"),
                .write(text: "1000 1000 1\n", file: "/proc/self/uid_map"),
            ])
    }

    @Test func otherIDsInside() throws {
        let actions = try plan(command.with { $0.identity = Identity(user: 0, group: 5) }).actions
        #expect(actions.contains(.write(text: "5 1000 1\n", file: "/proc/self/gid_map")))
        #expect(actions.contains(.write(text: "0 1000 1\n", file: "/proc/self/uid_map")))
    }

    @Test func withoutUserNamespaceMountsAreKeptFromTheHost() throws {
        let actions = try plan(command.with { $0.namespaces.new = [.mount, .pid] }).particular
        #expect(actions.first == .isolateMounts)
    }

    @Test func everyNamespaceAskedForIsMade() throws {
        let all: NamespaceSet = [.user, .mount, .pid, .network, .ipc, .uts, .cgroup]
        let plan = try plan(command.with { $0.namespaces.new = all })
        #expect(plan.namespaces == all)
        #expect(plan.actions.contains(.raiseLoopback))
    }

    @Test func theHostsNetworkIsLeftAlone() throws {
        #expect(!(try plan(command).actions.contains(.raiseLoopback)))
    }

    @Test func aHostNameBringsItsNamespace() throws {
        let plan = try plan(command.with { $0.namespaces.hostname = "box" })
        #expect(plan.namespaces.contains(.uts))
        #expect(plan.actions.contains(.hostname("box")))
    }

    // MARK: Parents and process groups

    /// The kernel's signal at a parent's death means a thread, so it serves only between nsrun and its child.
    @Test func whoDiesWithAProgramOfThreadsIsWatchedByPidOne() throws {
        for namespaces in [[.user, .mount], [.user, .mount, .pid]] as [NamespaceSet] {
            let request = command.with {
                $0.namespaces.new = namespaces
                $0.lifecycle.diesWithParent = true
            }
            let embedded = try plan(request, as: .parent)
            #expect(embedded.shape == .childWithInit && !embedded.followsLauncher)
            #expect(!embedded.actions.contains(.dieWithParent))
            // In place there would be nobody to watch.
            #expect(try plan(request, as: .replaceable).shape != .inPlace)
        }
    }

    @Test(arguments: [.replaceable, .watcher] as [Planner.Role])
    func aRunEndsWithNsrunUnlessItLingers(role: Planner.Role) throws {
        #expect(try plan(command, as: role).followsLauncher)
        #expect(!(try plan(command.with { $0.lifecycle.lingers = true }, as: role).followsLauncher))
        let tied = command.with {
            $0.lifecycle.lingers = true
            $0.lifecycle.diesWithParent = true
        }
        #expect(try plan(tied, as: role).followsLauncher)
        // Without a pid 1 the command itself has to be told.
        let alone = command.with { $0.lifecycle.commandIsPidOne = true }
        #expect(try plan(alone, as: role).actions.prefix(2) == [.newSession, .dieWithParent])
    }

    @Test func aRunHasAProcessGroupOfItsOwnOrASession() throws {
        var facts = HostFacts.alice
        #expect(try plan(command, on: facts).actions.first == .newSession)
        #expect(try plan(command, on: facts).processGroup == .ownSession)
        facts.hasTerminal = true
        let beside = try plan(command, on: facts, as: .watcher)
        #expect(beside.actions.first == .processGroup)
        #expect(beside.processGroup == .own)
        let apart = command.with { $0.lifecycle.newSession = true }
        #expect(try plan(apart, on: facts, as: .watcher).actions.first == .newSession)
        #expect(try plan(apart, on: facts, as: .watcher).processGroup == .ownSession)
        // A program that embeds the library would have to lend it the terminal.
        #expect(try plan(command, on: facts, as: .parent).processGroup == .ownSession)
    }

    /// Where the command is native to its caller's job, and under bubblewrap's name.
    @Test func otherwiseItIsOfTheCallersGroup() throws {
        let shared = command.with { $0.namespaces.new.remove(.pid) }
        let asked = command.with { $0.lifecycle.sharesProcessGroup = true }
        for request in [shared, asked] {
            for role in [.replaceable, .watcher, .parent] as [Planner.Role] {
                let plan = try plan(request, as: role)
                #expect(plan.processGroup == .callers)
                #expect(
                    !plan.actions.contains(.newSession) && !plan.actions.contains(.processGroup))
            }
        }
    }

    // MARK: What every run has

    @Test func theStubIsMadeWhereMountsStillCanBe() throws {
        for request in [command, .rootfs(), .rootfs().with { $0.identity = Identity(user: 0) }] {
            let actions = try plan(request).actions
            let enter = try #require(actions.firstIndex(of: .enterRoot))
            #expect(actions[enter + 1] == .stub)
        }
    }

    @Test func namespacesBelowAreLimitedWhereTheRunHasAUserNamespace() throws {
        func limits(_ request: LaunchRequest) throws -> [Step.Action] {
            try plan(request).actions.filter {
                if case .limitNamespaces = $0 { true } else { false }
            }
        }
        #expect(try limits(command) == [.limitNamespaces(1024)])
        #expect(try limits(command.with { $0.namespaces.mostNested = 5 }) == [.limitNamespaces(5)])
        #expect(try limits(command.with { $0.namespaces.mostNested = nil }) == [])
        #expect(try limits(command.with { $0.namespaces.new = [.mount, .pid] }) == [])
    }

    @Test func keysAreTheCallersWhereHisSessionIs() throws {
        func hasOwn(_ request: LaunchRequest) throws -> Bool {
            try plan(request).actions.contains(.newKeyring)
        }
        #expect(try hasOwn(.rootfs()) && hasOwn(command.with { $0.apply(.test) }))
        #expect(try hasOwn(.rootfs().with { $0.apply(.action) }))
        #expect(try !hasOwn(command))
        for preset in [.toolbox, .hpc] as [Preset] {
            #expect(try !hasOwn(.rootfs().with { $0.apply(preset) }))
        }
    }

    // MARK: Mount calls

    @Test(
        arguments: [
            (true, 18, [], .detached), (true, 14, [], .attached), (false, 18, [], .classic),
            (true, 18, .mountAPI, .classic), (true, 18, .detachedMounts, .attached),
        ] as [(Bool, Int, AvoidedInterfaces, LaunchPlan.Mounting)])
    func mountCalls(
        hasAPI: Bool, minor: Int, avoided: AvoidedInterfaces, wanted: LaunchPlan.Mounting
    ) throws {
        var facts = HostFacts.alice
        facts.hasMountAPI = hasAPI
        facts.kernel = KernelRelease(major: 6, minor: minor)
        #expect(try plan(command.with { $0.compatibility = avoided }, on: facts).mounting == wanted)
    }

    /// Attributes of a mount inside a tree can be changed only once it is attached.
    @Test func aRemountNeedsAnAttachedRoot() throws {
        let request = command.with {
            $0.files.operations = [FileSystemOperation(.remountReadOnly(target: "/x"))]
        }
        #expect(try plan(request).mounting == .attached)
    }

    @Test func openat2WhereItIsThereAndWanted() throws {
        var facts = HostFacts.alice
        #expect(try plan(command).usesOpenat2)
        #expect(!(try plan(command.with { $0.compatibility = .openat2 }).usesOpenat2))
        facts.hasOpenat2 = false
        #expect(!(try plan(command, on: facts).usesOpenat2))
    }

    /// Mount points are never made in a directory of the host.
    @Test func theHostIsSparedInItsOwnView() throws {
        #expect(try plan(command).sparesHost)
        #expect(!(try plan(.rootfs()).sparesHost))
        #expect(try plan(.rootfs()).mirrors)
    }
}
