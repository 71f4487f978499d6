import Foundation

/// The files of a container image. They come from a stranger: names in them are resolved inside the
/// directory, and what a digest names must have that digest.
struct ImageParts {
    private let directory: RootDirectory

    /// More than any manifest has, little enough to hold in memory.
    private static let documentLimit = 16 << 20

    init(_ directory: RootDirectory) {
        self.directory = directory
    }

    /// The image as users know it.
    var name: String { directory.path }

    func label(_ path: String) -> String { "\(name)/\(path)" }

    func has(_ path: String) -> Bool { (try? open(path)) != nil }

    func open(_ path: String) throws -> Descriptor {
        let entry = try EntryPath(archived: ByteString(path))
        let opened = directory.open(entry, O_RDONLY | O_NONBLOCK)
        let file = try Descriptor(opened, cannot: "read", label(path))
        guard try file.status(cannot: "examine", label(path)).isRegularFile else {
            throw failure("\(path) is not a file")
        }
        return file
    }

    /// Where the blob with a digest is.
    func path(of digest: String) throws -> String {
        "blobs/sha256/\(try hex(of: digest))"
    }

    /// The hexadecimal part of a digest; algorithms other than SHA-256 are not in use.
    func hex(of digest: String) throws -> String {
        guard let match = digest.wholeMatch(of: /sha256:([0-9a-f]{64})/) else {
            throw failure("\"\(digest)\" is not a SHA-256 digest")
        }
        return String(match.1)
    }

    /// Reads a JSON document, and checks its digest if one is known.
    func decode<Document: Decodable>(
        _ type: Document.Type, _ path: String, digest: String? = nil
    ) throws -> Document {
        let stream = FileStream(try open(path), path: label(path))
        var bytes: [UInt8] = []
        var hash = SHA256()
        while let block = try stream.read() {
            bytes += block
            hash.update(block)
            if bytes.count > Self.documentLimit { throw failure("\(path) is too large") }
        }
        if let digest { try compare(hash.finish(), try hex(of: digest), label(path)) }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw failure("\(path) is not the JSON document it should be")
        }
    }

    func failure(_ cause: String) -> RootFilesystemError {
        RootFilesystemError(cannot: "import", name, because: cause)
    }
}
