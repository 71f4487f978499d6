// SPDX-License-Identifier: Apache-2.0

import CHost

/// Places that an automounter fills when somebody looks into them (autofs(5)). A bind by itself does not look.
enum Automounts {
    /// Nanoseconds that an automounter may take for one.
    private static let patience: Int64 = 10_000_000_000

    /// Has those mounted that a request names. Returns one for which nobody answers.
    static func call(for request: LaunchRequest, in facts: HostFacts) -> ByteString? {
        var sources = request.namedSources
        if request.files.home == .bound, let home = facts.home { sources.append(home) }
        return sources.first { path in
            withCString(path) { nsrun_have_mounted($0, patience) } == -ETIMEDOUT
        }
    }
}

extension LaunchRequest {
    /// Paths of the host's that are shown because somebody has named them.
    fileprivate var namedSources: [ByteString] {
        var sources: [ByteString] = []
        if case .rootfs(let path) = root.view, root.descriptor == nil { sources.append(path) }
        sources += (files.readable + files.writable).filter { $0.isAbsolute }
        for operation in files.operations {
            switch operation.action {
            case .bind(.path(let path), _, let options):
                if !options.contains(.inside) { sources.append(path) }
            case .overlay(_, let lower, _, _): sources += lower
            case .bind(.descriptor, _, _), .tmpfs, .proc, .dev, .mqueue, .directory, .file,
                .bindData,
                .symlink, .changeMode, .remountReadOnly, .lockFile:
                continue
            }
        }
        return sources
    }
}

extension LaunchError {
    static func silentAutomount(_ path: ByteString) -> LaunchError {
        LaunchError(
            .setup, "cannot use \(path.text): the automounter does not mount it",
            remedy: "see whether its server answers, or leave it out", code: ETIMEDOUT)
    }
}
