// SPDX-License-Identifier: Apache-2.0

/// Runs that start from a world which is kept.
extension Planner {
    func checkReuse() throws(LaunchError) {
        guard let reuse = request.reuse else { return }
        if case .named(let name) = reuse.world {
            let isPrintable = name.bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
            if name.isEmpty || name.count > 64 || !isPrintable { throw .badWorldName(name) }
        }
        if reuse.idle <= 0 {
            throw LaunchError(
                .usage, "cannot keep a world for no time",
                remedy: "\(words.reuseIdle) takes 1 s or more")
        }
        if request.namespaces.join != nil {
            throw LaunchError(
                .usage, "who joins a group starts from no other world",
                remedy: "\(words.join) shares one world, \(words.reuse) copies it: choose one")
        }
    }

    /// When everything else is planned.
    mutating func planReuse() {
        guard let reuse = request.reuse else { return }
        do throws(Unprepared) {
            if let reason = obstacle { throw Unprepared(reason: reason) }
            guard case .found(let folder) = facts.groupFolder else {
                throw Unprepared(reason: "there is no directory where it could be kept")
            }
            guard case .rootfs(let root) = request.root.view else {
                throw Unprepared(reason: "the host's own root is never the same for long")
            }
            // Who keeps it is elsewhere.
            guard let root = root.isAbsolute ? root : facts.currentDirectory?.appending(path: root)
            else { throw Unprepared(reason: "the current directory cannot be told") }
            var parts = WorldParts(user: facts.userID, group: facts.groupID)
            try parts.divide(plan)
            plan.preparation = Preparation(
                reuse: reuse, folder: folder, root: root, note: request.note, ahead: parts.ahead,
                run: parts.run,
                commandStart: parts.commandStart)
        } catch {
            plan.unprepared = error.reason
        }
    }

    /// What of the request as a whole keeps it from a world, nil for nothing.
    private var obstacle: String? {
        let namespaces = request.namespaces
        let lifecycle = request.lifecycle
        if request.root.view == .host { return "without a rootfs there is nothing to prepare" }
        if plan.shape != .childWithInit || !plan.namespaces.contains([.user, .pid]) {
            return "the run has no pid namespace of its own, or its command is pid 1"
        }
        if !plan.entered.isEmpty || namespaces.finalUser != nil {
            return "the run enters namespaces of somebody else's"
        }
        if lifecycle.mapsDescriptor != nil || lifecycle.infoDescriptor != nil
            || lifecycle.statusDescriptor != nil
        {
            return "somebody else is told of its namespaces, or maps its ids"
        }
        if request.identity.needsHelpers { return "it maps ranges of ids" }
        if request.network.isConnected { return "its network is connected by a process of its own" }
        if !request.files.allowedSockets.isEmpty { return "it reaches sockets of the host's" }
        if !request.files.readable.isEmpty || !request.files.writable.isEmpty {
            return "it is allowed paths of the host's"
        }
        if request.root.descriptor != nil { return "its root is given as a descriptor" }
        if plan.image != nil { return "its root is a squashfs" }
        if plan.mounting == .classic || !plan.usesOpenat2 {
            return "the kernel has no calls to copy mounts by"
        }
        switch request.root.layer {
        case .readOnly, .writable: return nil
        case .memory, .directory: return "its root has a writable layer of its own"
        }
    }
}

/// Why a request cannot start from a world.
struct Unprepared: Error {
    var reason: String
}

extension LaunchError {
    fileprivate static func badWorldName(_ name: ByteString) -> LaunchError {
        LaunchError(
            .usage, "cannot start from the world \"\(name.text)\"",
            remedy: "a name has 1 to 64 bytes, and no control characters")
    }
}
