// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The disk space a tree takes, as du(1) counts it.
enum DiskUsage {
    static func bytes(below path: String) throws -> Int64 {
        var seen: Set<ino_t> = []
        var total: Int64 = 0
        try TreeWalk.visit(path) { place in
            let status = place.status
            if status.isDirectory || status.st_nlink == 1 || seen.insert(status.st_ino).inserted {
                total += Int64(status.st_blocks) * 512
            }
            return true
        }
        return total
    }
}
