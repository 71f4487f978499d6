// SPDX-License-Identifier: Apache-2.0

import CHost

/// Unix sockets of the host's that a run may reach, whatever else of the host it does not.
public enum AllowedSockets: Sendable, Equatable {
    /// By the path that each has outside, and has inside, too. In a directory every socket is reached, and also one that a
    /// server makes later.
    case found([ByteString])
    case refused(LaunchError)

    static func find(_ paths: [ByteString], from here: ByteString?) -> AllowedSockets {
        var found: [ByteString] = []
        for path in paths {
            if path.isEmpty || path.contains(0) { return refusal(path, "that is no path") }
            if path.hasPrefix("@") {
                return refusal(
                    path, "an abstract socket belongs to a network",
                    "only sockets that have a path can be shown")
            }
            guard let place = path.isAbsolute ? path : here.map({ $0.appending(path: path) }) else {
                return refusal(path, "the current directory is not there")
            }
            let mode = withCString(place) { nsrun_file_mode($0, true) }
            guard mode >= 0 else {
                return refusal(
                    path, reason(Int32(-mode)),
                    "start its server first; or name the socket's directory, in which it may appear later"
                )
            }
            guard [0o140000, 0o040000].contains(Int(mode) & 0o170000) else {
                return refusal(path, "it is no socket", "name a socket, or a directory of sockets")
            }
            if !found.contains(place) { found.append(place) }
        }
        return .found(found)
    }

    private static func refusal(
        _ path: ByteString, _ cause: String, _ remedy: String = "name a socket by its path"
    ) -> AllowedSockets {
        .refused(
            LaunchError(.usage, "cannot allow the socket \(path.text): \(cause)", remedy: remedy))
    }

    var paths: [ByteString] { if case .found(let paths) = self { paths } else { [] } }
}

extension Planner {
    /// Into what hides the others, see ``hideSockets(below:)``. Nothing but the socket's own server changes it: connecting
    /// is no writing to a file system.
    mutating func planAllowedSockets() throws(LaunchError) {
        if case .refused(let error) = facts.allowedSockets { throw error }
        for path in facts.allowedSockets.paths {
            var step = Step(
                action: .bind(.init(source: .path(path), target: path, options: .readOnly)),
                origin: word(words.allowedSocket))
            step.coversLink = request.root.view != .empty
            plan.steps.append(step)
            markIncidental(from: plan.steps.count - 1)
        }
    }
}
