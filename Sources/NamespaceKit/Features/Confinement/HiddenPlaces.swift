// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What is covered although it is shown with what it lies in.
extension Step {
    public struct Hidden: Sendable, Equatable {
        /// What is covered; with patterns, where it is looked for.
        public var place: ByteString
        /// For the patterns the place is called so: empty where they begin there.
        public var called: ByteString = ""
        public var patterns: [ByteString] = []

        var description: String {
            var words = ""
            for pattern in patterns { words += (words.isEmpty ? "" : ", ") + pattern.text }
            return patterns.isEmpty
                ? "hide \(place.text)" : "hide what is called \(words) below \(place.text)"
        }
    }
}

/// A pattern of the caller's, taken apart.
struct HiddenPattern {
    /// Components without anything special, from the root on; nil for a pattern that is looked for in all that is bound.
    var base: ByteString?
    /// What follows them, empty for nothing.
    var rest: ByteString

    init(_ text: ByteString, home: ByteString?, here: ByteString?) throws(LaunchError) {
        guard let path = Self.spelledOut(text, home: home, here: here) else {
            throw text.hasPrefix("~")
                ? .cannotHide(text, "you have no home directory", "set HOME")
                : .cannotHide(text, "the current directory is not there")
        }
        if path.contains(0) { throw .nulByte(in: "path", text) }
        let parts = path.split(on: UInt8(ascii: "/")).filter { !$0.isEmpty && $0 != "." }
        if parts.isEmpty || parts.contains("..") {
            throw .cannotHide(text, "\"..\" and / are no names of what lies in a directory")
        }
        guard path.isAbsolute else {
            rest = parts.joined(by: "/")
            return
        }
        let plain = Self.plain(parts)
        base = "/" + plain.joined(by: "/")
        rest = Array(parts.dropFirst(plain.count)).joined(by: "/")
    }

    /// From the root on where it begins with `~/` or `./`; nil where there is no such directory.
    static func spelledOut(
        _ text: ByteString, home: ByteString?, here: ByteString?
    ) -> ByteString? {
        if text == "~" || text.hasPrefix("~/") {
            return home?.appending(path: text.slice(from: min(2, text.count)))
        }
        return text.hasPrefix("./") ? here?.appending(path: text.slice(from: 2)) : text
    }

    static func plain(_ parts: [ByteString]) -> [ByteString] {
        Array(parts.prefix { part in !part.bytes.contains { special.contains($0) } })
    }

    /// The part of a pattern that is a path of the host's, whether or not it may be hidden; nil for none.
    static func hostPath(_ text: ByteString, home: ByteString?, here: ByteString?) -> ByteString? {
        guard let path = spelledOut(text, home: home, here: here), path.isAbsolute else {
            return nil
        }
        let parts = path.split(on: UInt8(ascii: "/")).filter { !$0.isEmpty && $0 != "." }
        return "/" + plain(parts).joined(by: "/")
    }

    private static let special: [UInt8] = [
        UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "\\"),
    ]
}

extension LaunchError {
    fileprivate static func cannotHide(
        _ text: ByteString, _ cause: String,
        _ remedy: String = "name a file or directory, as in ~/.ssh, or a pattern, as in **/.env"
    ) -> LaunchError {
        LaunchError(.usage, "cannot hide \(text.text): \(cause)", remedy: remedy)
    }
}

extension Planner {
    /// When everything is there that could show them.
    mutating func planHidden() throws(LaunchError) {
        var hidden: [Step.Hidden] = []
        func add(_ one: Step.Hidden) {
            guard !one.patterns.isEmpty,
                let same = hidden.firstIndex(where: {
                    $0.place == one.place && $0.called == one.called && !$0.patterns.isEmpty
                })
            else {
                if !hidden.contains(one) { hidden.append(one) }
                return
            }
            for pattern in one.patterns where !hidden[same].patterns.contains(pattern) {
                hidden[same].patterns.append(pattern)
            }
        }
        for text in request.files.hidden {
            let pattern = try HiddenPattern(text, home: facts.home, here: facts.currentDirectory)
            if let base = pattern.base {
                for one in places(of: base, pattern.rest) { add(one) }
                continue
            }
            let trees = boundTrees
            guard !trees.isEmpty, request.root.view != .host else {
                throw .cannotHide(
                    text, "it does not say in which directory",
                    "begin it with one, as in ~/work/\(text.text)")
            }
            for tree in trees { add(Step.Hidden(place: tree, patterns: [pattern.rest])) }
            // What was allowed by its own name may be called so itself.
            for path in facts.allowedPaths.places.map({ $0.path }) {
                add(Step.Hidden(place: path, called: path.lastComponent, patterns: [pattern.rest]))
            }
        }
        for one in hidden { self.add(.hide(one), word(words.hide)) }
    }

    /// Where the host's path is seen: under its own name, and under those that it is bound to, with what it lies in or in
    /// part.
    private func places(of base: ByteString, _ rest: ByteString) -> [Step.Hidden] {
        let patterns = rest.isEmpty ? [] : [rest]
        var found = [Step.Hidden(place: base, patterns: patterns)]
        let names = [base, facts.canonical(base)]
        for (source, target) in shownTrees {
            for source in [source, facts.canonical(source)] {
                for name in names {
                    if name.isAtOrBelow(source) {
                        found.append(
                            Step.Hidden(
                                place: target.appending(path: name.rest(below: source)),
                                patterns: patterns))
                    } else if source.isAtOrBelow(name), target != "/" || !rest.isEmpty {
                        found.append(
                            Step.Hidden(
                                place: target, called: rest.isEmpty ? "" : source.rest(below: name),
                                patterns: patterns))
                    }
                }
            }
        }
        return found.map {
            var one = $0
            one.place = one.place.withoutDots
            return one
        }
    }

    /// Directories and files of the host's, and where they are seen.
    private var shownTrees: [(ByteString, ByteString)] {
        var trees: [(ByteString, ByteString)] = []
        for step in plan.steps {
            if case .bind(let bind) = step.action, !bind.options.contains(.inside),
                case .path(let source) = bind.source
            {
                trees.append((source, bind.target))
            } else if case .overlay(let overlay) = step.action, !overlay.liesOverRoot {
                for lower in overlay.lower { trees.append((lower, overlay.target)) }
            }
        }
        return trees
    }

    /// What the caller has asked to see of the host.
    private var boundTrees: [ByteString] {
        var trees = facts.allowedPaths.places.map { $0.path }
        if request.files.home == .bound, let home = facts.home { trees.append(home) }
        if request.files.bindsCurrentDirectory || request.files.bindsSourceTree,
            let here = facts.sourceTree ?? facts.currentDirectory
        {
            trees.append(here)
        }
        if request.files.showsHostRoot { trees.append("/run/host") }
        for operation in request.files.operations {
            switch operation.action {
            case .bind(_, let target, _), .overlay(let target, _, _, _): trees.append(target)
            case .tmpfs, .proc, .dev, .mqueue, .directory, .file, .bindData, .symlink, .changeMode,
                .remountReadOnly, .lockFile:
                continue
            }
        }
        return trees
    }
}

extension ByteString {
    /// The rest of a path that lies at or below another, empty for that itself.
    func rest(below other: ByteString) -> ByteString {
        let own = withoutDots
        let start = other.withoutDots
        guard own != start else { return "" }
        return own.slice(from: start == "/" ? 1 : start.count + 1)
    }
}

extension HostFacts {
    /// A path without links, where it had any.
    func canonical(_ path: ByteString) -> ByteString {
        for known in canonicalPaths where known.path == path { return known.canonical }
        return path
    }

    /// What the same file is called that is hidden and shown.
    mutating func readCanonicalPaths(for request: LaunchRequest) {
        var paths = request.files.operations.flatMap { operation -> [ByteString] in
            switch operation.action {
            case .bind(.path(let source), _, _): [source]
            case .overlay(_, let lower, _, _): lower
            case .bind, .tmpfs, .proc, .dev, .mqueue, .directory, .file, .bindData, .symlink,
                .changeMode, .remountReadOnly, .lockFile:
                []
            }
        }
        if let home { paths.append(home) }
        if let sourceTree { paths.append(sourceTree) }
        paths += allowedPaths.places.map { $0.path } + allowedSockets.paths
        for text in request.files.hidden {
            if let path = HiddenPattern.hostPath(text, home: home, here: currentDirectory) {
                paths.append(path)
            }
        }
        for path in paths {
            if let canonical = HostFile.canonicalPath(path), canonical != path {
                canonicalPaths.append(CanonicalPath(path: path, canonical: canonical))
            }
        }
    }
}

/// A path of the host's that leads through links, and the same without.
public struct CanonicalPath: Sendable, Equatable {
    public var path: ByteString
    public var canonical: ByteString
}

extension Diagnosis {
    func hidden(_ place: ByteString, _ code: Int32) -> LaunchError? {
        guard code == E2BIG else { return nil }
        return LaunchError(
            .setup, "cannot hide what is below \(place.text): it holds more than is looked through",
            remedy: "at most 200,000 files and directories, 128 deep: begin the pattern with the "
                + "directory that it is about", code: code)
    }
}
