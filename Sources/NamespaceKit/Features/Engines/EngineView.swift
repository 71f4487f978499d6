// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What a plan shows, place by place, for engines that cannot mount. The same steps that the executor
/// would take are read as a description.
struct EngineView: Equatable {
    enum Content: Equatable {
        /// A file or directory of the host.
        case host(ByteString)
        /// A directory of the run's own.
        case directory(mode: UInt32)
        case file(FileSystemOperation.Content, mode: UInt32)
        /// The root's own file with a text before it.
        case prepended(ByteString)
        case link(ByteString)
    }

    struct Place: Equatable {
        var path: ByteString
        var content: Content
        /// Passed over where the host has no such thing, or the root has such a directory already.
        var isOptional = false
        /// Passed over where the root has no such place.
        var mustExist = false
    }

    /// The host's directory that is the root; "/" for the host view.
    var root: ByteString = "/"
    /// In order: a later one hides what was there.
    var places: [Place] = []

    /// What a step contributes.
    enum Part {
        case root(ByteString)
        case shown(Place)

        static func place(
            _ path: ByteString, _ content: Content, isOptional: Bool = false,
            mustExist: Bool = false
        ) -> Part {
            .shown(
                Place(
                    path: path.withoutDots, content: content, isOptional: isOptional,
                    mustExist: mustExist))
        }
    }

    init(_ plan: LaunchPlan) {
        for step in plan.steps {
            guard case .view(let parts) = step.traits().elsewhere else { continue }
            for part in parts {
                switch part {
                case .root(let path): root = path
                case .shown(let place): places.append(place)
                }
            }
        }
    }

    static func parts(_ bind: Step.Bind) -> [Part] {
        switch bind.source {
        case .descriptor(let number):
            return [.place(bind.target, .host("/proc/self/fd/" + ByteString(String(number))))]
        case .path(let source):
            if bind.target == "/" { return [.root(source)] }
            if bind.options.contains(.inside) { return [] }
            return [
                .place(
                    bind.target, .host(source), isOptional: bind.options.contains(.optional),
                    mustExist: bind.options.contains(.onlyIfPresent))
            ]
        }
    }
}

/// A view with every path looked up on the host.
struct ResolvedView {
    typealias Place = EngineView.Place

    /// Without links, so that links of the rootfs are told from the way to it.
    private(set) var root: ByteString
    private(set) var places: [Place] = []

    init(_ view: EngineView) throws(LaunchError) {
        var code: Int32 = 0
        guard let root = HostFile.canonicalPath(view.root, &code), HostFile.isDirectory(root) else {
            if HostFacts.passes(code) { throw .unreadable(view.root.text, code) }
            throw LaunchError(
                .setup, "cannot use the rootfs \(view.root.text): it is no directory",
                remedy: "nsrun-rootfs list shows the rootfs store", code: ENOTDIR)
        }
        self.root = root
        for place in view.places { try resolve(place) }
    }

    private mutating func resolve(_ place: Place) throws(LaunchError) {
        var place = place
        // What lies in the root behind links of the root's own is meant, not the links.
        if let parent = hostPath(of: place.path.parent ?? "/"), parent != root,
            let inside = parent.below(root)
        {
            place.path = inside.appending(path: place.path.lastComponent)
        }
        if place.mustExist, hostPath(of: place.path) == nil { return }
        if case .host(let source) = place.content {
            var code: Int32 = 0
            guard let found = HostFile.canonicalPath(source, &code) else {
                if HostFacts.passes(code) { throw .unreadable(source.text, code) }
                if place.isOptional { return }
                throw LaunchError(
                    .setup, "cannot show \(source.text) at \(place.path.text): no such file",
                    remedy: "\(OptionNames.current.optionalBind) passes over what is not there",
                    code: ENOENT)
            }
            place.content = .host(found)
        }
        if case .directory = place.content, place.isOptional, hasDirectory(place.path) { return }
        places.removeAll { $0.path == place.path || $0.path.below(place.path) != nil }
        places.append(place)
    }

    /// Shows something of the host's that is there.
    mutating func show(_ source: ByteString, at path: ByteString) {
        places.append(Place(path: path, content: .host(source)))
    }

    /// Where a path of the view lies on the host; nil where there is nothing yet, as in a directory of the
    /// run's own.
    func hostPath(of path: ByteString) -> ByteString? {
        var code: Int32 = 0
        return hostPath(of: path, &code)
    }

    /// The same, and why there is none, an errno.
    func hostPath(of path: ByteString, _ code: inout Int32) -> ByteString? {
        var best: (place: Place, rest: ByteString)?
        for place in places {
            guard let rest = path.below(place.path) else { continue }
            if place.path.count >= best?.place.path.count ?? 0 { best = (place, rest) }
        }
        guard let best else { return HostFile.locate(path, below: root, &code) }
        guard case .host(let source) = best.place.content else { return nil }
        return best.rest == "/" ? source : HostFile.canonicalPath(source + best.rest, &code)
    }

    /// A directory that the view has, be it the run's own.
    func hasDirectory(_ path: ByteString) -> Bool {
        let path = path.withoutDots
        if places.contains(where: {
            $0.isDirectory && ($0.path == path || $0.path.below(path) != nil)
        }) {
            return true
        }
        guard let found = hostPath(of: path) else { return false }
        return HostFile.isDirectory(found)
    }
}

extension EngineView.Place {
    /// A directory of the run's own.
    var isDirectory: Bool {
        if case .directory = content { true } else { false }
    }

    var isHost: Bool {
        if case .host = content { true } else { false }
    }
}

extension ByteString {
    /// What follows a directory's path, beginning with a slash; "/" for the directory itself. Nil for a path
    /// that is not below it.
    func below(_ directory: ByteString) -> ByteString? {
        if self == directory { return "/" }
        let length = directory == "/" ? 0 : directory.count
        guard count > length, bytes[length] == UInt8(ascii: "/"),
            bytes.starts(with: directory.bytes.prefix(length))
        else { return nil }
        return slice(from: length)
    }
}
