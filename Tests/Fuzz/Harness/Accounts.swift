// SPDX-License-Identifier: Apache-2.0

@testable import NamespaceKit

extension FuzzTarget {
    /// A root's passwd(5) and group(5), and subuid(5).
    static let accounts = FuzzTarget(name: "accounts", growsTo: 256 << 10) { bytes in
        let file = AccountFile(text: bytes)
        for name: ByteString in ["alice", ""] {
            guard let fields = file.fields(name: name) else { continue }
            demand(fields.count >= 3 && fields[0] == name, "a line of somebody else")
        }
        for number: UInt32 in [0, 1000, .max] {
            guard let fields = file.fields(number: number) else { continue }
            demand(fields.count >= 4 && fields[2].number() == UInt64(number), "another's line")
        }
        // What nsrun puts before the root's own is found first, whatever the root says.
        let alice = Account(name: "alice", home: "/home/alice", shell: "/bin/sh", groupName: "x")
        let own = alice.passwdLine(user: 1000, group: 1000)
        let merged = AccountFile(text: own.bytes + bytes)
        demand(merged.fields(number: 1000)?.first == "alice", "the caller is somebody else")
        demand(merged.fields(name: "alice")?[2] == "1000", "the caller is somebody else")

        let ranges = SubordinateIDs.parse(bytes, user: 1000, name: "alice")
        for own: UInt32 in [0, 1, 1000] {
            check(SubordinateIDs.map(ranges, own: own, caller: 1000))
        }
    }

    /// No id inside stands for two outside.
    private static func check(_ lines: [IDRange]) {
        var next: UInt64 = 0
        for line in lines.sorted(by: { $0.inside < $1.inside }) {
            demand(UInt64(line.inside) >= next, "an id is mapped twice")
            next = UInt64(line.inside) + UInt64(line.count)
            demand(
                next <= 1 << 32 && UInt64(line.outside) + UInt64(line.count) <= 1 << 32,
                "a range goes beyond the last id")
        }
    }
}
