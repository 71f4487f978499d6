// SPDX-License-Identifier: Apache-2.0

import CHost
import CRootFilesystem
import Glibc

/// Set-user-ID and set-group-ID bits, and who may have them.
///
/// A root file system lies in a directory of its user's, and what is root's in it is his on the host: a shell in
/// it with such a bit would make him of whoever starts it by its path. So real root keeps them, and nobody else;
/// directories lose them too.
struct SetIDBits {
    private static let bits: mode_t = 0o6000

    /// Whether the caller may keep them. ``nsrun_is_real_root``
    let areKept: Bool

    init(areKept: Bool = nsrun_is_real_root()) { self.areKept = areKept }

    /// What is left of a file's mode.
    func permitted(_ mode: mode_t) -> mode_t {
        mode & (areKept ? 0o7777 : 0o7777 & ~Self.bits)
    }

    /// Takes them off all files of a tree: also of those that belong to the caller's subordinate ids, for whom
    /// it is no better. `path` leads to the tree.
    func remove(from tree: RootDirectory, _ path: String) throws {
        if areKept { return }
        var isLeft = false
        try TreeWalk.visit(tree.descriptor, path) { place in
            guard place.status.st_mode & Self.bits != 0, !place.status.isSymbolicLink else {
                return true
            }
            if !Self.clear(place) { isLeft = true }
            return true
        }
        let top = try tree.descriptor.status(cannot: "examine", path)
        if top.st_mode & Self.bits != 0 {
            fchmod(tree.descriptor.number, permitted(top.st_mode & 0o7777))
        }
        // A directory that only another id may enter has not been seen.
        let hasOthers = try isLeft || SubordinateReading.isNeeded(in: tree.descriptor, path)
        guard hasOthers else { return }
        try NamespaceTool(power: .subordinateIDs).run(
            ["find", path, "-xdev", "-perm", "/6000", "-exec", "chmod", "ug-s", "{}", "+"],
            cannot: "take set-id bits off the files in", path)
    }

    /// By descriptor, as every change of a mode where somebody else may change names. `fchmodat2(2)`
    private static func clear(_ place: TreeWalk.Place) -> Bool {
        let opened = place.name.withCString {
            openat(place.parent.number, $0, nsrun_rootfs_o_path | O_NOFOLLOW | O_CLOEXEC)
        }
        guard let file = try? Descriptor(opened, cannot: "open", place.name.printable) else {
            return false
        }
        return chmod("/proc/self/fd/\(file.number)", place.status.st_mode & 0o7777 & ~bits) == 0
    }
}
