// SPDX-License-Identifier: Apache-2.0

import CHost

/// What the host knows of the caller's terminal (terminfo(5)), for roots that do not know it.
enum TerminalEntry {
    private static let places: [ByteString] = [
        "/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo",
    ]

    /// The host's file for `$TERM` where a root has none, the root being a directory, or nil for one that cannot be looked
    /// into.
    static func find(lackingIn root: ByteString?, for facts: HostFacts) -> ByteString? {
        guard let name = facts.variable("TERM"), let files = files(of: name) else { return nil }
        if let root, isThere(files, below: root) { return nil }
        var own: [ByteString] = []
        if let place = facts.variable("TERMINFO") { own.append(place) }
        if let home = facts.home { own.append(home.appending(path: ".terminfo")) }
        own += (facts.variable("TERMINFO_DIRS") ?? "").split(on: UInt8(ascii: ":"))
        for place in own + places where place.isAbsolute {
            for file in files {
                let path = place.appending(path: file)
                if withCString(path, { nsrun_file_mode($0, true) }) & 0o170000 == 0o100000 {
                    return path
                }
            }
        }
        return nil
    }

    /// Where an entry may lie below a place for them: `x/xterm`, or `78/xterm` where file names know no case.
    static func files(of name: ByteString) -> [ByteString]? {
        guard let first = name.bytes.first, first != UInt8(ascii: "."),
            !name.contains(UInt8(ascii: "/"))
        else { return nil }
        let letter = ByteString(bytes: [first])
        let number = ByteString(String(first, radix: 16))
        return [letter.appending(path: name), number.appending(path: name)]
    }

    private static func isThere(_ files: [ByteString], below root: ByteString) -> Bool {
        places.contains { place in
            files.contains { HostFile.locate(place.appending(path: $0), below: root) != nil }
        }
    }
}
