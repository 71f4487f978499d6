// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// What helps against an error of the kernel, whatever met it: one table from errno to cause and remedy. A step's own hint
/// is for the errors that it is about; these are for all others.
enum Remedy {
    /// The errors that say the same wherever they come from: no hint of a step's fits them better.
    static func always(_ code: Int32, at path: ByteString?) -> String? {
        switch code {
        case EMFILE: "raise the limit on open files (ulimit -n)"
        case ENFILE:
            "the whole machine has as many files open as the sysctl fs.file-max allows: end what holds them, or ask "
                + "the administrator for more"
        case ENOMEM:
            "end what uses the memory, or raise the limit of this control group or of address space (ulimit -v)"
        case EIO:
            "look at the kernel's log (dmesg) for \(path.map { "the disk that \($0.text) lies on" } ?? "a disk")"
        case EINTR: "a signal came in between: start it once more"
        case ESTALE:
            "the server of \(path?.text ?? "a network file system") has lost the file: mount it again"
        default: nil
        }
    }

    /// What may help where nothing else is known.
    static func general(_ code: Int32, at path: ByteString?) -> String? {
        if let sure = always(code, at: path) { return sure }
        let doctor = OptionNames.current.doctor
        return switch code {
        case 0: nil
        case EAGAIN: "raise the limit on processes (ulimit -u), or start it once more"
        case EPERM:
            "what confines nsrun (a seccomp filter, AppArmor, SELinux, a container) forbids the call; \(doctor) tells "
                + "which work"
        case ENOSYS, EOPNOTSUPP, ENODEV, EAFNOSUPPORT, ENOPROTOOPT:
            "this kernel, or what confines nsrun, does not have it; \(doctor) tells what works here"
        case EACCES: "it must be open to you, and so must every directory on the way"
        case ENOSPC: fullness(of: path)
        case EDQUOT:
            "your quota is used up (quota -s): remove files, or ask the administrator for more"
        case EROFS: "it lies on a mount that is read-only"
        case ENOENT: "name what is there"
        case ENOTDIR: nil  // which one is said
        case ECHILD:
            "something else has waited for it: look for what traces or stops processes here"
        case ELOOP: "a symbolic link on the way leads in a circle, or further than 40 of them"
        case ENAMETOOLONG: "a path has at most 4,095 bytes, and each of its names 255"
        case EBUSY, ETXTBSY:
            "something else uses it just now: start it once more when that has ended"
        case EEXIST: "something of that name is there already"
        case EISDIR: "a file is wanted there"
        case ENOLCK: "the file system or its server gives no locks"
        case ETIMEDOUT: "something waits for what does not answer: an automounter, a server"
        case EINVAL, EBADF, E2BIG, EOVERFLOW:
            "the kernel refuses just this: \(doctor) tells what works here, and --verbose (for the library "
                + "tracesSteps) what was done before"
        default: "\(doctor) tells what works on this machine"
        }
    }

    /// Which file system is full, and of what.
    private static func fullness(of path: ByteString?) -> String {
        switch path.map({ path in withCString(path) { nsrun_fullness($0) } }) {
        case 1: "the file system of \(path?.text ?? "") is full (df): remove files there"
        case 2:
            "the file system of \(path?.text ?? "") has no inodes left (df -i): remove files there"
        default: "df and df -i tell which file system is full; of what lies in memory free tells"
        }
    }
}

extension LaunchError {
    /// The remedy, or where there is none for this case what helps against its errno.
    public var advice: String? {
        remedy ?? (message.hasSuffix(reason(code)) ? Remedy.general(code, at: nil) : nil)
    }
}
