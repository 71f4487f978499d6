// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An open file descriptor that closes itself. `close(2)`
final class Descriptor: Sendable {
    let number: Int32

    /// Takes over `number`, the result of an opening call; -1 throws what `errno` says.
    init(_ number: Int32, cannot operation: String, _ object: @autoclosure () -> String) throws {
        guard number >= 0 else {
            throw RootFilesystemError(cannot: operation, object(), errno: errno)
        }
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Opens `path` as the caller sees it. `open(2)`
    static func open(_ path: String, _ flags: Int32, cannot operation: String) throws -> Descriptor
    {
        try Descriptor(Glibc.open(path, flags | O_CLOEXEC), cannot: operation, path)
    }

    /// Opens a directory in this one, without following a link; nil, with `errno` set, where that fails.
    func openDirectory(_ name: ByteString) -> Descriptor? {
        let opened = name.withCString {
            openat(number, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        }
        return opened < 0 ? nil : Descriptor(owning: opened)
    }

    private init(owning number: Int32) { self.number = number }

    /// Whether two lead to one file.
    func isSame(as other: Descriptor) -> Bool {
        var (own, others) = (stat(), stat())
        return fstat(number, &own) == 0 && fstat(other.number, &others) == 0
            && FileIdentity(own) == FileIdentity(others)
    }

    /// Where on the host it is, without links; nil where that cannot be told. proc_pid_fd(5)
    var place: String? {
        readLink(AT_FDCWD, ByteString("/proc/self/fd/\(number)")).map {
            String(decoding: $0.bytes, as: UTF8.self)
        }
    }

    /// Writes all of it. `pwrite(2)`
    func write(
        _ bytes: [UInt8], at offset: off_t, cannot operation: String, _ object: String
    ) throws {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                pwrite(number, $0.baseAddress, $0.count, offset + off_t(done))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw RootFilesystemError(cannot: operation, object, errno: errno)
            }
            done += count
        }
    }

    /// `fstat(2)`
    func status(cannot operation: String, _ object: @autoclosure () -> String) throws -> stat {
        var status = stat()
        guard fstat(number, &status) == 0 else {
            throw RootFilesystemError(cannot: operation, object(), errno: errno)
        }
        return status
    }
}

extension stat {
    var type: UInt32 { st_mode & S_IFMT }
    var isDirectory: Bool { type == S_IFDIR }
    var isRegularFile: Bool { type == S_IFREG }
    var isSymbolicLink: Bool { type == S_IFLNK }
}
