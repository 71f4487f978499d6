// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// Makes what `apptainer build` and `pull` make: a SIF, or a directory with `/.singularity.d`, of another image.
public struct ContainerBuilder {
    /// By Debian's name.
    public var architecture: String?
    /// A registry on this machine, say, that does not speak TLS.
    public var hasHTTPS = true
    /// What is there already is replaced.
    public var replaces = false
    let progress: ProgressReport

    public init(progress: ProgressReport) { self.progress = progress }

    /// What an importer calls the same: archives and layouts are paths, and need no skopeo(1).
    private static func importable(_ source: String) -> String {
        for scheme in ["docker-archive:", "oci-archive:", "oci:"] where source.hasPrefix(scheme) {
            let path = source.dropFirst(scheme.count)
            return String(path.hasPrefix("//") ? path.dropFirst(2) : path)
        }
        return source
    }

    public func buildFile(_ source: String, _ file: String) throws {
        var status = stat()
        if lstat(file, &status) == 0 {
            guard replaces else { throw Self.exists(file) }
            guard !status.isDirectory else {
                throw RootFilesystemError(cannot: "replace", file, because: "it is a directory")
            }
        }
        var exporter = Exporter(progress: progress)
        // Others have to read it, too, and kernels that are older.
        exporter.blockCompression = .gzip
        exporter.blockSize = 128 << 10
        if let root = try rootDirectory(Self.importable(source)) {
            return try exporter.export(root, to: file, as: .sif)
        }
        let scratch = try ScratchDirectory()
        let root = try destination(scratch.path + "/root")
        try importRoot(source, to: root)
        try exporter.export(root, to: file, as: .sif)
        withExtendedLifetime(scratch) {}
    }

    public func buildDirectory(_ source: String, _ directory: String) throws {
        let destination = try destination(directory)
        if destination.isTaken {
            throw RootFilesystemError(
                cannot: "create", directory, because: "it already exists",
                remedy:
                    "choose another name, or remove it first: nsrun-rootfs remove ./\(directory)")
        }
        try importRoot(source, to: destination)
        try addFiles(to: destination, of: source)
    }

    private static func exists(_ file: String) -> RootFilesystemError {
        RootFilesystemError(
            cannot: "create", file,
            because: "Image file already exists: \"\(file)\" - will not overwrite",
            remedy: "--force replaces it")
    }

    /// A path always, whatever it looks like.
    private func destination(_ path: String) throws -> Destination {
        try Destination(path.contains("/") ? path : "./" + path, store: .standard())
    }

    /// A directory that is a root already, of which no copy is needed.
    private func rootDirectory(_ path: String) throws -> Destination? {
        let place = try destination(path)
        guard place.exists, let directory = try? RootDirectory(opening: place.path),
            case .root = try TreeForm(of: directory)
        else { return nil }
        return place
    }

    private func importRoot(_ source: String, to destination: Destination) throws {
        let source = Self.importable(source)
        try refuseDefinition(source)
        var importer = Importer(progress: progress)
        if let architecture { importer.architecture = architecture }
        importer.verifiesTLS = hasHTTPS
        try importer.importRoot(source, to: destination)
    }

    /// Text is what one would write an image's recipe in.
    private func refuseDefinition(_ path: String) throws {
        guard let head = FileReader(ByteString(path))?.read(0, 512) else { return }
        let lines = String(decoding: head, as: UTF8.self).lowercased().split(separator: "\n")
        let isRecipe = lines.contains { line in
            line.drop { $0 == " " }.hasPrefix("bootstrap:")
        }
        guard isRecipe else { return }
        throw RootFilesystemError(
            cannot: "build", path,
            because: "it is a definition file, and nsrun builds none yet",
            remedy:
                "build a Containerfile that says the same, or what it is made from: docker://NAME")
    }

    // MARK: In a directory

    private func addFiles(to destination: Destination, of source: String) throws {
        let image = destination.image()
        guard let architecture = SIFArchitecture(debian: image.architecture ?? Platform.host) else {
            return
        }
        let root = try RootDirectory(opening: destination.path)
        let top = EntryPath.root.appending(ByteString(ContainerFiles.directory))
        if (try? Descriptor(root.open(top, O_RDONLY), cannot: "open", destination.path)) != nil {
            return
        }
        let files = ContainerFiles(
            image, definition: "Bootstrap: localimage\nFrom: \(source)\n",
            architecture: architecture)
        for (path, content) in files.entries {
            try add(path, content, to: root)
        }
    }

    /// What the image has of that name stays.
    private func add(
        _ path: String, _ content: ContainerFiles.Content, to root: RootDirectory
    ) throws {
        let names = path.split(separator: "/").map { ByteString(String($0)) }
        let holder = names.dropLast().reduce(EntryPath.root) { $0.appending($1) }
        let parent = try root.openDirectory(holder, cannot: "open the directory")
        guard let name = names.last else { return }
        do {
            try name.withCString { name in
                switch content {
                case .directory:
                    try Self.check(mkdirat(parent.number, name, 0o755), path)
                case .link(let target):
                    try Self.check(symlinkat(target, parent.number, name), path)
                case .file(let text, let mode):
                    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
                    let file = try Descriptor(
                        openat(parent.number, name, flags, mode), cannot: "create", path)
                    try file.write(Array(text.utf8), at: 0, cannot: "write", path)
                    try Self.check(fchmod(file.number, mode), path)
                }
            }
        } catch let error as RootFilesystemError where error.code == EEXIST {
            return
        }
    }

    private static func check(_ result: Int32, _ path: String) throws {
        guard result == 0 else {
            throw RootFilesystemError(cannot: "create", path, errno: errno)
        }
    }
}
