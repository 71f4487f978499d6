// SPDX-License-Identifier: Apache-2.0

/// What the control file of a package says, as far as unpacking goes. deb-control(5)
struct DebianPackage: Equatable, Sendable {
    var name: String
    var version: DebianVersion
    var architecture: String
    /// `Multi-Arch: same`: may be there for several architectures at once.
    var isMultiArchSame: Bool
    var replaces: [PackageRelation]

    /// Reads a control file; nil if it lacks a field every package has.
    ///
    /// Whoever made the package wrote it: it is read in one pass, byte by byte.
    init?(control: [UInt8]) {
        let fields = ControlFields(control)
        guard let name = fields["package"], let version = fields["version"],
            let architecture = fields["architecture"], !name.isEmpty, !version.isEmpty
        else { return nil }
        self.name = String(decoding: name, as: UTF8.self)
        self.version = DebianVersion(String(decoding: version, as: UTF8.self))
        self.architecture = String(decoding: architecture, as: UTF8.self)
        isMultiArchSame = fields["multi-arch"] == Array("same".utf8)
        replaces = (fields["replaces"] ?? []).split(separator: UInt8(ascii: ","))
            .compactMap { PackageRelation($0) }
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

/// A package whose files another one may replace, in some or all versions.
struct PackageRelation: Equatable, Sendable {
    var name: String
    /// `<<`, `<=`, `=`, `>=` or `>>`, and the version; nil for all versions.
    var bound: (relation: String, version: DebianVersion)?

    static func == (left: Self, right: Self) -> Bool { left.description == right.description }

    /// As it stands in a control file.
    var description: String {
        bound.map { "\(name) (\($0.relation) \($0.version))" } ?? name
    }

    /// Reads `NAME`, `NAME:ARCH` or either with ` (>= VERSION)`; nil for what is none of these.
    init?(_ text: ArraySlice<UInt8>) {
        var rest = text
        func take(_ isPart: (UInt8) -> Bool) -> [UInt8] {
            let part = rest.prefix(while: isPart)
            rest = rest.dropFirst(part.count)
            return Array(part)
        }
        func skip(_ byte: UInt8) -> Bool {
            guard rest.first == byte else { return false }
            rest = rest.dropFirst()
            return true
        }
        _ = take(Self.isBlank)
        let name = take { Self.isNamePart($0) || $0 == 0x2b || $0 == 0x2d || $0 == 0x2e }  // + - .
        guard let first = name.first, Self.isNamePart(first) else { return nil }
        if skip(UInt8(ascii: ":")) {
            guard !take({ Self.isNamePart($0) || $0 == UInt8(ascii: "-") }).isEmpty else {
                return nil
            }
        }
        _ = take(Self.isBlank)
        self.name = String(decoding: name, as: UTF8.self)
        if skip(UInt8(ascii: "(")) {
            _ = take(Self.isBlank)
            let relation = take { $0 == 0x3c || $0 == 0x3d || $0 == 0x3e }  // < = >
            _ = take(Self.isBlank)
            let version = take { !Self.isBlank($0) && $0 != UInt8(ascii: ")") }
            _ = take(Self.isBlank)
            guard !relation.isEmpty, !version.isEmpty, skip(UInt8(ascii: ")")) else { return nil }
            bound = (
                String(decoding: relation, as: UTF8.self),
                DebianVersion(String(decoding: version, as: UTF8.self))
            )
        }
        _ = take(Self.isBlank)
        if !rest.isEmpty { return nil }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || (0x09...0x0d).contains(byte)
    }

    private static func isNamePart(_ byte: UInt8) -> Bool {
        (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte)
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

/// The fields of a paragraph, by their names in small letters. deb822(5)
struct ControlFields {
    private var values: [[UInt8]: [UInt8]] = [:]

    init(_ text: [UInt8]) {
        var name: [UInt8] = []
        var value: [UInt8] = []
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == 0x09 }
        for line in text.split(separator: UInt8(ascii: "\n")) {
            guard let first = line.first else { continue }
            if isBlank(first) {
                // Nor does a value begin with a blank whose first line is empty.
                if !value.isEmpty { value.append(UInt8(ascii: " ")) }
                value += line.drop(while: isBlank)
            } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
                values[name] = value
                name = line[..<colon].map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
                value = Array(line[(colon + 1)...].drop(while: isBlank))
            }
        }
        values[name] = value
    }

    subscript(_ name: String) -> [UInt8]? { values[Array(name.utf8)] }
}
