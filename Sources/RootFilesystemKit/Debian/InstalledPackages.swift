// SPDX-License-Identifier: Apache-2.0

/// Which package has which file in a tree. Kept in the rootfs, see ``RecordFile``, so that a
/// later unpacking into the same tree follows the same rules.
///
/// The file is a paragraph a package: its control fields, then a line `File: PATH` a file, with a
/// backslash in a path written `\\` and a newline `\n`. Who may write to the tree may have changed it.
struct InstalledPackages {
    struct Installed {
        var package: DebianPackage
        var files: [TreeWriter.Slot.Key: EntryPath] = [:]
    }

    private(set) var all: [Installed] = []
    private var owners: [TreeWriter.Slot.Key: Int] = [:]
    /// The places of packages by their names: of several architectures there may be one each.
    private var named: [String: [Int]] = [:]

    /// More architectures than there are.
    private static let mostOfOneName = 64

    /// The place of the package a file belongs to.
    func owner(of key: TreeWriter.Slot.Key) -> Int? { owners[key] }

    /// The place of the release of `package` that is there already.
    func place(of package: DebianPackage) -> Int? {
        named[package.name]?.first { all[$0].package.isSamePackage(as: package) }
    }

    /// Notes a package; its files come one by one. Gives its place.
    mutating func add(_ package: DebianPackage) throws -> Int {
        if let index = place(of: package) {
            all[index].package = package
            return index
        }
        let same = named[package.name, default: []].count
        guard same < Self.mostOfOneName else {
            throw RootFilesystemError(
                cannot: "unpack", package.label, because: "\(same) others have that name")
        }
        named[package.name, default: []].append(all.count)
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
                text +=
                    Array("File: ".utf8) + RecordText.escape(path.joined.bytes)
                    + [UInt8(ascii: "\n")]
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
        // Once for each paragraph, be it one of no package.
        var isRead = false
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            let isFile = line.starts(with: marker)
            if line.isEmpty || isFile, !isRead {
                // One that has no file, or none any more, is there all the same.
                current = try DebianPackage(control: control).map { try add($0) }
                isRead = true
            }
            if line.isEmpty {
                control = []
                current = nil
                isRead = false
            } else if isFile {
                let path = try EntryPath(
                    archived: ByteString(RecordText.unescape(line.dropFirst(marker.count))))
                guard let current, let slot = try? tree.existingSlot(for: path) else { continue }
                give(path, slot.key, to: current)
            } else if !isRead {
                control += line + [UInt8(ascii: "\n")]
            }
        }
    }
}
