import Foundation

/// A container image in parts: an OCI layout, or what `docker save` writes, in a directory.
///
/// OCI Image Format Specification 1.1; the older docker form has a `manifest.json` instead of an
/// index, and names its layers by path.
struct ContainerImage {
    /// A layer: where it is, and the digest that vouches for it.
    struct Layer {
        var path: String
        var digest: ExpectedDigest?
    }

    /// The layers, the lowest first.
    let layers: [Layer]
    /// How the image wants to be run.
    let record: ImageRecord
    private let parts: ImageParts

    /// Chooses the image for `platform` and reads its manifest and configuration.
    init(_ directory: RootDirectory, platform: Platform) throws {
        parts = ImageParts(directory)
        if parts.has("index.json") {
            (layers, record) = try Self.readLayout(parts, platform)
        } else {
            (layers, record) = try Self.readDockerArchive(parts)
        }
        guard layers.count <= Self.mostLayers else {
            throw parts.failure(
                "it has \(layers.count) layers, and an image has at most \(Self.mostLayers)")
        }
    }

    /// More than container engines can run; each may be the same one again.
    private static let mostLayers = 500

    /// Applies one layer. `progress` hears how many of how many bytes have been read.
    func apply(
        _ layer: Layer, to writer: TreeWriter, progress: @escaping (Int64, Int64) -> Void
    ) throws {
        let file = try parts.open(layer.path)
        let size = Int64(try file.status(cannot: "examine", layer.path).st_size)
        let stream = ThreadedStream.decompressing(
            file, name: parts.label(layer.path), expected: layer.digest,
            progress: { progress($0, size) })
        let tree = try TarTree(
            stream, name: parts.label(layer.path), requiresEnd: layer.digest == nil,
            budget: writer.budget)
        writer.beginLayer()
        while let entry = try tree.next() {
            switch try Whiteout(of: entry.path) {
            case .hides(let path): try writer.whiteOut(path)
            case .opaque(let path): try writer.makeOpaque(path)
            case .bookkeeping: try writer.budget.spendEntry(entry.path)
            case nil: try writer.write(entry, from: tree)
            }
        }
    }

    // MARK: - The two forms

    private static func readLayout(
        _ parts: ImageParts, _ platform: Platform
    ) throws -> ([Layer], ImageRecord) {
        var index = try parts.decode(Index.self, "index.json")
        for _ in 0..<4 {
            let chosen = try choose(index, platform, parts)
            let path = try parts.path(of: chosen.digest)
            if chosen.mediaType?.contains("index") == true
                || chosen.mediaType?.contains("manifest.list") == true
            {
                index = try parts.decode(Index.self, path, digest: chosen.digest)
                continue
            }
            let manifest = try parts.decode(Manifest.self, path, digest: chosen.digest)
            let configuration = try parts.decode(
                ImageConfiguration.self, try parts.path(of: manifest.config.digest),
                digest: manifest.config.digest)
            let layers = try manifest.layers.map { layer in
                Layer(
                    path: try parts.path(of: layer.digest),
                    digest: .stored(String(layer.digest.dropFirst("sha256:".count))))
            }
            return (layers, configuration.record)
        }
        throw parts.failure("its indexes refer to each other without end")
    }

    private static func choose(
        _ index: Index, _ platform: Platform, _ parts: ImageParts
    ) throws -> ContentDescriptor {
        let fitting = index.manifests.filter { manifest in
            guard let offered = manifest.platform else { return true }
            return offered.os == "linux" && offered.architecture == platform.architecture
                && (platform.variant == nil || offered.variant == nil
                    || offered.variant == platform.variant)
        }
        // The first with a platform that fits, else one that does not say.
        if let chosen = fitting.first(where: { $0.platform != nil }) ?? fitting.first {
            return chosen
        }
        let offered = index.manifests.compactMap {
            $0.platform.map { "\($0.os)/\($0.architecture)" }
        }
        throw RootFilesystemError(
            cannot: "import", parts.name,
            because: "it has no image for linux/\(platform.architecture)",
            remedy: "it is for \(offered.joined(separator: ", ")): choose one with --arch")
    }

    private static func readDockerArchive(_ parts: ImageParts) throws -> ([Layer], ImageRecord) {
        let images = try parts.decode([DockerImage].self, "manifest.json")
        guard let image = images.first else { throw parts.failure("its manifest lists no image") }
        // The configuration is named by its digest.
        let hex = image.config.split(separator: "/").last?.prefix { $0 != "." } ?? ""
        let digest = hex.wholeMatch(of: /[0-9a-f]{64}/) == nil ? nil : "sha256:" + hex
        let configuration = try parts.decode(ImageConfiguration.self, image.config, digest: digest)
        let contents = configuration.rootfs?.diffIDs ?? []
        guard contents.count == image.layers.count else {
            throw parts.failure("its manifest and its configuration disagree on the layers")
        }
        let layers = try zip(image.layers, contents).map { path, digest in
            Layer(path: path, digest: .contents(try parts.hex(of: digest)))
        }
        return (layers, configuration.record)
    }
}
