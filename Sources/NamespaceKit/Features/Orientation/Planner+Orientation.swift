// SPDX-License-Identifier: Apache-2.0

/// What tells the programs and the people in a root where they are.
extension Planner {
    /// systemd's [container interface](https://systemd.io/CONTAINER_INTERFACE/).
    private static let manager: ByteString = "nsrun"
    private static let host: ByteString = "/run/host"

    /// The host's root is there, with all that is asked for here.
    private var showsHost: Bool {
        request.files.showsHostRoot || request.program.runsHostProgram
    }

    mutating func planOrientation() {
        let first = plan.steps.count
        if !showsHost, !request.files.keepsRootPlaces {
            let place = Planner.host.appending(path: "container-manager")
            let text = Planner.manager + "\n"
            add(.file(.bytes(text.bytes), target: place, mode: 0o444))
            if let entry = facts.terminalEntry {
                mount(entry, Planner.host + entry, [.readOnly, .implied])
            }
        }
        markIncidental(from: first)
    }

    /// What a root's programs find in the caller's environment, unless he or the image says otherwise.
    var orientation: [EnvironmentRequest.Change] {
        guard case .rootfs(let root) = request.root.view else { return [] }
        var changes = [EnvironmentRequest.Change.set(name: "container", value: Planner.manager)]
        // Debian's shells have it in their prompt.
        if facts.terminal != nil, let name = Planner.shownName(of: root) {
            changes.append(.set(name: "debian_chroot", value: name))
        }
        // The root's own places come first, which the empty name stands for (ncurses(3X)).
        if let place = facts.terminalEntry?.parent?.parent {
            changes.append(.set(name: "TERMINFO_DIRS", value: ":" + Planner.host + place))
        }
        return changes
    }

    /// The name of a root as a prompt may have it: without the directories that it is in, and nothing that a shell or a
    /// terminal takes for more than a letter.
    static func shownName(of root: ByteString) -> ByteString? {
        let name = root.lastComponent
        let isPlain = name.bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: ":"), UInt8(ascii: "@"):
                true
            default: false
            }
        }
        return isPlain && !name.isEmpty && name != "." && name != ".." ? name : nil
    }
}
