// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// A node's own copy of an image: unpacked once a node, however many ask for it at once.
///
/// Copies lie in `DIRECTORY/nsrun-UID/NAME-HASH`, where HASH tells the content: what has the same content is the same
/// copy, and a changed image becomes another one beside it. A copy appears by one rename when it is complete. Nobody but
/// the caller and real root can change the path that is given, see ``ControlledDirectory``.
public struct Stager {
    let progress: ProgressReport

    public init(progress: ProgressReport) {
        self.progress = progress
    }

    /// Sees to it that there is a copy of `image` (a file that can be imported, or a directory) below `directory`, and
    /// gives its path.
    public func stage(_ image: String, in directory: String) throws -> String {
        let source = try realPath(image)
        let folder = try StageFolder(in: directory)
        let ticket = try StageTicket(for: source, in: folder) { [progress] in
            progress.begin("waiting for \(image), which somebody else stages")
        }
        let stamp = try ImageStamp.settled(of: source)
        let hash: String
        if let known = ticket.hash(for: stamp) {
            hash = known
        } else {
            progress.begin("reading \(image)")
            hash = try ImageDigest.of(source, progress: progress)
        }
        let name = "\(Self.name(of: source))-\(hash.prefix(16))"
        let copy = try Destination("\(folder.path)/\(name)", store: .standard())
        if !folder.has(name) { try unpack(source, image, hash, stamp, to: copy, in: folder) }
        try ticket.note(hash, for: stamp)
        progress.end()
        return copy.path
    }

    private func unpack(
        _ source: String, _ image: String, _ hash: String, _ stamp: ImageStamp,
        to copy: Destination, in folder: StageFolder
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
            guard folder.has(copy.name) else { throw error }
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
        var name = source.lastName
        for suffix in [
            ".gz", ".bz2", ".xz", ".zst", ".lz4", ".lz", ".tgz", ".tar", ".squashfs", ".sqfs",
        ]
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
}

/// The caller's folder of copies, `DIRECTORY/nsrun-UID`.
final class StageFolder {
    /// Without links.
    let path: String
    let descriptor: Descriptor

    init(in directory: String) throws {
        // Only the folder is made.
        _ = try Descriptor.open(
            directory, O_RDONLY | O_DIRECTORY, cannot: "stage in the directory")
        let wanted = ByteString("\(directory)/nsrun-\(geteuid())")
        let opened: ControlledDirectory
        do throws(ControlledDirectory.Refusal) {
            opened = try ControlledDirectory.open(wanted, making: true)
        } catch {
            throw RootFilesystemError(
                cannot: "stage in the directory", directory, because: error.cause,
                remedy: "choose one that only you and root can change, or one with the sticky bit")
        }
        descriptor = try Descriptor(
            opened.descriptor, cannot: "stage in the directory", directory)
        path = String(decoding: opened.path.bytes, as: UTF8.self)
        // It is printed, for scripts to pass on.
        guard path.harmlessLine == path else {
            throw RootFilesystemError(
                cannot: "stage in the directory", directory,
                because: "its path has characters that no script could pass on")
        }
    }

    /// Whether there is a copy of that name.
    func has(_ name: String) -> Bool {
        var status = stat()
        return fstatat(descriptor.number, name, &status, AT_SYMLINK_NOFOLLOW) == 0
            && status.isDirectory
    }
}
