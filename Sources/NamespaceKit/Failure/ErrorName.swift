// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// The C library's own words, which callers of bubblewrap look for.
func systemReason(_ code: Int32) -> String { String(cString: strerror(code)) }

extension LaunchError {
    /// The message with the C library's own words for the cause, which bubblewrap's callers look for.
    public var asBubblewrap: String {
        if let bubblewrapWords { return bubblewrapWords }
        if code == 0 { return message }
        let own = Array(reason(code).utf8)
        let text = Array(message.utf8)
        guard text.count > own.count, text.suffix(own.count).elementsEqual(own) else {
            return message + " (" + systemReason(code) + ")"
        }
        return String(decoding: text.dropLast(own.count), as: UTF8.self) + systemReason(code)
    }
}

extension LaunchError {
    /// The remedy under bubblewrap's message, which says no more of a program than the C library does.
    public var remedyAsBubblewrap: String? {
        bubblewrapWords != nil && kind == .notExecutable ? message : advice
    }

    /// The same error with bubblewrap's words, and the C library's for the cause behind them.
    func sayingAsBubblewrap(_ words: String) -> LaunchError {
        var error = self
        error.bubblewrapWords = words + ": " + systemReason(code)
        return error
    }
}

/// The kernel's reasons in words that fit behind a colon.
func reason(_ code: Int32) -> String {
    switch code {
    case ENOENT: "no such file or directory"
    case EACCES: "permission denied"
    case EPERM: "operation not permitted"
    case EROFS: "read-only file system"
    case ENOTDIR: "not a directory"
    case EISDIR: "is a directory"
    case EEXIST: "exists already"
    case ELOOP: "too many symbolic links"
    case EINVAL: "invalid argument"
    case ENOSPC: "no space left"
    case EBUSY: "in use"
    case EADDRINUSE: "address already in use"
    case ENODEV: "the kernel does not have it"
    case ENOSYS: "the kernel does not have this call"
    case EMFILE: "too many open files"
    case ENOMEM: "out of memory"
    case ENAMETOOLONG: "name too long"
    case EAGAIN: "a limit on processes is reached"
    case EUSERS: "too many nested namespaces"
    case ENOEXEC: "not in a format that the kernel can run"
    case EBADF: "not an open file descriptor"
    case ETXTBSY: "being written"
    case E2BIG: "too long"
    case EIO: "input/output error"
    case ECONNREFUSED: "connection refused"
    case ETIMEDOUT: "it does not answer"
    case ENETUNREACH: "there is no way to its network"
    case EHOSTUNREACH: "there is no way to it"
    case ESTALE: "stale file handle"
    case EOPNOTSUPP: "not supported"
    case ESRCH: "no such process"
    case EOVERFLOW: "value too large"
    default: String(cString: strerror(code))
    }
}
