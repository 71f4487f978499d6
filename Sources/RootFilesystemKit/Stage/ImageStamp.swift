// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What changes whenever a file does, found out without reading it. Of a directory it says little: there the
/// listing itself is looked at, see ``ImageDigest``.
struct ImageStamp: Equatable {
    let text: String
    let isOfDirectory: Bool
    /// The file was changed long enough ago for the next change to show, and is no directory.
    let isSettled: Bool

    /// `stat(2)`
    init(of path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw RootFilesystemError(cannot: "examine", path, errno: errno)
        }
        let modified = status.st_mtim
        let changed = status.st_ctim
        text =
            "\(status.st_dev) \(status.st_ino) \(status.st_size) \(modified.tv_sec).\(modified.tv_nsec) "
            + "\(changed.tv_sec).\(changed.tv_nsec)"
        isOfDirectory = status.isDirectory
        isSettled = status.isRegularFile && time(nil) > max(modified.tv_sec, changed.tv_sec) + 1
    }

    /// The stamp of an image once a file has been left alone for as long as a change takes to show: right after it was
    /// copied or exported that is a moment, and a file that is still being written is waited for until it is not.
    static func settled(of path: String) throws -> ImageStamp {
        var stamp = try ImageStamp(of: path)
        // Times that lie in the future never settle.
        for _ in 0..<100 where !stamp.isSettled && !stamp.isOfDirectory {
            try Interruption.check()
            usleep(50_000)
            stamp = try ImageStamp(of: path)
        }
        return stamp
    }
}

/// A hash of what an image holds.
enum ImageDigest {
    /// Of a file every byte counts; of a directory names, modes, link texts, sizes and times of modification, as rsync(1)
    /// judges by default, and what is recorded of how it wants to be run.
    static func of(_ path: String, progress: ProgressReport) throws -> String {
        let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK, cannot: "read")
        let status = try file.status(cannot: "examine", path)
        return status.isDirectory
            ? try ofTree(file, path) : try ofFile(file, path, Int64(status.st_size), progress)
    }

    private static func ofFile(
        _ file: Descriptor, _ path: String, _ size: Int64, _ progress: ProgressReport
    ) throws -> String {
        let buffer = BlockBuffer(size: 1 << 20)
        var hash = SHA256()
        var done: Int64 = 0
        while true {
            try Interruption.check()
            let count = read(file.number, buffer.bytes.baseAddress, buffer.bytes.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw RootFilesystemError(cannot: "read", path, errno: errno) }
            if count == 0 { return hash.finish() }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer.bytes[..<count]))
            done += Int64(count)
            progress.advance(to: done, of: size)
        }
    }

    private static func ofTree(_ root: Descriptor, _ path: String) throws -> String {
        let reader = try TreeReader(root, path: path)
        var hash = SHA256()
        if case .content(let record) = RecordFile.image.read(in: root, path) {
            record.withUnsafeBytes { hash.update($0) }
        }
        while let entry = try reader.next() {
            let attributes = entry.attributes
            var line = entry.path.joined.bytes + [0]
            line += Array(
                "\(entry.kind) \(attributes.mode) \(attributes.modified.seconds) \(attributes.modified.nanoseconds)\n"
                    .utf8)
            line.withUnsafeBytes { hash.update($0) }
        }
        return hash.finish()
    }
}
