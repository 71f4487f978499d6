// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The socket that a server listens on, as a file. Another server may put its own in its place at any time.
struct SocketFile {
    let path: String
    /// Tells it from another file that has its name, and from a later one that has its inode as well.
    let identity: String

    init(_ path: String, identity: String) {
        self.path = path
        self.identity = identity
    }

    /// The one that is there now.
    init?(_ path: String) {
        guard let identity = SocketFile.identity(of: path) else { return nil }
        self.init(path, identity: identity)
    }

    /// Removes it, unless another server's is in its place.
    func remove() {
        if SocketFile.identity(of: path) == identity { unlink(path) }
    }

    private static func identity(of path: String) -> String? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return [
            Int(status.st_dev), Int(status.st_ino), status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
        ].map(String.init).joined(separator: ":")
    }
}
