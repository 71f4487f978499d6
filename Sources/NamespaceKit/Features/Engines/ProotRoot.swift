// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// What proot(1) is told to show where.
///
/// Where something is shown at a path that the rootfs lacks, proot makes that path in the rootfs. So that the
/// rootfs stays as it is, the directory that would hold it is shown as one of the run's own, in which everything
/// else is bound from the rootfs.
struct ProotRoot {
    /// Where this program's own file is shown: in a directory of the run's own, or next to the root's.
    let helper: ByteString
    /// The directory that is the root.
    private(set) var path: ByteString
    private(set) var tree: ScratchRoot
    /// In order, a later one in an earlier one.
    private(set) var binds: [(source: ByteString, target: ByteString)] = []
    private let view: ResolvedView
    /// Directories of the rootfs that are shown as the run's own.
    private var held: [ByteString] = []

    init(_ view: ResolvedView, helper program: ByteString, in tree: ScratchRoot) throws(LaunchError)
    {
        self.view = view
        self.tree = tree
        path = view.root
        let own = view.places.filter { $0.isDirectory }
        let folder = own.first { $0.path == "/dev/shm" } ?? own.first
        helper = (folder?.path ?? "/").appending(path: ".nsrun")
        for place in view.places { hold(place.path) }
        if helper.parent == "/" { hold(helper) }
        for place in view.places { self.tree.addOwn(place, of: view) }
        for directory in held { fill(directory) }
        for place in view.places {
            if case .host(let source) = place.content {
                binds.append((source, place.path))
            } else if !isHeld(place.path) {
                binds.append((tree.hostPath(of: place.path), place.path))
            }
        }
        binds.append((program, helper))
        for (source, target) in binds {
            for path in [source, target] where path.contains(UInt8(ascii: ":")) {
                throw .proot(
                    "cannot show \(path.text): it knows no paths with a colon", "rename it")
            }
        }
    }

    /// What is the run's own in a directory of the run's own is there with it.
    private func isHeld(_ path: ByteString) -> Bool {
        if held.contains(where: { path.below($0) != nil }) { return true }
        return view.places.contains {
            !$0.isHost && $0.path != path && path.below($0.path) != nil
        }
    }

    /// The directory of the rootfs in which a path would be made becomes the run's own, unless it is there.
    private mutating func hold(_ path: ByteString) {
        // The host's own root is nobody's to change, and what is bound is the host's.
        if view.root == "/" || HostFile.isThere(path, below: view.root) { return }
        var holder = path.parent ?? "/"
        while !HostFile.isThere(holder, below: view.root) { holder = holder.parent ?? "/" }
        let isCovered = view.places.contains { $0.path != path && path.below($0.path) != nil }
        if !isCovered, !held.contains(holder) { held.append(holder) }
    }

    private mutating func fill(_ directory: ByteString) {
        let source = HostFile.locate(directory, below: view.root) ?? view.root
        if directory == "/" {
            path = tree.root
        } else {
            tree.add(directory, .directory(mode: 0o755))
            binds.append((tree.hostPath(of: directory), directory))
        }
        for name in HostFile.names(in: source) {
            let path = directory.appending(path: name)
            let own = source.appending(path: name)
            let isPlace = view.places.contains { $0.path == path }
            if isPlace || tree.has(path) || held.contains(path) { continue }
            if let text = HostFile.linkText(own) {
                tree.add(path, .link(text))
            } else {
                binds.append((own, path))
            }
        }
    }
}
