/// An entry of the user database and the name of its primary group.
public struct Account: Sendable, Equatable {
    public var name: ByteString
    public var home: ByteString
    public var shell: ByteString
    public var groupName: ByteString

    public init(name: ByteString, home: ByteString, shell: ByteString, groupName: ByteString) {
        self.name = name
        self.home = home
        self.shell = shell
        self.groupName = groupName
    }

    /// The line for `/etc/passwd`, passwd(5).
    func passwdLine(user: UInt32, group: UInt32) -> ByteString {
        name + ":x:" + ByteString(String(user)) + ":" + ByteString(String(group)) + "::" + home
            + ":" + shell + "\n"
    }

    /// The line for `/etc/group`, group(5).
    func groupLine(group: UInt32) -> ByteString {
        groupName + ":x:" + ByteString(String(group)) + ":\n"
    }
}

/// The text of a passwd(5) or group(5) file, searched by number without taking it apart first.
struct AccountFile {
    let text: [UInt8]

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
