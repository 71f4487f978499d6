// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// An entry of the user database and the name of its primary group.
public struct Account: Sendable, Equatable {
    public var name: ByteString
    public var home: ByteString
    public var shell: ByteString
    public var groupName: ByteString
    /// What else is said of the user, passwd(5)'s GECOS.
    public var comment: ByteString

    public init(
        name: ByteString, home: ByteString, shell: ByteString, groupName: ByteString,
        comment: ByteString = ""
    ) {
        self.name = name
        self.comment = comment
        self.home = home
        self.shell = shell
        self.groupName = groupName
    }

    /// The line for `/etc/passwd`, passwd(5).
    func passwdLine(user: UInt32, group: UInt32) -> ByteString {
        name + ":x:" + ByteString(String(user)) + ":" + ByteString(String(group)) + ":" + comment
            + ":" + home + ":" + shell + "\n"
    }

    /// The line for `/etc/group`, group(5).
    func groupLine(group: UInt32) -> ByteString {
        groupName + ":x:" + ByteString(String(group)) + ":\n"
    }
}

extension Account {
    /// For somebody of whom the user database knows nothing: who he says he is, or else his number. Many programs do
    /// not run without a name. `isTaken`: the database has it for another.
    static func invented(
        for user: UInt32, on facts: HostFacts, isTaken: (ByteString) -> Bool
    ) -> Account {
        let said = [facts.variable("USER"), facts.variable("LOGNAME")].compactMap { $0 }
        let name = said.first { isName($0) && !isTaken($0) } ?? ByteString(String(user))
        let shell = facts.variable("SHELL").flatMap { fits($0) ? $0 : nil } ?? "/bin/sh"
        return Account(name: name, home: "", shell: shell, groupName: name)
    }

    /// A name, and not a number, as useradd(8) would take it or an administrator have it.
    private static func isName(_ text: ByteString) -> Bool {
        let isPlain = text.bytes.allSatisfy {
            $0 > 0x20 && $0 != 0x7f && !ByteString(":,/+").contains($0)
        }
        return isPlain && !text.isEmpty && text.count <= 256 && text.number() == nil
            && text.first != UInt8(ascii: "-")
    }

    /// A path that can be a field of passwd(5).
    static func fits(_ path: ByteString) -> Bool {
        path.isAbsolute && !path.contains(UInt8(ascii: ":")) && !path.contains(UInt8(ascii: "\n"))
    }
}

/// The text of a passwd(5) or group(5) file, searched by number without taking it apart first.
struct AccountFile {
    let text: [UInt8]

    /// The home that passwd(5) gives the caller, where the environment says none.
    static var callersHome: ByteString? {
        let file = AccountFile(text: HostFacts.readFile("/etc/passwd", limit: 1 << 24) ?? [])
        guard let fields = file.fields(number: getuid()), fields.count > 5, fields[5].isAbsolute
        else { return nil }
        return fields[5]
    }

    /// The fields of the line whose first field is this name, at least three.
    func fields(name: ByteString) -> [ByteString]? {
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            let fields = line.split(on: UInt8(ascii: ":"))
            if fields.count >= 3, fields[0] == name { return fields }
        }
        return nil
    }

    /// The fields of the line whose third field is this number.
    func fields(number: UInt32) -> [ByteString]? {
        let wanted = Array(String(number).utf8)
        let colon = UInt8(ascii: ":")
        let newline = UInt8(ascii: "\n")
        var start = 0
        while start < text.count {
            var end = start
            var colons = 0
            var third = start
            var thirdEnd = start
            while end < text.count, text[end] != newline {
                if text[end] == colon {
                    colons += 1
                    if colons == 2 { third = end + 1 }
                    if colons == 3 { thirdEnd = end }
                }
                end += 1
            }
            if colons >= 3, thirdEnd - third == wanted.count,
                wanted.indices.allSatisfy({ text[third + $0] == wanted[$0] })
            {
                return ByteString(bytes: Array(text[start..<end])).split(on: colon)
            }
            start = end + 1
        }
        return nil
    }
}
