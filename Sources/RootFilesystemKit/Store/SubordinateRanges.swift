// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// The caller's ranges of subordinate ids. subuid(5), subgid(5)
struct SubordinateRanges {
    private let users: [IDRange]
    private let groups: [IDRange]

    static func ofCaller() -> SubordinateRanges {
        var request = LaunchRequest()
        request.identity.mapsSubordinates = true
        let facts = HostFacts.read(for: request)
        return SubordinateRanges(users: facts.subordinateUsers, groups: facts.subordinateGroups)
    }

    /// One kind of range without the other is of no use.
    var isEmpty: Bool { users.isEmpty || groups.isEmpty }

    /// Maps them into the user namespace of a process: there the caller is root, and the ranges follow.
    /// newuidmap(1), newgidmap(1)
    func map(into process: pid_t) throws {
        for (tool, caller, ranges) in [
            ("newgidmap", getegid(), groups), ("newuidmap", geteuid(), users),
        ] {
            var arguments = [String(process), "0", String(caller), "1"]
            var inside: UInt32 = 1
            for range in ranges {
                arguments += [inside, range.outside, range.count].map { String($0) }
                inside += range.count
            }
            try ExternalTool(name: tool, package: "uidmap")
                .run(arguments, cannot: "map the ids of", "a process")
        }
    }

    /// Whether a file has an owner or a group out of the ranges.
    func hold(_ status: stat) -> Bool {
        func holds(_ range: IDRange, _ id: UInt32) -> Bool {
            id >= range.outside && id - range.outside < range.count
        }
        return users.contains { holds($0, status.st_uid) }
            || groups.contains { holds($0, status.st_gid) }
    }
}
