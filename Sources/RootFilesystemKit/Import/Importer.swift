import Foundation

/// Makes a root file system from what somebody else has packed.
public struct Importer {
    /// The most bytes the source may unfold into; the free space of the disk limits it anyway.
    public var maximumSize = ExtractionBudget.defaultBytes
    /// Which image to take from one made for several machines, by Debian's name.
    public var architecture: String = Platform.host
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// Imports `source`: a tar, a docker or OCI archive, an OCI layout, a squashfs, or a directory. What `check`
    /// throws when all is unpacked keeps it from appearing.
    public func importRoot(
        _ source: String, to destination: Destination, check: () throws -> Void = {}
    ) throws {
        let form = try SourceForm(of: source, maximum: maximumSize)
        progress.begin("importing \(source)")
        let tree = try PartialTree(for: destination) { [progress] in progress.note($0) }
        let budget = ExtractionBudget(maximum: maximumSize, directory: tree.lock)
        let writer = TreeWriter(root: tree.root, budget: budget)
        var image = ImageRecord()
        switch form {
        case .directory:
            try refuseOverlap(source, destination)
            let flags = O_RDONLY | O_DIRECTORY
            let directory = try Descriptor.open(source, flags, cannot: "open the directory")
            image = recorded(of: directory)
            try writer.writeAll(from: TreeReader(directory, path: source))
        case .tar:
            let stream = try ThreadedStream.decompressing(opening: source, progress: report(source))
            try writer.writeAll(from: TarTree(stream, name: source, budget: budget))
        case .imageLayout:
            image = try apply(try RootDirectory(opening: source), to: writer)
        case .imageArchive:
            // Its parts come in any order, so all of them are unpacked first, beside the destination.
            let parts = try PartialTree(for: destination)
            let partsBudget = ExtractionBudget(maximum: maximumSize, directory: parts.lock)
            let unpacker = TreeWriter(root: parts.root, budget: partsBudget)
            let stream = try ThreadedStream.decompressing(opening: source, progress: report(source))
            try unpacker.writeAll(from: TarTree(stream, name: source, budget: partsBudget))
            try unpacker.finish()
            image = try apply(RootDirectory(path: source, descriptor: parts.lock), to: writer)
        case .squashfs:
            try SquashfsImage(path: source).extract(to: tree, budget: budget)
        }
        try writer.finish()
        noteLosses(writer)
        let facts = TreeFacts(of: tree.root)
        image.origin = absolute(source)
        image.suite = image.suite ?? facts.suite
        image.architecture = facts.architecture ?? image.architecture
        try check()
        try tree.commit(image)
        progress.end()
    }

    /// What is known of a directory that was imported itself.
    private func recorded(of directory: Descriptor) -> ImageRecord {
        guard let place = directory.place,
            let root = try? Destination(place, store: .standard())
        else { return ImageRecord() }
        return root.image { [progress] in progress.note($0) }
    }

    private func apply(_ parts: RootDirectory, to writer: TreeWriter) throws -> ImageRecord {
        let image = try ContainerImage(parts, platform: Platform(debian: architecture))
        for (index, layer) in image.layers.enumerated() {
            progress.begin("applying layer \(index + 1) of \(image.layers.count)")
            try image.apply(layer, to: writer) { [progress] in
                progress.advance(to: $0, of: $1)
            }
        }
        return image.record
    }

    private func report(_ source: String) -> (Int64) -> Void {
        var status = stat()
        let total = stat(source, &status) == 0 ? Int64(status.st_size) : 0
        return { [progress] in progress.advance(to: $0, of: total) }
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

    private func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }
}
