// SPDX-License-Identifier: Apache-2.0

import CHost
import Glibc

/// What `nsrun --overlay-dir DIR` has kept: a rootfs as it became, told as changes to what it was. overlayfs without
/// root marks them by character devices 0/0, and by extended attributes `user.overlay.*`; with root by `trusted.overlay.*`.
///
/// https://docs.kernel.org/filesystems/overlayfs.html
final class OverlayLayer {
    private let source: TreeReader
    private let name: String
    /// Nothing runs with the directory as long as this is held; nil where there are no locks.
    private let lock: Descriptor?

    private static let prefixes = ["user.overlay.", "trusted.overlay."].map { Array($0.utf8) }

    /// `directory` is what nsrun was given: the changes lie in `upper` there. Refused where something runs with it.
    init(_ directory: String) throws {
        name = directory
        let upper = "\(directory)/upper"
        let opened = try Descriptor.open(
            upper, O_RDONLY | O_DIRECTORY, cannot: "use the layer in")
        let locked = nsrun_lock_layer(directory, true)
        guard locked != -EWOULDBLOCK else {
            throw RootFilesystemError(
                cannot: "use the layer in", directory, because: "something runs with it",
                remedy: "end that first")
        }
        guard locked >= 0 || locked == -ENOLCK else {
            throw RootFilesystemError(cannot: "lock", directory, errno: -locked)
        }
        lock = locked < 0 ? nil : try Descriptor(locked, cannot: "lock", directory)
        source = try TreeReader(opened, path: upper)
    }

    /// The same of an upper directory by itself, which the caller has for himself.
    init(upper: Descriptor, path: String) throws {
        name = path
        lock = nil
        source = try TreeReader(upper, path: path)
    }

    /// Applies the changes to a tree that is what they were made to.
    func apply(to writer: TreeWriter) throws {
        writer.beginLayer()
        while var entry = try source.next() {
            let marks = try takeMarks(&entry)
            // Where a file has two names below and one of them was removed, the mark has two names.
            if entry.isWhiteout || marks.contains("whiteout") {
                try writer.whiteOut(entry.path)
                continue
            }
            try writer.write(entry, from: source)
            // After what had the name before, a link for one, has gone.
            if entry.kind == .directory, marks.contains("opaque") {
                try writer.makeOpaque(entry.path)
            }
        }
    }

    /// Takes overlayfs's own attributes off an entry, and gives what they say. One that its maker got out of an overlay
    /// inside of this one is given back as it was.
    private func takeMarks(_ entry: inout TreeEntry) throws -> Set<String> {
        var marks: Set<String> = []
        var kept: [ExtendedAttribute] = []
        for attribute in entry.attributes.extended {
            guard let prefix = Self.prefixes.first(where: { attribute.name.bytes.starts(with: $0) })
            else {
                kept.append(attribute)
                continue
            }
            let rest = Array(attribute.name.bytes.dropFirst(prefix.count))
            let nested = Array("overlay.".utf8)
            if rest.starts(with: nested) {
                kept.append(
                    ExtendedAttribute(
                        name: ByteString(prefix + rest.dropFirst(nested.count)),
                        value: attribute.value))
                continue
            }
            switch String(decoding: rest, as: UTF8.self) {
            case "opaque":
                // "x" is of a directory that has whiteouts of another form, and is not opaque.
                if attribute.value == Array("y".utf8) { marks.insert("opaque") }
            case "whiteout": marks.insert("whiteout")
            case "redirect", "metacopy":
                throw RootFilesystemError(
                    cannot: "use the layer in", name,
                    because: "\(entry.path.printable) refers to what lies elsewhere",
                    remedy: "mount such a layer without redirect_dir and metacopy, as nsrun does")
            // What overlayfs notes for itself: origin, impure, nlink, upper, uuid.
            default: break
            }
        }
        entry.attributes.extended = kept
        return marks
    }
}
