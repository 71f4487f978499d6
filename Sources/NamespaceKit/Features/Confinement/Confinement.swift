// SPDX-License-Identifier: Apache-2.0

import CHost

/// What a program sees of the host that nobody vouches for: its programs, and where it was started.
enum Confinement {
    /// Of the host's root, as the Filesystem Hierarchy Standard, Nix and Guix have it.
    private static let shown: [ByteString] = [
        "bin", "sbin", "lib", "lib32", "lib64", "libx32", "libo32", "usr", "etc", "opt", "nix",
        "gnu",
    ]
    /// The run has its own in their places.
    private static let own: [ByteString] = ["dev", "proc", "run", "sys", "tmp"]

    /// All others that are there: what somebody has put there belongs to people, or to servers.
    static func otherDirectories() -> [ByteString] {
        HostFile.names(in: "/").filter { name in
            let path = ByteString("/").appending(path: name)
            let mode = withCString(path) { nsrun_file_mode($0, false) }
            return mode >= 0 && mode & 0o170000 == 0o040000 && !shown.contains(name)
                && !own.contains(name)
        }.sorted { $0.precedes($1) }
    }

    /// Why the current directory cannot be shown to such a program.
    static func obstacle(to directory: ByteString, home: ByteString?) -> String? {
        let place = directory.withoutDots
        if let home, home.withoutDots.isAtOrBelow(place) {
            return "your home directory lies in it"
        }
        let mixed: [ByteString] = ["/tmp", "/var/tmp", "/run", "/dev/shm", "/var"]
        if mixed.contains(place)
            || place.isAtOrBelow("/run") && place.split(on: UInt8(ascii: "/")).count < 5
        {
            return "it is everybody's"
        }
        return SessionPaths.isOfTheSystem(place) ? "it is of the system" : nil
    }
}

extension LaunchRequest {
    /// The host's own root is the rootfs, and not all of it is shown.
    var confinesToPrograms: Bool { files.showsProgramsAlone && root.view == .rootfs("/") }
}

extension Planner {
    mutating func coverOtherDirectories() {
        for name in facts.otherDirectories {
            let place = ByteString("/").appending(path: name)
            add(.tmpfs(target: place, mode: 0o755, size: nil, replacesLink: false))
        }
    }

    /// Before anything is touched.
    func checkConfinement() throws(LaunchError) {
        guard request.confinesToPrograms, request.files.bindsCurrentDirectory,
            let here = facts.currentDirectory, here != "/",
            let obstacle = Confinement.obstacle(to: here, home: facts.home)
        else { return }
        throw LaunchError(
            .usage, "cannot let the program write to \(here.text): \(obstacle)",
            remedy: "start it in a directory that has only what it may read and change")
    }
}
