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

    /// Maps ranges from 0 on, one after the other, around the caller's own id at `own`.
    static func map(_ ranges: [IDRange], own: UInt32, caller: UInt32) -> [IDRange] {
        var lines = [IDRange(inside: own, outside: caller, count: 1)]
        var next: UInt32 = 0
        for range in ranges {
            var outside = range.outside
            var left = range.count
            while left > 0 {
                if next == own { next += 1 }
                // Up to the caller's own id, then on behind it.
                let room = next < own ? own - next : UInt32.max - next
                let count = min(left, room)
                if count == 0 { return lines }  // there are no more ids
                lines.append(IDRange(inside: next, outside: outside, count: count))
                next += count
                outside += count
                left -= count
            }
        }
        return lines
    }
}
