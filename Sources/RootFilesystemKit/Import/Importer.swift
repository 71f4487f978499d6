// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Makes a root file system from what somebody else has packed.
public struct Importer {
    /// The most bytes the source may unfold into; the free space of the disk limits it anyway.
    public var maximumSize = ExtractionBudget.defaultBytes
    /// Which image to take from one made for several machines, by Debian's name.
    public var architecture: String = Platform.host
    /// Which image to take of several, `NAME[:TAG]`.
    public var image: String?
    /// What `nsrun --overlay-dir` has kept over a rootfs that is imported: goes into the copy.
    public var layer: String?
    /// A registry on this machine, say, may not speak TLS, or not prove who it is.
    public var verifiesTLS = true
    /// A rootfs that is at the destination gives way, once all is there.
    var replaces = false
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// Imports `source`: a tar, a container image in any of its forms, a squashfs, a directory, or `-` for standard
    /// input. What `check` throws when all is unpacked keeps it from appearing.
    public func importRoot(
        _ source: String, to destination: Destination, check: () throws -> Void = {}
    ) throws {
        if var remote = RemoteImage(source) {
            remote.verifiesTLS = verifiesTLS
            // What was fetched lies beside the destination, which has room for it or for nothing.
            let fetched = try PartialTree(for: destination, replacing: replaces) {
                [progress] in progress.note($0)
            }
            progress.begin("fetching \(source)")
            let parts = try remote.fetch(
                into: fetched, architecture: architecture, largest: maximumSize, progress)
            try importRoot(ImportSource(fetched: parts, of: source), to: destination, check: check)
            return withExtendedLifetime(fetched) {}
        }
        try importRoot(ImportSource(source), to: destination, check: check)
    }

    /// Fills a tree for a destination from a source, and gives what the source says of how it wants to be run. The tree
    /// may become another one.
    func fill(
        _ tree: inout PartialTree, for destination: Destination, from source: ImportSource
    ) throws -> ImageRecord {
        let budget = ExtractionBudget(maximum: maximumSize, directory: tree.lock)
        var unpacking = Unpacking(
            source: source, destination: destination, tree: tree, budget: budget)
        try refuseLayer(source)
        if source.isDirectory {
            if let path = source.path { try refuseOverlap(path, destination) }
            try importDirectory(source, &unpacking)
        } else {
            try importFile(source, &unpacking)
        }
        tree = unpacking.tree
        return unpacking.record
    }

    private func importRoot(
        _ source: ImportSource, to destination: Destination, check: () throws -> Void
    ) throws {
        progress.begin("importing \(source.name)")
        var made = try PartialTree(for: destination, replacing: replaces) {
            [progress] in progress.note($0)
        }
        var image = try fill(&made, for: destination, from: source)
        let facts = TreeFacts(of: made.root)
        image.origin = source.origin
        image.suite = image.suite ?? facts.suite
        image.architecture = facts.architecture ?? image.architecture
        try check()
        try made.commit(image, replacing: replaces)
        progress.end()
    }

    /// The work on one source.
    private struct Unpacking {
        let source: ImportSource
        let destination: Destination
        /// What becomes the root.
        var tree: PartialTree
        var budget: ExtractionBudget
        var record = ImageRecord()
    }

    // MARK: - The forms of sources

    private func importDirectory(_ source: ImportSource, _ unpacking: inout Unpacking) throws {
        let parts = RootDirectory(path: source.name, descriptor: source.file)
        // A launch takes the same lock, so only removal has to wait.
        guard flock(source.file.number, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK else {
            throw RootFilesystemError(
                cannot: "import", source.name, because: "it is being made or removed")
        }
        defer { flock(source.file.number, LOCK_UN) }
        let form = try TreeForm(of: parts)
        if layer != nil, case .root = form {} else { try refuseLayer(source, isRoot: false) }
        if case .root = form {
            try refuseChoice(source)
            try refuseNothing(isEmpty(source.file, source), source)
            unpacking.record = recorded(of: source.file)
        }
        try take(form, of: parts, &unpacking)
    }

    /// A tar is unpacked first, and then looked at: so it is read once, as a pipe can be, and judged by all of it.
    private func importFile(_ source: ImportSource, _ unpacking: inout Unpacking) throws {
        var magic: [UInt8] = [0, 0, 0, 0]
        if let path = source.path, pread(source.file.number, &magic, 4, 0) == 4,
            magic == Array("hsqs".utf8)
        {
            try refuseChoice(source)
            let image = SquashfsImage(path: path, name: source.name, file: source.file)
            return try extract(image, &unpacking)
        }
        if let image = try SquashfsImage(inSIF: source) {
            try refuseChoice(source)
            return try extract(image, &unpacking)
        }
        let stream = ThreadedStream.decompressing(
            source.file, name: source.name, progress: report(source.size))
        let contents = try PeekedStream(stream, count: FileSignature.length)
        if FileSignature.isSquashfs(contents.head) {
            try refuseChoice(source)
            return try importSquashfs(contents, &unpacking)
        }
        try refuseUnknown(contents.head, source)
        let writer = TreeWriter(root: unpacking.tree.root, budget: unpacking.budget)
        try writer.writeAll(
            from: TarTree(contents, name: source.name, budget: unpacking.budget))
        try refuseNothing(writer.isUntouched, source)
        let unpacked = RootDirectory(path: source.name, descriptor: unpacking.tree.lock)
        let form = try TreeForm(of: unpacked)
        if case .root = form {
            try refuseChoice(source)
            try writer.finish()
            if let record = writer.broughtRecord {
                unpacking.record = ImageRecord(decoding: record).portable
            }
            noteLosses(writer)
            return
        }
        // What was unpacked goes when the root has been made of it.
        let parts = unpacking.tree
        unpacking.tree = try PartialTree(
            for: unpacking.destination, replacing: replaces, isShared: parts.isShared
        ) { [progress] in progress.note($0) }
        unpacking.budget = ExtractionBudget(
            maximum: maximumSize, directory: unpacking.tree.lock)
        try take(form, of: unpacked, &unpacking)
        withExtendedLifetime(parts) {}
    }

    /// Fills the tree from a directory of that form.
    private func take(
        _ form: TreeForm, of parts: RootDirectory, _ unpacking: inout Unpacking
    ) throws {
        let writer = TreeWriter(root: unpacking.tree.root, budget: unpacking.budget)
        switch form {
        case .root:
            try writer.writeAll(from: TreeReader(parts.descriptor, path: parts.path))
            if let layer { try OverlayLayer(layer).apply(to: writer) }
        case .holdsRoot(let place, let record):
            try refuseChoice(unpacking.source)
            let root = try parts.openDirectory(place, cannot: "read")
            try writer.writeAll(
                from: TreeReader(root, path: "\(parts.path)/\(place.printable)"))
            unpacking.record = record
        case .image(let form):
            unpacking.record = try apply(parts, form, to: writer)
        case .holdsImage(let place, let form):
            let folder = RootDirectory(
                path: "\(parts.path)/\(place.printable)",
                descriptor: try parts.openDirectory(place, cannot: "read"))
            unpacking.record = try apply(folder, form, to: writer)
        }
        try refuseNothing(writer.isUntouched, unpacking.source)
        try writer.finish()
        noteLosses(writer)
    }

    private func apply(
        _ parts: RootDirectory, _ form: ContainerImage.Form, to writer: TreeWriter
    ) throws -> ImageRecord {
        let image = try ContainerImage(
            parts, form, platform: Platform(debian: architecture), name: self.image)
        for (index, layer) in image.layers.enumerated() {
            progress.begin("applying layer \(index + 1) of \(image.layers.count)")
            try image.apply(layer, to: writer) { [progress] in
                progress.advance(to: $0, of: $1)
            }
        }
        return image.record
    }

    /// One that was compressed as a whole, or comes through a pipe: unsquashfs(1) goes back and forth in it, and so
    /// it is written to a file beside the destination first.
    private func importSquashfs(_ contents: PeekedStream, _ unpacking: inout Unpacking) throws {
        let copy = try PartialFile(for: unpacking.destination.path)
        fchmod(copy.file.number, 0o600)
        while let block = try contents.read() {
            try unpacking.budget.spendStream(block.count, of: unpacking.source.name)
            try unpacking.budget.spend(block.count, on: .root)
            var rest = block[...]
            while !rest.isEmpty {
                let piece = UnsafeRawBufferPointer(rebasing: rest)
                let written = write(copy.file.number, piece.baseAddress, piece.count)
                if written < 0 && errno == EINTR { continue }
                guard written > 0 else {
                    throw RootFilesystemError(
                        cannot: "write", copy.partialPath, errno: errno)
                }
                rest = rest.dropFirst(written)
            }
        }
        let image = SquashfsImage(
            path: copy.partialPath, name: unpacking.source.name, file: copy.file)
        try extract(image, &unpacking)
    }

    private func extract(_ image: SquashfsImage, _ unpacking: inout Unpacking) throws {
        unpacking.record = image.record { [progress] in progress.note($0) }.portable
        try image.extract(to: unpacking.tree, budget: unpacking.budget)
        // One that shuts its owner out has said so.
        let isEmpty = try? isEmpty(unpacking.tree.lock, unpacking.source)
        try refuseNothing(isEmpty ?? false, unpacking.source)
    }

    // MARK: - Refusals and notes

    /// Zeros, for one, are an archive without entries.
    private func refuseNothing(_ isNothing: Bool, _ source: ImportSource) throws {
        guard isNothing else { return }
        throw RootFilesystemError(
            cannot: "import", source.name, because: "there is nothing in it",
            remedy: "a root file system has at least one file or directory")
    }

    private func isEmpty(_ directory: Descriptor, _ source: ImportSource) throws -> Bool {
        try listNames(directory, source.name).allSatisfy { $0 == RecordFile.directory }
    }

    /// A file that is no tar, by what it is.
    private func refuseUnknown(_ head: UnsafeRawBufferPointer, _ source: ImportSource) throws {
        if FileSignature.isTar(head) { return }
        if let signature = FileSignature(of: head) {
            throw RootFilesystemError(
                cannot: "import", source.name, because: "it is \(signature.name)",
                remedy: signature.remedy)
        }
        // Of zeros alone, an archive without entries looks like that.
        if head.count >= 1024, head.allSatisfy({ $0 == 0 }) { return }
        throw RootFilesystemError(
            cannot: "import", source.name,
            because: head.isEmpty ? "it is empty" : "it is nothing that is known",
            remedy:
                "what can be imported: a tar, a container image, a squashfs, a SIF, a directory")
    }

    private func refuseLayer(_ source: ImportSource, isRoot: Bool? = nil) throws {
        guard let layer, !(isRoot ?? source.isDirectory) else { return }
        throw RootFilesystemError(
            cannot: "apply the layer in \(layer.harmlessLine) to", source.name,
            because: "it is no rootfs, but something that one is made of",
            remedy: "import that first, under another name")
    }

    private func refuseChoice(_ source: ImportSource) throws {
        guard let image else { return }
        throw RootFilesystemError(
            cannot: "take the image \(image.harmlessLine) from", source.name,
            because: "it is no container image", remedy: "leave out --image")
    }

    /// What is known of a directory that was imported itself.
    private func recorded(of directory: Descriptor) -> ImageRecord {
        guard let place = directory.place,
            let root = try? Destination(place, store: .standard())
        else { return ImageRecord() }
        return root.image { [progress] in progress.note($0) }
    }

    private func report(_ total: Int64) -> (Int64) -> Void {
        { [progress] in progress.advance(to: $0, of: total) }
    }

    private func noteLosses(_ writer: TreeWriter) {
        let lost = writer.attributes.lostAttributes
        if lost > 0 { progress.note("\(lost) extended attributes could not be kept") }
        if writer.falseRecords > 0 { progress.note(PartialTree.falseRecord) }
    }

    /// A directory copied into itself would never end.
    private func refuseOverlap(_ source: String, _ destination: Destination) throws {
        guard let real = realpath(source, nil) else { return }
        defer { free(real) }
        if (destination.path + "/").hasPrefix(String(cString: real) + "/") {
            throw RootFilesystemError(
                cannot: "import", source,
                because: "the destination \(destination.label) lies inside it")
        }
    }
}
