// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// The `/.singularity.d` of a root on disk: read and written below the root, wherever links of its makers lead.
struct ContainerTree {
    private let root: RootDirectory
    private let record: ImageRecord
    let architecture: SIFArchitecture

    /// Bytes of a file of it that are read.
    private static let largest = 1 << 20

    init(_ root: RootDirectory, _ record: ImageRecord) throws {
        let name = record.architecture ?? Platform.host
        guard let architecture = SIFArchitecture(debian: name) else {
            throw RootFilesystemError(
                cannot: "make an image of", root.path,
                because: "Apptainer has no name for the architecture \(name)")
        }
        self.root = root
        self.record = record
        self.architecture = architecture
    }

    private static let top = EntryPath.root.appending(ByteString(ContainerFiles.directory))

    /// Something has that name in the root already.
    var exists: Bool {
        get throws { try root.openIfThere(Self.top, O_RDONLY) != nil }
    }

    // MARK: What every image has

    /// Adds the files that follow from how the image wants to be run.
    func addFiles(definition: String) throws {
        let files = ContainerFiles(record, definition: definition, architecture: architecture)
        for (path, content) in files.entries {
            // That of an image which is about to be built is what it has come from.
            if definition.isEmpty, path == "\(ContainerFiles.directory)/Singularity" { continue }
            try add(path, content)
        }
    }

    /// The same, and the places that something is mounted on.
    func addPlaces() throws {
        try addFiles(definition: "")
        for place in [
            "dev", "etc", "home", "proc", "root", "sys", "tmp", "var", "var/tmp",
        ] {
            try add(place, .directory)
        }
    }

    /// What the image has of that name stays.
    private func add(_ path: String, _ content: ContainerFiles.Content) throws {
        let (parent, name) = try place(EntryPath(archived: ByteString(path)))
        do {
            try name.withCString { name in
                switch content {
                case .directory:
                    try Self.check(mkdirat(parent.number, name, 0o755), path)
                case .link(let target):
                    try Self.check(symlinkat(target, parent.number, name), path)
                case .file(let text, let mode):
                    try Self.create(name, in: parent, text, mode, path)
                }
            }
        } catch let error as RootFilesystemError where error.code == EEXIST {
            return
        }
    }

    private func place(_ path: EntryPath) throws -> (Descriptor, ByteString) {
        (try root.openDirectory(path.parent, cannot: "open the directory"), path.name)
    }

    private static func create(
        _ name: UnsafePointer<CChar>, in parent: Descriptor, _ text: String, _ mode: mode_t,
        _ path: String
    ) throws {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let file = try Descriptor(
            openat(parent.number, name, flags, mode), cannot: "create", path)
        try file.write(Array(text.utf8), at: 0, cannot: "write", path)
        try check(fchmod(file.number, mode), path)
    }

    private static func check(_ result: Int32, _ path: String) throws {
        guard result == 0 else {
            throw RootFilesystemError(cannot: "create", path, errno: errno)
        }
    }

    // MARK: One file

    /// A file's text; nil where there is none, or what is none.
    func text(_ name: String) throws -> String? { try text(at: Self.path(name)) }

    private static func path(_ name: String) -> EntryPath {
        name.split(separator: "/").reduce(top) { $0.appending(ByteString(String($1))) }
    }

    private func text(at path: EntryPath) throws -> String? {
        let label = "\(root.path)/\(path.printable)"
        guard let file = try root.openIfThere(path, O_RDONLY | O_NONBLOCK) else { return nil }
        let status = try file.status(cannot: "examine", label)
        guard status.isRegularFile, status.st_size <= Self.largest else { return nil }
        switch HostFile.read(descriptor: file.number, limit: Self.largest) {
        case .content(let bytes): return String(decoding: bytes, as: UTF8.self)
        case .failure(let reason, let remedy):
            throw RootFilesystemError(cannot: "read", label, because: reason, remedy: remedy)
        }
    }

    /// The names in a directory of it.
    func names(_ name: String) throws -> [String] {
        let path = Self.path(name)
        guard let directory = try root.openIfThere(path, O_RDONLY | O_DIRECTORY) else { return [] }
        return try listNames(directory, "\(root.path)/\(path.printable)").map(\.text).sorted()
    }

    /// Writes a file, and not through what had its name.
    func write(_ name: String, _ text: String, mode: mode_t) throws {
        let path = Self.path(name)
        if !path.parent.isRoot, path.parent != Self.top {
            try add(path.parent.printable, .directory)
        }
        let (parent, last) = try place(path)
        try last.withCString { name in
            _ = unlinkat(parent.number, name, 0)
            try Self.create(name, in: parent, text, mode, path.printable)
        }
    }

    /// The text of a file in the root itself, which goes.
    func take(_ name: String) throws -> String? {
        let path = EntryPath.root.appending(ByteString(name))
        guard let text = try text(at: path) else { return nil }
        let (parent, last) = try place(path)
        _ = last.withCString { unlinkat(parent.number, $0, 0) }
        return text
    }

    func labels() throws -> [String: String] {
        guard let text = try text("labels.json") else { return [:] }
        guard
            let labels = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8))
        else {
            throw RootFilesystemError(
                cannot: "read", "/.singularity.d/labels.json", because: "it is no JSON of labels")
        }
        return labels
    }

    // MARK: What `inspect` is told

    /// In the place of the files, which nobody has to look up then.
    func metadata() throws -> String {
        var environment: [String: String] = [:]
        for name in try names("env")
        where name.hasPrefix("10-docker") || name.hasSuffix("-environment.sh") {
            if let text = try trimmed("env/\(name)") {
                environment["/\(ContainerFiles.directory)/env/\(name)"] = text
            }
        }
        return ContainerFiles.json(
            ContainerFiles.Metadata(
                environment: environment, labels: try labels(),
                runscript: try trimmed("runscript"),
                test: try trimmed("test"), helpfile: try trimmed("runscript.help"),
                deffile: try trimmed("Singularity"), startscript: try trimmed("startscript")))
    }

    private func trimmed(_ name: String) throws -> String? {
        guard var text = try text(name) else { return nil }
        while text.unicodeScalars.last == "\n" { text.unicodeScalars.removeLast() }
        return text.isEmpty ? nil : text
    }
}
