// SPDX-License-Identifier: Apache-2.0

import CHost

/// What keeps a group from being made in a place.
enum GroupObstacle: Error, Equatable {
    case notOurs
    case readOnly
    /// It has processes of its own.
    case busy
    case lacks(ByteString)
    case failed(Int32)

    init(_ code: Int32) {
        switch code {
        case EACCES, EPERM: self = .notOurs
        case EROFS: self = .readOnly
        case EBUSY: self = .busy
        default: self = .failed(code)
        }
    }

    /// What can be said of a place of one's own goes before that another is none.
    func moreTelling(_ other: GroupObstacle) -> GroupObstacle { self == .notOurs ? other : self }
}

/// Why a run cannot have limits.
struct GroupRefusal {
    var limits: Limits

    private func error(_ cause: String, _ remedy: String, _ code: Int32 = 0) -> LaunchError {
        LaunchError(
            .setup, "cannot limit \(limits.subjects): \(cause)", remedy: remedy, code: code)
    }

    private static var each: String {
        "\(OptionNames.current.limit) limits each process by itself"
    }

    var noHierarchy: LaunchError {
        error(
            "there is no cgroup v2 here",
            "boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2; " + Self.each)
    }

    /// In the whole hierarchy, as it is seen here.
    func absent(_ controller: ByteString) -> LaunchError {
        let membership = HostFacts.readFile("/proc/self/cgroup", limit: 1 << 20) ?? []
        let isOlder = ControlGroups.isOfVersion1(controller, membership: membership)
        return error(
            "cgroup v2 has no controller \(controller.text) here"
                + (isOlder ? ", for cgroup v1 has it" : ""),
            (isOlder
                ? "boot with systemd.unified_cgroup_hierarchy=1; "
                : "the kernel must have it, and in a container who starts that must hand it on; ")
                + Self.each)
    }

    var inRun: LaunchError {
        error(
            "this process is in a run with limits already",
            "give them to the outer run, or \(Self.each)")
    }

    func leaving(_ file: ByteString) -> LaunchError {
        error(
            "in a group of its own the run would leave the limit of \(file.text)",
            "start from a control group that is yours to divide (systemd-run --user --scope -p Delegate=yes), or "
                + "from one without limits")
    }

    func noScope(_ words: String) -> LaunchError {
        error(
            "systemd gives no scope: \(words)",
            "systemd-run --user --scope true must work; journalctl --user tells more")
    }

    func obstructed(_ obstacle: GroupObstacle, in own: OwnGroup, ofScope: Bool) -> LaunchError {
        let place = own.directory(own.path).text
        switch obstacle {
        case .notOurs:
            return error(
                "no control group is delegated to you, and no systemd of yours gives one (you are in \(place))",
                "log in through systemd (pam_systemd, loginctl enable-linger), or ask the administrator for a "
                    + "group to divide (cgroups(7), Delegation) and start nsrun in one below it",
                EACCES)
        case .readOnly:
            return error(
                "control groups are read-only here",
                "give the limits to what has started this container, or \(Self.each)", EROFS)
        case .busy:
            return error(
                "the control group \(place) has processes, and none below it may have limits beside them",
                "start nsrun in a group below one that is yours and has no processes", EBUSY)
        case .lacks(let controller):
            return error(
                "the controller \(controller.text) is not handed on to you (you are in \(place))",
                ofScope
                    ? "ask the administrator for Delegate=cpu cpuset io memory pids: systemctl edit user@.service"
                    : "who delegates the group must write +\(controller.text) to cgroup.subtree_control above it"
            )
        case .failed(let code):
            return error(reason(code), Remedy.general(code, at: nil) ?? Self.each, code)
        }
    }

    /// A limit that the kernel does not take.
    func unset(_ file: ByteString, _ code: Int32) -> LaunchError {
        error(
            "cannot write \(file.text): \(reason(code))",
            Remedy.general(code, at: nil) ?? Self.each, code)
    }

    func unkept(_ code: Int32) -> LaunchError {
        error(
            "cannot start what removes its control group: \(reason(code))",
            Remedy.general(code, at: nil) ?? Self.each, code)
    }

    /// Swapped out, the run would have more than its memory.
    var unlimitedSwap: LaunchError {
        error(
            "this kernel does not count what is swapped out",
            "boot with swapaccount=1, or without swap (swapoff -a)")
    }

    /// The clone into the group.
    static func clone(_ plan: LaunchPlan, _ code: Int32) -> LaunchError? {
        let refusal = GroupRefusal(limits: plan.limits)
        switch code {
        case ENOSYS, E2BIG:
            return refusal.error(
                "there is no clone3(2) that makes a process in a control group",
                "Linux 5.7 has it; what confines nsrun must allow it", code)
        case EACCES, EBUSY, EOPNOTSUPP, ENODEV:
            return refusal.error(
                "cannot make a process in its control group: \(reason(code))",
                "the group that yours and it lie in must be yours, too (cgroups(7), Delegation)",
                code)
        default: return nil
        }
    }
}
