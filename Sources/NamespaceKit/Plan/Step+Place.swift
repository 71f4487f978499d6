// SPDX-License-Identifier: Apache-2.0

/// What a step does to the root, and where.
extension Step {
    /// It changes what is mounted.
    var mounts: Bool {
        switch action {
        case .hostRoot, .emptyRoot, .image, .bind, .tmpfs, .overlay, .fileSystem, .system: true
        case .holdGroups, .showGroups, .ownCopy, .adopt, .unshare, .enterNamespace, .join, .share,
            .write, .await, .requestIDMaps,
            .assertNoUserNamespaces, .scope, .scopeAbstract, .limitNamespaces, .nest,
            .tellNamespaces, .dieWithParent, .isolateMounts, .hostname, .raiseLoopback,
            .forbidAddresses, .connectNetwork, .setIDs, .hostDirectory, .binfmt, .file, .bindData,
            .complete, .prepend, .linkerCache, .needGlibc, .symlink, .bindLink, .directory,
            .changeMode, .remountReadOnly, .lockFile, .readAhead, .enterRoot, .redirect,
            .newSession, .processGroup, .newKeyring, .changeDirectory, .limit, .personality32,
            .noNewPrivileges, .capabilities, .filter, .shareChannel, .stub, .execute:
            false
        }
    }

    /// Where in the new root the step works.
    var target: ByteString? {
        switch action {
        case .bind(let bind): bind.target
        case .overlay(let overlay): overlay.target
        case .tmpfs(let target, _, _, _), .fileSystem(_, let target), .file(_, let target, _),
            .bindData(_, let target, _, _), .prepend(_, let target), .symlink(_, let target),
            .directory(let target, _), .bindLink(_, let target), .binfmt(_, let target),
            .linkerCache(_, let target), .ownCopy(_, let target, _),
            .changeMode(let target, _), .remountReadOnly(let target), .lockFile(let target):
            target
        case .system: SystemFiles.place
        case .holdGroups, .showGroups, .adopt, .unshare, .enterNamespace, .join, .share, .write,
            .await, .requestIDMaps,
            .assertNoUserNamespaces, .scope, .scopeAbstract, .limitNamespaces, .nest,
            .tellNamespaces, .dieWithParent, .isolateMounts, .hostname, .raiseLoopback,
            .forbidAddresses, .connectNetwork, .setIDs, .hostRoot, .emptyRoot, .hostDirectory,
            .image, .complete, .needGlibc, .readAhead, .enterRoot, .redirect, .newSession,
            .processGroup, .newKeyring, .changeDirectory, .limit, .personality32, .noNewPrivileges,
            .capabilities, .filter, .shareChannel, .stub, .execute:
            nil
        }
    }
}
