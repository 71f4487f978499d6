// SPDX-License-Identifier: Apache-2.0

import CHost
import CRootFilesystem
import Glibc

/// Removes a tree whatever its permissions and depth, without following a link or entering what is mounted in it.
enum TreeRemoval {
    /// Whether a signal ends it. Not where it is how an interrupted run cleans up.
    enum Patience { case endsBySignal, cleansUp }

    /// Removes what `path` names and everything in it; what does not exist is removed already.
    static func remove(_ path: String) throws {
        let (holder, name) = PathParts.split(path)
        let opened = open(holder, nsrun_rootfs_o_path | O_DIRECTORY | O_CLOEXEC)
        if opened < 0 && errno == ENOENT { return }
        try remove(ByteString(name), in: Descriptor(opened, cannot: "remove", path), path)
    }

    /// The same for a name in an open directory; only the very directory that is open as `expected`, if that is
    /// given. `path` is for messages.
    static func remove(
        _ name: ByteString, in parent: Descriptor, _ path: String, expected: Descriptor? = nil,
        _ patience: Patience = .cleansUp
    ) throws {
        var culprit = [CChar](repeating: 0, count: Int(PATH_MAX) + Int(NAME_MAX) + 2)
        let stop = patience == .endsBySignal ? nsrun_rootfs_pending() : nil
        let result = name.withCString {
            nsrun_remove_at(
                parent.number, $0, expected?.number ?? -1, stop, &culprit, culprit.count)
        }
        guard result < 0 else { return }
        if result == -EINTR { try Interruption.check() }
        let place = ByteString(cString: culprit).printable
        if result == -EXDEV || result == -EBUSY {
            throw RootFilesystemError(
                cannot: "remove", place.isEmpty ? path : place,
                because: "something is mounted there", remedy: "unmount it first")
        }
        throw RootFilesystemError(
            cannot: "remove", place.isEmpty ? path : place, errno: -result)
    }
}

/// A path as text, in two.
enum PathParts {
    /// The directory that holds it, and its name there. Slashes at the end mean nothing.
    static func split(_ path: String) -> (holder: String, name: String) {
        var bytes = Array(path.utf8)[...]
        let slash = UInt8(ascii: "/")
        while bytes.count > 1, bytes.last == slash { bytes = bytes.dropLast() }
        guard let last = bytes.lastIndex(of: slash) else {
            return (".", String(decoding: bytes, as: UTF8.self))
        }
        let name = String(decoding: bytes[(last + 1)...], as: UTF8.self)
        var holder = bytes[..<last]
        while holder.last == slash { holder = holder.dropLast() }
        return (holder.isEmpty ? "/" : String(decoding: holder, as: UTF8.self), name)
    }
}
