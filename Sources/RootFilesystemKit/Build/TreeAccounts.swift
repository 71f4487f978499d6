// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The users and groups that a tree knows. passwd(5), group(5)
struct TreeAccounts {
    /// Somebody to run as.
    struct Account: Equatable {
        var user: UInt32
        var group: UInt32
        var home: String
    }

    private let users: [[String]]
    private let groups: [[String]]
    private static let largestFile = 1 << 20

    init(of root: RootDirectory) {
        users = Self.fields(EntryPath("etc/passwd"), root)
        groups = Self.fields(EntryPath("etc/group"), root)
    }

    /// Who `USER[:GROUP]` is, names or numbers; nil where the tree does not say.
    func account(_ text: String) -> Account? {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let number = Self.id(name)
        let entry = users.first { $0[0] == name } ?? users.first { Self.id($0[2]) == number }
        guard let user = entry.flatMap({ Self.id($0[2]) }) ?? number ?? (name == "root" ? 0 : nil)
        else { return nil }
        var group = entry.flatMap { Self.id($0[3]) } ?? 0
        if parts.count > 1, !parts[1].isEmpty {
            let name = String(parts[1])
            let found = groups.first { $0[0] == name }.flatMap { Self.id($0[2]) } ?? Self.id(name)
            guard let found else { return nil }
            group = found
        }
        let home = entry.map { $0[5] } ?? (user == 0 ? "/root" : "/")
        return Account(user: user, group: group, home: home.hasPrefix("/") ? home : "/")
    }

    private static func id(_ text: String) -> UInt32? {
        guard let number = UInt32(text), number < 1 << 31 else { return nil }
        return number
    }

    private static func fields(_ path: EntryPath, _ root: RootDirectory) -> [[String]] {
        let least = path == EntryPath("etc/passwd") ? 7 : 4
        guard
            let file = try? Descriptor(
                root.open(path, O_RDONLY | O_NONBLOCK), cannot: "read", path.printable),
            let status = try? file.status(cannot: "examine", path.printable), status.isRegularFile,
            status.st_size <= largestFile
        else { return [] }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        let count = pread(file.number, &bytes, bytes.count, 0)
        return bytes.prefix(max(0, count)).split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
            return fields.count >= least ? fields : nil
        }
    }
}
