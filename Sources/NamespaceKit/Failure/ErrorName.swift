import CNamespace

/// The C library's own words, which callers of bubblewrap look for.
public func systemReason(_ code: Int32) -> String { String(cString: strerror(code)) }

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
    case ESTALE: "stale file handle"
    case EOPNOTSUPP: "not supported"
    case ESRCH: "no such process"
    case EOVERFLOW: "value too large"
    default: String(cString: strerror(code))
    }
}
