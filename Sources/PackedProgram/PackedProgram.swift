// SPDX-License-Identifier: Apache-2.0

import CPack
import NamespaceKit

/// A program of a pack: a folder with a root, in which `bin/NAME` is nsrun with a mark, or a single file that
/// unfolds into such a folder. Made by `nsrun-rootfs pack`.
///
///     FOLDER/bin/NAME                 nsrun; which entry it is, its own name says
///     FOLDER/lib/nsrun/entries/NAME   arguments of nsrun, one a line
///     FOLDER/lib/nsrun                what other engines need: libfakechroot.so, proot
///     FOLDER/root                     the root file system
public struct PackedProgram {
    /// The arguments with which nsrun is to go on.
    public let arguments: [ByteString]

    /// Nil where this is nsrun itself, which costs nothing to find out.
    public static func find() throws(LaunchError) -> PackedProgram? {
        switch nsrun_pack_kind(rawValue: UInt32(truncatingIfNeeded: nsrun_pack_own_kind())) {
        case NSRUN_PACK_FOLDER:
            // Its own file, wherever a link to it lies and whatever argv[0] says.
            guard let own = HostFile.ownPath, let folder = own.parent?.parent else {
                throw .packLost("/proc/self/exe cannot be read", "mount /proc")
            }
            return try PackedProgram(folder, name: own.lastComponent)
        case NSRUN_PACK_ARCHIVE:
            let folder = try PackCache.folder()
            let called = HostProcess.arguments.first?.lastComponent
            let names = PackFiles.entries(of: folder)
            guard let first = names.first else {
                throw .packLost("\(folder.text) has no entries", "remove it, and it is made anew")
            }
            return try PackedProgram(
                folder,
                name: names.first { $0 == called } ?? PackFiles.mainEntry(of: folder) ?? first)
        default: return nil
        }
    }

    private init(_ folder: ByteString, name: ByteString) throws(LaunchError) {
        let called = HostProcess.arguments
        let settings = folder.appending(path: "lib/nsrun/entries").appending(path: name)
        guard case .content(let text) = HostFile.read(settings, limit: 1 << 20) else {
            throw .packLost(
                "\(folder.text) is no pack, or has no entry \(name.text)",
                "bin/\(name.text) must stay in its folder, and keep its name; a link to it can lie anywhere"
            )
        }
        var lines = ByteString(bytes: text).split(on: UInt8(ascii: "\n"))
        if lines.last?.isEmpty == true { lines.removeLast() }
        guard let end = lines.firstIndex(of: "--") else {
            throw .packLost("\(settings.text) names no program", "make the pack anew")
        }
        EngineTools.folder = folder.appending(path: "lib/nsrun")
        arguments =
            ["nsrun", "--rootfs", folder.appending(path: "root")] + lines[..<end]
            + ["--argv0", called.first ?? name] + lines[end...] + called.dropFirst()
    }
}

enum PackFiles {
    static func entries(of folder: ByteString) -> [ByteString] {
        HostFile.names(in: folder.appending(path: "lib/nsrun/entries"))
    }

    /// What a single file runs that was given another name.
    static func mainEntry(of folder: ByteString) -> ByteString? {
        let file = folder.appending(path: "lib/nsrun/main")
        guard case .content(let text) = HostFile.read(file, limit: 4096) else { return nil }
        return ByteString(bytes: text.filter { $0 != UInt8(ascii: "\n") })
    }
}

extension LaunchError {
    static func packLost(_ cause: String, _ remedy: String) -> LaunchError {
        LaunchError(.setup, "cannot run the packed program: \(cause)", remedy: remedy)
    }
}
