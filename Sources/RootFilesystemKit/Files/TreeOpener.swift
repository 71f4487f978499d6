// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// Opens files of a tree: as the caller, and where that is refused by an ``OwnersReader``.
final class TreeOpener {
    /// Made when it is first needed; nil in it where there can be none.
    private var reader: OwnersReader??

    private var startedReader: OwnersReader? {
        if reader == nil { reader = .some(OwnersReader()) }
        return reader ?? nil
    }

    /// `openat(2)`; -1, with `errno` set, where nobody can.
    func open(_ name: ByteString, _ directory: Int32, _ flags: Int32) -> Int32 {
        let opened = name.withCString { openat(directory, $0, flags) }
        guard opened < 0, errno == EACCES else { return opened }
        guard let startedReader else {
            errno = EACCES
            return -1
        }
        return startedReader.open(name, in: directory, flags)
    }

    /// `fstatat(2)` without following a link.
    func status(of name: ByteString, in parent: Descriptor, _ full: String) throws -> stat {
        var status = stat()
        if name.withCString({ fstatat(parent.number, $0, &status, AT_SYMLINK_NOFOLLOW) }) == 0 {
            return status
        }
        guard errno == EACCES, let place = place(of: name, in: parent),
            fstat(place.number, &status) == 0
        else { throw RootFilesystemError(cannot: "examine", full, errno: errno) }
        return status
    }

    /// `readlinkat(2)`
    func target(of name: ByteString, in parent: Descriptor, _ full: String) throws -> ByteString {
        if let target = readLink(parent.number, name) { return target }
        guard errno == EACCES, let place = place(of: name, in: parent),
            let target = readLink(place.number, ByteString(""))
        else { throw RootFilesystemError(cannot: "read the symbolic link", full, errno: errno) }
        return target
    }

    /// In a directory that may not be searched.
    private func place(of name: ByteString, in parent: Descriptor) -> Descriptor? {
        let opened = startedReader?.open(
            name, in: parent.number, nsrun_rootfs_o_path | O_CLOEXEC)
        return try? Descriptor(opened ?? -1, cannot: "open", name.printable)
    }
}
