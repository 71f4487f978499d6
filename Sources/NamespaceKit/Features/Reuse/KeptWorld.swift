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

    /// All of them.
    public static func list() throws(LaunchError) -> [KeptWorld] { list(in: try folder()) }

    /// Ends the worlds of that name; runs that have started from them go on. Returns how many there were.
    public static func stop(_ name: ByteString) throws(LaunchError) -> Int {
        let folder = try folder()
        let count = withCString(folder) { folder in
            withCString(name) { nsrun_stop_worlds(folder, $0) }
        }
        guard count >= 0 else {
            throw LaunchError(
                .setup, "cannot end the world \(name.text): \(reason(-count))", code: -count)
        }
        if count > 0 { return Int(count) }
        if list(in: folder).contains(where: { $0.kind == .group && $0.name == name }) {
            throw LaunchError(
                .setup, "cannot end \(name.text): it is a group of processes",
                remedy: "it ends with the last of them")
        }
        throw LaunchError(
            .setup, "cannot end the world \(name.text): there is none of that name",
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

    static func list(in folder: ByteString) -> [KeptWorld] {
        let list = List()
        let context = Unmanaged.passUnretained(list).toOpaque()
        // What cannot be looked at is none of the user's.
        _ = withCString(folder) { folder in
            nsrun_each_kept(
                folder,
                { context, card in
                    guard let context, let card else { return false }
                    Unmanaged<List>.fromOpaque(context).takeUnretainedValue().kept.append(
                        KeptWorld(card))
                    return true
                }, context)
        }
        return list.kept
    }

    /// What C adds to.
    private final class List {
        var kept: [KeptWorld] = []
    }

    private init(_ card: UnsafePointer<nsrun_card>) {
        kind = card.pointee.is_group ? .group : .world
        name = ByteString(cString: nsrun_card_name(card))
        root = ByteString(cString: nsrun_card_root(card))
        pid = card.pointee.pid
        since = card.pointee.since
    }
}
