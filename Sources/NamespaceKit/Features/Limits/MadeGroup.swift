// SPDX-License-Identifier: Apache-2.0

import CHost

/// A group made for a run: below one that is delegated to the caller and has no processes of its own (cgroups(7), "no
/// internal processes"), or in a scope that is asked for.
struct MadeGroup {
    var path: ByteString
    /// Of its directory, locked, see `nsrun_make_group`.
    var descriptor: Int32

    /// Makes it where it can be had. `mayMove`: this process is nsrun and nothing else, and may be put into a scope.
    static func make(for limits: Limits, mayMove: Bool) throws(LaunchError) -> MadeGroup {
        let refusal = GroupRefusal(limits: limits)
        guard let own = OwnGroup.read() else { throw refusal.noHierarchy }
        let present = own.words("cgroup.controllers", of: "/")
        for name in limits.controllers where !present.contains(name) { throw refusal.absent(name) }
        // Beside the group that it is in it would have a way out.
        if own.isInRun { throw refusal.inRun }
        var obstacle = GroupObstacle.notOurs
        for level in own.levels {
            switch attempt(own, level, limits.controllers) {
            case .success(let group): return group
            case .failure(let found): obstacle = obstacle.moreTelling(found)
            }
            if let limit = own.limit(of: level) { throw refusal.leaving(limit) }
        }
        if mayMove, obstacle != .readOnly, let manager = ServiceManager.of(own) {
            let scope = try manager.giveScope(refusal)
            switch attempt(scope, scope.path, limits.controllers) {
            case .success(let group): return group
            case .failure(let found): throw refusal.obstructed(found, in: scope, ofScope: true)
            }
        }
        throw refusal.obstructed(obstacle, in: own, ofScope: false)
    }

    private static func attempt(
        _ own: OwnGroup, _ level: ByteString, _ controllers: [ByteString]
    ) -> Result<MadeGroup, GroupObstacle> {
        let directory = own.directory(level)
        let group: MadeGroup
        switch make(in: directory) {
        case .success(let made): group = made
        case .failure(let obstacle): return .failure(obstacle)
        }
        var obstacle: GroupObstacle?
        let available = own.words("cgroup.controllers", of: level)
        if let name = controllers.first(where: { !available.contains($0) }) {
            obstacle = .lacks(name)
        } else if !HostFile.isWritable(directory.appending(path: "cgroup.procs")) {
            // Who is to be moved from below it to another place below it needs that.
            obstacle = .notOurs
        } else {
            var error: Int32 = own.mayHaveLimitsBelow(level) ? 0 : -EBUSY
            if error != 0, level == own.path, own.isAloneInUnit { error = stepAside(own) }
            if error == 0 { error = own.enable(controllers, below: level) }
            if error != 0 { obstacle = GroupObstacle(-error) }
        }
        guard let obstacle else { return .success(group) }
        closeDescriptor(group.descriptor)
        _ = withCString(group.path) { nsrun_remove_group($0) }
        return .failure(obstacle)
    }

    private static func make(in directory: ByteString) -> Result<MadeGroup, GroupObstacle> {
        // What is left of runs whose launcher was killed, and who was to remove it.
        for name in HostFile.names(in: directory) where OwnGroup.isRuns(name) {
            withCString(directory.appending(path: name)) { nsrun_sweep_group($0) }
        }
        var number = 1
        while true {
            let ending = number == 1 ? "" : "-\(number)"
            let name =
                ByteString(stringLiteral: OwnGroup.prefix) + ByteString("\(getpid())\(ending)")
            let path = directory.appending(path: name)
            let made = withCString(path) { nsrun_make_group($0) }
            if made >= 0 { return .success(MadeGroup(path: path, descriptor: made)) }
            if made != -EEXIST || number == 1000 { return .failure(GroupObstacle(-made)) }
            number += 1
        }
    }

    /// This process leaves its unit to the groups below it. systemd removes them with that.
    private static func stepAside(_ own: OwnGroup) -> Int32 {
        let place = own.path.appending(path: OwnGroup.launchers)
        let error = withCString(own.directory(place)) { nsrun_make_directory($0, 0o755) }
        if error != 0, error != -EEXIST { return error }
        return own.write("0", to: "cgroup.procs", of: place)
    }
}
