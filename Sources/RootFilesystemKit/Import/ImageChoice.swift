// SPDX-License-Identifier: Apache-2.0

/// Takes one image of several: the one that is asked for, for the machine that is asked for.
struct ImageChoice {
    let parts: ImageParts
    let platform: Platform
    /// `NAME[:TAG]`, or a digest or its beginning.
    let name: String?

    /// Refuses, with a list, where more than one is left.
    func choose(from catalog: ImageCatalog) throws -> ImageCatalog.Entry {
        let all = catalog.entries
        guard !all.isEmpty else { throw parts.failure("it lists no image") }
        var left = all
        if let name {
            left = Self.named(name, in: all)
            guard !left.isEmpty else {
                throw parts.failure(
                    "it has no image \(name.harmlessLine)", remedy: "it has \(Self.list(all))")
            }
        }
        let offered = left
        left = left.filter { $0.platform.map(platform.accepts) ?? true }
        // One alone is taken for what it is, where it does not say so at once: the user knows it.
        if left.count > 1 {
            left = try left.compactMap { entry in
                var entry = entry
                guard try foreignType(of: entry) == nil else { return nil }
                entry.platform = try entry.platform ?? target(of: entry)
                return entry.platform.map(platform.accepts) ?? true ? entry : nil
            }
        }
        guard !left.isEmpty else { throw missing(offered) }
        left = unique(left)
        if left.count > 1 { left = plainest(left) }
        guard let chosen = left.first, left.count == 1 || isOneImage(left) else {
            throw parts.failure(
                "it holds \(left.count) images",
                remedy: "nsrun-rootfs import --image takes one of them: \(Self.list(left))")
        }
        if let type = try foreignType(of: chosen) {
            throw parts.failure(
                "it is no container image: it is of the type \(type.harmlessLine)",
                remedy: "what it refers to may be one: fetch that")
        }
        if let target = try target(of: chosen), target.os != "linux" {
            throw missing([chosen])
        }
        return chosen
    }

    // MARK: - By name

    /// A name without a tag is that of `latest`, or of the only one there is.
    static func named(_ name: String, in entries: [ImageCatalog.Entry]) -> [ImageCatalog.Entry] {
        func matching(_ fits: (String) -> Bool) -> [ImageCatalog.Entry] {
            entries.filter { $0.names.contains(where: fits) }
        }
        let wanted = short(name)
        let exact = matching { $0 == name || short($0) == wanted }
        if !exact.isEmpty { return exact }
        let latest = matching { short($0) == wanted + ":latest" }
        if !latest.isEmpty { return latest }
        let tagged = matching { full in
            let full = short(full)
            return full.hasPrefix(wanted + ":")
                && !full.dropFirst(wanted.count + 1).contains { ":/".contains($0) }
        }
        if !tagged.isEmpty { return tagged }
        let digits = name.hasPrefix("sha256:") ? name.dropFirst(7) : name[...]
        guard digits.count >= 6 else { return [] }
        return entries.filter { entry in
            let identity =
                entry.identity.hasPrefix("sha256:")
                ? entry.identity.dropFirst(7) : entry.identity[...]
            return identity.hasPrefix(digits) || entry.identity == name
        }
    }

    /// Without what engines put in front of names by themselves.
    private static func short(_ name: String) -> String {
        var rest = name[...]
        for prefix in ["docker.io/", "index.docker.io/", "library/", "localhost/"]
        where rest.hasPrefix(prefix) {
            rest = rest.dropFirst(prefix.count)
        }
        return String(rest)
    }

    private static func list(_ entries: [ImageCatalog.Entry]) -> String {
        let most = 20
        var labels: [String] = []
        for entry in entries where !labels.contains(entry.label) { labels.append(entry.label) }
        let shown = labels.prefix(most).map { String($0.prefix(200)).harmlessLine }
        return shown.joined(separator: ", ")
            + (labels.count > most ? " and \(labels.count - most) more" : "")
    }

    // MARK: - By machine

    private func unique(_ entries: [ImageCatalog.Entry]) -> [ImageCatalog.Entry] {
        var seen: Set<String> = []
        return entries.filter { seen.insert($0.identity).inserted }
    }

    /// Of several for one kind of machine the one that runs on the oldest.
    private func plainest(_ entries: [ImageCatalog.Entry]) -> [ImageCatalog.Entry] {
        entries.filter { entry in
            guard entry.platform?.isForNewer == true else { return true }
            return !entries.contains {
                $0.names == entry.names && $0.platform?.isForNewer != true
            }
        }
    }

    private func isOneImage(_ entries: [ImageCatalog.Entry]) -> Bool {
        entries.allSatisfy {
            $0.group == entries[0].group && $0.names == entries[0].names
        }
    }

    private func missing(_ offered: [ImageCatalog.Entry]) -> RootFilesystemError {
        var targets: [String] = []
        for entry in offered {
            let target = (try? entry.platform ?? target(of: entry))?.text
            if let target, !targets.contains(target) { targets.append(target) }
        }
        let list = targets.prefix(20).joined(separator: ", ").harmlessLine
        return parts.failure(
            "it has no image for linux/\(platform.architecture)",
            remedy: list.isEmpty ? nil : "it is for \(list): choose one with --arch")
    }

    // MARK: - What an entry leads to

    private func foreignType(of entry: ImageCatalog.Entry) throws -> String? {
        guard case .manifest(let path, let digest) = entry.content else { return nil }
        return try parts.decode(Manifest.self, path, digest: digest).foreignType
    }

    /// What its configuration says.
    private func target(of entry: ImageCatalog.Entry) throws -> ContentDescriptor.Target? {
        switch entry.content {
        case .manifest(let path, let digest):
            let manifest = try parts.decode(Manifest.self, path, digest: digest)
            guard let config = manifest.config else { return nil }
            let configDigest = try parts.digest(config.digest)
            return try parts.decode(
                ImageConfiguration.self, parts.path(of: configDigest), digest: configDigest
            ).target
        case .docker(let image):
            return try parts.decode(ImageConfiguration.self, image.config).target
        case .legacy(let layer):
            let last = try parts.decode(LegacyLayer.self, "\(layer)/json")
            return ImageConfiguration(architecture: last.architecture, os: last.os).target
        }
    }
}
