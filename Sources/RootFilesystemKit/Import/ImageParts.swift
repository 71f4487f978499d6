// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// The files of a container image. They come from a stranger: names in them are resolved inside the
/// directory, and what a digest names must have that digest.
final class ImageParts {
    private let directory: RootDirectory
    /// How the files of blobs are called.
    private let naming: Naming

    /// Where the blob with a digest is.
    enum Naming {
        /// `blobs/ALGORITHM/HEX`. OCI image layout
        case layout
        /// `HEX`, in older versions `HEX.tar`. containers/image, transport "dir"
        case flat
    }

    /// More than any document has, little enough to hold in memory.
    private static let documentLimit = 16 << 20
    /// The same for all of them together.
    private var documentsLeft = 64 << 20

    init(_ directory: RootDirectory, _ naming: Naming = .layout) {
        self.directory = directory
        self.naming = naming
    }

    /// The image as users know it.
    var name: String { directory.path }

    func label(_ path: String) -> String { "\(name)/\(path)" }

    func has(_ path: String) -> Bool { (try? open(path)) != nil }

    func open(_ path: String) throws -> Descriptor {
        let entry = try EntryPath(archived: ByteString(path))
        let opened = directory.open(entry, O_RDONLY | O_NONBLOCK)
        if opened < 0, errno == ENOENT || errno == ENOTDIR {
            throw RootFilesystemError(
                cannot: "import", name, because: "its part \(path.harmlessLine) is missing",
                remedy: "the image is not complete: save it, or copy it, once more")
        }
        let file = try Descriptor(opened, cannot: "read", label(path))
        guard try file.status(cannot: "examine", label(path)).isRegularFile else {
            throw failure("\(path.harmlessLine) is not a file")
        }
        return file
    }

    /// Where the blob with a digest is.
    func path(of digest: ContentDigest) -> String {
        switch naming {
        case .layout: return "blobs/\(digest.algorithm.rawValue)/\(digest.hex)"
        case .flat:
            let plain =
                digest.algorithm == .sha256
                ? digest.hex : "\(digest.algorithm.rawValue)-\(digest.hex)"
            let names = [plain, digest.hex, digest.hex + ".tar", digest.hex + ".manifest.json"]
            return names.first { has($0) } ?? plain
        }
    }

    /// What a document gives as a digest.
    func digest(_ text: String) throws -> ContentDigest {
        guard let digest = ContentDigest(text) else {
            let known = ContentDigest.Algorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw failure("\"\(text.harmlessLine)\" is not a digest of \(known)")
        }
        return digest
    }

    /// Reads a JSON document, and checks its digest if one is known.
    func decode<Document: Decodable>(
        _ type: Document.Type, _ path: String, digest: ContentDigest? = nil
    ) throws -> Document {
        let bytes = try read(path, digest: digest)
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw failure("\(path.harmlessLine) is not the JSON document it should be")
        }
    }

    /// The same where a file of that name may well be something else: nil then.
    func decodeIfFits<Document: Decodable>(_ type: Document.Type, _ path: String) throws
        -> Document?
    {
        guard let file = try? open(path),
            try file.status(cannot: "examine", label(path)).st_size <= Self.documentLimit
        else { return nil }
        return try? JSONDecoder().decode(type, from: Data(read(path)))
    }

    func read(_ path: String, digest: ContentDigest? = nil) throws -> [UInt8] {
        let stream = FileStream(try open(path), path: label(path))
        var bytes: [UInt8] = []
        var hash = ContentDigest.Computation(digest?.algorithm ?? .sha256)
        while let block = try stream.read() {
            bytes += block
            hash.update(block)
            documentsLeft -= block.count
            if bytes.count > Self.documentLimit {
                throw failure("\(path.harmlessLine) is too large")
            }
            if documentsLeft < 0 { throw failure("it says more of itself than can be read") }
        }
        try digest?.compare(hash.finish(), label(path))
        return bytes
    }

    func failure(_ cause: String, remedy: String? = nil) -> RootFilesystemError {
        RootFilesystemError(cannot: "import", name, because: cause, remedy: remedy)
    }
}
