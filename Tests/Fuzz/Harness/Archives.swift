// SPDX-License-Identifier: Apache-2.0

@testable import RootFilesystemKit

extension FuzzTarget {
    /// A tar of any kind, compressed or not, as `nsrun-rootfs import` takes it; read without its threads, which take
    /// most of the time. The kernel resolves paths, or we do.
    static let tar = FuzzTarget(name: "tar", makesFiles: true) { bytes in
        for kernelResolves in [true, false] {
            Scratch.use { unpack(MemoryStream(Tar.mended(bytes)), kernelResolves) }
        }
    }

    private static func unpack(_ stream: MemoryStream, _ kernelResolves: Bool) {
        let path = Scratch.makeDirectory("root")
        guard let root = try? RootDirectory(opening: path, kernelResolves: kernelResolves) else {
            fail("no root")
        }
        do {
            let budget = ExtractionBudget(maximum: 1 << 20)
            let writer = TreeWriter(root: root, budget: budget)
            let contents = try decompressed(stream, name: "archive")
            try writer.writeAll(from: TarTree(contents, name: "archive", budget: budget))
            try writer.finish()
            _ = TreeFacts(of: root)
        } catch {
            if let error = error as? RootFilesystemError {
                demand(
                    isLine(error.cause), "a cause of several lines: \(error.cause.debugDescription)"
                )
            }
        }
    }

    /// Debian packages, one over the other: of each its control file, an empty line, and what is in it as ``Tar``
    /// describes it.
    static let deb = FuzzTarget(name: "deb", makesFiles: true) { bytes in
        Scratch.use {
            var archives: [String] = []
            for section in sections(of: bytes).prefix(3) {
                let text = section.text
                let end = text.indices.dropLast().first {
                    text[$0] == newline && text[$0 + 1] == newline
                }
                let control = Array(text[..<(end ?? text.endIndex)]) + [newline]
                let package = packed([
                    ("debian-binary", Array("2.0\n".utf8)),
                    ("control.tar", Tar.archive(of: "./control", control)),
                    ("data.tar", Tar.described(text[(end ?? text.endIndex)...])),
                ])
                archives.append(Scratch.file("\(archives.count).deb", package))
            }
            guard let root = destination else { fail("no destination") }
            try? PackageUnpacker(progress: silence).unpack(archives, to: root)
        }
    }

    /// An image in parts, as an OCI layout or as docker saves it. A section of the input is a file; one called `@NAME`
    /// is a blob, `@NAME` in those before it its digest and `#NAME` the digits alone. What does not begin as JSON does
    /// is a layer, as ``Tar`` describes it.
    static let image = FuzzTarget(name: "image", makesFiles: true) { bytes in
        Scratch.use {
            let parts = Scratch.makeDirectory("parts")
            _ = Scratch.makeDirectory("parts/blobs")
            _ = Scratch.makeDirectory("parts/blobs/sha256")
            var digests: [(name: [UInt8], digits: [UInt8])] = []
            var taken: Set<String> = []
            for section in sections(of: bytes).prefix(16).reversed() {
                var content = Array(section.text)
                let isText = content.first.map { "[{".utf8.contains($0) } ?? true
                if !isText { content = Tar.described(section.text) }
                for (name, digits) in digests where isText {
                    content.replace(
                        [UInt8(ascii: "@")] + name, with: Array("sha256:".utf8) + digits)
                    content.replace([UInt8(ascii: "#")] + name, with: digits)
                }
                var file = section.name
                if file.hasPrefix("@") {
                    let digits = digest(of: content)
                    digests.append((Array(file.utf8.dropFirst()), Array(digits.utf8)))
                    file = "blobs/sha256/" + digits
                } else if !["oci-layout", "index.json", "manifest.json"].contains(file) {
                    continue
                }
                if taken.insert(file).inserted { _ = Scratch.file("parts/" + file, content) }
            }
            importRoot(parts)
        }
    }

    private static let newline = UInt8(ascii: "\n")
    nonisolated(unsafe) private static let silence = ProgressReport(quiet: true)

    private static var destination: Destination? {
        try? Destination(Scratch.root, store: RootFilesystemStore(directory: Scratch.directory))
    }

    private static func importRoot(_ source: String) {
        guard let root = destination else { fail("no destination") }
        var importer = Importer(progress: silence)
        importer.maximumSize = 1 << 20
        importer.architecture = "amd64"
        try? importer.importRoot(source, to: root)
    }

    /// Parts that begin with a line `== NAME`, or with the input.
    private static func sections(of bytes: [UInt8]) -> [(name: String, text: ArraySlice<UInt8>)] {
        var sections: [(name: String, text: ArraySlice<UInt8>)] = [("", bytes[0..<0])]
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: newline) ?? bytes.count
            let next = min(end + 1, bytes.count)
            if bytes[start..<end].starts(with: Array("== ".utf8)) {
                let name = String(decoding: bytes[(start + 3)..<end], as: UTF8.self)
                sections.append((name, bytes[next..<next]))
            } else if let last = sections.indices.last {
                sections[last].text = bytes[sections[last].text.startIndex..<next]
            }
            start = next
        }
        return sections.filter { !$0.text.isEmpty }
    }

    private static func digest(of content: [UInt8]) -> String {
        var hash = SHA256()
        content.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    /// An ar(5) archive.
    private static func packed(_ members: [(name: String, content: [UInt8])]) -> [UInt8] {
        var bytes = Array("!<arch>\n".utf8)
        for member in members {
            func put(_ text: String, _ width: Int) {
                bytes += Array(text.utf8)
                bytes += [UInt8](repeating: UInt8(ascii: " "), count: width - text.utf8.count)
            }
            put(member.name, 16)
            put("0", 12)
            put("0", 6)
            put("0", 6)
            put("100644", 8)
            put(String(member.content.count), 10)
            bytes += Array("`\n".utf8) + member.content
            if member.content.count % 2 != 0 { bytes.append(newline) }
        }
        return bytes
    }
}

/// Bytes, in pieces of which none is as long as another stream's.
private final class MemoryStream: ByteStream {
    private let memory: UnsafeMutableRawBufferPointer
    private let pieceSize: Int
    private var position = 0

    init(_ bytes: [UInt8]) {
        memory = .allocate(byteCount: bytes.count, alignment: 16)
        memory.copyBytes(from: bytes)
        pieceSize = 1 + bytes.reduce(0) { ($0 &* 31 &+ Int($1)) & 0xffff } % 4096
    }

    deinit { memory.deallocate() }

    func read() throws -> UnsafeRawBufferPointer? {
        let start = position
        position = min(start + pieceSize, memory.count)
        return start < position ? UnsafeRawBufferPointer(rebasing: memory[start..<position]) : nil
    }
}
