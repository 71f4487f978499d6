// SPDX-License-Identifier: Apache-2.0

import CNamespace
import CRootFilesystem
import Glibc

/// Gives a file its owner, permissions, times and extended attributes, as far as the caller may.
///
/// An owner the caller's user namespace has no id for, or may not give away, becomes the caller;
/// an attribute the file system or the kernel refuses is left out. Both are counted, not errors: a
/// rootfs is worth having without them. Set-id bits are kept for nobody but real root, see ``SetIDBits``.
struct AttributeWriter {
    /// How many extended attributes could not be kept.
    private(set) var lostAttributes = 0
    private let mayChangeOwner = geteuid() == 0
    private let setID = SetIDBits()

    /// The order matters: changing the owner clears setuid and file capabilities, and a file without
    /// write permission takes no more `user.` attributes.
    mutating func apply(
        _ wanted: FileAttributes, to file: Descriptor, _ path: @autoclosure () -> EntryPath
    ) throws {
        if mayChangeOwner, fchown(file.number, wanted.owner, wanted.group) != 0 {
            try tolerate([EPERM, EINVAL], "change the owner of", path())
        }
        for attribute in wanted.extended {
            let result = attribute.name.withCString { name in
                attribute.value.withUnsafeBytes {
                    fsetxattr(file.number, name, $0.baseAddress, $0.count, 0)
                }
            }
            if result != 0 { lostAttributes += 1 }
        }
        if fchmod(file.number, setID.permitted(wanted.mode)) != 0 {
            try tolerate([], "change the mode of", path())
        }
        var times = times(wanted)
        if futimens(file.number, &times) != 0 { try tolerate([], "set the time of", path()) }
    }

    /// Whether a file would not get the mode that it is to have.
    func changesMode(of entry: TreeEntry) -> Bool {
        switch entry.kind {
        case .file, .hardLink:
            setID.permitted(entry.attributes.mode) != entry.attributes.mode & 0o7777
        case .directory, .symbolicLink, .fifo, .device: false
        }
    }

    /// What can be set without opening: owner and time of a symbolic link or FIFO.
    func applyToLink(_ wanted: FileAttributes, _ slot: TreeWriter.Slot) {
        var times = times(wanted)
        slot.name.withCString { name in
            if mayChangeOwner {
                _ = fchownat(
                    slot.parent.number, name, wanted.owner, wanted.group, AT_SYMLINK_NOFOLLOW)
            }
            _ = utimensat(slot.parent.number, name, &times, AT_SYMLINK_NOFOLLOW)
        }
    }

    private func times(_ wanted: FileAttributes) -> [timespec] {
        let modified = timespec(
            tv_sec: wanted.modified.seconds, tv_nsec: wanted.modified.nanoseconds)
        return [modified, modified]
    }

    private func tolerate(_ codes: [Int32], _ operation: String, _ path: EntryPath) throws {
        let code = errno
        if codes.contains(code) { return }
        throw RootFilesystemError(cannot: operation, path.printable, errno: code)
    }
}
