// SPDX-License-Identifier: Apache-2.0

import CHost

/// The service manager (systemd) that can give this process a scope of its own.
struct ServiceManager {
    var socket: ByteString
    /// Where that is to be; nil for the manager's own choice.
    var slice: ByteString?

    /// Nanoseconds that it may take.
    private static let patience: Int64 = 10_000_000_000

    /// For those who are in their own session or service, which is the manager's anyway; not for a job of a batch system,
    /// which would leave that. Real root has the system's.
    static func of(_ own: OwnGroup) -> ServiceManager? {
        let manager: ServiceManager
        if HostProcess.isRoot {
            manager = ServiceManager(socket: "/run/systemd/private", slice: own.slice)
        } else {
            let user = HostProcess.userID
            guard own.path.isAtOrBelow(ByteString("/user.slice/user-\(user).slice")) else {
                return nil
            }
            let standard = ByteString("/run/user/\(user)")
            let folder = HostProcess.variable("XDG_RUNTIME_DIR") ?? standard
            manager = ServiceManager(
                socket: (folder.isAbsolute ? folder : standard).appending(path: "systemd/private"))
        }
        return HostFile.exists(manager.socket) ? manager : nil
    }

    /// Moves this process into one.
    func giveScope(_ refusal: GroupRefusal) throws(LaunchError) -> OwnGroup {
        let name = ByteString("nsrun-\(getpid())-\(nsrun_now() / 1000).scope")
        var answer: ByteString = ""
        let error = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            let error = withCString(socket) { socket in
                withCString(name) { name in
                    guard let slice else {
                        return nsrun_ask_for_scope(socket, name, nil, buffer.baseAddress!, 512)
                    }
                    return withCString(slice) {
                        nsrun_ask_for_scope(socket, name, $0, buffer.baseAddress!, 512)
                    }
                }
            }
            if error == -EREMOTEIO { answer = ByteString(cString: buffer.baseAddress!) }
            return error
        }
        if error != 0 { throw refusal.noScope(answer.isEmpty ? reason(-error) : answer.text) }
        let until = nsrun_now() + Self.patience
        while nsrun_now() < until {
            if let own = OwnGroup.read(), own.path.lastComponent == name { return own }
            _ = nsrun_poll3(-1, -1, -1, 1_000_000)
        }
        throw refusal.noScope("it has promised \(name.text), and does not make it")
    }
}
