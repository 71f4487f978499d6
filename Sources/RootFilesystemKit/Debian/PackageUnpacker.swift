// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Unpacks Debian packages into one tree without running anything of them, and lets one replace
/// another's files only as dpkg would.
public struct PackageUnpacker {
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// How many packages are decompressed ahead of the one being written, and how far each.
    private static let packagesAhead = 2
    private static let bytesAhead = 16 << 20

    /// Unpacks `archives`, in that order. A destination that was unpacked before gets them too: the
    /// old tree is replaced by a new one, whole, at the end.
    public func unpack(_ archives: [String], to destination: Destination) throws {
        progress.begin("unpacking \(archives.count) packages")
        let recorded = recordedPackages(of: destination)
        let isAddition = destination.isTaken && recorded != nil
        let tree = try PartialTree(for: destination, replacing: isAddition)
        let writer = TreeWriter(root: tree.root, budget: ExtractionBudget(directory: tree.lock))
        writer.keepsLinksToDirectories = true
        var unpacking = Unpacking(writer: writer)
        var image = ImageRecord()
        var inUse: Descriptor?
        if isAddition, let recorded {
            inUse = try lock(destination)
            image = destination.image { [progress] in progress.note($0) }
            try TreeCopy.link(destination.path, to: writer)
            unpacking.installed = try InstalledPackages(decoding: recorded, in: writer)
        }
        let packages = try archives.map { try DebianArchive($0) }
        var streams: [ThreadedStream] = []
        for (index, archive) in packages.enumerated() {
            let wanted = min(index + 1 + Self.packagesAhead, packages.count)
            for next in (index + streams.count)..<wanted {
                streams.append(packages[next].startReading(ahead: Self.bytesAhead))
            }
            try unpacking.unpack(archive, from: streams.removeFirst())
            progress.advance(to: Int64(index + 1), of: Int64(packages.count))
        }
        try MergedUsr.complete(writer)
        try writer.finish()
        if writer.falseRecords > 0 { progress.note(PartialTree.falseRecord) }
        image.packages = unpacking.installed.all.map { $0.package.label }
        image.origin = image.origin ?? "Debian packages"
        image.suite = image.suite ?? TreeFacts(of: tree.root).suite
        let architectures = unpacking.installed.all.map(\.package.architecture)
        image.architecture = architectures.first { $0 != "all" } ?? image.architecture
        try tree.commit(image, packages: unpacking.installed.encoded, replacing: isAddition)
        withExtendedLifetime(inUse) {}
        progress.end()
    }

    /// Which package has which file in a rootfs that was unpacked before, if that is recorded.
    private func recordedPackages(of destination: Destination) -> [UInt8]? {
        switch destination.record(.packages) {
        case .none: return nil
        case .content(let bytes): return bytes
        case .refused(let why), .unreadable(let why, _):
            progress.note("the record is ignored: \(why)")
            return nil
        }
    }

    /// Keeps launches out of a rootfs that is about to be replaced, if it may be and nothing runs in it.
    private func lock(_ destination: Destination) throws -> Descriptor {
        let parent = try Descriptor.open(
            destination.parent, O_RDONLY | O_DIRECTORY, cannot: "open the directory")
        let directory = try destination.open(in: parent, toBe: "change")
        try RemovalGuard(directory, destination, toBe: "change").requireRecord()
        try destination.lockUnused(directory, in: parent, toBe: "change")
        return directory
    }
}

/// The work on one tree: which files there are, whose they are, and who may replace them.
private struct Unpacking {
    let writer: TreeWriter
    var installed = InstalledPackages()
    /// What was found out about two packages, each asked for once: relations may be many, and files too.
    private var decisions: [Pair: Decision] = [:]

    private struct Pair: Hashable {
        var package: Int
        var owner: Int
    }

    init(writer: TreeWriter) {
        self.writer = writer
    }

    mutating func unpack(_ archive: DebianArchive, from stream: ThreadedStream) throws {
        let package = archive.package
        let previous = installed.place(of: package).map { installed.all[$0] }
        if let previous, package.version < previous.package.version {
            throw RootFilesystemError(
                cannot: "unpack", archive.path,
                because: "\(previous.package.label) is there already, which is newer")
        }
        let index = try installed.add(package)
        // Another release may say something else.
        decisions = decisions.filter { $0.key.package != index && $0.key.owner != index }
        var obsolete = previous?.files ?? [:]
        let tree = try TarTree(stream, name: archive.path, budget: writer.budget)
        while let entry = try tree.next() {
            guard !entry.path.isRoot else {
                try writer.write(entry, from: tree)
                continue
            }
            let slot = try place(of: entry, package)
            if slot.isReserved || entry.isLinkToRecord {
                writer.leaveOut()
                continue
            }
            obsolete[slot.key] = nil
            switch try decide(entry, slot, index) {
            case .write:
                try writer.write(entry, from: tree)
            case .keep:
                try writer.budget.spendEntry(entry.path)
                continue
            case .compare(let owner):
                try writer.budget.spendEntry(entry.path)
                guard try isIdentical(entry, slot, tree) else {
                    throw conflict(entry, package, installed.all[owner].package)
                }
                continue
            }
            if entry.kind != .directory {
                try writer.budget.keep(entry.path.joined.bytes.count + 240, for: entry.path)
                installed.give(entry.path, slot.key, to: index)
            }
        }
        for (key, path) in obsolete { try removeObsolete(path, key, of: package) }
    }

    private enum Decision {
        case write, keep
        /// Only if it would change nothing.
        case compare(owner: Int)
    }

    /// Where an entry goes; makes sure a directory and something else do not meet there.
    private func place(of entry: TreeEntry, _ package: DebianPackage) throws -> TreeWriter.Slot {
        let slot = try writer.slot(for: entry.path)
        if slot.isReserved { return slot }
        guard let existing = writer.status(of: slot) else { return slot }
        let isReplacedDirectory = entry.kind != .directory && existing.isDirectory
        let isReplacedFile =
            entry.kind == .directory && !existing.isDirectory
            && (try? writer.root.openDirectory(entry.path, cannot: "open")) == nil
        guard isReplacedDirectory || isReplacedFile else { return slot }
        if isReplacedFile,
            let owner = installed.owner(of: slot.key).map({ installed.all[$0].package }),
            owner.isSamePackage(as: package) || package.mayReplaceFiles(of: owner)
        {
            return slot
        }
        throw RootFilesystemError(
            cannot: "unpack", package.label,
            because: isReplacedDirectory
                ? "\(entry.path.printable) is a directory there"
                : "\(entry.path.printable) is a directory in it, but not there")
    }

    /// dpkg's rules: deb-control(5), "Replaces", and Debian Policy 7.6.1.
    private mutating func decide(
        _ entry: TreeEntry, _ slot: TreeWriter.Slot, _ index: Int
    ) throws -> Decision {
        guard entry.kind != .directory, let owner = installed.owner(of: slot.key), owner != index
        else { return .write }
        let pair = Pair(package: index, owner: owner)
        if let known = decisions[pair] { return known }
        let decision = decide(installed.all[index].package, installed.all[owner].package, owner)
        decisions[pair] = decision
        return decision
    }

    private func decide(
        _ package: DebianPackage, _ other: DebianPackage, _ owner: Int
    ) -> Decision {
        if package.mayReplaceFiles(of: other) { return .write }
        // Replaced before it came: the file stays the other's.
        if other.mayReplaceFiles(of: package) { return .keep }
        return .compare(owner: owner)
    }

    private func conflict(
        _ entry: TreeEntry, _ package: DebianPackage, _ owner: DebianPackage
    ) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "unpack", package.label,
            because: "\(entry.path.printable) is also in \(owner.label), with other contents",
            remedy: "leave out one of the two packages")
    }

    private func isIdentical(
        _ entry: TreeEntry, _ slot: TreeWriter.Slot, _ tree: TarTree
    ) throws -> Bool {
        switch entry.kind {
        case .symbolicLink(let target):
            return readLink(slot.parent.number, slot.name) == target
        case .file(let size):
            let opened = slot.name.withCString {
                openat(slot.parent.number, $0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            }
            guard let file = try? Descriptor(opened, cannot: "read", entry.path.printable),
                let status = try? file.status(cannot: "examine", entry.path.printable),
                status.isRegularFile, Int64(status.st_size) == size
            else { return false }
            while let block = try tree.nextBlock() {
                var existing = [UInt8](repeating: 0, count: block.bytes.count)
                let count = pread(file.number, &existing, existing.count, off_t(block.offset))
                guard count == existing.count, block.bytes.elementsEqual(existing) else {
                    return false
                }
            }
            return true
        case .hardLink(let target):
            let other = try writer.slot(for: target)
            return writer.status(of: other)?.st_ino == writer.status(of: slot)?.st_ino
        case .directory, .fifo, .device:
            return false
        }
    }

    /// What an older release had and the newer has not.
    private mutating func removeObsolete(
        _ path: EntryPath, _ key: TreeWriter.Slot.Key, of package: DebianPackage
    ) throws {
        guard let owner = installed.owner(of: key), owner == installed.place(of: package) else {
            return
        }
        installed.drop(key)
        guard let slot = try writer.existingSlot(for: path) else { return }
        let result = slot.name.withCString { unlinkat(slot.parent.number, $0, 0) }
        guard result == 0 || errno == ENOENT else {
            throw RootFilesystemError(cannot: "remove", path.printable, errno: errno)
        }
    }
}
