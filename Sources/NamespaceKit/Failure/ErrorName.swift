import CNamespace

/// The C library's own words, which callers of bubblewrap look for.
public func systemReason(_ code: Int32) -> String { String(cString: strerror(code)) }

extension LaunchError {
    /// The same behind a message that has none of its own for it.
    public var systemWords: String {
        code == 0 || message.utf8.elementsEqual((message.prefixBeforeReason + reason(code)).utf8)
            ? "" : " (\(systemReason(code)))"
    }
}

extension String {
    /// Up to and with the last colon and blank.
    fileprivate var prefixBeforeReason: String {
        let bytes = Array(utf8)
        guard bytes.count > 2 else { return "" }
        for index in stride(from: bytes.count - 2, to: 0, by: -1)
        where bytes[index] == UInt8(ascii: ":") && bytes[index + 1] == UInt8(ascii: " ") {
            return String(decoding: bytes[...(index + 1)], as: UTF8.self)
        }
        return ""
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
