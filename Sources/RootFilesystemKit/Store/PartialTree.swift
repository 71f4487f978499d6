// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import FoundationEssentials
import Glibc

/// A tree in the making: a hidden sibling of its destination, locked for as long as somebody works
/// on it, and put in place by one rename.
///
/// What a killed run leaves is such a sibling without a lock; ``PartialName/sweep(_:)`` removes those.
public final class PartialTree {
    /// The directory to fill.
    public let path: String
    let root: RootDirectory
    /// Hand this to programs that work on the tree: it stays locked while any of them lives.
    var lock: Descriptor { root.descriptor }

    /// Programs run in it.
    let isShared: Bool

    private let destination: Destination
    private let parent: Descriptor
    private let name: String
    private var finished = false
    /// What goes with this object unless it is finished.
    private var doomed: Descriptor
    /// Called with what the user should know although all went well.
    private let note: (String) -> Void

    /// Makes an empty one for `destination`, whose parent directories are made too. Fails if the
    /// destination is taken, unless it is to be `replacing`. Where programs are to run in the tree, which takes a shared
    /// lock, its own `isShared` too: for a sweep one is as good as the other.
    public init(
        for destination: Destination, replacing: Bool = false, isShared: Bool = false,
        note: @escaping (String) -> Void = { _ in }
    ) throws {
        self.destination = destination
        self.note = note
        self.isShared = isShared
        if !replacing && destination.isTaken { throw destination.alreadyExists }
        try destination.makeParents()
        PartialName.sweep(destination.parent)
        parent = try Descriptor.open(
            destination.parent, O_RDONLY | O_DIRECTORY, cannot: "open the directory")
        while true {
            let name = PartialName.new(for: destination.name)
            let path = "\(destination.parent)/\(name)"
            guard mkdirat(parent.number, name, 0o700) == 0 else {
                if errno == EEXIST { continue }
                throw RootFilesystemError(cannot: "create the directory", path, errno: errno)
            }
            // Whatever the umask says; and of the caller's own group, whichever the directory hands down: what lies below has
            // one that a run can have.
            fchownat(parent.number, name, uid_t.max, getegid(), AT_SYMLINK_NOFOLLOW)
            fchmodat(parent.number, name, 0o700, 0)
            let opened = parent.openDirectory(ByteString(name))
            if opened == nil && errno != ENOENT {
                throw RootFilesystemError(cannot: "open the directory", path, errno: errno)
            }
            // Another run's sweep may have taken it for debris before it was locked: then once more.
            if let directory = opened, PartialName.lock(directory, name, in: parent),
                // Between the two kinds it is nobody's for a moment.
                !isShared || PartialName.lock(directory, name, in: parent, LOCK_SH)
            {
                self.name = name
                self.path = path
                self.root = RootDirectory(path: path, descriptor: directory)
                doomed = directory
                return
            }
        }
    }

    deinit {
        if finished { return }
        try? SubordinateRemoval.removeAll(name, in: parent, path, doomed)
    }

    /// Puts the finished tree, with what is recorded of it, in place. Of two builders of one name
    /// the second fails. `rename(2)`, or renameat2(2) with `RENAME_EXCHANGE` to replace.
    public func commit(_ image: ImageRecord, packages: [UInt8]? = nil, replacing: Bool = false)
        throws
    {
        try Interruption.check()
        var records: [(file: RecordFile, bytes: [UInt8])] = [(.image, Array(image.encoded.utf8))]
        if let packages { records.append((.packages, packages)) }
        var status = stat()
        if fstatat(root.descriptor.number, RecordFile.directory.text, &status, AT_SYMLINK_NOFOLLOW)
            == 0
        {
            note(PartialTree.falseRecord)
        }
        try RecordFile.write(records, into: root.descriptor, path, fresh: true)
        // Held only for the rename, so that no two builders meet at one place.
        while flock(parent.number, LOCK_EX) != 0 {
            guard errno == EINTR else {
                throw RootFilesystemError(cannot: "lock", destination.parent, errno: errno)
            }
            try Interruption.check()
        }
        defer { flock(parent.number, LOCK_UN) }
        // It is ready. A process that is being forked at this moment may have the descriptor, and with it the lock.
        defer { flock(root.descriptor.number, LOCK_UN) }
        if replacing {
            try exchange()
            return
        }
        if destination.isTaken { throw destination.alreadyExists }
        guard renameat(parent.number, name, parent.number, destination.name) == 0 else {
            throw errno == ENOTEMPTY || errno == EEXIST
                ? destination.alreadyExists
                : RootFilesystemError(cannot: "create", destination.label, errno: errno)
        }
        finished = true
        // Those of an earlier one of that name.
        destination.legacyRecords?.remove()
    }

    /// That something in a tree posed as what nsrun-rootfs keeps there.
    static let falseRecord =
        "left out /\(RecordFile.directory.text), where nsrun-rootfs keeps its own records of a rootfs"

    /// Only with a tree that nsrun-rootfs made: what was there goes with this object.
    private func exchange() throws {
        let old = try destination.open(in: parent, toBe: "replace")
        try RemovalGuard(old, destination, toBe: "replace").requireRecord()
        guard nsrun_rootfs_exchange(parent.number, name, destination.name) == 0 else {
            throw RootFilesystemError(cannot: "replace", destination.label, errno: errno)
        }
        doomed = old
        destination.legacyRecords?.remove()
    }
}

/// The names of what is in the making, `.NAME.partial-PID-NUMBER`.
enum PartialName {
    private static let mark = Array(".partial-".utf8)

    static func new(for name: String) -> String {
        let random = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        return ".\(name).partial-\(ProcessInfo.processInfo.processIdentifier)-\(random)"
    }

    /// Whether a name is one of these. In one pass, for others may have made it.
    static func holds(_ name: ByteString) -> Bool {
        func isDecimal(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        func isHexadecimal(_ byte: UInt8) -> Bool {
            isDecimal(byte) || (0x61...0x66).contains(byte)
        }
        var rest = name.bytes[...]
        let random = rest.reversed().prefix(while: isHexadecimal).count
        rest = rest.dropLast(random)
        guard random > 0, rest.popLast() == UInt8(ascii: "-") else { return false }
        let process = rest.reversed().prefix(while: isDecimal).count
        rest = rest.dropLast(process)
        guard process > 0, rest.suffix(mark.count).elementsEqual(mark) else { return false }
        return rest.first == UInt8(ascii: ".") && rest.count > mark.count + 1
    }

    /// Removes what killed runs have left in a directory. What cannot be removed is left for later.
    static func sweep(_ path: String) {
        guard
            let directory = try? Descriptor.open(path, O_RDONLY | O_DIRECTORY, cannot: "open"),
            let names = try? listNames(directory, path)
        else { return }
        for name in names where holds(name) { sweep(name, in: directory, path) }
    }

    /// The same of one name.
    static func sweep(_ name: ByteString, in directory: Descriptor, _ path: String) {
        // Also files: an export in the making has such a name too.
        let opened = name.withCString {
            openat(directory.number, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        }
        guard let debris = try? Descriptor(opened, cannot: "open", name.printable),
            let status = try? debris.status(cannot: "examine", name.printable),
            status.st_uid == geteuid(), status.isDirectory || status.isRegularFile,
            lock(debris, name.text, in: directory)
        else { return }
        let place = "\(path)/\(name.text)"
        if status.isDirectory {
            try? SubordinateRemoval.removeAll(name.text, in: directory, place, debris)
        } else {
            _ = name.withCString { unlinkat(directory.number, $0, 0) }
        }
    }

    /// Locks a file or directory and makes sure it is still the one of that name. `flock(2)`
    static func lock(
        _ file: Descriptor, _ name: String, in parent: Descriptor, _ kind: Int32 = LOCK_EX
    ) -> Bool {
        var locked = stat()
        var named = stat()
        return flock(file.number, kind | LOCK_NB) == 0 && fstat(file.number, &locked) == 0
            && fstatat(parent.number, name, &named, AT_SYMLINK_NOFOLLOW) == 0
            && FileIdentity(locked) == FileIdentity(named)
    }
}

extension Destination {
    /// Opens the directory that is there, which may have shut its owner out.
    func open(in parent: Descriptor, toBe operation: String) throws -> Descriptor {
        if let directory = parent.openDirectory(ByteString(name)) { return directory }
        let code = errno
        guard code == EACCES else {
            throw RootFilesystemError(cannot: operation, label, errno: code)
        }
        let opened = openat(
            parent.number, name, nsrun_rootfs_o_path | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
        let place = try Descriptor(opened, cannot: operation, label)
        chmod("/proc/self/fd/\(place.number)", 0o700)
        return try Descriptor(
            openat(place.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), cannot: operation, label)
    }

    /// Makes the directories that lead to it, where they are missing: those of the store for nobody else to look
    /// into. `mkdir(2)`
    func makeParents() throws {
        try makeDirectories(parent, mode: legacyRecords == nil ? 0o777 : 0o700)
    }
}

/// Makes a directory and the ones that lead to it, where they are missing. `mkdir(2)`
func makeDirectories(_ path: String, mode: mode_t = 0o777) throws {
    var missing = [path]
    var tried: Set<String> = []
    while let next = missing.last {
        if mkdir(next, mode) == 0 || errno == EEXIST {
            missing.removeLast()
            continue
        }
        let code = errno
        let parent = next.parentPath
        guard code == ENOENT, !parent.isEmpty, tried.insert(parent).inserted else {
            throw RootFilesystemError(cannot: "create the directory", next, errno: code)
        }
        missing.append(parent)
    }
}
