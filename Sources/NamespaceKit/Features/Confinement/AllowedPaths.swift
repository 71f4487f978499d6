// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// Files and directories of the host's that a run may read, or write, whatever else of the host it may not.
///
/// Each is mounted at its own path, as far as it is not shown there already. The other way would be Landlock (landlock(7)),
/// which says less: its rules are about files that are there, so that of a directory it allows to make every name or none.
public enum AllowedPaths: Sendable, Equatable {
    case found([Place])
    case refused(LaunchError)

    public struct Place: Sendable, Equatable {
        public var path: ByteString
        public var isWritable: Bool
        /// Nothing is there yet, and a file or a directory is made.
        public var lack: Lack?
    }

    public enum Lack: Sendable, Equatable { case file, directory }

    /// As much as of what is hidden.
    private static let mostEntries = 200_000
    private static let mostPlaces = 1_000

    static func find(_ files: LaunchRequest.Files, in facts: HostFacts) -> AllowedPaths {
        var found: [Place] = []
        do throws(LaunchError) {
            for text in files.writable { found += try places(of: text, isWritable: true, facts) }
            for text in files.readable { found += try places(of: text, isWritable: false, facts) }
        } catch {
            return .refused(error)
        }
        return .found(found)
    }

    private static func places(
        of text: ByteString, isWritable: Bool, _ facts: HostFacts
    ) throws(LaunchError) -> [Place] {
        func refusal(_ cause: String, _ remedy: String? = nil) -> LaunchError {
            LaunchError(
                .usage,
                "cannot allow \(text.text) to be \(isWritable ? "written" : "read"): \(cause)",
                remedy: remedy
                    ?? "name a file or a directory, as in ~/data, or a pattern, as in ~/data/*.csv")
        }
        if text.contains(0) { throw .nulByte(in: "path", text) }
        let isNamed = text.isAbsolute || text == "~" || text.hasPrefix("~/")
        guard
            let path = HiddenPattern.spelledOut(
                isNamed ? text : "./" + text, home: facts.home, here: facts.currentDirectory)
        else {
            throw text.hasPrefix("~")
                ? refusal("you have no home directory", "set HOME")
                : refusal("the current directory is not there")
        }
        let parts = path.split(on: UInt8(ascii: "/")).filter { !$0.isEmpty && $0 != "." }
        if parts.isEmpty || parts.contains("..") {
            throw refusal("\"..\" and / are no names of what lies in a directory")
        }
        let plain = HiddenPattern.plain(parts)
        let base = "/" + plain.joined(by: "/")
        for own: ByteString in ["/proc", "/dev"] where base.isAtOrBelow(own) {
            throw refusal(
                "the run has its own \(own.text)",
                "bind what is to be the host's there, with its devices")
        }
        if plain.count < parts.count {
            let pattern = Array(parts.dropFirst(plain.count)).joined(by: "/")
            var fault: Int32 = 0
            let found = search(base, pattern, &fault)
            if HostFacts.passes(fault) {
                throw refusal(reason(fault), Remedy.general(fault, at: base))
            }
            guard let matches = found else {
                throw refusal(
                    "too much is looked through, or fits",
                    "at most 200,000 files and directories are looked at, and 1,000 are allowed: name a directory"
                )
            }
            if matches.isEmpty { throw refusal("nothing fits that") }
            return matches.map { Place(path: $0, isWritable: isWritable) }
        }
        let mode = withCString(base) { nsrun_file_mode($0, true) }
        if mode >= 0 {
            if isAllowable(mode) { return [Place(path: base, isWritable: isWritable)] }
            throw mode & 0o170000 == 0o140000
                ? refusal("it is a socket", "allow it as a socket")
                : refusal("it is a device", "bind it as a device")
        }
        guard mode == -ENOENT else { throw refusal(reason(Int32(-mode))) }
        guard isWritable else {
            throw refusal(
                "nothing is there", "name what is there, or the directory in which it will appear")
        }
        guard let parent = base.parent, HostFile.isDirectory(parent) else {
            throw refusal(
                "the directory that it is to lie in is not there", "make that first: mkdir -p")
        }
        if withCString(base, { nsrun_file_mode($0, false) }) >= 0 {
            throw refusal("it is a link that leads nowhere", "name what it should lead to")
        }
        let isDirectory = text.bytes.last == UInt8(ascii: "/")
        return [Place(path: base, isWritable: true, lack: isDirectory ? .directory : .file)]
    }

    /// What has content of its own.
    private static func isAllowable(_ mode: Int64) -> Bool {
        [0o040000, 0o100000, 0o010000].contains(mode & 0o170000)
    }

    /// What fits a pattern below a directory; nil where that is too much. Links are passed over, for what made them, an
    /// earlier run as well, could lead anywhere by them. `fault` becomes the errno of a directory that could not be read.
    private static func search(
        _ base: ByteString, _ pattern: ByteString, _ fault: inout Int32
    ) -> [ByteString]? {
        let isDeep = pattern.split(on: UInt8(ascii: "/")).contains("**")
        let deepest = pattern.split(on: UInt8(ascii: "/")).count
        var found: [ByteString] = []
        var waiting: [(ByteString, depth: Int)] = [("", 1)]
        var count = 0
        while let (below, depth) = waiting.popLast() {
            let directory = below.isEmpty ? base : base.appending(path: below)
            let names = HostFile.names(in: directory, &fault)
            if HostFacts.passes(fault) { return nil }
            for name in names {
                count += 1
                if count > mostEntries { return nil }
                let seen = below.isEmpty ? name : below.appending(path: name)
                let place = base.appending(path: seen)
                let mode = withCString(place) { nsrun_file_mode($0, false) }
                guard mode >= 0 else { continue }
                if withCString(
                    pattern, { pattern in withCString(seen) { nsrun_fits(pattern, $0) } })
                {
                    if isAllowable(mode) { found.append(place) }
                    if found.count > mostPlaces { return nil }
                } else if mode & 0o170000 == 0o040000, isDeep || depth < deepest {
                    waiting.append((seen, depth + 1))
                }
            }
        }
        return found
    }

    var places: [Place] { if case .found(let places) = self { places } else { [] } }
}

extension Planner {
    /// Each right above what is seen at its path so far: what is mounted further below later stays on top, so that nothing
    /// that was allowed otherwise is taken away, and no directory of the run's own is replaced by the host's.
    mutating func planAllowedPaths() throws(LaunchError) {
        if case .refused(let error) = facts.allowedPaths { throw error }
        // What others lie in comes first, and of the same what may be written.
        let places = facts.allowedPaths.places.sorted {
            $0.path.count != $1.path.count
                ? $0.path.count < $1.path.count : $0.isWritable && !$1.isWritable
        }
        for place in places {
            let index = lastCover(of: place.path)
            if let index, shows(plan.steps[index], place) { continue }
            var steps: [Step] = []
            let origin = word(place.isWritable ? words.allowedWriting : words.allowedReading)
            if let lack = place.lack {
                var step = Step(action: .hostPlace(place.path, lack), origin: origin)
                step.isIncidental = true
                steps.append(step)
            }
            var step = Step(
                action: .bind(
                    .init(
                        source: .path(place.path), target: place.path,
                        options: place.isWritable ? [] : .readOnly)), origin: origin)
            step.coversLink = request.root.view != .empty
            steps.append(step)
            plan.steps.insert(contentsOf: steps, at: (index ?? plan.steps.count - 1) + 1)
        }
    }

    /// The step that mounts what is seen at a path.
    private func lastCover(of path: ByteString) -> Int? {
        plan.steps.lastIndex { step in
            let traits = step.traits()
            return traits.mounts && path.isAtOrBelow(traits.target?.withoutDots ?? "/")
        }
    }

    /// That is the host's own file of that path, and may be used as it is to be.
    private func shows(_ step: Step, _ place: AllowedPaths.Place) -> Bool {
        if case .hostRoot = step.action { return true }
        guard case .bind(let bind) = step.action, case .path(let source) = bind.source,
            !bind.options.contains(.inside), !(place.isWritable && bind.options.contains(.readOnly))
        else { return false }
        let rest = place.path.rest(below: bind.target)
        return (rest.isEmpty ? source.withoutDots : source.appending(path: rest)) == place.path
    }
}
