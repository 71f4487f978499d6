// SPDX-License-Identifier: Apache-2.0

import CHost

/// The unix sockets that servers of the host listen on by a path: of the session, such as its bus, and of the system. By
/// them a program gets things done outside of its run, whatever network it has.
enum HostSockets {
    /// Directories that hold nothing else, or not to speak of. Others may appear in them while a run lasts.
    private static let folders: [ByteString] = [
        "/run/user", "/run/dbus", "/run/systemd/journal", "/run/systemd/userdb",
        "/run/containerd", "/run/docker", "/run/podman", "/run/libvirt", "/run/cups",
        "/run/avahi-daemon", "/run/pcscd", "/run/nscd", "/run/munge",
        "/tmp/.X11-unix", "/tmp/.ICE-unix", "/tmp/.XIM-unix",
    ]

    struct Places: Sendable, Equatable {
        var folders: [ByteString] = []
        /// Sockets that lie elsewhere.
        var sockets: [ByteString] = []
    }

    /// Those that the caller could connect to.
    static func read() -> Places {
        let text = HostFacts.readFile("/proc/net/unix", limit: 1 << 24) ?? []
        return Places(
            folders: folders.filter { HostFile.isDirectory($0) },
            sockets: paths(in: text).filter { path in
                !folders.contains { path.isAtOrBelow($0) } && isSocket(path)
            })
    }

    /// The paths of a table of proc_net(5), each once; what is bound to no path, or to a relative one, has none.
    static func paths(in text: [UInt8]) -> [ByteString] {
        var paths: [ByteString] = []
        for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            // A path may hold blanks; nothing before it does more than part the columns.
            guard let start = line.firstIndex(of: UInt8(ascii: "/")) else { continue }
            let path = line.slice(from: start)
            if start > 0, line.bytes[start - 1] == UInt8(ascii: " "), !paths.contains(path) {
                paths.append(path)
            }
        }
        return paths
    }

    private static func isSocket(_ path: ByteString) -> Bool {
        withCString(path) { nsrun_file_mode($0, true) } & 0o170000 == 0o140000
    }
}
