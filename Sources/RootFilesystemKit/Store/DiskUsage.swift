import Glibc

/// The disk space a tree takes, as du(1) counts it.
enum DiskUsage {
    static func bytes(below path: String) -> Int64 {
        guard let top = try? Descriptor.open(path, O_RDONLY | O_DIRECTORY, cannot: "open") else {
            return 0
        }
        var seen: Set<ino_t> = []
        var total: Int64 = 0
        var pending = [top]
        while let directory = pending.popLast() {
            for name in (try? listNames(directory, path)) ?? [] {
                var status = stat()
                let result = name.withCString {
                    fstatat(directory.number, $0, &status, AT_SYMLINK_NOFOLLOW)
                }
                guard result == 0 else { continue }
                if !status.isDirectory && status.st_nlink > 1
                    && !seen.insert(status.st_ino).inserted
                {
                    continue
                }
                total += Int64(status.st_blocks) * 512
                guard status.isDirectory else { continue }
                let opened = name.withCString {
                    openat(directory.number, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                }
                if let child = try? Descriptor(opened, cannot: "open", path) {
                    pending.append(child)
                }
            }
        }
        return total
    }
}
