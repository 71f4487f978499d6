// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Processes that share namespaces and root. How they find each other, join.c says.
extension Planner {
    /// The request of a member of a group: a pid namespace would end with its first process, and what one
    /// member calls by a relative path is another file to another.
    static func prepare(_ request: LaunchRequest, on facts: HostFacts) -> LaunchRequest {
        var request = request
        request.takeAllIDs(on: facts)
        if request.mayShareLayer, let name = facts.layerGroup {
            request.namespaces.join = .named(name)
        }
        guard request.namespaces.join != nil else { return request }
        request.namespaces.new.remove(.pid)
        if case .existing = request.namespaces.join {
            // What is shown has been settled, and is no matter of where this process is.
            request.files.bindsCurrentDirectory = false
            request.files.bindsSourceTree = false
            request.files.leavesOutMissing = true
        }
        func absolute(_ path: ByteString) -> ByteString {
            guard !path.isAbsolute, !path.isEmpty, let here = facts.currentDirectory else {
                return path
            }
            return here.appending(path: path)
        }
        if case .rootfs(let path) = request.root.view {
            request.root.view = .rootfs(absolute(path))
        }
        if case .directory(let path) = request.root.layer {
            request.root.layer = .directory(absolute(path))
        }
        for index in request.files.operations.indices {
            if case .bind(.path(let path), let target, let options) = request.files.operations[
                index
            ]
            .action {
                request.files.operations[index].action = .bind(
                    source: .path(absolute(path)), target: target, options: options)
            }
        }
        return request
    }

    func checkJoin() throws(LaunchError) {
        guard let join = request.namespaces.join else { return }
        switch join {
        case .named(let name), .existing(let name), .new(let name):
            let isPrintable = name.bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7f }
            if name.isEmpty || name.count > 64 || !isPrintable { throw .badGroupName(name) }
        case .jobStep: if groupName == nil { throw .noJobStep }
        }
        if case .refused(let error) = facts.groupFolder { throw error }
        let namespaces = request.namespaces
        let lifecycle = request.lifecycle
        if namespaces.enteredUser != nil || namespaces.enteredPID != nil
            || namespaces.enteredNetwork != nil
            || namespaces.finalUser != nil || lifecycle.mapsDescriptor != nil
            || lifecycle.infoDescriptor != nil || lifecycle.statusDescriptor != nil
            || lifecycle.commandIsPidOne || request.network.isConnected
        {
            throw .joinIsNotAlone
        }
    }

    private var groupName: ByteString? {
        switch request.namespaces.join {
        case .named(let name), .existing(let name), .new(let name): name
        case .jobStep: JobStep.name(in: facts)
        case nil: nil
        }
    }

    private var joinManner: JoinManner {
        switch request.namespaces.join {
        case .existing: .existing
        case .new: .new
        case .named, .jobStep, nil: .either
        }
    }

    /// What was shown to a group's first process need not be where a later one is.
    var mayStandElsewhere: Bool {
        request.namespaces.join != nil
            && (request.namespaces.sharesLayer || joinManner == .existing)
    }

    /// Everything from here to ``planShare(_:)`` is done once for all. What a process is by itself, its
    /// label and whose death ends it, comes before.
    mutating func planJoin(_ namespaces: NamespaceSet) {
        guard let groupName, case .found(let folder) = facts.groupFolder else { return }
        add(
            .join(name: groupName, folder: folder, namespaces, as: joinManner),
            word(words.join))
        add(.unshare(namespaces))
        // Those that are made when the root stands, for who has capabilities over them, are not each member's own either.
        shared = namespaces.union(later)
    }

    mutating func planShare() {
        guard !shared.isEmpty else { return }
        var root: ByteString = "the host's"
        if case .rootfs(let path) = request.root.view { root = path }
        add(.share(shared, root: root), word(words.join))
    }
}

/// Which group a process takes.
public enum JoinManner: Sendable, Equatable {
    /// One that was set up in the same way, or else it sets one up.
    case either
    /// One that is there, however it was set up.
    case existing
    /// One that it sets up.
    case new

    var number: UInt32 {
        switch self {
        case .either: NSRUN_JOIN_EITHER.rawValue
        case .existing: NSRUN_JOIN_EXISTING.rawValue
        case .new: NSRUN_JOIN_NEW.rawValue
        }
    }
}

extension LaunchRequest {
    /// It is to be in a group for the sake of its layer, and may be in one.
    var mayShareLayer: Bool {
        guard namespaces.sharesLayer, namespaces.join == nil, reuse == nil,
            case .directory = root.layer, case .rootfs = root.view
        else { return false }
        return !namespaces.new.contains(.pid) && namespaces.enteredUser == nil
            && namespaces.enteredPID == nil && namespaces.enteredNetwork == nil
            && namespaces.finalUser == nil && lifecycle.mapsDescriptor == nil
            && lifecycle.infoDescriptor == nil && lifecycle.statusDescriptor == nil
            && !lifecycle.commandIsPidOne && !network.isConnected
    }
}

extension LaunchError {
    fileprivate static func badGroupName(_ name: ByteString) -> LaunchError {
        LaunchError(
            .usage, "cannot join the group \"\(name.text)\"",
            remedy: "a name has 1 to 64 bytes, and no control characters")
    }

    fileprivate static let noJobStep = LaunchError(
        .usage, "cannot join the job step's processes: nothing tells which they are",
        remedy: "name the group")

    fileprivate static let joinIsNotAlone = LaunchError(
        .usage,
        "who joins a group is not pid 1, enters no other namespaces, does not report its own, "
            + "and connects no network")
}
