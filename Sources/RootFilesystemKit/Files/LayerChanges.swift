// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Replacing and removing what earlier entries, or earlier layers, have made.
extension TreeWriter {
    /// Starts a layer: from here on, what exists already may be replaced or whited out.
    func beginLayer() {
        layer = []
        forgetParents()
    }

    /// Makes room for an entry at a place something else has.
    ///
    /// A file may always be replaced. A directory may be replaced by something else only if an
    /// earlier layer made it; one archive that has both is damaged or up to something.
    func clear(_ slot: Slot, _ existing: stat, for path: EntryPath) throws {
        defer { forgetParents() }
        if existing.isDirectory {
            guard let layer, !layer.contains(slot.key) else {
                throw RootFilesystemError(
                    cannot: "extract", path.printable,
                    because: "a directory of that name has been extracted before")
            }
            try prune(slot.parent, slot.name, path)
            return
        }
        if slot.name.withCString({ unlinkat(slot.parent.number, $0, 0) }) != 0 {
            throw RootFilesystemError(cannot: "replace", path.printable, errno: errno)
        }
    }

    /// Carries out a whiteout: what earlier layers have at `path` goes, what this one has made stays.
    /// A whiteout of nothing is none.
    func whiteOut(_ path: EntryPath) throws {
        try budget.spendEntry(path)
        guard let parent = try existingDirectory(path.parent) else { return }
        defer { forgetParents() }
        try prune(parent, path.name, path)
    }

    /// Carries out an opaque whiteout: the same for everything in the directory `path`.
    func makeOpaque(_ path: EntryPath) throws {
        try budget.spendEntry(path)
        guard let directory = try existingDirectory(path) else { return }
        defer { forgetParents() }
        for name in try listNames(directory, path.printable) {
            try prune(directory, name, path.appending(name))
        }
    }

    private func existingDirectory(_ path: EntryPath) throws -> Descriptor? {
        let opened = root.open(path, O_RDONLY | O_DIRECTORY)
        if opened < 0 && (errno == ENOENT || errno == ENOTDIR) { return nil }
        return try Descriptor(opened, cannot: "open the directory", path.printable)
    }

    /// Removes `name` in `parent` and what is below it, but nothing this layer has made. Never
    /// follows a symbolic link. Each look at an entry is paid for: one layer may name a directory any number of
    /// times, and what it has made itself is looked at each time.
    private func prune(_ parent: Descriptor, _ name: ByteString, _ path: EntryPath) throws {
        guard let top = try enterOrRemove(name, in: parent, path) else { return }
        let descent = try DirectoryDescent(top, path: path.printable)
        var pending = [(name: name, names: try listNames(top, path.printable))]
        while let level = pending.indices.last {
            if let child = pending[level].names.popLast() {
                if let directory = try enterOrRemove(child, in: descent.current, path) {
                    try descent.enter(directory)
                    pending.append((child, try listNames(directory, path.printable)))
                }
                continue
            }
            let done = pending.removeLast()
            if level > 0 { try descent.leave() }
            try removeEmpty(done.name, in: level > 0 ? descent.current : parent, path)
        }
    }

    /// The directory of that name, opened; anything else is removed, unless this layer has made it.
    private func enterOrRemove(
        _ name: ByteString, in parent: Descriptor, _ path: EntryPath
    ) throws -> Descriptor? {
        try Interruption.check()
        try budget.spendEntry(path)
        if let directory = parent.openDirectory(name) { return directory }
        if errno == ENOENT { return nil }
        // Only a directory that shuts its owner out.
        if errno == EACCES {
            letIn(name, in: parent, 0)
            if let directory = parent.openDirectory(name) { return directory }
        }
        if try isOfThisLayer(name, in: parent, path) { return nil }
        guard name.withCString({ unlinkat(parent.number, $0, 0) }) == 0 else {
            throw RootFilesystemError(cannot: "remove", path.printable, errno: errno)
        }
        return nil
    }

    private func removeEmpty(
        _ name: ByteString, in parent: Descriptor, _ path: EntryPath
    ) throws {
        if try isOfThisLayer(name, in: parent, path) { return }
        // ENOTEMPTY: something below belongs to this layer.
        if name.withCString({ unlinkat(parent.number, $0, AT_REMOVEDIR) }) != 0, errno != ENOTEMPTY
        {
            throw RootFilesystemError(cannot: "remove the directory", path.printable, errno: errno)
        }
    }

    private func isOfThisLayer(
        _ name: ByteString, in parent: Descriptor, _ path: EntryPath
    ) throws -> Bool {
        let inode = try parent.status(cannot: "examine", path.printable).st_ino
        return layer?.contains(Slot.Key(directory: inode, name: name)) ?? false
    }
}

/// The names in an open directory, sorted by their bytes. `readdir(3)`
func listNames(_ directory: Descriptor, _ path: @autoclosure () -> String) throws -> [ByteString] {
    // A descriptor of its own: closedir closes it, and the position of the caller's stays.
    let own = openat(directory.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    return try listNames(owning: own, path())
}

/// The same of a directory that was opened for this, and is closed.
func listNames(owning own: Int32, _ path: @autoclosure () -> String) throws -> [ByteString] {
    guard own >= 0, let stream = fdopendir(own) else {
        throw RootFilesystemError(cannot: "list the directory", path(), errno: errno)
    }
    defer { closedir(stream) }
    var names: [ByteString] = []
    while true {
        errno = 0
        guard let entry = Glibc.readdir(stream) else { break }
        let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
            field.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) {
                ByteString(cString: $0)
            }
        }
        if name != ByteString(".") && name != ByteString("..") { names.append(name) }
    }
    guard errno == 0 else {
        throw RootFilesystemError(cannot: "list the directory", path(), errno: errno)
    }
    return names.sorted()
}
