// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Removing files that belong to the caller's subordinate ids: only inside a user namespace that maps
/// those ids does the caller have power over them. subuid(5)
enum SubordinateRemoval {
    /// Removes a tree, whoever of the caller's ids its files belong to. `path` leads to it; `expected` is that
    /// directory, where it is open.
    static func removeAll(
        _ name: String, in parent: Descriptor, _ path: String, _ expected: Descriptor? = nil,
        _ patience: TreeRemoval.Patience = .cleansUp
    ) throws {
        do {
            try TreeRemoval.remove(
                ByteString(name), in: parent, path, expected: expected, patience)
        } catch let error as RootFilesystemError {
            guard error.code == EPERM || error.code == EACCES, let holder = parent.place,
                case let place = "\(holder)/\(name)", !MountUse.hasMounts(ByteString(place)),
                NamespaceTool.Power.available() == .subordinateIDs
            else { throw error }
            try NamespaceTool(power: .subordinateIDs)
                .run(["rm", "-rf", "--one-file-system", "--", place], cannot: "remove", path)
        }
    }
}
