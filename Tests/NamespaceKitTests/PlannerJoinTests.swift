// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Testing

@testable import NamespaceKit

/// Processes that share namespaces: what is done once for all of them, and what by each.
@Suite struct PlannerJoinTests {
    private func joined(_ change: (inout LaunchRequest) -> Void = { _ in }) -> LaunchRequest {
        LaunchRequest.rootfs().with {
            $0.namespaces.join = .named("ranks")
            change(&$0)
        }
    }

    @Test func theGroupsStepsAreBetweenTheTwo() throws {
        let request = joined { $0.program.limits = [ResourceLimit(resource: 7, soft: 9, hard: 9)] }
        let plan = try plan(request, as: .replaceable)
        let alone = try NamespaceKitTests.plan(
            request.with {
                $0.namespaces.join = nil
                $0.namespaces.new.remove(.pid)
            }, as: .replaceable)
        #expect(plan.shape == .inPlace)
        #expect(
            plan.actions.first
                == .join(name: "ranks", folder: "/run/user/1000/nsrun", [.user, .mount]))
        let share = try #require(plan.shareIndex)
        #expect(plan.actions[share] == .share([.user, .mount], root: "/srv/debian"))
        #expect(plan.actions[share - 1] == .enterRoot)
        // Nothing else is different.
        #expect(plan.actions.filter { !$0.isOfGroup } == alone.actions)
        let own = plan.actions[(share + 1)...]
        #expect(own.contains(.noNewPrivileges) && own.contains(.limit(request.program.limits[0])))
        #expect(own.last == alone.actions.last)
    }

    /// A member that is watched makes the namespaces itself, too, once it knows that nobody else has.
    @Test(arguments: [.parent, .watcher] as [Planner.Role])
    func aChildIsClonedInTheCallersNamespaces(role: Planner.Role) throws {
        let plan = try plan(joined(), as: role)
        #expect(plan.shape == .child)
        #expect(plan.namespaces == [])
        #expect(
            plan.actions.filter { $0 != .dieWithParent }.prefix(2) == [
                .join(name: "ranks", folder: "/run/user/1000/nsrun", [.user, .mount]),
                .unshare([.user, .mount]),
            ])
        #expect(Explanation(plan).text.contains("  join the group"))
    }

    @Test func whatAProcessIsByItselfComesBeforeOrAfter() throws {
        var facts = HostFacts.alice
        facts.hasSELinux = true
        let request = joined {
            $0.lifecycle.diesWithParent = true
            $0.program.label = "x_t"
            $0.files.label = "f_t"
            $0.namespaces.hostname = "node"
            $0.identity.fakesRoot = true
            $0.namespaces.forbidsNestedUser = true
            $0.files.operations = [FileSystemOperation(.lockFile(target: "/lock"))]
        }
        let plan = try plan(request, on: facts, as: .replaceable)
        let join = try #require(plan.joinIndex)
        let share = try #require(plan.shareIndex)
        // A pid 1 follows who started it by itself.
        #expect(plan.shape == .childWithInit && plan.followsLauncher)
        #expect(plan.actions[..<join] == [.write(text: "x_t", file: "/proc/self/attr/exec")])
        let group = plan.actions[join..<share]
        #expect(
            group.first
                == .join(name: "ranks", folder: "/run/user/1000/nsrun", [.user, .mount, .uts]))
        #expect(group.contains(.hostname("node")))
        #expect(group.contains(.write(text: "f_t", file: "/proc/self/attr/fscreate")))
        #expect(group.last == .write(text: "0 0 1\n", file: "/proc/self/uid_map"))
        let own = plan.actions[(share + 1)...]
        #expect(own.contains(.lockFile(target: "/lock")))
        #expect(own.contains { if case .filter = $0 { true } else { false } })
    }

    /// The steps that are left out are told to the executor by number.
    @Test func theExecutorKnowsWhereToGoOn() throws {
        let plan = try plan(joined(), as: .replaceable)
        let lowered = try CPlan(plan, signalMask: 0)
        defer { lowered.free() }
        let join = lowered.plan.steps[0]
        #expect(join.op == NSRUN_OP_JOIN.rawValue)
        let share = lowered.plan.steps[Int(join.value2) - 1]
        #expect(share.op == NSRUN_OP_SHARE.rawValue)
        #expect(share.value == join.value && String(cString: share.source) == "/srv/debian")
    }

    /// What one member calls by a relative path would be another file to another.
    @Test func hostPathsAreAbsolute() throws {
        let request = joined {
            $0.root.view = .rootfs("./debian")
            $0.files.operations = [
                FileSystemOperation(.bind(source: .path("data"), target: "/d", options: [])),
                FileSystemOperation(.bind(source: .path("/e"), target: "/e", options: [])),
            ]
        }
        let transcript = try plan(request).transcript
        #expect(transcript.contains("bind-mount /home/alice/work/./debian onto / (read-only)"))
        #expect(transcript.contains("bind-mount /home/alice/work/data onto /d"))
        #expect(transcript.contains("bind-mount /e onto /e"))
        #expect(try plan(request).rootOfGroup == "/home/alice/work/./debian")
    }

    /// They have several, and one would be what they disagree about.
    @Test func noTerminalIsTheGroupsOwn() throws {
        var facts = HostFacts.alice
        facts.terminal = "/dev/pts/7"
        #expect(!(try plan(joined(), on: facts).transcript.contains("/dev/pts/7")))
        #expect(try plan(.rootfs(), on: facts).transcript.contains("/dev/pts/7"))
    }

    /// What is asked for is the group's, where the caller stands and what he calls his home is not.
    @Test(arguments: [LaunchRequest.View.host, .rootfs("/srv/debian")])
    func theCallersPlacesAreNotTheGroups(view: LaunchRequest.View) throws {
        func steps(_ change: (inout HostFacts) -> Void) throws -> ByteString {
            var facts = HostFacts.alice
            change(&facts)
            return try plan(
                joined {
                    $0.root.view = view
                    $0.files.bindsCurrentDirectory = view != .host
                    $0.network = .none
                    $0.files.hostParts = [.job, .desktop]
                }, on: facts
            ).stepsOfGroup
        }
        let own = try steps { _ in }
        #expect(own.text.contains("/proc") && !own.text.contains("alice"))
        #expect(
            try own
                == steps {
                    $0.currentDirectory = "/tmp/x"
                    $0.environment = ["HOME=/elsewhere", "TMPDIR=/scratch", "USER=bob"]
                    $0.jobDirectories = ["/scratch"]
                    $0.system = SystemFiles(mounts: ["/sys/x"], devices: [])
                })
    }

    @Test(arguments: ["", "a\nb", "a\0b", ByteString(String(repeating: "x", count: 65))])
    func badNames(name: ByteString) throws {
        let error = try #require(refusal(joined { $0.namespaces.join = .named(name) }))
        #expect(error.kind == .usage)
        #expect(
            error.lines == """
                cannot join the group "\(name.text)"
                  a name has 1 to 64 bytes, and no control characters
                """)
    }

    @Test(arguments: ["x", "job 17.0/rank", ByteString(String(repeating: "x", count: 64))])
    func goodNames(name: ByteString) throws {
        let plan = try plan(joined { $0.namespaces.join = .named(name) })
        #expect(
            plan.actions.contains(
                .join(name: name, folder: "/run/user/1000/nsrun", [.user, .mount])))
    }

    @Test func othersNamespacesAreNotTheGroups() {
        let changes: [(inout LaunchRequest) -> Void] = [
            { $0.namespaces.finalUser = 5 }, { $0.namespaces.enteredPID = 5 },
            { $0.lifecycle.mapsDescriptor = 5 }, { $0.lifecycle.infoDescriptor = 5 },
            { $0.lifecycle.statusDescriptor = 5 },
        ]
        for change in changes {
            #expect(refusal(joined(change))?.message.hasPrefix("who joins a group") == true)
        }
    }

    // MARK: The job step

    @Test(
        arguments: [
            (
                ["PMIX_NAMESPACE=slurm.pmix.7.0", "SLURM_JOB_ID=7", "SLURM_STEP_ID=0"],
                "pmix slurm.pmix.7.0"
            ),
            (["SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "PMI_FD=9"], "slurm 7.0"),
            (["SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "PMI_JOBID=7.0"], "pmi 7.0"),
            (["OMPI_MCA_orte_ess_jobid=66"], "ompi 66"),
            (["OMPI_MCA_ess_base_jobid=77", "OMPI_MCA_orte_ess_jobid=66"], "ompi 77"),
            (["SLURM_JOB_ID=7"], "parent 4711-99"), (["PMIX_NAMESPACE="], "parent 4711-99"),
            ([], "parent 4711-99"),
        ] as [([ByteString], ByteString)])
    func nameOfTheJobStep(environment: [ByteString], name: ByteString) throws {
        var facts = HostFacts.alice
        facts.environment += environment
        facts.parent = "4711-99"
        let plan = try plan(joined { $0.namespaces.join = .jobStep }, on: facts)
        #expect(
            plan.actions.first
                == .join(name: name, folder: "/run/user/1000/nsrun", [.user, .mount]))
    }

    @Test func longNamesAreToldApart() throws {
        func name(_ end: String) throws -> ByteString? {
            var facts = HostFacts.alice
            facts.environment.append(
                ByteString("PMIX_NAMESPACE=" + String(repeating: "n", count: 200) + end))
            let plan = try plan(joined { $0.namespaces.join = .jobStep }, on: facts)
            guard case .join(let name, _, _, _) = plan.actions.first else { return nil }
            return name
        }
        let names = try [name("1"), name("2"), name("1")]
        #expect(names[0] == names[2] && names[0] != names[1])
    }

    @Test func aParentThatIsNotKnown() throws {
        let error = try #require(refusal(joined { $0.namespaces.join = .jobStep }))
        #expect(error.lines.contains("nothing tells which they are\n  name the group"))
    }

    @Test func theParentIsThisOnes() throws {
        let parent = try #require(HostFacts.readParent()).text.split(separator: "-")
        #expect(parent.count == 2)
        #expect(parent.first.map(String.init) == String(getppid()))
        #expect(parent.last.flatMap { UInt64($0) } ?? 0 > 0)
    }

    // MARK: Messages

    @Test(
        arguments: [
            (
                EEXIST, NSRUN_CALL_OTHER_GROUP, "/srv/other",
                "its root is /srv/other, not /srv/debian\n"
                    + "  give all its processes the same options, or this one another name"
            ),
            (
                EEXIST, NSRUN_CALL_OTHER_GROUP, "/srv/debian",
                "its namespaces, mounts or ids are not those asked for\n"
                    + "  give all its processes the same options, or this one another name"
            ),
            (
                EEXIST, NSRUN_CALL_OTHER_GROUP, "/srv/debian\0be big\0be small\0",
                "it was set up to be big, not to be small\n"
                    + "  give all its processes the same options, or this one another name"
            ),
            (
                EEXIST, NSRUN_CALL_OTHER_GROUP, "/srv/debian\0be big\0\0",
                "it was set up to be big, which is not asked for here\n"
                    + "  give all its processes the same options, or this one another name"
            ),
            (
                EEXIST, NSRUN_CALL_OTHER_GROUP, "/srv/debian\0\0be small\0",
                "it was not set up to be small\n"
                    + "  give all its processes the same options, or this one another name"
            ),
            (
                EACCES, NSRUN_CALL_STRANGER, "",
                "a process of another user or namespace has taken its name\n"
                    + "  choose another name for the group (namespaces.join)"
            ),
            (
                ETIMEDOUT, NSRUN_CALL_STEP, "",
                "whoever has taken its name does not answer\n"
                    + "  choose another name for the group (namespaces.join)"
            ),
            (
                EAGAIN, NSRUN_CALL_STEP, "",
                "a limit on processes is reached\n  raise the limit on processes (ulimit -u)"
            ),
            (
                EMFILE, NSRUN_CALL_STEP, "",
                "too many open files\n  raise the limit on open files (ulimit -n)"
            ),
            (
                EPERM, NSRUN_CALL_STEP, "",
                """
                operation not permitted
                  what confines nsrun (a seccomp filter, AppArmor, SELinux, a container) forbids the call; \
                Doctor.examine() tells which work
                """
            ),
        ] as [(Int32, nsrun_call, String, String)])
    func whyNot(code: Int32, call: nsrun_call, text: String, wanted: String) throws {
        let facts = HostFacts.alice
        let plan = try plan(joined(), on: facts)
        let error = Diagnosis(plan: plan, facts: facts).explain(
            .init(step: 0, code: code, call: call.rawValue, text: Array(text.utf8)))
        #expect(error.lines == "cannot join the group ranks: \(wanted)")
        #expect(error.exitStatus == 125)
    }

    @Test func theHolderHasGone() throws {
        let facts = HostFacts.alice
        let plan = try plan(joined(), on: facts)
        let step = try #require(plan.shareIndex)
        let error = Diagnosis(plan: plan, facts: facts).explain(
            .init(step: step, code: EPIPE, call: 0, text: []))
        #expect(
            error.message
                == "cannot let others join: the process that keeps the namespaces was killed")
    }
}

extension Step.Action {
    fileprivate var isOfGroup: Bool {
        switch self {
        case .join, .share: true
        default: false
        }
    }
}
