// SPDX-License-Identifier: Apache-2.0

import CHost

/// Where groups of processes meet: a directory that nobody but the caller can reach, so that no other user can take a
/// name first, nor wait there for whoever comes. See join.c.
public enum GroupFolder {
    public enum Finding: Sendable, Equatable {
        case notLookedFor
        case found(ByteString)
        case refused(LaunchError)
    }

    /// The user's runtime directory, which is gone when he logs out; on machines without, such as the nodes of a cluster,
    /// one in his home that is named after this boot of this machine, for a home may be on many. The user database's is
    /// the same for all his processes, whatever they call their home.
    static func find(in facts: HostFacts) -> Finding {
        var runtime = [ByteString("/run/user/\(facts.userID)")]
        if let given = facts.variable("XDG_RUNTIME_DIR"), given.isAbsolute {
            runtime.insert(given, at: 0)
        }
        for path in runtime where isPrivate(path) {
            return .found(path.appending(path: "nsrun"))
        }
        let boot = HostFacts.readFile("/proc/sys/kernel/random/boot_id", limit: 64)
        let states = facts.stateFolders
        guard let boot, let last = states.last else {
            return .refused(nowhere("neither a runtime directory nor a home is known"))
        }
        for state in states {
            let folder = state.appending(path: "nsrun")
            if HostFile.isWritable(folder) { return .found(folder.appending(path: name(boot))) }
            HostFile.makePrivate(folder, above: 2)
            guard HostFile.isWritable(folder) else { continue }
            return .found(folder.appending(path: name(boot)))
        }
        return .refused(nowhere("\(last.appending(path: "nsrun").text) cannot be made"))
    }

    private static func name(_ boot: [UInt8]) -> ByteString {
        "groups-" + ByteString(bytes: Array(boot.prefix(8)))
    }

    private static func isPrivate(_ path: ByteString) -> Bool {
        withCString(path) { nsrun_is_private($0) }
    }

    private static func nowhere(_ cause: String) -> LaunchError {
        LaunchError(
            .setup, "cannot join a group: \(cause)",
            remedy: "set XDG_RUNTIME_DIR to a directory of yours that nobody else may enter")
    }
}
