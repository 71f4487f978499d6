import Glibc

/// A look at everything below a directory, in no order: what cannot be read is passed over.
enum TreeWalk {
    /// Calls `body` with the status of each entry until it returns false. `fstatat(2)`
    static func visit(_ path: String, _ body: (stat) -> Bool) {
        guard let top = try? Descriptor.open(path, O_RDONLY | O_DIRECTORY, cannot: "open") else {
            return
        }
        var pending = [top]
        while let directory = pending.popLast() {
            for name in (try? listNames(directory, path)) ?? [] {
                var status = stat()
                let result = name.withCString {
                    fstatat(directory.number, $0, &status, AT_SYMLINK_NOFOLLOW)
                }
                guard result == 0 else { continue }
                guard body(status) else { return }
                guard status.isDirectory else { continue }
                let opened = name.withCString {
                    openat(directory.number, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                }
                if let child = try? Descriptor(opened, cannot: "open", path) {
                    pending.append(child)
                }
            }
        }
    }
}
