// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// Opens what is the caller's own and may not be read by him as it is: files without permissions, as Fedora's
/// `/etc/shadow`, and what belongs to his subordinate ids. By a child that is root of a user namespace in which these
/// ids are mapped; the files stay as they are. user_namespaces(7)
final class OwnersReader {
    private let socket: Int32
    private let child: pid_t

    /// Nil where the host allows no such namespace, and for root, who needs none.
    init?() {
        guard geteuid() != 0 else { return nil }
        let ranges = SubordinateRanges.ofCaller()
        if !ranges.isEmpty, let started = Self.start(isMappedByCaller: true) {
            if (try? ranges.map(into: started.child)) != nil {
                (socket, child) = started
                return
            }
            nsrun_rootfs_reader_stop(started.socket, started.child)
        }
        guard let started = Self.start(isMappedByCaller: false) else { return nil }
        (socket, child) = started
    }

    deinit {
        nsrun_rootfs_reader_stop(socket, child)
    }

    private static func start(isMappedByCaller: Bool) -> (socket: Int32, child: pid_t)? {
        var child: pid_t = 0
        let socket = nsrun_rootfs_reader_start(isMappedByCaller ? 1 : 0, &child)
        return socket < 0 ? nil : (socket, child)
    }

    /// `openat(2)` without following a link; -1, with `errno` set, where that fails.
    func open(_ name: ByteString, in directory: Int32, _ flags: Int32) -> Int32 {
        name.withCString { nsrun_rootfs_reader_open(socket, directory, $0, flags | O_NOFOLLOW) }
    }

    /// Whether a tree has something that only such a child can read, for programs that read it themselves.
    static func isNeeded(for tree: Descriptor, _ path: String) throws -> Bool {
        let caller = geteuid()
        guard caller != 0 else { return false }
        var isFound = false
        try TreeWalk.visit(tree, path) { place in
            let status = place.status
            let needed: mode_t =
                status.isDirectory ? 0o500 : status.isRegularFile ? 0o400 : 0
            isFound = status.st_uid == caller && status.st_mode & needed != needed
            return !isFound
        }
        return isFound
    }
}
