// SPDX-License-Identifier: Apache-2.0

import CHost

/// Which system calls the command may make (seccomp(2)).
public enum SystemCallProfile: Sendable, Equatable {
    /// All that the kernel allows it anyhow.
    case all
    /// Those that a program needs which nobody vouches for; see profile.c for each that is denied, and why.
    case standard
    /// What a file says in the form of the
    /// [OCI runtime specification](https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp), or of
    /// the container engines' own profiles.
    case file(ByteString)

    /// A profile of an engine is a hundredth of that.
    private static let mostBytes = 1 << 20

    /// The program for it; nil where nothing is filtered.
    func program(on facts: HostFacts) throws(LaunchError) -> [UInt8]? {
        switch self {
        case .all: return nil
        case .standard: return try SystemCallFilter.standard()
        case .file(let path):
            switch HostFile.read(path, limit: SystemCallProfile.mostBytes) {
            case .failure(let why, let remedy):
                throw LaunchError(
                    .usage, "cannot read the seccomp profile \(path.text): \(why)", remedy: remedy)
            case .content(let bytes):
                do {
                    return try ProfileFile(YAMLNode.parse(bytes), facts).program()
                } catch {
                    throw LaunchError(
                        .usage,
                        "cannot take the seccomp profile \(path.text): line \(error.line): \(error.reason)",
                        remedy: "it is to be in the form that runc and podman take")
                }
            }
        }
    }
}
