// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// A SIF: the squashfs of a root, with what Apptainer wants to know before and in it.
extension Exporter {
    func writeSIF(_ source: Destination, asRoots: Bool, to output: PartialFile) throws {
        let image = source.image { [progress] in progress.note($0) }
        guard let architecture = SIFArchitecture(debian: image.architecture ?? Platform.host) else {
            throw RootFilesystemError(
                cannot: "export", source.label,
                because: "a SIF has no name for the architecture \(image.architecture ?? "?")")
        }
        var status = stat()
        let own = "\(source.path)/\(ContainerFiles.directory)"
        let isMade = lstat(own, &status) == 0
        // Written by whoever made the root, and shown to be that and no more.
        let text = isMade ? Self.definition(in: source.path) : nil
        let definition = text ?? "Bootstrap: localimage\nFrom: \(source.name)\n"
        let files = ContainerFiles(image, definition: definition, architecture: architecture)
        var documents = [
            SIFLayout.Document(kind: .definition, name: "", bytes: Array(definition.utf8))
        ]
        let metadata = isMade ? try Self.metadata(of: source, image) : files.metadata
        documents.append(
            .init(kind: .document, name: "inspect-metadata.json", bytes: Array(metadata.utf8)))
        if !isMade {
            documents.append(
                .init(
                    kind: .document, name: "oci-config.json", bytes: Array(files.configuration.utf8)
                ))
        }
        let latest = try Self.latestTime()
        let time = latest == Int(UInt32.max) ? 0 : latest
        let layout = SIFLayout(documents: documents, architecture: architecture, time: time)
        let scratch = try ScratchDirectory()
        var arguments = ["-offset", String(layout.rootOffset)]
        if !isMade {
            arguments += [
                "-pf", try Self.pseudo(files.entries, in: scratch.path, of: source, time),
            ]
        }
        try writeSquashfs(source, asRoots: asRoots, to: output, beside: arguments)
        let size = Int(try output.file.status(cannot: "examine", output.path).st_size)
        guard size > layout.rootOffset else {
            throw RootFilesystemError(
                cannot: "export", source.label, because: "mksquashfs has written nothing")
        }
        try output.file.write(
            layout.bytes(rootSize: size - layout.rootOffset), at: 0, cannot: "write", output.path)
        // As Apptainer has them: the launch line is for the kernel.
        fchmod(
            output.file.number,
            try output.file.status(cannot: "examine", output.path).st_mode | 0o111)
        withExtendedLifetime(scratch) {}
    }

    /// What the root's own files say, however it came by them.
    private static func metadata(of source: Destination, _ image: ImageRecord) throws -> String {
        try ContainerTree(RootDirectory(opening: source.path), image).metadata()
    }

    private static func definition(in root: String) -> String? {
        guard let directory = try? RootDirectory(opening: root) else { return nil }
        let path = EntryPath.root.appending(ByteString(ContainerFiles.directory))
            .appending(ByteString("Singularity"))
        let opened = directory.open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
        guard let file = try? Descriptor(opened, cannot: "open", root),
            case .content(let bytes) = HostFile.read(descriptor: file.number, limit: 1 << 20)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The files as mksquashfs(1) takes them beside those of a tree. What the tree has at such a place stays.
    private static func pseudo(
        _ entries: [(path: String, content: ContainerFiles.Content)], in scratch: String,
        of source: Destination, _ time: Int
    ) throws -> String {
        var text = ""
        for (index, entry) in entries.enumerated() {
            var status = stat()
            guard lstat("\(source.path)/\(entry.path)", &status) != 0 else { continue }
            switch entry.content {
            case .directory: text += "\(entry.path) D \(time) 0755 0 0\n"
            case .link(let target): text += "\(entry.path) S \(time) 0777 0 0 \(target)\n"
            case .file(let content, let mode):
                let file = "\(scratch)/\(index)"
                try Data(content.utf8).write(to: URL(filePath: file))
                text +=
                    "\(entry.path) F \(time) \(String(mode, radix: 8)) 0 0 cat \(ContainerFiles.quoted(file))\n"
            }
        }
        let list = "\(scratch)/list"
        try Data(text.utf8).write(to: URL(filePath: list))
        return list
    }
}

extension SIFArchitecture {
    /// By Debian's name.
    init?(debian name: String) {
        switch name {
        case "amd64": self.init(machine: "x86_64")
        case "arm64": self.init(machine: "aarch64")
        case "i386": self.init(machine: "i686")
        case "armhf", "armel": self.init(machine: "armv7l")
        case "ppc64el": self.init(machine: "ppc64le")
        default: self.init(machine: ByteString(name))
        }
    }
}
