// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// Makes what `apptainer build` and `pull` make: a SIF, or a directory with `/.singularity.d`, of another image or as a
/// definition file says.
public struct ContainerBuilder {
    /// By Debian's name.
    public var architecture: String?
    /// A registry on this machine, say, that does not speak TLS.
    public var hasHTTPS = true
    /// What is there already is replaced.
    public var replaces = false
    /// For a definition file: what stands for `{{ NAME }}`, whether there may be more than it asks for, and whether its
    /// %test is run.
    public var arguments: [String: String] = [:]
    public var allowsUnusedArguments = false
    public var runsTest = true
    /// What is fetched is kept, and taken from there.
    public var cache: ContainerCache?
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

    /// It has to be fetched.
    public static func isRemote(_ source: String) -> Bool {
        RemoteImage(importable(source)) != nil
    }

    public func buildFile(_ source: String, _ file: String) throws {
        var status = stat()
        if lstat(file, &status) == 0 {
            guard replaces else { throw Self.exists(file) }
            guard !status.isDirectory else {
                throw RootFilesystemError(cannot: "replace", file, because: "it is a directory")
            }
        }
        if let cache, Self.isRemote(source) {
            return try cache.copy(cached(source), to: file)
        }
        if let root = try rootDirectory(Self.importable(source)) {
            return try exporter.export(root, to: file, as: .sif)
        }
        try buildAnew(source, file)
    }

    private var exporter: Exporter {
        var exporter = Exporter(progress: progress)
        // Others have to read it, too, and kernels that are older.
        exporter.blockCompression = .gzip
        exporter.blockSize = 128 << 10
        return exporter
    }

    /// The file in the cache of an image that is elsewhere or in an archive: made where it is not there yet.
    public func cached(_ source: String) throws -> String {
        guard let cache else {
            throw RootFilesystemError(
                cannot: "start", source, because: "there is no cache to put it in",
                remedy: "make a file of it: apptainer pull FILE.sif \(source)")
        }
        let path = Self.importable(source)
        let architecture = architecture ?? Platform.host
        let digest: [String]
        if var remote = RemoteImage(path) {
            remote.verifiesTLS = hasHTTPS
            progress.begin("looking up \(source)")
            digest = ["image", String(decoding: try remote.manifest(), as: UTF8.self)]
        } else {
            digest = ["file", try ImageDigest.of(path, progress: progress)]
        }
        // The last is to change with what is made of an image.
        let file = try cache.path(of: StageBuilder.key("apptainer", digest + [architecture, "1"]))
        var status = stat()
        if lstat(file, &status) != 0 { try buildAnew(source, file) }
        return file
    }

    private func buildAnew(_ source: String, _ file: String) throws {
        let scratch = try ScratchDirectory()
        let root = try destination(scratch.path + "/root")
        if Self.isDefinition(source) {
            try buildDefinition(source, to: root)
        } else {
            try importRoot(source, to: root)
        }
        try exporter.export(root, to: file, as: .sif)
        withExtendedLifetime(scratch) {}
    }

    public func buildDirectory(_ source: String, _ directory: String) throws {
        let destination = try destination(directory)
        if destination.isTaken, !(replaces && destination.exists) {
            throw RootFilesystemError(
                cannot: "create", directory, because: "it already exists",
                remedy:
                    "choose another name, or --force, which replaces what nsrun-rootfs has made")
        }
        if Self.isDefinition(source) { return try buildDefinition(source, to: destination) }
        try importRoot(source, to: destination)
        let tree = try ContainerTree(
            RootDirectory(opening: destination.path), destination.image())
        if try !tree.exists {
            try tree.addFiles(definition: "Bootstrap: localimage\nFrom: \(source)\n")
        }
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
        var importer = Importer(progress: progress)
        if let architecture { importer.architecture = architecture }
        importer.verifiesTLS = hasHTTPS
        importer.replaces = replaces && destination.exists
        try importer.importRoot(Self.importable(source), to: destination)
    }

    // MARK: Definition files

    /// Text is what one writes an image's recipe in.
    static func isDefinition(_ path: String) -> Bool {
        guard let reader = FileReader(ByteString(path)),
            reader.size <= UInt64(DefinitionFile.largest),
            let bytes = reader.read(0, Int(reader.size)), !bytes.contains(0)
        else { return false }
        return DefinitionFile.looksLike(String(decoding: bytes, as: UTF8.self))
    }

    private func buildDefinition(_ file: String, to destination: Destination) throws {
        var builder = DefinitionBuilder(progress: progress)
        builder.arguments = arguments
        builder.allowsUnusedArguments = allowsUnusedArguments
        if let architecture { builder.architecture = architecture }
        builder.hasHTTPS = hasHTTPS
        builder.runsTest = runsTest
        builder.replaces = replaces
        try builder.build(file, to: destination)
    }

    /// Takes the lines of a file, and `NAME=VALUE` each, which have precedence.
    public mutating func setArguments(_ words: [String], file: String?) throws {
        if let file {
            let text = try RecipeText.read(
                file, limit: DefinitionFile.largest, as: "a file of build arguments")
            for line in text.split(separator: "\n") {
                guard let (name, value) = DefinitionArguments.pair(line) else {
                    progress.note(
                        "passed over in \(file), which is not NAME=VALUE: \(line.prefix(80))")
                    continue
                }
                arguments[name] = value
            }
        }
        for word in words {
            guard let (name, value) = DefinitionArguments.pair(word) else {
                throw RootFilesystemError(
                    cannot: "use", "--build-arg \(word)",
                    because: "\"\(word)\" is not a key=value pair")
            }
            arguments[name] = value
        }
    }
}
