// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Glibc
import Testing

@testable import NamespaceKit

/// What a user reads when the executor reports a failure: the exact message, and the remedy.
@Suite struct DiagnosisTests {
    /// What this very host says about refusals; looked up only then, and different on each.
    private let refused = HostRefusal.find().words

    // MARK: Namespaces and id maps

    @Test(arguments: [
        (
            ENOSPC,
            """
            cannot create user, mount, pid namespaces: the limit of this machine or of an outer \
            namespace is reached
              end what holds them, as a rule processes of yours (lsns tells); or ask the \
            administrator for a higher sysctl user.max_*_namespaces; at most 32 levels of them can be nested
            """
        ),
        (
            EUSERS,
            """
            cannot create a user namespace: 32 levels of them are nested already
              start it from outside of some of these runs or containers
            """
        ),
        (
            EINVAL,
            """
            cannot create user, mount, pid namespaces: this kernel lacks one of them
              Doctor.examine() tells which
            """
        ),
        (
            EAGAIN,
            """
            cannot start a process: a limit on processes is reached
              raise the limit on processes (ulimit -u)
            """
        ),
    ])
    func namespaces(code: Int32, lines: String) throws {
        #expect(try diagnose(.unshare([.user, .mount, .pid]), after: [], code).lines == lines)
        let plan = try plan(.rootfs())
        let error = Diagnosis(plan: plan, facts: .alice).explainClone(code)
        #expect(error.lines == lines)
        #expect(error.exitStatus == 125)
    }

    @Test func namespacesForbidden() throws {
        #expect(
            try diagnose(.unshare([.user, .mount]), after: [], EPERM).lines == """
                cannot create a user namespace: \(refused.0)
                  \(refused.1)
                """)
    }

    @Test(
        arguments: [
            (.debianSysctl, "kernel.unprivileged_userns_clone=1"),
            (.limit, "user.max_user_namespaces=65536"),
            (.appArmor, "kernel.apparmor_restrict_unprivileged_userns=0"), (.seccomp, "seccomp"),
            (.chroot, "instead of chroot"), (.unknown, "ask the administrator"),
        ] as [(HostRefusal, String)])
    func everyRefusalHasItsRemedy(refusal: HostRefusal, remedy: String) {
        #expect(refusal.words.1.contains(remedy))
        #expect(!refusal.words.0.isEmpty)
    }

    @Test func idMaps() throws {
        let write = Step.Action.write(text: "0 1000 1\n", file: "/proc/self/uid_map")
        #expect(
            try diagnose(write, after: [], EPERM).lines == """
                cannot write /proc/self/uid_map: the kernel refuses the id map (\(refused.0))
                  \(refused.1)
                """)
        #expect(
            try diagnose(write, after: [], EROFS).lines == """
                cannot write /proc/self/uid_map: read-only file system
                  the outer /proc must be mounted, and writable; a container that mounts it \
                read-only must be started without that
                """)
    }

    /// Ubuntu's AppArmor lets the namespace be made and refuses the first mount in it.
    @Test func theFirstMountRefused() throws {
        #expect(
            try diagnose(.emptyRoot, after: [.isolateMounts], EPERM).lines == """
                cannot start from an empty root: mounting is refused (\(refused.0))
                  \(refused.1)
                """)
    }

    /// Only then may the launch be tried again with fewer of them: nothing has been touched.
    @Test func refusedNamespacesAreMarked() throws {
        let diagnosis = Diagnosis(plan: try plan(.rootfs()), facts: .alice)
        #expect(diagnosis.explainClone(EPERM).refusal == .namespaces)
        // A limit that somebody has used up is none, or he could choose how much the next run isolates.
        for want in [EAGAIN, ENOMEM, ENOSPC, EUSERS] {
            #expect(diagnosis.explainClone(want).refusal == nil)
        }
        #expect(try diagnose(.unshare(.user), after: [], EPERM).refusal == .namespaces)
        #expect(!(try diagnose(.enterRoot, EINVAL).refusal == .namespaces))
    }

    @Test func namespacesOfOthers() throws {
        #expect(
            try diagnose(.enterNamespace(descriptor: 9, .user), EINVAL).lines == """
                cannot enter the user namespace of descriptor 9: invalid argument
                  it must be a descriptor of /proc/PID/ns/user of a namespace that you own
                """)
        #expect(
            try diagnose(.assertNoUserNamespaces, EPERM).lines
                == "creation of new user namespaces was not disabled as requested")
    }

    @Test func aMaskedProc() throws {
        #expect(
            try diagnose(.fileSystem(.proc, target: "/proc"), EPERM).lines == """
                cannot mount a fresh proc on /proc: parts of the outer /proc are masked, as \
                container engines do
                  remove .pid from namespaces.new, which keeps the outer /proc, or set namespaces.proc to .outer, which \
                shows it beside processes of the run's own, or start the container with an unmasked /proc
                """)
    }

    // MARK: The rootfs

    private let rootfs = Step.Action.bind(
        .init(
            source: .path("/srv/debian"), target: "/", options: .readOnly, directoryOnly: true))

    @Test(arguments: [
        (
            ENOENT, "no such file or directory",
            "give the directory that holds its usr, bin and etc"
        ),
        (ENOTDIR, "not a directory", "give a directory or a squashfs file"),
        (EACCES, "permission denied", "every directory on the way must be searchable by you"),
    ])
    func aRootfsThatCannotBeUsed(code: Int32, cause: String, remedy: String) throws {
        let lines = "cannot use the rootfs /srv/debian: \(cause)\n  \(remedy)"
        let source = NSRUN_CALL_SOURCE.rawValue
        #expect(try diagnose(rootfs, after: [], code, source).lines == lines)
        let layer = Step.Action.overlay(
            .init(target: "/", lower: ["/srv/debian"], upper: .memory))
        #expect(try diagnose(layer, after: [], code, source).lines == lines)
    }

    // MARK: Overlays

    private let overlay = Step.Action.overlay(
        .init(target: "/o", lower: ["/a", "/b"], upper: .directories(upper: "/u", work: "/w")))

    @Test(arguments: [
        (
            ENODEV, "the kernel does not have it",
            "ask the administrator to load the overlay module (modprobe overlay)"
        ),
        (
            EINVAL, "invalid argument",
            "the file system that keeps the changes must be a plain local one (ext4, xfs, btrfs, "
                + "tmpfs), not NFS or another overlay"
        ),
        (EBUSY, "in use", "another run uses the same layer; give each run its own"),
        (EPERM, "operation not permitted", "the directories must belong to you"),
        (EACCES, "permission denied", "the directories must belong to you"),
    ])
    func anOverlayRefused(code: Int32, cause: String, remedy: String) throws {
        #expect(
            try diagnose(overlay, code).lines == """
                cannot mount an overlay of /a, /b on /o, changes in /u: \(cause)
                  \(remedy)
                """)
    }

    /// With its changes in memory already, a run must not be advised to keep them there.
    @Test func theRemedyIsNotWhatWasAskedFor() throws {
        let layer = Step.Action.overlay(.init(target: "/", lower: ["/srv/debian"], upper: .memory))
        for code in [EINVAL, EIO] {
            let remedy = try diagnose(layer, after: [], code).remedy ?? ""
            #expect(!remedy.contains(OptionNames.current.memoryLayer))
            #expect(!remedy.contains("file system that keeps the changes"))
        }
    }

    @Test func anOverlayOnAnOldKernel() throws {
        var facts = HostFacts.alice
        facts.kernel = KernelRelease(major: 5, minor: 10)
        #expect(
            try diagnose(overlay, EPERM, on: facts).lines == """
                cannot mount an overlay of /a, /b on /o, changes in /u: overlays without root need \
                Linux 5.11 (this is 5.10)
                  work on a copy of the rootfs that is writable
                """)
    }

    /// It may be the first mount of all, and then is no sign of a host that forbids them.
    @Test func theFirstOverlayRefused() throws {
        let layer = Step.Action.overlay(.init(target: "/", lower: ["/srv/debian"], upper: .memory))
        var facts = HostFacts.alice
        facts.kernel = KernelRelease(major: 5, minor: 10)
        for code in [EPERM, EACCES] {
            #expect(
                try diagnose(layer, after: [.isolateMounts], code, on: facts).lines == """
                    cannot mount an overlay of /srv/debian on /, changes in memory: overlays without root \
                    need Linux 5.11 (this is 5.10)
                      work on a copy of the rootfs that is writable
                    """)
        }
    }

    /// A table of mounts that is full says what a full disk says.
    @Test func tooManyMounts() throws {
        #expect(
            try diagnose(.tmpfs(target: "/tmp", mode: 0, size: nil, replacesLink: false), ENOSPC)
                .lines
                    == """
                    cannot mount a tmpfs on /tmp: there are as many mounts as the sysctls fs.mount-max and \
                    user.max_mnt_namespaces allow
                      end runs of yours, or ask the administrator for more
                    """)
        #expect(
            try diagnose(rootfs, ENOSPC, NSRUN_CALL_SOURCE.rawValue).lines.contains(
                "as many mounts as the sysctl user.max_mnt_namespaces allows"))
        let full = try diagnose(overlay, ENOSPC).lines
        #expect(full.contains("no space left") && !full.contains("sysctl"))
    }

    /// Where the newer calls are forbidden, and the older one is too, both are named.
    @Test func refusedCalls() throws {
        let error = try diagnose(
            .emptyRoot, after: [.isolateMounts], EPERM, text: Array("move_mount".utf8))
        #expect(error.message.hasSuffix(": move_mount(2) and mount(2) are both forbidden"))
        #expect(error.refusal == .setup)
        #expect(try diagnose(.enterRoot, EPERM).lines.contains("pivot_root(2) and umount2(2)"))
    }

    /// A launch whose host has changed is made again; what was asked for in so many words is not.
    @Test func whatMayBeOutdatedIsMarked() throws {
        var facts = HostFacts.alice
        facts.hostTree = [.init(path: "/etc", kind: .plain)]
        let request = LaunchRequest(command: ["true"]).with { $0.root.layer = .memory }
        let plan = try Planner.plan(request, on: facts)
        let index = try #require(
            plan.steps.firstIndex { if case .overlay = $0.action { true } else { false } })
        for (code, call) in [(EINVAL, NSRUN_CALL_STEP), (ENOENT, NSRUN_CALL_SOURCE)] {
            let record = Diagnosis.Record(step: index, code: code, call: call.rawValue, text: [])
            #expect(Diagnosis(plan: plan, facts: facts).explain(record).mayBeOutdated)
        }
        let rootfs = try Planner.plan(.rootfs().with { $0.root.layer = .memory }, on: .alice)
        let record = Diagnosis.Record(
            step: 5, code: ENOENT, call: NSRUN_CALL_SOURCE.rawValue, text: [])
        #expect(!Diagnosis(plan: rootfs, facts: .alice).explain(record).mayBeOutdated)
    }

    // MARK: The rest

    @Test(
        arguments: [
            (
                .setIDs(user: 5, group: 6), EINVAL,
                """
                cannot become user 5, group 6: invalid argument
                  this id is not mapped in the run's user namespace
                """
            ),
            (
                .limit(ResourceLimit(resource: 7, soft: 1, hard: 2)), EPERM,
                """
                cannot set the limit nofile: operation not permitted
                  a hard limit can be lowered, but raised only by root
                """
            ),
            (
                .hostname("box"), EPERM,
                """
                cannot set the host name to box: operation not permitted
                  a uts namespace is needed: namespaces.new: .uts
                """
            ),
            (
                .remountReadOnly(target: "/x"), EINVAL,
                """
                cannot make the mount /x read-only: invalid argument
                  /x is not a mount point
                """
            ),
            (
                .hostDirectory("/data/layer"), EACCES,
                """
                cannot make the directory /data/layer on the host: permission denied
                  give a directory in which you may write
                """
            ),
            (
                .enterRoot, EINVAL,
                """
                cannot enter the new root: invalid argument
                  the kernel refuses just this: Doctor.examine() tells what works here, and --verbose (for the library \
                tracesSteps) what was done before
                """
            ),
        ] as [(Step.Action, Int32, String)])
    func others(action: Step.Action, code: Int32, lines: String) throws {
        #expect(try diagnose(action, code).lines == lines)
    }

    @Test func theCommandsProcessCannotBeStarted() throws {
        #expect(
            try diagnose(.enterRoot, EAGAIN, NSRUN_CALL_FORK.rawValue).lines == """
                cannot start the command: a limit on processes is reached
                  raise the limit on processes (ulimit -u)
                """)
    }

    @Test func aStepThatDoesNotExist() throws {
        let diagnosis = Diagnosis(plan: try plan(.rootfs()), facts: .alice)
        for step in [-1, 10_000] {
            let error = diagnosis.explain(.init(step: step, code: ENOMEM, call: 0, text: []))
            #expect(error.message == "cannot set up the run: out of memory")
        }
    }

    // MARK: Working directory

    @Test func aDirectoryOnRequest() throws {
        #expect(
            try diagnose(.changeDirectory(["/nowhere"]), ENOENT).lines == """
                cannot start in /nowhere: no such file or directory
                  set program.workingDirectory to a directory that exists inside
                """)
    }

    @Test func theOwnDirectoryHiddenByAMount() throws {
        #expect(
            try diagnose(
                .changeDirectory(["/home/alice/work"]), ENOENT,
                request: LaunchRequest(command: ["true"])
            ).lines == """
                cannot start in /home/alice/work: no such file or directory
                  a mount of this run hides it: bind it after that one, or set program.workingDirectory
                """)
    }
}
