// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// Writes a root file system to one file, so that the same tree gives the same bytes.
///
/// What belongs to the caller belongs to root in the file, for so it does to whoever runs in the tree.
/// Other owners come with the numbers that the caller sees: a tree with files of subordinate ids is
/// exported inside a namespace that maps them, see ``SubordinateReading``.
///
/// Modification times later than `SOURCE_DATE_EPOCH` become that; without it, later than the last
/// second a squashfs can hold (2106-02-07 06:28:15 UTC), which leaves them as they are.
public struct Exporter {
    /// How the blocks of a squashfs are compressed.
    public enum BlockCompression: String, CaseIterable, Sendable {
        case lz4, zstd, gzip, xz

        /// lz4 is made as small as it can be, which takes time only here.
        var options: [String] { self == .lz4 ? ["-Xhc"] : [] }
    }

    /// A program that starts from a squashfs waits for what it reads to be unpacked, each time anew. lz4 gives
    /// it in two thirds of zstd's time and half of gzip's, for a file a quarter larger than zstd's
    /// (Scripts/benchmark/image.sh).
    public var blockCompression = BlockCompression.lz4
    /// The block size of a squashfs in bytes: a power of two from 4 KiB to 1 MiB. Larger ones save little, and
    /// more is unpacked than is read.
    public var blockSize = 64 << 10
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// Exports to `file`; its suffix says in which format.
    public func export(_ source: Destination, to file: String) throws {
        try export(source, to: file, as: Format(suffixOf: file))
    }

    /// The same, whatever the file is called.
    func export(_ source: Destination, to file: String, as format: Format) throws {
        let root = try open(source)
        let owner = try root.status(cannot: "examine", source.label).st_uid
        // Real root, and root of a namespace, see everybody's own number.
        let isCallers = geteuid() != 0 && owner == geteuid()
        // A launch takes the same lock, so only removal has to wait.
        guard flock(root.number, LOCK_SH | LOCK_NB) == 0 else {
            throw RootFilesystemError(
                cannot: "export", source.label, because: "it is being made or removed")
        }
        defer { flock(root.number, LOCK_UN) }
        progress.begin("exporting \(source.label)")
        let record = source.image { [progress] in progress.note($0) }
        let output = try PartialFile(for: file)
        switch format {
        case .tar(let compression):
            let writer = try ArchiveWriter(
                to: output.file, name: output.path, compression: compression,
                latest: try Self.latestTime())
            let text = try Self.attribute(record, of: source)
            try writeTar(source, record: text, asRoots: isCallers, with: writer)
        case .squashfs:
            try writeSquashfs(source, asRoots: isCallers, to: output)
            try append(record, to: output)
        case .image:
            try writeImage(source, record, asRoots: isCallers, to: output)
        case .sif:
            try writeSIF(source, asRoots: isCallers, to: output)
        }
        try output.commit()
        progress.end()
    }

    private func open(_ source: Destination) throws -> Descriptor {
        let opened = Glibc.open(source.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if opened < 0 && errno == ENOENT { throw source.notFound }
        return try Descriptor(opened, cannot: "export", source.label)
    }

    /// What is recorded of a root, as an extended attribute of its directory can hold it.
    private static func attribute(_ record: ImageRecord, of source: Destination) throws -> [UInt8]?
    {
        guard let text = record.portableText else { return nil }
        let most = ExtendedAttributeReader.largest - RecordFile.attribute.count - 1
        guard text.count <= most else {
            throw RootFilesystemError(
                cannot: "export", source.label,
                because:
                    "what is known of how it wants to be run has \(text.count) bytes, and a tar takes \(most)",
                remedy: "export it as an image, .oci.tar, or as a .squashfs")
        }
        return text
    }

    /// Behind the file system, where whoever mounts it does not look. See ``RootRecord``.
    private func append(_ record: ImageRecord, to output: PartialFile) throws {
        guard let text = record.portableText else { return }
        let status = try output.file.status(cannot: "examine", output.path)
        try output.file.write(
            RootRecord.trailer(text, after: Int(status.st_size)), at: status.st_size,
            cannot: "write", output.path)
        // What others can write to is not believed.
        fchmod(output.file.number, status.st_mode & 0o755)
    }

    /// Writes the tree; `record` goes along as an attribute of its top. In a layer of an image names can mean something.
    func writeTar(
        _ source: Destination, record: [UInt8]?, asRoots: Bool, isLayer: Bool = false,
        with writer: ArchiveWriter
    ) throws {
        let total = progress.isBar ? try DiskUsage.bytes(below: source.path) : 0
        var done: Int64 = 0
        let setID = SetIDBits()
        let reader = try TreeReader(path: source.path)
        while var entry = try reader.next() {
            if asRoots { entry.attributes.giveToRoot() }
            entry.attributes.mode = setID.permitted(entry.attributes.mode)
            if isLayer, try Whiteout(of: entry.path) != nil {
                throw RootFilesystemError(
                    cannot: "export", source.label,
                    because:
                        "\(entry.path.printable) has a name that in an image takes something away",
                    remedy: "remove it, or export a .tar")
            }
            if entry.path.isRoot {
                _ = entry.attributes.takeRecord()
                if let record {
                    entry.attributes.extended.append(
                        ExtendedAttribute(name: RecordFile.attribute, value: record))
                }
            }
            try writer.write(entry, from: reader)
            done += entry.announcedBytes
            progress.advance(to: done, of: total)
        }
        try writer.finish()
    }

    /// mksquashfs(1) sorts, and takes the latest time from its environment.
    /// `extra` are further arguments of its.
    func writeSquashfs(
        _ source: Destination, asRoots: Bool, to output: PartialFile, beside extra: [String] = []
    ) throws {
        let tool = ExternalTool(
            name: "mksquashfs", package: "squashfs-tools",
            environment: ["SOURCE_DATE_EPOCH": String(try Self.latestTime())],
            inherited: [output.file])
        var arguments = [
            source.path, output.partialPath, "-noappend", "-no-progress", "-quiet", "-comp",
            blockCompression.rawValue, "-b", String(blockSize),
        ]
        arguments += blockCompression.options + extra
        if asRoots { arguments.append("-all-root") }
        if !SetIDBits().areKept { arguments += ["-action", "chmod(ug-s)@true"] }
        // Of the top alone; the option takes all that follows, and complains of what is not there.
        let record = RecordFile.directory.text
        var status = stat()
        if lstat("\(source.path)/\(record)", &status) == 0 { arguments += ["-e", record] }
        let root = try open(source)
        var text = ""
        if try OwnersReader.isNeeded(for: root, source.path) {
            var own = NamespaceTool(power: .ownRoot)
            own.environment = tool.environment.map { ($0.key, $0.value) }
            try own.run([tool.name] + arguments, cannot: "export", source.label) {
                text += $0 + "\n"
            }
        } else {
            text = String(
                decoding: try tool.run(arguments, cannot: "export", source.label), as: UTF8.self)
        }
        // It makes an empty file of what it cannot read, and calls that success.
        let complaint = text.split(separator: "\n").first { line in
            ["Failed to", "Could not", "Cannot", "creating empty", "ignoring"].contains {
                line.contains($0)
            }
        }
        if let complaint {
            throw RootFilesystemError(
                cannot: "export", source.label, because: String(complaint),
                remedy: "export as the user who can read all of it")
        }
    }

    /// In seconds since 1970. https://reproducible-builds.org/specs/source-date-epoch/
    static func latestTime(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws -> Int {
        guard let text = environment["SOURCE_DATE_EPOCH"] else { return Int(UInt32.max) }
        guard let seconds = UInt32(text) else {
            throw RootFilesystemError(
                cannot: "use", "SOURCE_DATE_EPOCH=\(text)",
                because: "it is not a number of seconds",
                remedy: "set it to seconds since 1970, or unset it")
        }
        return Int(seconds)
    }

    /// What can be written, by suffix.
    enum Format: Equatable {
        case tar(ArchiveWriter.Compression)
        case squashfs
        /// A container image in an archive, ``ImageArchive``.
        case image
        /// An image of Apptainer's, which holds a squashfs.
        case sif

        init(suffixOf file: String) throws {
            let suffixes: [(String, Format)] = [
                (".oci.tar", .image), (".tar", .tar(.none)), (".tar.gz", .tar(.gzip)),
                (".tgz", .tar(.gzip)),
                (".tar.bz2", .tar(.bzip2)), (".tar.xz", .tar(.xz)), (".tar.zst", .tar(.zstd)),
                (".squashfs", .squashfs), (".sqfs", .squashfs), (".sif", .sif),
            ]
            guard let format = suffixes.first(where: { file.hasSuffix($0.0) })?.1 else {
                throw RootFilesystemError(
                    cannot: "export to", file, because: "the suffix names no format",
                    remedy:
                        "use .tar, .tar.gz, .tar.bz2, .tar.xz, .tar.zst, .squashfs, .oci.tar or .sif"
                )
            }
            self = format
        }
    }
}
