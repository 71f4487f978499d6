// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// Copies of a rootfs's directories of programs and libraries, made of links that lead where they would if
/// the rootfs were the root.
///
/// `/usr/bin/awk` is a link to `/etc/alternatives/awk`. libfakechroot puts a path before the name that a program
/// gives, but what a link says the kernel follows by itself: to the host's. So directories with such links are
/// shown as directories of other links, in the cache, for that takes milliseconds to make. Each state of a
/// rootfs has its own; what an older state has left is removed with the next.
struct RelinkedDirectories {
    struct Directory: Equatable {
        /// In the root.
        var path: ByteString
        /// The rootfs's own on the host, and what stands for it.
        var source: ByteString
        var mirror: ByteString
    }

    private(set) var directories: [Directory] = []
    /// Where they lie; nil where no directory of the rootfs needs it.
    private(set) var path: ByteString?
    private var isMade = false
    /// What is still to be made: names by directory.
    private var missing: [(directory: ByteString, name: ByteString, text: ByteString)] = []
    /// What kept a directory or a link of the rootfs from being read: the result would lack it, and is not kept.
    private var fault: (path: ByteString, code: Int32)?
    /// How the names of all states of this rootfs begin.
    private var family: ByteString = ""

    private static let programs: [ByteString] = [
        "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/games",
        "/usr/lib64", "/etc/alternatives",
    ]

    /// `fallback` is where it is made for this run alone, where there is no cache.
    init(
        _ view: ResolvedView, libraries: [ByteString], cache: ByteString? = FileState.cache,
        fallback: ByteString
    ) {
        // In the host view a link means what it says.
        if view.root == "/" { return }
        var candidates: [Directory] = []
        func consider(_ source: ByteString?) {
            guard let source, let path = source.below(view.root),
                !candidates.contains(where: { $0.source == source }),
                !view.places.contains(where: {
                    path.below($0.path) != nil || $0.path.below(path) != nil
                })
            else { return }
            candidates.append(Directory(path: path, source: source, mirror: source))
        }
        for path in RelinkedDirectories.programs { consider(locate(path, in: view)) }
        for library in libraries { consider(library) }
        let sources = candidates.map { $0.source }
        family = FileState.hash(view.root) + "-"
        let name = FileState.hash("", sources).map { family + $0 }
        let base =
            name.flatMap { cache?.appending(path: $0) } ?? fallback.appending(path: "links")
        for index in candidates.indices {
            candidates[index].mirror = base.appending(path: ByteString(String(index)))
        }
        path = base
        isMade = HostFile.isDirectory(base)
        if isMade {
            directories = candidates.filter { HostFile.isDirectory($0.mirror) }
        } else {
            for candidate in candidates where misleads(candidate, in: view) {
                directories.append(candidate)
            }
            for directory in directories { list(directory, in: view) }
        }
    }

    /// What stands for a directory of the rootfs.
    func mirror(of source: ByteString) -> ByteString {
        directories.first { $0.source == source }?.mirror ?? source
    }

    /// Those that no other of them holds.
    var outermost: [Directory] {
        directories.filter { inner in
            !directories.contains { $0 != inner && inner.path.below($0.path) != nil }
        }
    }

    /// The kernel would follow a link elsewhere than in the root.
    private mutating func misleads(_ directory: Directory, in view: ResolvedView) -> Bool {
        for name in names(in: directory) {
            let own = directory.source.appending(path: name)
            guard isLink(own) else { continue }
            let meant = locate(directory.path.appending(path: name), in: view)
            if meant != HostFile.canonicalPath(own) { return true }
        }
        return false
    }

    private mutating func list(_ directory: Directory, in view: ResolvedView) {
        for name in names(in: directory) {
            let own = directory.source.appending(path: name)
            let path = directory.path.appending(path: name)
            var text = own
            if let inner = directories.first(where: { $0.path == path }) {
                text = inner.mirror
            } else if isLink(own) {
                // What leads to nothing in the root is left out, for it might lead to something here.
                guard let meant = locate(path, in: view) else { continue }
                text = meant
            }
            missing.append((directory.mirror, name, text))
        }
    }

    private mutating func names(in directory: Directory) -> [ByteString] {
        var code: Int32 = 0
        let names = HostFile.names(in: directory.source, &code)
        note(code, directory.source)
        return names
    }

    private mutating func isLink(_ path: ByteString) -> Bool {
        var code: Int32 = 0
        let isLink = HostFile.linkText(path, &code) != nil
        note(code, path)
        return isLink
    }

    private mutating func locate(_ path: ByteString, in view: ResolvedView) -> ByteString? {
        var code: Int32 = 0
        let found = HostFile.locate(path, below: view.root, &code)
        note(code, path)
        return found
    }

    /// What is not there, no link or not for the caller is so for the command, too.
    private mutating func note(_ code: Int32, _ path: ByteString) {
        switch code {
        case 0, ENOENT, ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EINVAL: break
        default: if fault == nil { fault = (path, code) }
        }
    }

    // MARK: On the host

    /// Makes what is missing. Returns a descriptor that keeps it from being removed, or a negative number where
    /// it is this run's own.
    func make() throws(LaunchError) -> Int32 {
        if let fault {
            throw LaunchError(
                .setup,
                "cannot read \(fault.path.text) of the rootfs for the engine fakechroot: "
                    + reason(fault.code),
                remedy: Remedy.general(fault.code, at: fault.path), code: fault.code)
        }
        guard let path, let folder = path.parent else { return -1 }
        if isMade { return withCString(path) { nsrun_open_shared($0) } }
        do throws(ControlledDirectory.Refusal) {
            try ControlledDirectory.open(folder, making: true).close()
        } catch {
            throw LaunchError(
                .setup, "cannot make \(path.text) for the engine fakechroot: \(error.cause)",
                remedy: "set XDG_CACHE_HOME to a directory of yours alone", code: error.code)
        }
        let draft = folder.appending(path: ByteString("draft-\(getpid())-\(nsrun_now())"))
        defer { _ = withCString(draft) { nsrun_remove_tree($0) } }
        try check(withCString(draft) { nsrun_make_directory($0, 0o700) }, draft)
        for directory in directories {
            let place = draft.appending(path: directory.mirror.lastComponent)
            try check(withCString(place) { nsrun_make_directory($0, 0o700) }, place)
        }
        for (directory, name, text) in missing {
            let place = draft.appending(path: directory.lastComponent).appending(path: name)
            let made = withCString(place) { place in
                withCString(text) { nsrun_make_link($0, place) }
            }
            try check(made, place)
        }
        // Who was quicker has made the same.
        _ = withCString(draft) { draft in withCString(path) { nsrun_rename(draft, $0) } }
        let lock = withCString(path) { nsrun_open_shared($0) }
        sweep(folder, except: path.lastComponent)
        return lock
    }

    /// Removes what earlier states of the same rootfs have left and no run uses.
    private func sweep(_ folder: ByteString, except own: ByteString) {
        for name in HostFile.names(in: folder)
        where name != own && name.bytes.starts(with: family.bytes) {
            let old = folder.appending(path: name)
            let lock = withCString(old) { nsrun_lock_directory($0) }
            guard lock >= 0 else { continue }
            _ = withCString(old) { nsrun_remove_tree($0) }
            closeDescriptor(lock)
        }
    }

    private func check(_ error: Int32, _ object: ByteString) throws(LaunchError) {
        guard error < 0 else { return }
        throw LaunchError(
            .setup, "cannot make \(object.text) for the engine fakechroot: \(reason(-error))",
            remedy: "set XDG_CACHE_HOME to a directory with room that you may write to",
            code: -error)
    }
}
