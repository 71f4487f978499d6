// SPDX-License-Identifier: Apache-2.0

/// A path as a text.
extension String {
    /// The directory that it names something in: empty for a name alone, `/` for the root.
    var parentPath: String {
        let rest = withoutSlashesAtEnd
        guard let slash = rest.lastIndex(of: "/") else { return rest == "/" ? "/" : "" }
        let parent = String(rest[..<slash]).withoutSlashesAtEnd
        return parent.isEmpty ? "/" : parent
    }

    /// The last name in it, `/` for the root.
    var lastName: String {
        let rest = withoutSlashesAtEnd
        guard let slash = rest.lastIndex(of: "/"), rest != "/" else { return rest }
        return String(rest[rest.index(after: slash)...])
    }

    /// The root keeps its own.
    private var withoutSlashesAtEnd: String {
        var rest = self
        while rest.utf8.count > 1, rest.hasSuffix("/") { rest.removeLast() }
        return rest
    }
}
