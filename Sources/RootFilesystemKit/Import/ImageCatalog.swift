// SPDX-License-Identifier: Apache-2.0

/// The images in an archive or a layout: often one, sometimes several, with things about them that are none.
struct ImageCatalog {
    /// One of them.
    struct Entry {
        enum Content {
            /// A manifest, and the digest that vouches for it.
            case manifest(path: String, digest: ContentDigest?)
            /// What docker's `manifest.json` has of it.
            case docker(DockerImage)
            /// The last of its layers, in what docker saved before 1.10.
            case legacy(layer: String)
        }

        /// As the user may ask for it.
        var names: [String]
        /// Another with the same is the same image.
        var identity: String
        /// The machine it is for, where that is said beside it.
        var platform: ContentDescriptor.Target?
        var content: Content
        /// Which entry of the outermost index led to it: those of one are one image for several machines.
        var group: Int

        /// What it is called in a list.
        var label: String {
            names.isEmpty ? String(identity.prefix(19)) : names.joined(separator: " or ")
        }
    }

    private(set) var entries: [Entry] = []
    private var indexes: Set<ContentDigest> = []

    /// More than any archive has; each may be looked into.
    private static let mostEntries = 1000
    private static let deepestIndex = 4

    /// Lists what `index.json` leads to.
    static func layout(_ parts: ImageParts) throws -> ImageCatalog {
        var catalog = ImageCatalog()
        try catalog.add(parts.decode(Index.self, "index.json"), parts)
        return catalog
    }

    /// Lists what the `manifest.json` of transport "dir" is, or leads to.
    static func flat(_ parts: ImageParts) throws -> ImageCatalog {
        var catalog = ImageCatalog()
        let manifest = try parts.decode(Manifest.self, "manifest.json")
        if let manifests = manifest.manifests {
            try catalog.add(Index(manifests: manifests), parts)
        } else {
            catalog.entries = [
                Entry(
                    names: [], identity: "manifest.json", platform: nil,
                    content: .manifest(path: "manifest.json", digest: nil), group: 0)
            ]
        }
        return catalog
    }

    /// Lists the images of docker's `manifest.json`.
    static func docker(_ parts: ImageParts) throws -> ImageCatalog {
        var catalog = ImageCatalog()
        let images = try parts.decode([DockerImage].self, "manifest.json")
        catalog.entries = images.enumerated().map { index, image in
            Entry(
                names: image.names ?? [], identity: image.config, platform: nil,
                content: .docker(image), group: index)
        }
        try catalog.check(parts)
        return catalog
    }

    /// Lists the images of docker's `repositories`: of each name the tags, and of each tag the last layer.
    static func legacy(_ parts: ImageParts) throws -> ImageCatalog {
        var catalog = ImageCatalog()
        let repositories = try parts.decode([String: [String: String]].self, "repositories")
        for (name, tags) in repositories.sorted(by: { $0.key < $1.key }) {
            for (tag, layer) in tags.sorted(by: { $0.key < $1.key }) {
                catalog.entries.append(
                    Entry(
                        names: ["\(name):\(tag)"], identity: layer, platform: nil,
                        content: .legacy(layer: layer), group: catalog.entries.count))
            }
        }
        try catalog.check(parts)
        return catalog
    }

    private mutating func add(
        _ index: Index, _ parts: ImageParts, names: [String] = [], group: Int? = nil,
        depth: Int = 1
    ) throws {
        guard depth <= Self.deepestIndex else {
            throw parts.failure("its indexes refer to each other without end")
        }
        for (position, descriptor) in index.manifests.enumerated() where !descriptor.isAside {
            let digest = try parts.digest(descriptor.digest)
            let path = parts.path(of: digest)
            let names = descriptor.names.isEmpty ? names : descriptor.names
            let group = group ?? position
            let isIndex =
                try descriptor.isIndex
                || (descriptor.mediaType == nil
                    && parts.decodeIfFits(Manifest.self, path)?.manifests != nil)
            guard isIndex else {
                entries.append(
                    Entry(
                        names: names, identity: digest.text, platform: descriptor.platform,
                        content: .manifest(path: path, digest: digest), group: group))
                try check(parts)
                continue
            }
            guard indexes.insert(digest).inserted else { continue }
            try add(
                parts.decode(Index.self, path, digest: digest), parts, names: names, group: group,
                depth: depth + 1)
        }
    }

    private func check(_ parts: ImageParts) throws {
        if entries.count > Self.mostEntries {
            throw parts.failure("it lists more than \(Self.mostEntries) images")
        }
    }
}
