// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The right to stage one image, held by one process of a node at a time, and what the last one found out.
///
/// A file named after the image's path: its lock is the right, its text a line `HASH STAMP`. The kernel takes the
/// lock from whoever dies.
final class StageTicket {
    private let file: Descriptor
    private let path: String

    /// Waits for the right; `waiting` is called where that takes more than a moment.
    init(for source: String, in folder: StageFolder, waiting: () -> Void) throws {
        var hash = SHA256()
        Array(source.utf8).withUnsafeBytes { hash.update($0) }
        let name = ".\(hash.finish().prefix(16)).stage"
        path = "\(folder.path)/\(name)"
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        file = try Descriptor(
            openat(folder.descriptor.number, name, flags, 0o600), cannot: "create", path)
        if flock(file.number, LOCK_EX | LOCK_NB) == 0 { return }
        waiting()
        while flock(file.number, LOCK_EX) != 0 {
            guard errno == EINTR else {
                throw RootFilesystemError(cannot: "lock", path, errno: errno)
            }
            try Interruption.check()
        }
    }

    /// The hash of an image that nobody has touched since it was computed.
    func hash(for stamp: ImageStamp) -> String? {
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = pread(file.number, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        let words = String(decoding: bytes[..<count], as: UTF8.self)
            .split(separator: " ", maxSplits: 1)
        guard words.count == 2, words[0].count == 64, words[1] == stamp.text + "\n" else {
            return nil
        }
        return String(words[0])
    }

    func note(_ hash: String, for stamp: ImageStamp) throws {
        // A change within the clock's next tick would leave the stamp as it is.
        guard stamp.isSettled else { return }
        let line = Array("\(hash) \(stamp.text)\n".utf8)
        guard ftruncate(file.number, 0) == 0,
            pwrite(file.number, line, line.count, 0) == line.count
        else { throw RootFilesystemError(cannot: "write", path, errno: errno) }
    }
}
