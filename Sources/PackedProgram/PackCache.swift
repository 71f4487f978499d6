import CNamespace
import CPack
import NamespaceKit

/// Where a pack in a single file is unfolded: `$XDG_CACHE_HOME/nsrun/packs/HASH`, once for all runs of a user.
///
/// A folder of that name is whole: it is filled under another name, by one process at a time, and renamed.
enum PackCache {
    static func folder() throws(LaunchError) -> ByteString {
        let hash = ByteString(cString: nsrun_pack_own_hash())
        guard !hash.isEmpty, !hash.contains(UInt8(ascii: "/")), let cache = directory(),
            let own = HostFile.ownPath
        else {
            throw .packLost("there is no place to unfold it", "set HOME or XDG_CACHE_HOME")
        }
        let folder = cache.appending(path: hash)
        if HostFile.isDirectory(folder) { return folder }
        HostFile.makeDirectories(cache)
        let lock = withCString(folder + ".lock") { nsrun_pack_lock($0) }
        guard lock >= 0 else { throw refused(folder, -lock, nil) }
        defer { HostFile.close(lock) }
        // Another one may have been quicker.
        if HostFile.isDirectory(folder) { return folder }
        try fill(folder, from: own)
        return folder
    }

    private static func directory() -> ByteString? {
        if let cache = HostProcess.variable("XDG_CACHE_HOME"), cache.isAbsolute {
            return cache.appending(path: "nsrun/packs")
        }
        guard let home = HostProcess.variable("HOME"), home.isAbsolute else { return nil }
        return home.appending(path: ".cache/nsrun/packs")
    }

    private static func fill(_ folder: ByteString, from own: ByteString) throws(LaunchError) {
        let partial = folder + ".partial"
        HostFile.removeTree(partial)
        HostFile.makeDirectories(partial)
        var cause: UnsafePointer<CChar>?
        let error = withCString(own) { own in
            withCString(partial) { nsrun_pack_unfold(own, nsrun_pack_own_offset(), $0, &cause) }
        }
        guard error == 0 else {
            HostFile.removeTree(partial)
            throw refused(folder, -error, cause.map { ByteString(cString: $0).text })
        }
        guard HostFile.rename(partial, to: folder) else { throw refused(folder, EIO, nil) }
    }

    private static func refused(
        _ folder: ByteString, _ code: Int32, _ cause: String?
    ) -> LaunchError {
        LaunchError(
            .setup,
            "cannot unfold the packed program into \(folder.text): \(cause ?? HostFile.reason(code))",
            remedy: cause == nil
                ? "set XDG_CACHE_HOME to a directory with room that you may write to"
                : "the file is damaged or cut short: fetch it again", code: code)
    }
}
