// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import NamespaceKit

/// Limits by a control group: where it is looked for, and what is planned. `Scripts/matrix/limits.sh` has the launches.
@Suite struct LimitsTests {
    // MARK: Where the caller is

    private func own(_ mounts: String, _ membership: String) -> String? {
        ControlGroups.unified(mounts: Array(mounts.utf8), membership: Array(membership.utf8)).map {
            "\($0.path.text) of \($0.mount.text)"
        }
    }

    private static let unified = "3 2 0:3 / /sys/fs/cgroup rw - cgroup2 c rw,nsdelegate"
    private static let hybrid = """
        3 2 0:3 / /sys/fs/cgroup/memory rw - cgroup c rw,memory
        4 2 0:4 / /sys/fs/cgroup/unified rw - cgroup2 c rw
        """

    @Test(arguments: [
        (unified, "0::/", "/ of /sys/fs/cgroup"),
        (unified, "0::/a/b", "/a/b of /sys/fs/cgroup"),
        (hybrid, "4:memory:/x\n1:name=systemd:/y\n0::/a", "/a of /sys/fs/cgroup/unified"),
        ("3 2 0:3 /a /mnt rw - cgroup2 c rw", "0::/a/b", "/b of /mnt"),
        ("3 2 0:3 /a /mnt rw - cgroup2 c rw", "0::/a", "/ of /mnt"),
        // Elsewhere, or outside of the namespace of groups.
        ("3 2 0:3 /a /mnt rw - cgroup2 c rw", "0::/ab", nil),
        (unified, "0::/../b", nil), (unified, "4:memory:/x", nil), ("", "0::/a", nil),
        ("3 2 0:3 / /sys/fs/cgroup/memory rw - cgroup c rw,memory", "0::/a", nil),
    ])
    func theUnifiedHierarchyIsFound(mounts: String, membership: String, place: String?) {
        #expect(own(mounts, membership) == place)
    }

    @Test func whoElseHasAControllerIsKnown() {
        let membership = Array("5:cpu,cpuacct:/\n4:blkio:/\n0::/".utf8)
        for name: ByteString in ["cpu", "io"] {
            #expect(ControlGroups.isOfVersion1(name, membership: membership))
        }
        #expect(!ControlGroups.isOfVersion1("memory", membership: membership))
    }

    @Test(
        arguments: [
            ("/", ["/"]), ("/u/shell", ["/u/shell", "/u", "/"]),
            (
                "/user.slice/user-1.slice/session-2.scope",
                ["/user.slice/user-1.slice/session-2.scope"]
            ),
            (
                "/user.slice/u.slice/user@1.service/app.slice/a.scope/b/c",
                [
                    "/user.slice/u.slice/user@1.service/app.slice/a.scope/b/c",
                    "/user.slice/u.slice/user@1.service/app.slice/a.scope/b",
                    "/user.slice/u.slice/user@1.service/app.slice/a.scope",
                ]
            ),
            // What lies between units is the manager's.
            ("/system.slice", []), ("/system.slice/x", ["/system.slice/x"]),
        ])
    func noUnitOfSystemdsIsLeft(path: String, levels: [String]) {
        let own = OwnGroup(mount: "/sys/fs/cgroup", path: ByteString(path))
        #expect(own.levels.map(\.text) == levels)
    }

    @Test func aRunIsKnownByItsGroup() {
        func isInRun(_ path: ByteString) -> Bool { OwnGroup(mount: "/", path: path).isInRun }
        #expect(isInRun("/u/nsrun-77"))
        #expect(isInRun("/app.slice/nsrun-7-8.scope/nsrun-7/below"))
        #expect(!isInRun("/app.slice/nsrun-7-8.scope/launcher"))
        #expect(!isInRun("/u/shell"))
    }

    // MARK: The plan

    private func limits(_ change: (inout Limits) -> Void) -> Limits {
        var limits = Limits()
        change(&limits)
        return limits
    }

    @Test func aPlanHasItsLimits() throws {
        let request = LaunchRequest.rootfs().with {
            $0.limits.memory = .bytes(3 << 29)
            $0.limits.processorThousandths = 1250
            $0.limits.processes = 200
            $0.limits.bytesPerSecond = 50 << 20
        }
        let plan = try plan(request)
        #expect(plan.limits == request.limits)
        let words =
            "1536 MiB of memory, 1.25 processors, 200 processes, 50 MiB a second for each disk"
        let text = Explanation(plan).text
        #expect(text.contains("1  make a control group that may have \(words)\n"))
        #expect(
            text.contains("2  clone a child in new user, mount, pid namespaces into that group\n"))
        #expect(Explanation(plan).json.contains("\"limits\": \"\(words)\""))
        #expect(plan.limits.controllers == ["memory", "cpu", "pids", "io"])
    }

    @Test func withoutLimitsThereIsNoGroup() throws {
        #expect(Limits().isEmpty)
        #expect(try !Explanation(plan(.rootfs())).text.contains("control group"))
    }

    /// What is written later to a disk is known by the memory that it has until then.
    @Test func disksTakeMemory() {
        #expect(limits { $0.bytesPerSecond = 1 << 20 }.controllers == ["memory", "io"])
        #expect(limits { $0.memory = .percent(50) }.words == "50% of the machine's memory")
        #expect(limits { $0.processorThousandths = 500 }.words == "0.5 processors")
    }

    /// Somebody has to see to its end.
    @Test func theLauncherStays() throws {
        let request = LaunchRequest(command: ["true"]).with {
            $0.namespaces.new = [.user, .mount]
            $0.limits.processes = 5
        }
        #expect(try Planner.plan(request, on: .alice, as: .replaceable).shape == .child)
    }

    /// One made with the clone would begin with the launcher's group.
    @Test func aNamespaceOfGroupsBeginsWithTheRuns() throws {
        let request = LaunchRequest.rootfs().with {
            $0.namespaces.new.insert(.cgroup)
            $0.limits.processes = 5
        }
        let plan = try plan(request)
        #expect(!plan.namespaces.contains(.cgroup))
        #expect(plan.actions.contains(.unshare(.cgroup)))
        let plain = try NamespaceKitTests.plan(request.with { $0.limits = Limits() })
        #expect(plain.namespaces.contains(.cgroup))
    }

    /// They are files of its user's.
    @Test func theHostViewShowsGroupsReadOnly() throws {
        var facts = HostFacts.alice
        facts.groupMounts = ["/sys/fs/cgroup"]
        func covers(_ change: (inout LaunchRequest) -> Void) throws -> Bool {
            let request = LaunchRequest(command: ["true"]).with(change)
            return try plan(request, on: facts).steps.contains {
                $0.description
                    == "bind-mount /sys/fs/cgroup of the root onto /sys/fs/cgroup, read-only"
                    || $0.target == "/sys/fs/cgroup"
            }
        }
        #expect(try covers { $0.limits.processes = 5 })
        #expect(try !covers { _ in })
    }

    /// Who makes a world has no limits, and each run of it has its own.
    @Test func aPreparedWorldHasNone() throws {
        var facts = HostFacts.alice
        facts.groupFolder = .found("/run/user/1000/nsrun")
        let request = LaunchRequest.rootfs().with {
            $0.limits.processes = 5
            $0.reuse = Reuse(.byContent)
        }
        let plan = try plan(request, on: facts)
        #expect(plan.preparation != nil)
        #expect(plan.ofWorld.limits.isEmpty)
        #expect(plan.fromWorld.limits.processes == 5)
    }

    @Test func whatNoKernelHoldsIsRefused() {
        let cases: [(String, Limits)] = [
            ("memory to so little", limits { $0.memory = .bytes(4096) }),
            ("memory to 0%", limits { $0.memory = .percent(0) }),
            ("memory to 101%", limits { $0.memory = .percent(101) }),
            ("processors to so little", limits { $0.processorThousandths = 9 }),
            ("processes to so little", limits { $0.processes = 0 }),
            ("disks to so little", limits { $0.bytesPerSecond = 4095 }),
        ]
        for (words, limits) in cases {
            let error = #expect(throws: LaunchError.self) {
                try plan(LaunchRequest(command: ["true"]).with { $0.limits = limits })
            }
            #expect(error?.message.contains("cannot limit \(words)") == true)
            #expect(error?.kind == .usage)
            #expect(error?.remedy != nil)
        }
    }

    // MARK: Words

    @Test func whatWasMetIsSaid() {
        let limits = limits {
            $0.memory = .bytes(1 << 30)
            $0.processes = 7
        }
        #expect(MetLimits().lines(limits) == [])
        #expect(
            MetLimits(killed: 1, refused: 2).lines(limits) == [
                "the run has met its limit of 1 GiB of memory: the kernel has killed a process of it",
                "the run has met its limit of 7 processes: 2 more were not made",
            ])
    }

    @Test(arguments: [
        GroupObstacle.notOurs, .readOnly, .busy, .lacks("io"), .failed(EIO), .failed(ENOSPC),
    ])
    func eachObstacleHasARemedy(obstacle: GroupObstacle) {
        let own = OwnGroup(mount: "/sys/fs/cgroup", path: "/u")
        for ofScope in [false, true] {
            let error = GroupRefusal(limits: limits { $0.processes = 5 })
                .obstructed(obstacle, in: own, ofScope: ofScope)
            #expect(error.message.hasPrefix("cannot limit processes: "))
            #expect(error.remedy?.isEmpty == false)
            #expect(error.refusal == nil)
        }
    }

    /// No other engine takes its place where a group is out of reach.
    @Test(arguments: [EACCES, EBUSY, ENOSYS, E2BIG, EOPNOTSUPP, ENODEV])
    func whatKeepsARunFromItsGroupIsNoRefusalOfNamespaces(code: Int32) throws {
        let plan = try plan(LaunchRequest.rootfs().with { $0.limits.processes = 5 })
        let error = Diagnosis(plan: plan, facts: .alice).explainClone(code)
        #expect(error.message.contains("control group"))
        #expect(error.refusal == nil)
        let plain = try NamespaceKitTests.plan(.rootfs())
        #expect(!Diagnosis(plan: plain, facts: .alice).explainClone(code).message.contains("group"))
    }
}
