// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// Whose manners the tool has: its own, bubblewrap's when it is started under a name that ends in `bwrap`, or Apptainer's
/// under the name `apptainer` or `singularity`.
struct Personality {
    /// As it was invoked, for messages.
    let name: ByteString
    let isBubblewrap: Bool
    let isApptainer: Bool

    /// `file`: the program's own file, which counts where it was started by another name, such as `/proc/self/exe`.
    init(argument0: ByteString, file: ByteString? = nil) {
        name = argument0
        isBubblewrap = Personality.isBubblewraps(argument0) || file.map(Self.isBubblewraps) ?? false
        isApptainer =
            !isBubblewrap
            && (Personality.isApptainers(argument0) || file.map(Self.isApptainers) ?? false)
    }

    /// Those who ship a bubblewrap of their own put a word before its name: `flatpak-bwrap`.
    private static func isBubblewraps(_ path: ByteString) -> Bool {
        path.lastComponent.bytes.suffix(5).elementsEqual("bwrap".utf8)
    }

    private static func isApptainers(_ path: ByteString) -> Bool {
        path.lastComponent == "apptainer" || path.lastComponent == "singularity"
    }

    var prefix: String { isBubblewrap ? "bwrap: " : "nsrun: " }

    /// The exit status of a failure of our own; bubblewrap has only one.
    func status(_ own: Int32) -> Int32 { isBubblewrap ? 1 : own }

    /// What the request starts from.
    var request: LaunchRequest {
        var request = LaunchRequest()
        if isBubblewrap {
            request.root.view = .empty
            // Root needs no user namespace; anybody else gets nowhere without one.
            request.namespaces.new = HostProcess.isRoot ? [.mount] : [.user, .mount]
            request.lifecycle.lingers = true
            // Its callers signal the group.
            request.lifecycle.sharesProcessGroup = true
            request.lifecycle.tellsCommandPID = false
        }
        return request
    }
}
