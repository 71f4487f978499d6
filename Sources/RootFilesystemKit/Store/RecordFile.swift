// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Glibc
import NamespaceKit

/// What is kept about a root file system in the tree itself, `ROOT/.nsrun/NAME`: so it goes with the tree however
/// that is named or moved, and vanishes with it. See NamespaceKit's ``RootRecord`` for who is believed.
enum RecordFile: CaseIterable {
    /// Where it came from, and how it wants to be run. ``ImageRecord``
    case image
    /// Which package has which file. ``InstalledPackages``
    case packages

    static let directory = RootRecord.directory

    /// The extended attribute of its root directory that an archive has for a record: whoever unpacks the archive with
    /// another program gets the same files as ever.
    static let attribute: ByteString = "user.nsrun.image"

    var name: ByteString {
        switch self {
        case .image: RootRecord.image
        case .packages: RootRecord.packages
        }
    }

    /// The most that one may hold, in bytes.
    var largest: Int {
        switch self {
        case .image: RootRecord.largestImage
        case .packages: 256 << 20
        }
    }

    /// Reads it from an open root; `path` is for messages.
    func read(in root: Descriptor, _ path: String) -> RootRecord.Finding {
        let place = ByteString(path).appending(path: Self.directory).appending(path: name)
        return RootRecord.read(name, in: root.number, limit: largest, as: place)
    }

    /// Writes records into a root, in place of those it has. What else of that name a tree has brought is removed
    /// first where it is `fresh`. The root's own mode and time of modification stay.
    ///
    /// `path` is for messages.
    static func write(
        _ records: [(file: RecordFile, bytes: [UInt8])], into root: Descriptor, _ path: String,
        fresh: Bool
    ) throws {
        let status = try root.status(cannot: "examine", path)
        let mode = status.st_mode & 0o7777
        if mode & 0o300 != 0o300 { fchmod(root.number, mode | 0o700) }
        defer {
            if mode & 0o300 != 0o300 { fchmod(root.number, mode) }
            var times = [status.st_atim, status.st_mtim]
            futimens(root.number, &times)
        }
        if fresh { try TreeRemoval.remove(directory, in: root, path) }
        let made = directory.withCString {
            // Whatever the umask says.
            mkdirat(root.number, $0, 0o700) == 0 && fchmodat(root.number, $0, 0o700, 0) == 0
        }
        guard made || (errno == EEXIST && !fresh), let holder = root.openDirectory(directory) else {
            throw RootFilesystemError(cannot: "create", "\(path)/\(directory.text)", errno: errno)
        }
        for record in records {
            try record.file.write(record.bytes, into: holder, of: status, path)
        }
        if made { try holder.settle(0o755, of: status, "\(path)/\(directory.text)") }
    }

    private func write(
        _ bytes: [UInt8], into directory: Descriptor, of root: stat, _ path: String
    ) throws {
        let place = "\(path)/\(Self.directory.text)/\(name.text)"
        guard bytes.count <= largest else {
            throw RootFilesystemError(
                cannot: "write", place, because: "it would hold more than \(largest) bytes")
        }
        let draft = ByteString(".\(name.text).\(getpid())")
        _ = draft.withCString { unlinkat(directory.number, $0, 0) }
        let opened = draft.withCString {
            openat(
                directory.number, $0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        }
        let file = try Descriptor(opened, cannot: "create", place)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                Glibc.write(file.number, $0.baseAddress, $0.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                throw RootFilesystemError(cannot: "write", place, errno: errno)
            }
            done += count
        }
        try file.settle(0o644, of: root, place)
        let renamed = draft.withCString { draft in
            name.withCString { renameat(directory.number, draft, directory.number, $0) }
        }
        guard renamed == 0 else {
            throw RootFilesystemError(cannot: "create", place, errno: errno)
        }
    }
}

extension Descriptor {
    /// Gives what was made in a root the root's owner, and a mode whatever the umask says.
    fileprivate func settle(_ mode: mode_t, of root: stat, _ path: String) throws {
        let status = try status(cannot: "examine", path)
        let isOwners = status.st_uid == root.st_uid && status.st_gid == root.st_gid
        // Only root may give it away; where that fails it is the caller's, who is believed as well.
        if !isOwners { _ = fchown(number, root.st_uid, root.st_gid) }
        guard fchmod(number, mode) == 0 else {
            throw RootFilesystemError(cannot: "change the mode of", path, errno: errno)
        }
    }
}
