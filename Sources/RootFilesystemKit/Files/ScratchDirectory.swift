// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc

/// A directory for temporary files, below `$TMPDIR` or /tmp, that goes away with its last user. `mkdtemp(3)`
final class ScratchDirectory {
    let path: String

    /// Others may look into it if it `isShared`: programs that change their user while they work.
    init(isShared: Bool = false) throws {
        let named = ProcessInfo.processInfo.environment["TMPDIR"] ?? ""
        let parent = named.isEmpty ? "/tmp" : named
        var name = Array("\(parent)/nsrun-rootfs-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil, !isShared || chmod(name, 0o755) == 0 else {
            throw RootFilesystemError(
                cannot: "make a temporary directory in", parent, errno: errno)
        }
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        let (holder, name) = PathParts.split(path)
        guard
            let parent = try? Descriptor.open(
                holder, nsrun_rootfs_o_path | O_DIRECTORY, cannot: "open")
        else { return }
        try? SubordinateRemoval.removeAll(name, in: parent, path)
    }
}
