// SPDX-License-Identifier: Apache-2.0

/// The root that fakechroot shows: a directory of links to what the rootfs and the host have, except where
/// the run has something of its own.
///
/// libfakechroot puts a path before each path that a program names; it knows no binds. So that `/tmp` can be
/// the run's own while `/usr` is the rootfs's, what it puts there leads to a directory in which `tmp` is a
/// directory and `usr` is a link. Where a link has led to, the path is the host's, and is listed as one to
/// leave alone.
struct FakechrootRoot {
    private(set) var tree: ScratchRoot
    /// Paths that libfakechroot leaves as they are.
    private(set) var excluded: [ByteString] = []
    private let view: ResolvedView
    /// Directories that are made, not linked to.
    private var made: [ByteString] = ["/"]

    /// libfakechroot takes no more.
    private static let mostExcluded = 100

    init(
        _ given: ResolvedView, _ mirror: RelinkedDirectories, in tree: ScratchRoot
    ) throws(LaunchError) {
        var view = given
        for directory in mirror.outermost { view.show(directory.mirror, at: directory.path) }
        self.view = view
        self.tree = tree
        if let folder = mirror.path { exclude(folder) }
        if view.root != "/" { exclude(view.root) }
        for place in view.places {
            try checkHolder(of: place)
            addAncestors(of: place.path)
            if case .host(let source) = place.content, source != "/" { exclude(source) }
        }
        try checkExcluded()
        // A program that resolves links goes the way to the rootfs step by step.
        for path in excluded { addAncestors(of: path) }
        try fill()
        if excluded.count > FakechrootRoot.mostExcluded {
            throw LaunchError(
                .usage,
                "fakechroot cannot show more than \(FakechrootRoot.mostExcluded) places of the host",
                remedy: "bind directories that hold them")
        }
    }

    private mutating func exclude(_ path: ByteString) {
        if !excluded.contains(where: { path.below($0) != nil }) { excluded.append(path) }
    }

    /// What is left alone is the host's wherever it is named, and the root must have nothing else there.
    private func checkExcluded() throws(LaunchError) {
        for path in excluded {
            let isHidden = view.places.contains { !$0.isHost && $0.path.below(path) != nil }
            let own = view.hostPath(of: path)
            guard isHidden || own != nil && own != path else { continue }
            throw LaunchError(
                .usage,
                "fakechroot cannot show \(path.text) of the host elsewhere: the root has a "
                    + "\(path.text) of its own",
                remedy: "\(OptionNames.current.engine) proot can, or bind it at its own path")
        }
        for path in excluded where path.contains(UInt8(ascii: ":")) {
            throw LaunchError(
                .usage, "fakechroot cannot show \(path.text): it knows no paths with a colon",
                remedy: "rename it, or \(OptionNames.current.engine) userns")
        }
    }

    private mutating func addAncestors(of path: ByteString) {
        let parent = path.parent ?? "/"
        if made.contains(parent) { return }
        // Below a directory of the host's, nothing can be made and nothing need be.
        if view.places.contains(where: { $0.isHost && parent.below($0.path) != nil }) { return }
        addAncestors(of: parent)
        made.append(parent)
    }

    /// In a directory of the host's, nothing is made.
    private func checkHolder(of place: ResolvedView.Place) throws(LaunchError) {
        let holder = view.places.first {
            $0.isHost && $0.path != place.path && place.path.below($0.path) != nil
        }
        guard let holder else { return }
        throw LaunchError(
            .usage,
            "fakechroot cannot show \(place.path.text) inside of \(holder.path.text), which is the "
                + "host's", remedy: "\(OptionNames.current.engine) proot can")
    }

    private mutating func fill() throws(LaunchError) {
        for place in view.places { try add(place) }
        for directory in made {
            tree.add(directory, .directory(mode: 0o755))
            // What is the run's own has nothing of the rootfs's.
            let isOwn = view.places.contains {
                !$0.isHost && directory.below($0.path) != nil
            }
            guard !isOwn, let source = view.hostPath(of: directory), HostFile.isDirectory(source)
            else { continue }
            for name in HostFile.names(in: source) {
                let path = directory.appending(path: name)
                if tree.has(path) || made.contains(path) { continue }
                tree.add(path, .link(linkText(source.appending(path: name), in: directory)))
            }
        }
    }

    /// A relative link of the rootfs means the same here; an absolute one is to stay inside, and so is one that
    /// goes up beyond the root.
    private func linkText(_ source: ByteString, in directory: ByteString) -> ByteString {
        guard let text = HostFile.linkText(source) else { return source }
        if text.isAbsolute { return tree.root + text }
        let slash = UInt8(ascii: "/")
        var depth = directory.split(on: slash).count { !$0.isEmpty }
        let parts = text.split(on: slash)
        for (index, part) in parts.enumerated() where !part.isEmpty && part != "." {
            depth += part == ".." ? -1 : 1
            if depth < 0 {
                let rest = Array(parts[index...].drop { $0 == ".." || $0 == "." || $0.isEmpty })
                return tree.root.appending(path: rest.joined(by: "/"))
            }
        }
        return text
    }

    private mutating func add(_ place: ResolvedView.Place) throws(LaunchError) {
        switch place.content {
        case .host(let source): tree.add(place.path, .link(source))
        case .link(let text):
            let leavesAlone = excluded.contains { text.below($0) != nil } || !text.isAbsolute
            tree.add(place.path, .link(leavesAlone ? text : tree.root + text))
        default: tree.addOwn(place, of: view)
        }
    }
}

extension ScratchRoot {
    /// Adds a place whose content is the run's own, for either engine.
    mutating func addOwn(_ place: ResolvedView.Place, of view: ResolvedView) {
        switch place.content {
        case .host: return
        case .directory(let mode): add(place.path, .directory(mode: mode))
        case .link(let text): add(place.path, .link(text))
        case .file(.bytes(let bytes), let mode): add(place.path, .file(bytes, mode: mode))
        case .file(.descriptor, _): return  // see LaunchRequest.readContents()
        case .prepended(let text):
            let own = HostFile.read(place.path, below: view.root, limit: 1 << 20)
            add(place.path, .file(text.bytes + own, mode: 0o644))
        }
    }
}
