// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// A directory of the host's that is one run's own, for engines that cannot mount: its `/tmp`, its files,
/// and for fakechroot the top of its root. Nobody else may enter it, and it is removed after the run.
public struct ScratchRoot: Sendable, Equatable {
    public enum Entry: Sendable, Equatable {
        case directory(mode: UInt32)
        case link(ByteString)
        case file([UInt8], mode: UInt32)
    }

    /// Where it is made; the root's places are below its `root`.
    public let path: ByteString
    /// By paths below the root, what holds others first.
    public private(set) var entries: [(path: ByteString, entry: Entry)] = []

    public static func == (left: ScratchRoot, right: ScratchRoot) -> Bool {
        left.path == right.path && left.entries.count == right.entries.count
            && zip(left.entries, right.entries).allSatisfy {
                $0.path == $1.path && $0.entry == $1.entry
            }
    }

    init(path: ByteString) { self.path = path }

    /// The host's path of the root's own place.
    var root: ByteString { path.appending(path: "root") }

    func hostPath(of inside: ByteString) -> ByteString {
        inside == "/" ? root : root + inside
    }

    func has(_ path: ByteString) -> Bool { path == "/" || entries.contains { $0.path == path } }

    /// Adds an entry, and the directories that hold it where they are missing.
    mutating func add(_ path: ByteString, _ entry: Entry) {
        if path == "/" || has(path) { return }
        add(path.parent ?? "/", .directory(mode: 0o755))
        entries.append((path, entry))
    }

    // MARK: On the host

    /// In memory, as the private directories of a run with namespaces are, where `/dev/shm` is that and programs
    /// can be started there; else below `$TMPDIR`, else `/tmp`: `nsrun-UID-PID-N`. A name that is taken is no
    /// place for us.
    static func choosePath(_ facts: HostFacts) -> ByteString {
        var folder: ByteString = "/tmp"
        if withCString("/dev/shm", { nsrun_is_memory($0) }) {
            folder = "/dev/shm"
        } else if let chosen = facts.variable("TMPDIR"), chosen.isAbsolute,
            HostFile.isDirectory(chosen)
        {
            folder = HostFile.canonicalPath(chosen) ?? folder
        }
        let stamp = String(UInt64(bitPattern: nsrun_now()), radix: 36)
        let name = "nsrun-\(facts.userID)-\(getpid())-\(stamp)"
        return folder.appending(path: ByteString(name))
    }

    /// Makes it. Returns a descriptor that holds its lock: as long as that is open, nobody sweeps it away.
    func make() throws(LaunchError) -> Int32 {
        let lock = withCString(path) { nsrun_make_private($0) }
        try check(lock, path)
        try check(withCString(root) { nsrun_make_directory($0, 0o755) }, root)
        for (place, entry) in entries {
            let target = hostPath(of: place)
            try check(ScratchRoot.make(entry, at: target), target)
        }
        return lock
    }

    private static func make(_ entry: Entry, at path: ByteString) -> Int32 {
        withCString(path) { path in
            switch entry {
            case .directory(let mode): nsrun_make_directory(path, mode)
            case .link(let text): withCString(text) { nsrun_make_link($0, path) }
            case .file(let bytes, let mode):
                withCString(ByteString(bytes: bytes)) {
                    nsrun_make_file(path, $0, bytes.count, mode)
                }
            }
        }
    }

    private func check(_ error: Int32, _ object: ByteString) throws(LaunchError) {
        guard error < 0 else { return }
        remove()
        throw failure(object, error)
    }

    func failure(_ object: ByteString, _ error: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot make \(object.text) for the run: \(reason(-error))",
            remedy: "there must be room, and permission to write there", code: -error)
    }

    /// Removes it. What cannot be removed, even when it is tried again, is left where it is, and that is said.
    func remove() {
        var error: Int32 = 0
        for _ in 1...3 {
            error = withCString(path) { nsrun_remove_tree($0) }
            if error == 0 { return }
        }
        HostProcess.printError("nsrun: cannot remove \(path.text): \(reason(-error))\n")
    }

    /// Removes what runs of this user have left that were killed together with their launcher.
    static func sweep(_ folder: ByteString, user: UInt32) {
        let prefix = Array("nsrun-\(user)-".utf8)
        for name in HostFile.names(in: folder) where name.bytes.starts(with: prefix) {
            let path = folder.appending(path: name)
            let lock = withCString(path) { nsrun_lock_directory($0) }
            guard lock >= 0 else { continue }
            if !isUsed(path) { _ = withCString(path) { nsrun_remove_tree($0) } }
            closeDescriptor(lock)
        }
    }

    /// A command has outlived its launcher, and says in its environment where its root is.
    private static func isUsed(_ path: ByteString) -> Bool {
        for name in HostFile.names(in: "/proc") where name.number() != nil {
            let file = ByteString("/proc/").appending(path: name).appending(path: "environ")
            if HostFacts.readFile(file, limit: 1 << 21)?.holds(path) == true { return true }
        }
        return false
    }
}

extension ScratchRoot.Entry {
    /// What making it does, in words.
    func description(_ path: ByteString) -> String {
        switch self {
        case .directory(let mode):
            "make the directory \(path.text) (mode 0\(String(mode, radix: 8)))"
        case .link(let text): "make the symlink \(path.text) -> \(text.text)"
        case .file(_, let mode): "make the file \(path.text) (mode 0\(String(mode, radix: 8)))"
        }
    }
}
