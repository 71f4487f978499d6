/// Which package has which file in a tree. Kept beside the rootfs as `NAME.packages`, so that a
/// later unpacking into the same tree follows the same rules.
///
/// The file is a paragraph a package: its control fields, then a line `File: PATH` a file, with a
/// backslash in a path written `\\` and a newline `\n`.
struct InstalledPackages {
    struct Installed {
        var package: DebianPackage
        var files: [TreeWriter.Slot.Key: EntryPath] = [:]
    }

    private(set) var all: [Installed] = []
    private var owners: [TreeWriter.Slot.Key: Int] = [:]

    /// The package a file belongs to.
    func owner(of key: TreeWriter.Slot.Key) -> DebianPackage? {
        owners[key].map { all[$0].package }
    }

    /// The release of `package` that is there already.
    func previous(_ package: DebianPackage) -> Installed? {
        all.first { $0.package.isSamePackage(as: package) }
    }

    /// Notes a package; its files come one by one. Gives its place.
    mutating func add(_ package: DebianPackage) -> Int {
        if let index = all.firstIndex(where: { $0.package.isSamePackage(as: package) }) {
            all[index].package = package
            return index
        }
        all.append(Installed(package: package))
        return all.count - 1
    }

    /// The file is now `package`'s and nobody else's.
    mutating func give(_ path: EntryPath, _ key: TreeWriter.Slot.Key, to package: Int) {
        if let owner = owners.updateValue(package, forKey: key), owner != package {
            all[owner].files[key] = nil
        }
        all[package].files[key] = path
    }

    /// The file is nobody's any more.
    mutating func drop(_ key: TreeWriter.Slot.Key) {
        if let owner = owners.removeValue(forKey: key) { all[owner].files[key] = nil }
    }

    // MARK: - The file

    var encoded: [UInt8] {
        var text: [UInt8] = []
        for installed in all {
            text += Array(installed.package.control.utf8)
            for path in installed.files.values.sorted() {
                text += Array("File: ".utf8) + Self.escape(path.joined.bytes) + [UInt8(ascii: "\n")]
            }
            text.append(UInt8(ascii: "\n"))
        }
        return text
    }

    init() {}

    /// Reads the file; places are looked up in `tree`, and what is not there any more is left out.
    init(decoding text: [UInt8], in tree: TreeWriter) throws {
        let marker = Array("File: ".utf8)
        var control: [UInt8] = []
        var current: Int?
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            if line.isEmpty {
                // One that has no file, or none any more, is there all the same.
                if current == nil {
                    _ = DebianPackage(control: String(decoding: control, as: UTF8.self)).map {
                        add($0)
                    }
                }
                control = []
                current = nil
            } else if line.starts(with: marker) {
                if current == nil {
                    current = DebianPackage(control: String(decoding: control, as: UTF8.self)).map {
                        add($0)
                    }
                }
                let path = try EntryPath(
                    archived: ByteString(Self.unescape(line.dropFirst(marker.count))))
                guard let current, let slot = try? tree.existingSlot(for: path) else { continue }
                give(path, slot.key, to: current)
            } else {
                control += line + [UInt8(ascii: "\n")]
            }
        }
    }

    private static func escape(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte -> [UInt8] in
            switch byte {
            case UInt8(ascii: "\\"): Array("\\\\".utf8)
            case UInt8(ascii: "\n"): Array("\\n".utf8)
            default: [byte]
            }
        }
    }

    private static func unescape(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        var escaped = false
        for byte in bytes {
            if escaped {
                result.append(byte == UInt8(ascii: "n") ? UInt8(ascii: "\n") : byte)
                escaped = false
            } else if byte == UInt8(ascii: "\\") {
                escaped = true
            } else {
                result.append(byte)
            }
        }
        return result
    }
}
