/// What the control file of a package says, as far as unpacking goes. deb-control(5)
struct DebianPackage: Equatable, Sendable {
    /// A package whose files this one may replace, in some or all versions.
    struct Relation: Equatable, Sendable {
        var name: String
        /// `<<`, `<=`, `=`, `>=` or `>>`, and the version; nil for all versions.
        var bound: (relation: String, version: DebianVersion)?

        static func == (left: Relation, right: Relation) -> Bool {
            left.description == right.description
        }

        /// As it stands in a control file.
        var description: String {
            bound.map { "\(name) (\($0.relation) \($0.version))" } ?? name
        }

        /// Reads `NAME`, `NAME:ARCH` or either with ` (>= VERSION)`.
        init?(_ text: Substring) {
            let pattern =
                /\s*([a-z0-9][a-z0-9+.-]*)(:[a-z0-9-]+)?\s*(\(\s*([<>=]+)\s*([^\s)]+)\s*\))?\s*/
            guard let match = text.wholeMatch(of: pattern) else { return nil }
            name = String(match.1)
            if let relation = match.4, let version = match.5 {
                bound = (String(relation), DebianVersion(String(version)))
            }
        }

        func matches(_ package: DebianPackage) -> Bool {
            guard package.name == name else { return false }
            guard let bound else { return true }
            switch bound.relation {
            case "<<": return package.version < bound.version
            case "<=", "<": return package.version <= bound.version
            case "=": return package.version == bound.version
            case ">=", ">": return package.version >= bound.version
            case ">>": return package.version > bound.version
            default: return false
            }
        }
    }

    var name: String
    var version: DebianVersion
    var architecture: String
    /// `Multi-Arch: same`: may be there for several architectures at once.
    var isMultiArchSame: Bool
    var replaces: [Relation]

    /// Reads a control file; nil if it lacks a field every package has.
    init?(control: String) {
        var fields: [String: String] = [:]
        var last = ""
        for line in control.split(separator: "\n") {
            if line.first == " " || line.first == "\t" {
                fields[last]? += " " + line.drop { $0 == " " || $0 == "\t" }
            } else if let colon = line.firstIndex(of: ":") {
                last = line[..<colon].lowercased()
                fields[last] = String(
                    line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
            }
        }
        guard let name = fields["package"], let version = fields["version"],
            let architecture = fields["architecture"], !name.isEmpty, !version.isEmpty
        else { return nil }
        self.name = name
        self.version = DebianVersion(version)
        self.architecture = architecture
        isMultiArchSame = fields["multi-arch"] == "same"
        replaces = (fields["replaces"] ?? "").split(separator: ",").compactMap { Relation($0) }
    }

    /// The fields again, one a line.
    var control: String {
        var lines = ["Package: \(name)", "Version: \(version)", "Architecture: \(architecture)"]
        if isMultiArchSame { lines.append("Multi-Arch: same") }
        if !replaces.isEmpty {
            lines.append("Replaces: " + replaces.map(\.description).joined(separator: ", "))
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// For messages.
    var label: String { "\(name) \(version)" }

    /// Whether this is another release of `other`, not another package beside it.
    func isSamePackage(as other: DebianPackage) -> Bool {
        name == other.name
            && (architecture == other.architecture || !(isMultiArchSame && other.isMultiArchSame))
    }

    func mayReplaceFiles(of other: DebianPackage) -> Bool {
        replaces.contains { $0.matches(other) }
    }
}
