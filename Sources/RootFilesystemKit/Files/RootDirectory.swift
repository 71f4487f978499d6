// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// A directory that is somebody's `/`: paths are resolved below it and cannot leave it.
///
/// Symbolic links are followed as they would be after a chroot into the directory. The kernel does
/// that in `openat2(2)`; where it lacks the call (before 5.6, in gVisor, under systemd's
/// `RestrictSUIDSGID=`) the same walk is done here, a name at a time, without following anything.
final class RootDirectory {
    let descriptor: Descriptor
    /// How users know it.
    let path: String
    private var kernelResolves: Bool

    init(path: String, descriptor: Descriptor, kernelResolves: Bool = true) {
        self.path = path
        self.descriptor = descriptor
        self.kernelResolves = kernelResolves
    }

    convenience init(opening path: String, kernelResolves: Bool = true) throws {
        let flags = O_RDONLY | O_DIRECTORY
        let descriptor = try Descriptor.open(path, flags, cannot: "open the directory")
        self.init(path: path, descriptor: descriptor, kernelResolves: kernelResolves)
    }

    /// Opens what `entry` leads to, symbolic links included. `flags` must not create anything.
    ///
    /// The descriptor is -1 when that fails, and `errno` says why.
    func open(_ entry: EntryPath, _ flags: Int32) -> Int32 {
        if entry.isRoot { return openat(descriptor.number, ".", flags | O_CLOEXEC) }
        if kernelResolves {
            let opened = entry.joined.withCString {
                nsrun_rootfs_open_in_root(descriptor.number, $0, flags | O_CLOEXEC)
            }
            if opened >= 0 || (errno != ENOSYS && errno != ENAMETOOLONG) { return opened }
            if errno == ENOSYS { kernelResolves = false }
        }
        return walk(entry, flags | O_CLOEXEC)
    }

    /// The same; nil where there is nothing, or what its makers have put there or on the way leads to nothing.
    func openIfThere(_ entry: EntryPath, _ flags: Int32) throws -> Descriptor? {
        let opened = open(entry, flags)
        if opened < 0, [ENOENT, ENOTDIR, ELOOP, ENXIO].contains(errno) { return nil }
        return try Descriptor(opened, cannot: "open", "\(path)/\(entry.printable)")
    }

    /// Opens a directory below the root, following symbolic links inside it.
    func openDirectory(_ entry: EntryPath, cannot operation: String) throws -> Descriptor {
        try Descriptor(
            open(entry, O_RDONLY | O_DIRECTORY), cannot: operation, "\(path)/\(entry.printable)")
    }

    /// The path walk of `path_resolution(7)`, which never goes above the root.
    private func walk(_ entry: EntryPath, _ flags: Int32) -> Int32 {
        guard var descent = beginning() else { return -1 }
        var current: Int32 { descent.current.number }
        var pending = Array(entry.names.reversed())
        var linksLeft = 40
        while let name = pending.popLast() {
            if name == ByteString(".") { continue }
            if name == ByteString("..") {
                if descent.depth > 0, (try? descent.leave()) == nil { return failing(ESTALE) }
                continue
            }
            let step = name.withCString {
                openat(current, $0, nsrun_rootfs_o_path | O_NOFOLLOW | O_CLOEXEC)
            }
            guard let found = try? Descriptor(step, cannot: "open", name.printable),
                let status = try? found.status(cannot: "examine", name.printable)
            else { return -1 }
            if status.isSymbolicLink {
                linksLeft -= 1
                guard linksLeft > 0 else { return failing(ELOOP) }
                guard let target = readLink(found.number, ByteString("")) else { return -1 }
                if target.bytes.first == UInt8(ascii: "/") {
                    guard let again = beginning() else { return -1 }
                    descent = again
                }
                pending += target.bytes.split(separator: UInt8(ascii: "/")).reversed()
                    .map { ByteString(Array($0)) }
            } else if status.isDirectory {
                guard (try? descent.enter(found)) != nil else { return -1 }
            } else if pending.isEmpty {
                return name.withCString { openat(current, $0, flags | O_NOFOLLOW) }
            } else {
                return failing(ENOTDIR)
            }
        }
        return openat(current, ".", flags)
    }

    private func beginning() -> DirectoryDescent? {
        try? DirectoryDescent(descriptor, path: path, flags: nsrun_rootfs_o_path)
    }

    private func failing(_ code: Int32) -> Int32 {
        errno = code
        return -1
    }
}

/// The target of the symbolic link `name` in `directory`; an empty name means the descriptor
/// itself. Nil, with `errno` set, if it cannot be read. `readlinkat(2)`
func readLink(_ directory: Int32, _ name: ByteString) -> ByteString? {
    let buffer = BlockBuffer(size: Int(PATH_MAX) + 1)
    let text = buffer.bytes.bindMemory(to: CChar.self)
    guard let start = text.baseAddress else { return nil }
    let length = name.withCString { readlinkat(directory, $0, start, text.count) }
    guard length >= 0 else { return nil }
    return ByteString(Array(buffer.bytes[..<length]))
}
