// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A container image in an archive, as podman, skopeo, umoci and docker read it: the tree as one layer, and how it wants
/// to be run as the image's configuration. OCI Image Format Specification 1.1, "Image Layout"
struct ImageArchive {
    /// A blob of the image, and what refers to it.
    struct Blob: Encodable {
        var mediaType: String
        var digest: String
        var size: Int64
        var annotations: [String: String]?

        init(_ type: String, sha256 hex: String, size: Int64) {
            mediaType = "application/vnd.oci.image.\(type)"
            digest = "sha256:\(hex)"
            self.size = size
        }

        /// Where it is.
        var path: String { "blobs/sha256/\(digest.dropFirst(7))" }
    }

    /// The layer, compressed, in a file.
    struct Layer {
        var blob: Blob
        /// SHA-256 of what it is when it is not compressed.
        var contents: String
        var file: Descriptor
    }

    private let writer: ArchiveWriter

    /// Writes to `output`; nothing in it is later than `latest`, seconds since 1970.
    init(to output: PartialFile, latest: Int) throws {
        writer = try ArchiveWriter(
            to: output.file, name: output.path, compression: .none, latest: latest)
    }

    /// Writes an image of one layer. `name` is what the image is called, if it is called anything.
    func write(_ layer: Layer, _ record: ImageRecord, named name: String?) throws {
        for folder in ["blobs", "blobs/sha256"] { try directory(folder) }
        let config = try blob(
            "config.v1+json", ImageConfiguration(record, diffID: "sha256:\(layer.contents)"))
        var manifest = try blob(
            "manifest.v1+json",
            Manifest(
                mediaType: "application/vnd.oci.image.manifest.v1+json", config: config,
                layers: [layer.blob]))
        // By which umoci and skopeo find it in a layout; and what podman calls it.
        manifest.annotations = ["org.opencontainers.image.ref.name": "latest"]
        if let name { manifest.annotations?["io.containerd.image.name"] = name }
        try file("index.json", try Self.encoded(Index(manifests: [manifest])))
        try file("oci-layout", Data(#"{"imageLayoutVersion":"1.0.0"}"#.utf8))
        let source = FileSource(layer.file, name: layer.blob.path, size: layer.blob.size)
        try writer.write(try entry(layer.blob.path, .file(size: layer.blob.size)), from: source)
        try writer.finish()
    }

    // MARK: - The documents

    private struct Index: Encodable {
        var schemaVersion = 2
        var manifests: [Blob]
    }

    private struct Manifest: Encodable {
        var schemaVersion = 2
        var mediaType: String
        var config: Blob
        var layers: [Blob]
    }

    private static func encoded(_ document: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(document)
    }

    // MARK: - The archive

    private func blob(_ type: String, _ document: some Encodable) throws -> Blob {
        let bytes = try Self.encoded(document)
        var hash = SHA256()
        hash.update(Array(bytes))
        let blob = Blob(type, sha256: hash.finish(), size: Int64(bytes.count))
        try file(blob.path, bytes)
        return blob
    }

    private func entry(_ path: String, _ kind: TreeEntry.Kind) throws -> TreeEntry {
        TreeEntry(
            path: try EntryPath(archived: ByteString(path)), kind: kind,
            attributes: FileAttributes(
                mode: kind == .directory ? 0o755 : 0o644, owner: 0, group: 0,
                modified: (0, 0)))
    }

    private func directory(_ path: String) throws {
        try writer.write(entry(path, .directory), from: BytesSource(Data()))
    }

    private func file(_ path: String, _ bytes: Data) throws {
        try writer.write(
            entry(path, .file(size: Int64(bytes.count))), from: BytesSource(bytes))
    }
}

extension Exporter {
    /// Writes a container image of one layer.
    func writeImage(
        _ source: Destination, _ record: ImageRecord, asRoots: Bool, to output: PartialFile
    ) throws {
        let latest = try Self.latestTime()
        // What refers to the layer comes before it, and has its size: so it is written elsewhere first.
        let draft = try PartialFile(for: output.path + ".layer")
        let compressed = try GzipWriter(to: draft.file, name: draft.partialPath)
        var contents = SHA256()
        let writer = try ArchiveWriter(name: output.path, latest: latest) { bytes in
            contents.update(bytes)
            try compressed.write(bytes)
        }
        try writeTar(source, record: nil, asRoots: asRoots, isLayer: true, with: writer)
        let hash = try compressed.finish()
        let layer = ImageArchive.Layer(
            blob: .init("layer.v1.tar+gzip", sha256: hash, size: compressed.size),
            contents: contents.finish(), file: draft.file)
        let name = source.isName ? "localhost/\(source.label.lowercased()):latest" : nil
        var record = record
        record.architecture =
            try TreeFacts(of: RootDirectory(opening: source.path)).architecture
            ?? record.architecture
        try ImageArchive(to: output, latest: latest).write(layer, record, named: name)
    }
}
