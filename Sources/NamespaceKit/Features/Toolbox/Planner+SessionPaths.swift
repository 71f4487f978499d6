// SPDX-License-Identifier: Apache-2.0

/// Places of the caller's and of his host's in the new root.
extension Planner {
    // MARK: Home and current directory

    mutating func planCallersPlaces() throws(LaunchError) {
        let first = plan.steps.count
        if request.files.home == .bound { try planHome() }
        if request.files.bindsCurrentDirectory { try planCurrentDirectory() }
        if request.files.bindsSourceTree { try planSourceTree() }
        markIncidental(from: first)
        if request.files.showsHostRoot || request.program.runsHostProgram {
            add(
                .bind(.init(source: .path("/"), target: "/run/host", options: .readOnly)),
                word(words.hostRoot))
            let first = plan.steps.count
            if request.showsHostsSockets { hideSockets(below: "/run/host") }
            markIncidental(from: first)
        }
    }

    private mutating func planHome() throws(LaunchError) {
        guard let home = facts.home, SessionPaths.canBeHome(home) else {
            let cause =
                switch facts.home {
                case nil: "it is not known"
                case "/": "it is /"
                case .some(let home): "\(home.text) is of the system"
                }
            if !request.files.leavesOutMissing { throw .noHome(cause) }
            return omit(facts.home ?? "$HOME", cause)
        }
        if facts.lacks(home) { return omit(home, Planner.notThere) }
        mount(home, home, [], word(words.home))
    }

    private mutating func planCurrentDirectory() throws(LaunchError) {
        guard let here = facts.currentDirectory else {
            if !request.files.leavesOutMissing { throw facts.lackOfDirectory }
            return omit(
                "the current directory",
                facts.isTooDeep ? "its path is too long" : "it has been removed")
        }
        // The root itself is there already, as the view has it.
        if here == "/" {
            startsHere = true
        } else if !request.files.leavesOutMissing {
            mount(here, here, [], word(words.currentDirectory))
            startsHere = true
        } else if cover(of: here) != nil {
            omit(here, "a mount of this run hides it")
        } else if isShown(here) {
            startsHere = true
        } else if SessionPaths.isOfTheSystem(here, isOwn: facts.ownsCurrentDirectory) {
            omit(here, Planner.ofTheSystem)
        } else {
            mount(here, here, [], word(words.currentDirectory))
            startsHere = true
        }
    }

    /// The directory is the host's without being bound by itself.
    private func isShown(_ path: ByteString) -> Bool {
        var places: [ByteString] = []
        if request.files.home == .bound, let home = facts.home { places.append(home) }
        if request.files.hostParts.contains(.temporary) { places += ["/tmp", "/var/tmp"] }
        if request.files.hostParts.contains(.devices) { places.append("/dev") }
        if request.files.hostParts.contains(.media) { places += SessionPaths.media }
        if request.files.hostParts.contains(.desktop) { places += SessionPaths.desktop(of: facts) }
        return places.contains { path.isAtOrBelow($0) && !facts.lacks($0) }
    }

    /// The source tree is what the tests are about: shown even where it lies in a place that is
    /// emptied for them.
    private mutating func planSourceTree() throws(LaunchError) {
        guard let here = facts.currentDirectory else { throw facts.lackOfDirectory }
        startsHere = true
        if here == "/" { return }
        var tree = facts.sourceTree ?? here
        if let home = facts.home {
            if home.isAtOrBelow(tree) { tree = here }
            if home.isAtOrBelow(tree) { omit(home, "the source tree is there, so it is not empty") }
        }
        if request.root.layer == .memory {
            add(
                .overlay(.init(target: tree, lower: [tree], upper: .memory)),
                word(words.sourceTree))
        } else {
            mount(tree, tree, [], word(words.sourceTree))
        }
    }

    // MARK: Parts of the host

    private static let ofTheSystem = "the rootfs has a system of its own there"
    private static let notThere = "there is none on this host"

    mutating func omit(_ what: ByteString, _ reason: String) {
        plan.omissions.append(.init(what: what, reason: reason))
    }

    /// What a preset shows if it is there.
    private mutating func show(_ place: ByteString) {
        if facts.lacks(place) { return omit(place, Planner.notThere) }
        mount(place, place, [.optional, .replaceLink], word(words.hostParts))
    }

    mutating func planSessionPaths() {
        if request.files.hostParts.contains(.media) {
            for place in SessionPaths.media { show(place) }
        }
        let first = plan.steps.count
        defer { markIncidental(from: first) }
        if request.files.hostParts.contains(.job) { planJob() }
        guard request.files.hostParts.contains(.desktop) else { return }
        for place in SessionPaths.desktop(of: facts) where !isInTemporary(place) {
            if SessionPaths.isOfTheSystem(place) {
                omit(place, Planner.ofTheSystem)
            } else {
                show(place)
            }
        }
    }

    /// What the job has elsewhere than in places that are shown anyway.
    private mutating func planJob() {
        var shown: [ByteString] = []
        for place in facts.jobDirectories
        where !isShown(place) && !shown.contains(where: { place.isAtOrBelow($0) }) {
            if SessionPaths.isOfTheSystem(place) {
                omit(place, Planner.ofTheSystem)
            } else {
                mount(place, place, .replaceLink)
                shown.append(place)
            }
        }
        for file in facts.jobFiles
        where !isShown(file) && !shown.contains(where: { file.isAtOrBelow($0) }) {
            if SessionPaths.isOfPrograms(file) {
                omit(file, Planner.ofTheSystem)
            } else {
                mount(file, file, .optional)
                plan.steps[plan.steps.count - 1].coversLink = true
            }
        }
    }

    /// What root changes there is the root's own.
    var shownTimeZone: [ByteString] {
        let isAsked = !request.files.hostParts.isDisjoint(with: [.job, .timeZone])
        return isAsked && (request.user ?? facts.userID) != 0 ? facts.timeZone : []
    }

    /// In place of the link that says which of the root's own zones it is, and not of that zone.
    mutating func planTimeZone() {
        for file in shownTimeZone {
            var options: BindOptions = [.readOnly, .optional]
            if request.root.layer == .writable { options.insert(.onlyIfPresent) }
            mount(file, file, options)
            plan.steps[plan.steps.count - 1].coversLink = true
        }
    }

    private func isInTemporary(_ place: ByteString) -> Bool {
        request.files.hostParts.contains(.temporary) && place.isAtOrBelow("/tmp")
            && !facts.lacks(place)
    }

    /// An empty file system that the user mounts at or above a place.
    private func cover(of place: ByteString) -> ByteString? {
        for operation in request.files.operations {
            guard case .tmpfs(let target, _, _) = operation.action else { continue }
            let cover = target.withoutDots
            if place.isAtOrBelow(cover) { return cover }
        }
        return nil
    }

    /// Who has a `/tmp` of his own still wants the session's sockets that lie in the host's.
    mutating func planHiddenSockets() {
        guard request.files.hostParts.contains(.desktop) else { return }
        for place in SessionPaths.desktop(of: facts) where !facts.lacks(place) {
            if let cover = cover(of: place), cover != place { show(place) }
        }
    }

    /// As links they follow the host's files also when those are replaced, and the rootfs's own stay.
    mutating func planSettings() {
        if (request.user ?? facts.userID) == 0 {
            // Packages replace them, and what is a mount point cannot be replaced.
            for setting in facts.settings {
                omit(
                    ByteString("/etc/").appending(path: setting.name),
                    "to root the rootfs's own belongs")
            }
            return
        }
        for setting in facts.settings {
            let target = ByteString("/etc/").appending(path: setting.name)
            add(
                .bindLink(text: "/run/host" + setting.path, target: target),
                word(words.hostParts))
        }
        for name in SessionPaths.settings {
            let path = ByteString("/etc/").appending(path: name)
            if facts.lacks(path) { omit(path, Planner.notThere) }
        }
    }
}
