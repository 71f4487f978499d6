// SPDX-License-Identifier: Apache-2.0

/// The caller's ranges of subordinate ids: subuid(5), subgid(5).
enum SubordinateIDs {
    /// Lines are `NAME-OR-UID:FIRST:COUNT`; those of others and those that make no sense are passed over.
    static func parse(_ text: [UInt8], user: UInt32, name: ByteString?) -> [IDRange] {
        var ranges: [IDRange] = []
        let number = ByteString(String(user))
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            let fields = line.split(on: UInt8(ascii: ":"))
            guard fields.count == 3, fields[0] == number || fields[0] == name,
                let first = fields[1].number(), let count = fields[2].number(), count > 0,
                first < UInt64(UInt32.max), count <= UInt64(UInt32.max) - first
            else { continue }
            ranges.append(IDRange(inside: 0, outside: UInt32(first), count: UInt32(count)))
        }
        return ranges
    }

    /// Maps the ranges, one after the other, to the ids from 1 on, and the caller's own id to `own`. The
    /// subordinate id whose place the caller has taken stands in for 0, so that a file keeps its owner
    /// whoever the caller is inside.
    static func map(_ ranges: [IDRange], own: UInt32, caller: UInt32) -> [IDRange] {
        var lines = [IDRange(inside: own, outside: caller, count: 1)]
        var next: UInt32 = 1
        for range in ranges {
            var outside = range.outside
            var left = range.count
            while left > 0, next < UInt32.max {
                if next == own {
                    lines.append(IDRange(inside: 0, outside: outside, count: 1))
                    next += 1
                    outside += 1
                    left -= 1
                    continue
                }
                // Up to the caller's own id, then on behind it.
                let count = min(left, next < own ? own - next : UInt32.max - next)
                lines.append(IDRange(inside: next, outside: outside, count: count))
                next += count
                outside += count
                left -= count
            }
        }
        return lines
    }
}
