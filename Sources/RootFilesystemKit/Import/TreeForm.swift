// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Glibc

/// What a directory is, or what came out of an archive: judged by the documents in it, then by its names.
enum TreeForm {
    /// A root file system.
    case root
    /// A container image in parts.
    case image(ContainerImage.Form)
    /// A directory below it is the root, and this is how it wants to be run.
    case holdsRoot(EntryPath, ImageRecord)
    /// A container image in parts, in the only directory that there is.
    case holdsImage(EntryPath, ContainerImage.Form)

    /// Refuses, by name, what is neither. Digests and completeness are looked at later.
    init(of directory: RootDirectory) throws {
        let tree = FoundTree(directory)
        if let form = try Self.own(tree) {
            self = form
            return
        }
        // Packed from outside: one folder with everything in it.
        if let only = try tree.onlyDirectory, !Self.rootNames.contains(only.name.printable) {
            let inner = FoundTree(
                RootDirectory(
                    path: "\(directory.path)/\(only.printable)",
                    descriptor: try directory.openDirectory(only, cannot: "read")))
            switch try Self.own(inner) {
            case .image(let form):
                self = .holdsImage(only, form)
                return
            case .holdsRoot(let below, let record):
                self = .holdsRoot(only.appending(below), record)
                return
            case .root:
                throw RootFilesystemError(
                    cannot: "import", directory.path,
                    because: "the root lies one level down, in \(only.printable)",
                    remedy: "import that directory; of an archive: unpack it first (tar -xf)")
            case .holdsImage, nil: break
            }
        }
        if let refusal = try Self.refusal(tree) { throw refusal }
        self = .root
    }

    /// Directories that a root file system has at its top.
    private static let rootNames: Set<String> = [
        "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "lost+found",
        "media", "mnt",
        "nix", "gnu", "opt", "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var",
    ]

    /// What the documents say; nil where they say nothing.
    private static func own(_ tree: FoundTree) throws -> TreeForm? {
        // A root may hold documents of any name; nothing else has these.
        if tree.isDirectory("etc") && (tree.isDirectory("usr") || tree.isDirectory("bin")) {
            return .root
        }
        if tree.isFile("oci-layout") { return .image(try layout(tree)) }
        let parts = ImageParts(tree.directory)
        if tree.isDirectory("blobs"), try parts.decodeIfFits(Index.self, "index.json") != nil {
            return .image(.layout)
        }
        if let images = try parts.decodeIfFits([DockerImage].self, "manifest.json"),
            !images.isEmpty
        {
            return .image(.docker)
        }
        if let manifest = try parts.decodeIfFits(Manifest.self, "manifest.json"),
            manifest.config != nil && manifest.layers != nil || manifest.manifests != nil
                || manifest.fsLayers != nil
        {
            return .image(.flat)
        }
        if let repositories = try parts.decodeIfFits(
            [String: [String: String]].self, "repositories"),
            let last = repositories.first?.value.first?.value, parts.has("\(last)/json")
        {
            return .image(.legacyDocker)
        }
        return try bundle(tree, parts)
    }

    private static func layout(_ tree: FoundTree) throws -> ContainerImage.Form {
        struct Mark: Decodable { var imageLayoutVersion: String }
        let parts = ImageParts(tree.directory)
        let mark = try parts.decodeIfFits(Mark.self, "oci-layout")
        if let version = mark?.imageLayoutVersion, !version.hasPrefix("1.") {
            throw parts.failure(
                "it is an OCI layout of version \(version.harmlessLine), and only 1 is known")
        }
        return .layout
    }

    /// What umoci(1) and runc(8) work on, and the images of LXC: the root beside the description.
    private static func bundle(_ tree: FoundTree, _ parts: ImageParts) throws -> TreeForm? {
        if let bundle = try parts.decodeIfFits(BundleConfiguration.self, "config.json") {
            guard !bundle.root.path.hasPrefix("/") else {
                throw parts.failure(
                    "it is an OCI bundle whose root is elsewhere",
                    remedy: "import that: \(bundle.root.path)")
            }
            let root = try EntryPath(archived: ByteString(bundle.root.path))
            guard !root.isRoot, tree.isDirectory(root) else {
                throw parts.failure(
                    "it is an OCI bundle without its root, \(root.printable)")
            }
            return .holdsRoot(root, bundle.record)
        }
        let rootfs = EntryPath("rootfs")
        guard tree.isFile("metadata.yaml"), tree.isDirectory(rootfs) else { return nil }
        return .holdsRoot(rootfs, ImageRecord())
    }

    /// What has the names of something that is known to be no root.
    private static func refusal(_ tree: FoundTree) throws -> RootFilesystemError? {
        func refused(_ cause: String, _ remedy: String) -> RootFilesystemError {
            RootFilesystemError(
                cannot: "import", tree.directory.path, because: cause, remedy: remedy)
        }
        let names = try tree.names.map(\.printable)
        guard !names.isEmpty else { return nil }
        if names.allSatisfy(isPartOfImage) || tree.isDirectory("blobs/sha256") {
            return refused(
                "it holds parts of a container image, and no manifest that could be read",
                "the image is not complete: save it, or copy it, once more")
        }
        guard try tree.onlyHasFiles else { return nil }
        func first(_ suffixes: [String]) -> String? {
            names.first { name in suffixes.contains { name.lowercased().hasSuffix($0) } }
        }
        if let disk = first([
            ".vmdk", ".ovf", ".qcow2", ".vdi", ".vhd", ".vhdx", ".raw", ".img", ".ext4", ".iso",
        ]) {
            return refused(
                "it holds the image of a disk, \(disk)", FileSignature.diskRemedy(disk))
        }
        if let archive = first([
            ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar.lz4", ".squashfs",
            ".sif", ".deb", ".rpm",
        ]) {
            return refused(
                "it holds another archive, \(archive)", "take that out, and import it by itself")
        }
        return nil
    }

    private static func isPartOfImage(_ name: String) -> Bool {
        if ["blobs", "oci-layout", "index.json", "manifest.json", "repositories", "version"]
            .contains(name)
        {
            return true
        }
        let plain = name.hasPrefix("sha256:") ? name.dropFirst(7) : name[...]
        let end = plain.firstIndex(of: ".") ?? plain.endIndex
        return ContentDigest.isHex(plain[..<end], 64)
            && ["", ".json", ".tar", ".tar.gz", ".manifest.json"].contains(plain[end...])
    }
}

/// A directory as it is looked at from its top.
private struct FoundTree {
    let directory: RootDirectory

    init(_ directory: RootDirectory) { self.directory = directory }

    /// What is in it, but for nsrun-rootfs's own records.
    var names: [ByteString] {
        get throws {
            try listNames(directory.descriptor, directory.path)
                .filter { $0 != RecordFile.directory }
        }
    }

    func isDirectory(_ path: EntryPath) -> Bool { type(of: path) == S_IFDIR }
    func isFile(_ path: EntryPath) -> Bool { type(of: path) == S_IFREG }

    func isDirectory(_ name: StaticString) -> Bool { isDirectory(EntryPath(name)) }
    func isFile(_ name: StaticString) -> Bool { isFile(EntryPath(name)) }

    /// The only entry, where that is a directory and no link.
    var onlyDirectory: EntryPath? {
        get throws {
            let names = try names
            guard names.count == 1, directory.descriptor.openDirectory(names[0]) != nil else {
                return nil
            }
            return EntryPath.root.appending(names[0])
        }
    }

    var onlyHasFiles: Bool {
        get throws {
            try names.allSatisfy { isFile(EntryPath.root.appending($0)) }
        }
    }

    /// As the tree's own programs would see it.
    private func type(of path: EntryPath) -> UInt32? {
        let opened = directory.open(path, nsrun_rootfs_o_path)
        guard let file = try? Descriptor(opened, cannot: "open", path.printable) else { return nil }
        return try? file.status(cannot: "examine", path.printable).type
    }
}
