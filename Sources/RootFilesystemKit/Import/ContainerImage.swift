// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A container image in parts, in a directory.
struct ContainerImage {
    /// How the parts lie there.
    enum Form: Equatable {
        /// OCI Image Format Specification 1.1, "Image Layout"; with or without its `oci-layout`.
        case layout
        /// What `docker save` writes, and crane, ko, kaniko, podman and buildah after it: a `manifest.json` that
        /// names the layers by path, whatever they are called.
        case docker
        /// What docker wrote before 1.10: `repositories`, and a directory a layer.
        case legacyDocker
        /// What `skopeo copy` writes to `dir:`: a manifest of OCI's or docker's, and blobs beside it.
        case flat
    }

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

    /// Chooses the image of that `name`, if that is given, for `platform`, and reads its manifest and configuration.
    init(_ directory: RootDirectory, _ form: Form, platform: Platform, name: String?) throws {
        parts = ImageParts(directory, form == .flat ? .flat : .layout)
        let catalog: ImageCatalog
        switch form {
        case .layout: catalog = try .layout(parts)
        case .docker: catalog = try .docker(parts)
        case .legacyDocker: catalog = try .legacy(parts)
        case .flat: catalog = try .flat(parts)
        }
        let choice = ImageChoice(parts: parts, platform: platform, name: name)
        switch try choice.choose(from: catalog).content {
        case .manifest(let path, let digest):
            (layers, record) = try Self.read(path, digest, parts)
        case .docker(let image):
            (layers, record) = try Self.read(image, parts)
        case .legacy(let layer):
            (layers, record) = try Self.read(legacy: layer, parts)
        }
        guard !layers.isEmpty else { throw parts.failure("its image has no layers") }
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

    // MARK: - The forms

    private static func read(
        _ path: String, _ digest: ContentDigest?, _ parts: ImageParts
    ) throws -> ([Layer], ImageRecord) {
        let manifest = try parts.decode(Manifest.self, path, digest: digest)
        if manifest.fsLayers != nil {
            throw parts.failure(
                "its manifest is of docker's schema 1",
                remedy: "bring it into another form: skopeo copy --format oci SOURCE oci:DIRECTORY")
        }
        guard let config = manifest.config, let layers = manifest.layers else {
            throw parts.failure("\(path.harmlessLine) is not the JSON document it should be")
        }
        if layers.contains(where: { $0.mediaType?.contains("encrypted") == true }) {
            throw parts.failure(
                "its layers are encrypted",
                remedy:
                    "take out what is encrypted: skopeo copy --decryption-key KEY SOURCE oci:DIRECTORY"
            )
        }
        let configDigest = try parts.digest(config.digest)
        let configuration = try parts.decode(
            ImageConfiguration.self, parts.path(of: configDigest), digest: configDigest)
        return (
            try layers.map { layer in
                let digest = try parts.digest(layer.digest)
                return Layer(path: parts.path(of: digest), digest: .stored(digest))
            }, configuration.record
        )
    }

    private static func read(
        _ image: DockerImage, _ parts: ImageParts
    ) throws -> ([Layer], ImageRecord) {
        let configuration = try parts.decode(
            ImageConfiguration.self, image.config, digest: digest(inNameOf: image.config))
        let contents = configuration.rootfs?.diffIDs ?? []
        let paths = image.layers ?? []
        guard contents.count == paths.count else {
            throw parts.failure("its manifest and its configuration disagree on the layers")
        }
        let layers = try zip(paths, contents).map { path, digest in
            Layer(path: path, digest: .contents(try parts.digest(digest)))
        }
        return (layers, configuration.record)
    }

    /// A configuration is named by its digest: `HEX.json`, `sha256:HEX`, `blobs/sha256/HEX`.
    private static func digest(inNameOf path: String) -> ContentDigest? {
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        let plain = name.hasSuffix(".json") ? String(name.dropLast(5)) : name
        return ContentDigest(plain) ?? ContentDigest("sha256:" + plain)
    }

    private static func read(
        legacy last: String, _ parts: ImageParts
    ) throws -> ([Layer], ImageRecord) {
        var layers: [Layer] = []
        var next: String? = last
        var top: LegacyLayer?
        while let layer = next, !layer.isEmpty {
            let description = try parts.decode(LegacyLayer.self, "\(layer)/json")
            top = top ?? description
            layers.insert(Layer(path: "\(layer)/layer.tar", digest: nil), at: 0)
            guard layers.count <= mostLayers else {
                throw parts.failure("its layers refer to each other without end")
            }
            next = description.parent
        }
        let configuration = ImageConfiguration(
            architecture: top?.architecture, os: top?.os, config: top?.config)
        return (layers, configuration.record)
    }
}
