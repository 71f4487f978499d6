import Foundation

/// A node's own copy of an image: unpacked once a node, however many ask for it at once.
///
/// Copies lie in `DIRECTORY/nsrun-UID/NAME-HASH`, where HASH tells the content: what has the same content is the same
/// copy, and a changed image becomes another one beside it. A copy appears by one rename when it is complete.
public struct Stager {
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// Sees to it that there is a copy of `image` (a file that can be imported, or a directory) below `directory`, and
    /// gives its path.
    public func stage(_ image: String, in directory: String) throws -> String {
        let source = try realPath(image)
        let folder = try Self.openFolder(in: directory)
        let ticket = try StageTicket(for: source, in: folder) { [progress] in
            progress.begin("waiting for \(image), which somebody else stages")
        }
        let stamp = try ImageStamp(of: source)
        let hash: String
        if let known = ticket.hash(for: stamp) {
            hash = known
        } else {
            progress.begin("reading \(image)")
            hash = try ImageDigest.of(source, progress: progress)
        }
        let path = "\(folder)/\(Self.name(of: source))-\(hash.prefix(16))"
        let copy = try Destination(path, store: .standard())
        if !copy.exists { try unpack(source, image, hash, stamp, to: copy) }
        try ticket.note(hash, for: stamp)
        progress.end()
        return path
    }

    private func unpack(
        _ source: String, _ image: String, _ hash: String, _ stamp: ImageStamp,
        to copy: Destination
    ) throws {
        do {
            try Importer(progress: progress).importRoot(source, to: copy) {
                let isSame =
                    try stamp.isOfDirectory
                    ? ImageDigest.of(source, progress: progress) == hash
                    : ImageStamp(of: source) == stamp
                guard isSame else {
                    throw RootFilesystemError(
                        cannot: "stage", image, because: "it changed while it was read",
                        remedy: "replace images by a rename (mv), not by writing into them")
                }
            }
        } catch let error as RootFilesystemError {
            // The same content under another name, staged at the same time.
            guard copy.exists else { throw error }
        }
    }

    private func realPath(_ image: String) throws -> String {
        guard let real = realpath(image, nil) else {
            throw RootFilesystemError(cannot: "stage", image, errno: errno)
        }
        defer { free(real) }
        return String(cString: real)
    }

    /// What of the image's name can stand in a path that scripts pass on.
    static func name(of source: String) -> String {
        var name = (source as NSString).lastPathComponent
        for suffix in [".gz", ".bz2", ".xz", ".zst", ".tgz", ".tar", ".squashfs", ".sqfs"]
        where name.hasSuffix(suffix) && name.count > suffix.count {
            name.removeLast(suffix.count)
        }
        let allowed = name.unicodeScalars.map { scalar in
            scalar.isASCII
                && (scalar.properties.isAlphabetic
                    || "0123456789._+-".unicodeScalars.contains(scalar))
                ? Character(scalar) : "_"
        }
        return String(allowed.prefix(100))
    }

    /// The caller's folder, which nobody else can write to: what lies there is trusted by its name.
    private static func openFolder(in directory: String) throws -> String {
        let parent = try Descriptor.open(
            directory, O_RDONLY | O_DIRECTORY, cannot: "stage in the directory")
        let mode = try parent.status(cannot: "examine", directory).st_mode
        guard mode & S_IWOTH == 0 || mode & S_ISVTX != 0 else {
            throw RootFilesystemError(
                cannot: "stage in the directory", directory,
                because: "everybody may rename what is in it",
                remedy: "choose another one, or ask its owner for: chmod +t \(directory)")
        }
        guard let real = realpath(directory, nil) else {
            throw RootFilesystemError(cannot: "stage in the directory", directory, errno: errno)
        }
        defer { free(real) }
        let folder = "\(String(cString: real))/nsrun-\(geteuid())"
        guard mkdir(folder, 0o700) == 0 || errno == EEXIST else {
            throw RootFilesystemError(cannot: "create the directory", folder, errno: errno)
        }
        var status = stat()
        guard lstat(folder, &status) == 0, status.isDirectory, status.st_uid == geteuid(),
            status.st_mode & 0o022 == 0
        else {
            throw RootFilesystemError(
                cannot: "stage in the directory", folder,
                because: "it is not a directory of yours alone",
                remedy: "remove it, or choose another place")
        }
        return folder
    }
}
