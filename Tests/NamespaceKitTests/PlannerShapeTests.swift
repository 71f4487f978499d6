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
        let actions = try plan(command).actions
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
        let actions = try plan(command.with { $0.namespaces.new = [.mount, .pid] }).actions
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
        let plan = try plan(command.with { $0.hostname = "box" })
        #expect(plan.namespaces.contains(.uts))
        #expect(plan.actions.contains(.hostname("box")))
    }

    @Test func dyingWithTheParentComesFirst() throws {
        let plan = try plan(command.with { $0.lifecycle.diesWithParent = true })
        #expect(plan.actions.first == .dieWithParent)
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
        #expect(try plan(command.with { $0.avoided = avoided }, on: facts).mounting == wanted)
    }

    /// Attributes of a mount inside a tree can be changed only once it is attached.
    @Test func aRemountNeedsAnAttachedRoot() throws {
        let request = command.with {
            $0.operations = [FileSystemOperation(.remountReadOnly(target: "/x"))]
        }
        #expect(try plan(request).mounting == .attached)
    }

    @Test func openat2WhereItIsThereAndWanted() throws {
        var facts = HostFacts.alice
        #expect(try plan(command).usesOpenat2)
        #expect(!(try plan(command.with { $0.avoided = .openat2 }).usesOpenat2))
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
