import Glibc

/// What kind of thing is to be imported.
enum SourceForm: Equatable {
    case directory
    /// A tar of a root file system.
    case tar
    /// A directory in the OCI image layout.
    case imageLayout
    /// A tar of an OCI image layout, or of what `docker save` writes.
    case imageArchive
    case squashfs

    /// Looks at the beginning of a file, or into a directory. What is unfolded for it is paid from a budget of its
    /// own, as large as that of the import.
    init(of path: String, maximum: Int64 = ExtractionBudget.defaultBytes) throws {
        let file = try Descriptor.open(path, O_RDONLY | O_NONBLOCK, cannot: "read")
        let status = try file.status(cannot: "examine", path)
        if status.isDirectory {
            self = access(path + "/oci-layout", F_OK) == 0 ? .imageLayout : .directory
            return
        }
        guard status.isRegularFile else {
            throw RootFilesystemError(
                cannot: "read", path, because: "it is neither a file nor a directory")
        }
        var magic: [UInt8] = [0, 0, 0, 0]
        if pread(file.number, &magic, 4, 0) == 4, magic == Array("hsqs".utf8) {
            self = .squashfs
            return
        }
        let budget = ExtractionBudget(maximum: maximum)
        self = try Self.holdsImage(path, budget) ? .imageArchive : .tar
    }

    /// A tar with an image has nothing else at its top: the first entry that does not belong there
    /// tells, and with a root file system that is one of the first two.
    private static func holdsImage(_ path: String, _ budget: ExtractionBudget) throws -> Bool {
        let stream = SpendingStream(
            try ThreadedStream.decompressing(opening: path), budget, name: path)
        let reader = try ArchiveReader(.tar, stream, name: path)
        var hasManifest = false
        while try reader.nextHeader() {
            let entry = try EntryPath(archived: reader.rawPath)
            try budget.spendEntry(entry)
            guard let top = entry.names.first?.printable else { continue }
            let isPart =
                ["blobs", "oci-layout", "index.json", "manifest.json", "repositories"].contains(top)
                || top.wholeMatch(of: /[0-9a-f]{64}(\.json|\.tar)?/) != nil
            guard isPart else { return false }
            hasManifest = hasManifest || top == "manifest.json" || top == "index.json"
            // Both come after the large parts more often than not, but one part is as good as a proof.
            if hasManifest { return true }
        }
        return false
    }
}
