// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Testing

@testable import NamespaceKit

/// A line of mountinfo, as the executor reads it where mount(2) is all there is.
@Suite struct MountLineTests {
    /// What is read of a line that other bytes follow in memory: a line ends with its NUL.
    private func read(_ line: String, followedBy rest: String = "") -> (UInt32, UInt32, String)? {
        var memory = Array((line + "\0" + rest + "\0").utf8.map { CChar(bitPattern: $0) })
        return memory.withUnsafeMutableBufferPointer { memory in
            var found = nsrun_mount_line()
            guard nsrun_read_mount_line(memory.baseAddress!, &found) else { return nil }
            return (found.id, found.parent, String(cString: found.point))
        }
    }

    private let whole = #"36 25 0:31 /sub /srv/a\040b\134c rw,nosuid shared:5 - tmpfs none rw"#

    @Test func numbersAndPlaceAreRead() throws {
        let found = try #require(read(whole))
        #expect(found == (36, 25, #"/srv/a b\c"#))
    }

    /// Wherever a line is cut short, nothing behind its end is taken for a part of it.
    @Test func whatFollowsALineIsNoPartOfIt() {
        let beforePlace = whole.prefix { $0 != "r" }.count
        for length in 0..<beforePlace {
            let line = String(whole.prefix(length))
            #expect(read(line, followedBy: " 0:1 / /beyond rw") == nil, "\(line)")
            #expect(read(line, followedBy: "0:1 / /beyond rw") == nil, "\(line)")
        }
    }

    @Test(arguments: [
        "", " ", "x 2 0:1 / /a rw", "1 x 0:1 / /a rw", "1", "1 2", "-1 2 0:1 / /a rw",
    ])
    func aLineWithoutNumbersIsNone(line: String) { #expect(read(line) == nil) }

    @Test(arguments: [#"\"#, #"\0"#, #"\04"#, #"a\"#, #"\777"#, #"\999"#, #"\+12"#])
    func whatIsNoEscapeStaysAsItIs(path: String) throws {
        #expect(try #require(read("1 2 0:1 / /\(path) rw")).2 == "/" + path)
    }
}
