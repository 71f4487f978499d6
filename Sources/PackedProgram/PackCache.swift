// SPDX-License-Identifier: Apache-2.0

import CNamespace
import CPack
import NamespaceKit

/// Where a pack in a single file is unfolded: `$XDG_CACHE_HOME/nsrun/packs/HASH`, once for all runs of a user.
///
/// A folder of that name is whole: it is filled under another name, by one process at a time, and renamed. As
/// its programs are run, it and all that leads to it must be the caller's or real root's.
struct PackCache {
    private let cache: ControlledDirectory
    /// The folder's name.
    private let hash: ByteString

    static func folder() throws(LaunchError) -> ByteString {
        let hash = ByteString(cString: nsrun_pack_own_hash())
        guard !hash.isEmpty, !hash.contains(UInt8(ascii: "/")), let place = directory(),
            let own = HostFile.ownPath
        else {
            throw .packLost("there is no place to unfold it", "set HOME or XDG_CACHE_HOME")
        }
        let cache: ControlledDirectory
        do throws(ControlledDirectory.Refusal) {
            cache = try ControlledDirectory.open(place, making: true)
        } catch {
            throw refused(place.appending(path: hash), error)
        }
        defer { cache.close() }
        let packs = PackCache(cache: cache, hash: hash)
        if let folder = try packs.find() { return folder }
        return try packs.unfold(own)
    }

    private static func directory() -> ByteString? {
        if let cache = HostProcess.variable("XDG_CACHE_HOME"), cache.isAbsolute {
            return cache.appending(path: "nsrun/packs")
        }
        guard let home = HostProcess.variable("HOME"), home.isAbsolute else { return nil }
        return home.appending(path: ".cache/nsrun/packs")
    }

    private var folder: ByteString { cache.path.appending(path: hash) }

    private func find() throws(LaunchError) -> ByteString? {
        try open(hash).map { found in
            found.close()
            return found.path
        }
    }

    private func unfold(_ own: ByteString) throws(LaunchError) -> ByteString {
        let lock = withCString(hash + ".lock") { nsrun_pack_lock(cache.descriptor, $0) }
        try check(lock)
        defer { HostFile.close(lock) }
        // Another one may have been quicker.
        if let folder = try find() { return folder }
        let partial = hash + ".partial"
        try check(cache.remove(partial))
        try check(cache.make(partial))
        do throws(LaunchError) {
            try fill(partial, from: own)
        } catch {
            _ = cache.remove(partial)
            throw error
        }
        try check(cache.rename(partial, to: hash))
        return folder
    }

    private func fill(_ partial: ByteString, from own: ByteString) throws(LaunchError) {
        guard let directory = try open(partial) else { return try check(-ENOENT) }
        defer { directory.close() }
        var cause: UnsafePointer<CChar>?
        let error = withCString(own) {
            nsrun_pack_unfold($0, nsrun_pack_own_offset(), directory.descriptor, &cause)
        }
        if error != 0, let cause {
            throw Self.refused(
                folder, ByteString(cString: cause).text,
                "the file is damaged or cut short: fetch it again", -error)
        }
        try check(error)
    }

    private func open(_ name: ByteString) throws(LaunchError) -> ControlledDirectory? {
        do throws(ControlledDirectory.Refusal) {
            return try cache.open(name)
        } catch {
            throw Self.refused(folder, error)
        }
    }

    private func check(_ error: Int32) throws(LaunchError) {
        guard error < 0 else { return }
        throw Self.refused(folder, HostFile.reason(-error), Self.otherPlace, -error)
    }

    private static let otherPlace =
        "set XDG_CACHE_HOME to a directory with room that you may write to"

    private static func refused(
        _ folder: ByteString, _ refusal: ControlledDirectory.Refusal
    ) -> LaunchError {
        let remedy =
            refusal.code == EPERM ? "set XDG_CACHE_HOME to a directory of yours alone" : otherPlace
        return refused(folder, refusal.cause, remedy, refusal.code)
    }

    private static func refused(
        _ folder: ByteString, _ cause: String, _ remedy: String, _ code: Int32
    ) -> LaunchError {
        LaunchError(
            .setup, "cannot unfold the packed program into \(folder.text): \(cause)",
            remedy: remedy, code: code)
    }
}
