import NamespaceKit

/// Whose manners the tool has: its own, or bubblewrap's when it is started under the name `bwrap`.
struct Personality {
    /// As it was invoked, for messages.
    let name: ByteString
    let isBubblewrap: Bool

    init(argument0: ByteString) {
        name = argument0
        isBubblewrap = argument0.lastComponent == "bwrap"
    }

    var prefix: String { isBubblewrap ? "bwrap: " : "nsrun: " }

    /// The exit status of a failure of our own; bubblewrap has only one.
    func status(_ own: Int32) -> Int32 { isBubblewrap ? 1 : own }

    /// What the request starts from.
    var request: LaunchRequest {
        var request = LaunchRequest()
        if isBubblewrap {
            request.view = .empty
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
