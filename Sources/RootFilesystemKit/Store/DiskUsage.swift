import Glibc

/// The disk space a tree takes, as du(1) counts it.
enum DiskUsage {
    static func bytes(below path: String) -> Int64 {
        var seen: Set<ino_t> = []
        var total: Int64 = 0
        TreeWalk.visit(path) { status in
            if status.isDirectory || status.st_nlink == 1 || seen.insert(status.st_ino).inserted {
                total += Int64(status.st_blocks) * 512
            }
            return true
        }
        return total
    }
}
