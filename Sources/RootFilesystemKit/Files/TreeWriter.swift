// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// Writes a tree below one directory, from a source that may be hostile.
///
/// Every entry is made by an `…at` call in its parent, which is opened below the destination and
/// cannot lie outside it; the entry itself is always made anew (`O_EXCL`, `mkdirat(2)`, …), never
/// written through whatever had its name. What directories are to look like is kept until
/// ``finish()``, so that unwritable ones do not stand in the way of what goes into them.
///
/// What would lie where nsrun-rootfs keeps its own records of a root is left out, whichever way it comes there.
final class TreeWriter {
    let root: RootDirectory
    let budget: ExtractionBudget
    /// A directory entry whose name is a symbolic link to a directory leaves the link alone, as dpkg
    /// does; otherwise it takes the link's place, as for tar and container layers.
    var keepsLinksToDirectories = false
    /// The root directory stays as it is where nothing is said of it: it is there already.
    var keepsRoot = false
    var attributes = AttributeWriter()
    /// What the layer being applied has made so far; nil when the tree is not made of layers.
    var layer: Set<Slot.Key>?
    /// Nothing has been said of the tree so far, not even of its root.
    private(set) var isUntouched = true
    /// What the source says of how the root wants to be run, see ``RecordFile/attribute``; not believed of everybody.
    private(set) var broughtRecord: [UInt8]?
    /// How many entries were left out that pose as records of nsrun-rootfs.
    private(set) var falseRecords = 0

    private let rootIdentity: FileIdentity?
    private var directories: [EntryPath: FileAttributes] = [:]
    /// The mode of what nothing is said about.
    private static let impliedMode: mode_t = 0o755
    private var lastParent: (path: EntryPath, descriptor: Descriptor, identity: FileIdentity)?

    init(root: RootDirectory, budget: ExtractionBudget) {
        self.root = root
        self.budget = budget
        let status = try? root.descriptor.status(cannot: "examine", root.path)
        rootIdentity = status.map { FileIdentity($0) }
    }

    /// A place in the tree: an opened directory and a name in it.
    struct Slot {
        /// What identifies the place, whichever way its parent was reached.
        struct Key: Hashable {
            var directory: ino_t
            var name: ByteString
        }

        var parent: Descriptor
        var key: Key
        /// It is, or lies in, the place of nsrun-rootfs's own records.
        var isReserved = false
        var name: ByteString { key.name }
    }

    /// Makes everything `source` yields, then leaves directories as they are to be.
    func writeAll(from source: some EntrySource) throws {
        while let entry = try source.next() { try write(entry, from: source) }
    }

    /// Makes one entry; its contents, if it has any, are read from `source`.
    func write(_ entry: TreeEntry, from source: some EntrySource) throws {
        try Interruption.check()
        try budget.spendEntry(entry.path)
        if entry.path.isRoot {
            guard entry.kind == .directory else {
                throw refusal(entry.path, "it is the root itself")
            }
            isUntouched = false
            var entry = entry
            broughtRecord = entry.attributes.takeRecord() ?? broughtRecord
            try remember(entry)
            return
        }
        let slot = try slot(for: entry.path)
        if slot.isReserved || entry.isLinkToRecord {
            leaveOut()
            return
        }
        isUntouched = false
        switch entry.kind {
        case .directory:
            try makeDirectory(entry, slot)
        case .file(let size):
            try makeFile(entry, slot, size: size, from: source)
        case .symbolicLink(let target):
            try making(entry.path, slot) { name in
                target.withCString { symlinkat($0, slot.parent.number, name) }
            }
            attributes.applyToLink(entry.attributes, slot)
        case .hardLink(let target):
            try makeHardLink(entry.path, slot, to: target)
        case .fifo:
            try making(entry.path, slot) { mkfifoat(slot.parent.number, $0, 0o600) }
            attributes.applyToLink(entry.attributes, slot)
            _ = slot.name.withCString {
                fchmodat(slot.parent.number, $0, entry.attributes.mode & 0o777, 0)
            }
        case .device:
            // Only root may make devices, and a rootfs gets its own /dev when it runs: an empty file
            // keeps the place, for something to be mounted on.
            var placeholder = entry
            placeholder.attributes.mode &= 0o777
            try makeFile(placeholder, slot, size: 0, from: nil as EmptySource?)
        }
        try noteInLayer(slot)
    }

    /// Notes that something was left out because it poses as a record of nsrun-rootfs.
    func leaveOut() { falseRecords += 1 }

    /// Opens the parent of `path`, making the directories that lead to it where they are missing.
    func slot(for path: EntryPath) throws -> Slot {
        // What is missing, the innermost first, and in what of it that is there.
        var missing = [path]
        while true {
            if let slot = try existingSlot(for: missing[missing.count - 1]) {
                return try makeDirectories(missing, from: slot)
            }
            missing.append(missing[missing.count - 1].parent)
        }
    }

    /// Makes all but the first of `paths`, which are each other's parents, the last of them at `slot`; gives the
    /// place of the first.
    private func makeDirectories(_ paths: [EntryPath], from slot: Slot) throws -> Slot {
        var slot = slot
        for (index, path) in paths.enumerated().dropFirst().reversed() {
            if slot.isReserved { return slot }
            try Interruption.check()
            try budget.spendEntry(path)
            guard make(slot, Self.impliedMode) else {
                throw errno == EEXIST
                    ? refusal(paths[0], "it lies beyond a symbolic link that leads nowhere")
                    : RootFilesystemError(
                        cannot: "create the directory", path.printable, errno: errno)
            }
            try noteInLayer(slot)
            guard let directory = slot.parent.openDirectory(slot.name) else {
                throw RootFilesystemError(
                    cannot: "open the directory", path.printable, errno: errno)
            }
            // An earlier one of that name is gone.
            directories[path] = nil
            slot = try self.slot(paths[index - 1].name, in: directory, path)
        }
        return slot
    }

    private func slot(
        _ name: ByteString, in parent: Descriptor, _ path: EntryPath
    ) throws -> Slot {
        let identity = FileIdentity(try parent.status(cannot: "examine", path.printable))
        lastParent = (path, parent, identity)
        return slot(name, in: parent, identity)
    }

    private func slot(
        _ name: ByteString, in parent: Descriptor, _ identity: FileIdentity
    ) -> Slot {
        Slot(
            parent: parent, key: Slot.Key(directory: identity.number, name: name),
            isReserved: name == RecordFile.directory && identity == rootIdentity)
    }

    private func noteInLayer(_ slot: Slot) throws {
        guard layer != nil else { return }
        try budget.keep(slot.name.bytes.count + 96, for: .root)
        layer?.insert(slot.key)
    }

    /// What a directory is to look like at the end.
    private func remember(_ entry: TreeEntry) throws {
        let attributes = entry.attributes.extended.reduce(0) {
            $0 + $1.name.bytes.count + $1.value.count + 96
        }
        try budget.keep(entry.path.joined.bytes.count + attributes + 160, for: entry.path)
        directories[entry.path] = entry.attributes
    }

    /// The same where the parent is there already; nil where it is not.
    func existingSlot(for path: EntryPath) throws -> Slot? {
        let parent = path.parent
        if let lastParent, lastParent.path == parent {
            return slot(path.name, in: lastParent.descriptor, lastParent.identity)
        }
        let opened = root.open(parent, O_RDONLY | O_DIRECTORY)
        if opened < 0 && errno == ENOENT { return nil }
        if opened < 0 && errno == ENOTDIR {
            throw refusal(path, "\(parent.printable) is not a directory")
        }
        let descriptor = try Descriptor(opened, cannot: "open the directory", parent.printable)
        return try slot(path.name, in: descriptor, parent)
    }

    /// What is at a place, without following a symbolic link; nil if there is nothing.
    func status(of slot: Slot) -> stat? {
        var status = stat()
        let result = slot.name.withCString {
            fstatat(slot.parent.number, $0, &status, AT_SYMLINK_NOFOLLOW)
        }
        return result == 0 ? status : nil
    }

    /// Gives directories their modes, owners and times, the innermost first. Call it once, at the end.
    func finish() throws {
        lastParent = nil
        if directories[.root] == nil, !keepsRoot {
            fchmod(root.descriptor.number, Self.impliedMode)
        }
        for (path, wanted) in directories.sorted(by: { $0.key > $1.key }) {
            try Interruption.check()
            guard !path.isRoot else {
                try attributes.apply(wanted, to: root.descriptor, path)
                continue
            }
            // What was a directory may have become something else since, by a later layer.
            let parent = root.open(path.parent, O_RDONLY | O_DIRECTORY)
            guard let holder = try? Descriptor(parent, cannot: "open", path.printable),
                let directory = holder.openDirectory(path.name)
            else { continue }
            try attributes.apply(wanted, to: directory, path)
        }
        directories = [:]
    }

    /// Forgets what was opened; needed after something has been removed from the tree.
    func forgetParents() {
        lastParent = nil
    }

    // MARK: - One kind each

    private func makeDirectory(_ entry: TreeEntry, _ slot: Slot) throws {
        if !make(slot, 0o700) {
            guard errno == EEXIST, let existing = status(of: slot) else {
                throw RootFilesystemError(
                    cannot: "create the directory", entry.path.printable, errno: errno)
            }
            if existing.isSymbolicLink, keepsLinksToDirectories, leadsToDirectory(entry.path) {
                return
            }
            if !existing.isDirectory {
                try clear(slot, existing, for: entry.path)
                return try makeDirectory(entry, slot)
            }
            // One of an earlier layer, that may shut its owner out: what it is to be in the end it becomes then.
            if layer != nil, existing.st_mode & 0o700 != 0o700 {
                letIn(slot.name, in: slot.parent, existing.st_mode & 0o777)
            }
        }
        try remember(entry)
    }

    /// Makes a directory with that mode, whatever the umask says; false, with `errno` set, where that fails.
    private func make(_ slot: Slot, _ mode: mode_t) -> Bool {
        slot.name.withCString {
            mkdirat(slot.parent.number, $0, mode) == 0
                && fchmodat(slot.parent.number, $0, mode, 0) == 0
        }
    }

    /// Lets its owner into a directory.
    func letIn(_ name: ByteString, in parent: Descriptor, _ mode: mode_t) {
        _ = name.withCString { fchmodat(parent.number, $0, mode | 0o700, 0) }
    }

    private func leadsToDirectory(_ path: EntryPath) -> Bool {
        (try? root.openDirectory(path, cannot: "open")) != nil
    }

    private func makeFile(
        _ entry: TreeEntry, _ slot: Slot, size: Int64, from source: (some EntrySource)?
    ) throws {
        try budget.spendSize(size, data: entry.announcedBytes, on: entry.path)
        var counted = size
        var opened: Int32 = -1
        try making(entry.path, slot) { name in
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
            opened = openat(slot.parent.number, name, flags, 0o600)
            return opened < 0 ? -1 : 0
        }
        let file = try Descriptor(opened, cannot: "create", entry.path.printable)
        var end: Int64 = 0
        if size > 0, let original = (source as? any FileSystemSource)?.currentFile,
            nsrun_rootfs_clone(file.number, original.number) == 0
        {
            // It takes no room, and is all there.
            return try attributes.apply(entry.attributes, to: file, entry.path)
        }
        while let block = try source?.nextBlock() {
            try Interruption.check()
            end = try blockEnd(block, in: entry.path)
            // More than was said.
            if end > counted { try budget.spendSize(end - counted, data: 0, on: entry.path) }
            counted = max(counted, end)
            try budget.spend(block.bytes.count, on: entry.path)
            try write(block, to: file, entry.path)
        }
        if end < size, ftruncate(file.number, off_t(size)) != 0 {
            throw RootFilesystemError(cannot: "extend", entry.path.printable, errno: errno)
        }
        try attributes.apply(entry.attributes, to: file, entry.path)
    }

    private func blockEnd(_ block: FileBlock, in path: EntryPath) throws -> Int64 {
        let (end, overflow) = block.offset.addingReportingOverflow(Int64(block.bytes.count))
        guard !overflow, block.offset >= 0 else {
            throw refusal(path, "its contents lie where no file can have them")
        }
        return end
    }

    private func write(_ block: FileBlock, to file: Descriptor, _ path: EntryPath) throws {
        var rest = block.bytes[...]
        var offset = block.offset
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest)
            let written = pwrite(file.number, piece.baseAddress, piece.count, off_t(offset))
            if written < 0 {
                if errno == EINTR { continue }
                throw RootFilesystemError(cannot: "write", path.printable, errno: errno)
            }
            rest = rest.dropFirst(written)
            offset += Int64(written)
        }
    }

    private func makeHardLink(_ path: EntryPath, _ slot: Slot, to target: EntryPath) throws {
        guard !target.isRoot else { throw refusal(path, "a hard link to a directory") }
        let reached = root.open(target.parent, O_RDONLY | O_DIRECTORY)
        if reached < 0 && (errno == ENOENT || errno == ENOTDIR) {
            throw missingTarget(path, target)
        }
        let holder = try Descriptor(reached, cannot: "link to", target.printable)
        let result = target.name.withCString { targetName in
            var original = stat()
            guard fstatat(holder.number, targetName, &original, AT_SYMLINK_NOFOLLOW) == 0 else {
                return ENOENT
            }
            // Already another name of it, or the very same: there is nothing to do.
            if let existing = status(of: slot), existing.st_ino == original.st_ino { return 0 }
            guard original.type != S_IFDIR else { return EISDIR }
            return slot.name.withCString {
                linkat(holder.number, targetName, slot.parent.number, $0, 0) == 0 ? 0 : errno
            }
        }
        switch result {
        case 0: return
        case EEXIST:
            if let existing = status(of: slot) { try clear(slot, existing, for: path) }
            try makeHardLink(path, slot, to: target)
        case ENOENT:
            throw missingTarget(path, target)
        case EISDIR:
            throw refusal(path, "a hard link to a directory")
        default:
            throw RootFilesystemError(cannot: "create the hard link", path.printable, errno: result)
        }
    }

    /// Runs a call that makes something at a place, after clearing the place if it was taken.
    private func making(
        _ path: EntryPath, _ slot: Slot, _ call: (UnsafePointer<CChar>) -> Int32
    ) throws {
        if slot.name.withCString(call) == 0 { return }
        if errno == EEXIST, let existing = status(of: slot) {
            try clear(slot, existing, for: path)
            if slot.name.withCString(call) == 0 { return }
        }
        throw RootFilesystemError(cannot: "create", path.printable, errno: errno)
    }

    private func missingTarget(_ path: EntryPath, _ target: EntryPath) -> RootFilesystemError {
        refusal(path, "a hard link to \(target.printable), which the archive does not have")
    }

    private func refusal(_ path: EntryPath, _ cause: String) -> RootFilesystemError {
        RootFilesystemError(cannot: "extract", path.printable, because: cause)
    }
}

/// For entries without contents.
private final class EmptySource: EntrySource {
    func next() throws -> TreeEntry? { nil }
    func nextBlock() throws -> FileBlock? { nil }
}
