// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What is kept of this user's on this machine: a prepared world, or the namespaces of a group.
public struct KeptWorld: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// Runs start from copies of it (``LaunchRequest/reuse``).
        case world
        /// Processes share it (``NamespaceRequest/join``).
        case group
    }

    public var kind: Kind
    public var name: ByteString
    /// What its root is made of.
    public var root: ByteString
    /// The process that keeps it.
    public var pid: Int32
    /// Seconds since 1970.
    public var since: Int64
    /// What who set it up has left with it, see ``LaunchRequest/note``: nsrun, the words that it was asked for by.
    public var note: ByteString
    /// The processes in its namespaces, by their numbers. Of a world, those of the runs that have started from it.
    public var processes: [Int32] = []

    /// All of them. Throws where one of those who keep them does not answer for ten seconds.
    public static func list() throws(LaunchError) -> [KeptWorld] {
        let list = List(hasProcesses: true)
        if list.read(in: try folder()) == -ETIMEDOUT { throw .silent(asked: "list what is kept") }
        return list.kept
    }

    /// The names of all of them.
    public static var names: [ByteString] {
        get throws(LaunchError) { list(in: try folder()).map { $0.name } }
    }

    /// The group of that name, without its ``processes``; nil where there is none.
    public static func group(named name: ByteString) throws(LaunchError) -> KeptWorld? {
        list(in: try folder()).first { $0.kind == .group && $0.name == name }
    }

    /// Ends the worlds of that name, whose runs go on, and the group of that name: its processes get TERM, and those that are
    /// still there so many nanoseconds later KILL. Returns when they have ended, and how many worlds and groups there were.
    @discardableResult
    public static func stop(
        _ name: ByteString, killAfter: Int64 = 10_000_000_000
    ) throws(LaunchError) -> Int {
        let folder = try folder()
        let count = withCString(folder) { folder in
            withCString(name) { nsrun_stop_kept(folder, $0, killAfter) }
        }
        if count == -ETIMEDOUT {
            throw LaunchError(
                .setup,
                "cannot end \(name.text): some of its processes do not end, not even by KILL",
                remedy:
                    "\(OptionNames.current.list) says which; they may wait for a disk or a server",
                code: ETIMEDOUT)
        }
        if count == -EHOSTUNREACH { throw .silent(asked: "end \(name.text)") }
        guard count >= 0 else {
            throw LaunchError(
                .setup, "cannot end \(name.text): \(reason(-count))", code: -count)
        }
        if count > 0 { return Int(count) }
        throw LaunchError(
            .setup, "cannot end \(name.text): there is no world and no group of that name",
            remedy: "\(OptionNames.current.list) says which there are", code: ENOENT)
    }

    private static func folder() throws(LaunchError) -> ByteString {
        var facts = HostFacts.environmentOnly
        (facts.userID, facts.groupID) = (getuid(), getgid())
        switch GroupFolder.find(in: facts) {
        case .found(let folder): return folder
        case .refused(let error): throw error
        case .notLookedFor: return "/"
        }
    }

    /// Those who answer.
    static func list(in folder: ByteString) -> [KeptWorld] {
        let list = List(hasProcesses: false)
        _ = list.read(in: folder)
        return list.kept
    }

    /// What C adds to.
    private final class List {
        var kept: [KeptWorld] = []
        let hasProcesses: Bool

        init(hasProcesses: Bool) { self.hasProcesses = hasProcesses }

        /// What cannot be looked at is none of the user's. 0 or a negative errno.
        func read(in folder: ByteString) -> Int32 {
            let context = Unmanaged.passUnretained(self).toOpaque()
            return withCString(folder) { folder in
                nsrun_each_kept(
                    folder,
                    { context, card in
                        guard let context, let card else { return false }
                        let list = Unmanaged<List>.fromOpaque(context).takeUnretainedValue()
                        var one = KeptWorld(card)
                        if list.hasProcesses { one.processes = KeptWorld.processes(of: card) }
                        list.kept.append(one)
                        return true
                    }, context)
            }
        }
    }

    private static func processes(of card: UnsafePointer<nsrun_card>) -> [Int32] {
        let most = 4096
        return [Int32](unsafeUninitializedCapacity: most) { buffer, count in
            count = min(nsrun_list_members(card, buffer.baseAddress!, most), most)
        }
    }

    private init(_ card: UnsafePointer<nsrun_card>) {
        kind = card.pointee.is_group ? .group : .world
        name = ByteString(cString: nsrun_card_name(card))
        root = ByteString(cString: nsrun_card_root(card))
        pid = card.pointee.pid
        since = card.pointee.since
        let bytes = UnsafeRawBufferPointer(
            start: nsrun_card_note(card), count: Int(card.pointee.note_length))
        note = ByteString(bytes: Array(bytes))
    }
}

extension LaunchError {
    fileprivate static func silent(asked what: String) -> LaunchError {
        LaunchError(
            .setup,
            "cannot \(what): one of the processes that keep worlds and groups does not answer",
            remedy: "they are called nsrun-reuse and nsrun-join: let it go on (kill -CONT), or end "
                + "it by kill -KILL", code: ETIMEDOUT)
    }
}
