// SPDX-License-Identifier: Apache-2.0

import CHost

/// Why this host refuses user namespaces, as far as it tells. Looked at only after a refusal.
enum HostRefusal: Equatable {
    case debianSysctl
    case appArmor
    case limit
    case seccomp
    case chroot
    case unknown

    static func find() -> HostRefusal {
        if number("/proc/sys/kernel/unprivileged_userns_clone") == 0 { return .debianSysctl }
        if number("/proc/sys/user/max_user_namespaces") == 0 { return .limit }
        if restrictsByAppArmor { return .appArmor }
        if isFiltered { return .seccomp }
        if isChrooted { return .chroot }
        return .unknown
    }

    /// The sysctl by which the administrator allows none of one kind of these namespaces (namespaces(7)). What an outer
    /// namespace allows cannot be seen from inside.
    static func forbidden(_ set: NamespaceSet) -> String? {
        for (member, name) in NamespaceSet.names where set.contains(member) {
            let sysctl = "max_\(member == .mount ? "mnt" : name)_namespaces"
            if number(ByteString("/proc/sys/user/" + sysctl)) == 0 { return "user." + sysctl }
        }
        return nil
    }

    /// The kind of which there can be no more while there can of the others, found out by trying; nil where it is user
    /// namespaces themselves, which may be too many or too deep.
    static func exhausted(_ set: NamespaceSet) -> (NamespaceSet, String)? {
        let around = set.intersection(.user)
        guard nsrun_try_namespaces(around.cloneFlags) == 0 else { return nil }
        for (member, name) in NamespaceSet.names where set.contains(member) && member != .user {
            if nsrun_try_namespaces(around.union(member).cloneFlags) == -ENOSPC {
                return (member, "user.max_\(member == .mount ? "mnt" : name)_namespaces")
            }
        }
        return nil
    }

    static var restrictsByAppArmor: Bool {
        number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1
    }

    /// The cause, and the remedy.
    var words: (String, String) {
        switch self {
        case .debianSysctl:
            (
                "the sysctl kernel.unprivileged_userns_clone is 0",
                "ask the administrator for sysctl kernel.unprivileged_userns_clone=1"
            )
        case .appArmor:
            (
                "AppArmor restricts unprivileged user namespaces",
                "ask the administrator for an AppArmor profile with `userns,` for nsrun, or for "
                    + "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
            )
        case .limit:
            (
                "the sysctl user.max_user_namespaces is 0",
                "ask the administrator for sysctl user.max_user_namespaces=65536"
            )
        case .seccomp:
            (
                "a seccomp filter around nsrun, as container engines set up, forbids it",
                "start the container with a seccomp profile that allows unshare, clone and mount"
            )
        case .chroot:
            (
                "nsrun runs in a chroot, where the kernel allows no user namespaces",
                "enter that root with \(OptionNames.current.enterRootfs) instead of chroot"
            )
        case .unknown:
            (
                "the kernel or a security module forbids it",
                "ask the administrator whether unprivileged user namespaces are allowed here"
            )
        }
    }

    private static func number(_ path: ByteString) -> UInt64? {
        guard let text = HostFacts.readFile(path, limit: 64) else { return nil }
        return ByteString(bytes: text.filter { $0 != UInt8(ascii: "\n") }).number()
    }

    /// `Seccomp: 2` in proc_pid_status(5).
    private static var isFiltered: Bool {
        guard let text = HostFacts.readFile("/proc/self/status", limit: 8192) else { return false }
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n"))
        where line.hasPrefix("Seccomp:") {
            return line.bytes.last == UInt8(ascii: "2")
        }
        return false
    }

    /// The root of a mount namespace is a mount point; that of a chroot seldom is.
    private static var isChrooted: Bool {
        guard let text = HostFacts.readFile("/proc/self/mountinfo", limit: 1 << 22) else {
            return false
        }
        return !MountPoint.parse(text).contains { $0.path == "/" }
    }
}
