// SPDX-License-Identifier: Apache-2.0

import CNamespace

extension LaunchRequest {
    /// Real root who changes a root for real is to be there what he is outside: dpkg gives files to others, and apt becomes
    /// somebody else for what it fetches. Who says anything of ids or capabilities gets what he says, and a run that is fenced
    /// in (`--preset action`) gains nothing by itself.
    var wantsAllIDs: Bool {
        guard case .rootfs = root.view, root.layer == .writable else { return false }
        let namespaces = namespaces
        return namespaces.new.contains(.user) && namespaces.enteredUser == nil
            && namespaces.join == nil && !namespaces.scopesSockets
            && lifecycle.mapsDescriptor == nil && identity == Identity()
    }

    /// All ids that there are, where root may map them, and capabilities over those.
    mutating func takeAllIDs(on facts: HostFacts) {
        guard wantsAllIDs, !facts.ownUsers.isEmpty, !facts.ownGroups.isEmpty else { return }
        identity.user = 0
        identity.group = 0
        identity.users = facts.ownUsers
        identity.groups = facts.ownGroups
    }
}

extension IDRange {
    /// The capabilities that it takes to map ids of others: CAP_SETGID and CAP_SETUID.
    static let mapping: UInt64 = Capabilities.bit(6) | Capabilities.bit(7)

    /// The ids of this process's user namespace, each mapped to itself (user_namespaces(7)).
    static func own(_ file: ByteString) -> [IDRange] {
        let path = ByteString("/proc/self/").appending(path: file)
        var ranges: [IDRange] = []
        let text = ByteString(bytes: HostFacts.readFile(path, limit: 1 << 16) ?? [])
        for line in text.split(on: UInt8(ascii: "\n")) {
            let fields = line.split(on: UInt8(ascii: " ")).filter { !$0.isEmpty }
            guard fields.count == 3, let first = fields[0].number(), let count = fields[2].number(),
                first < UInt64(UInt32.max), count <= UInt64(UInt32.max)
            else { continue }
            ranges.append(
                IDRange(inside: UInt32(first), outside: UInt32(first), count: UInt32(count)))
        }
        return ranges
    }
}
