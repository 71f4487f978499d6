// SPDX-License-Identifier: Apache-2.0

/// A plan in print: numbered steps, and a tree of what the command would see.
public struct Explanation {
    private let plan: LaunchPlan
    private let mounts: MountTree

    public init(_ plan: LaunchPlan) { self.init(plan, mounts: MountTree(plan)) }

    /// Of a plan whose steps do not tell what the command would see.
    init(_ plan: LaunchPlan, mounts: MountTree) {
        self.plan = plan
        self.mounts = mounts
    }

    /// The steps in order. Those of the command's own process follow pid 1's.
    public var text: String {
        var text = "Steps:\n"
        var number = 0
        func line(_ description: String, _ origin: ByteString?) {
            number += 1
            let count = String(number)
            text += String(repeating: " ", count: max(0, 4 - count.utf8.count)) + count
            text += "  " + description
            if let origin { text += "  [\(origin.text)]" }
            text += "\n"
        }
        if let tree = plan.scratchRoot {
            line("make the directory \(tree.path.text), removed after the run", nil)
            for (path, entry) in tree.entries {
                line(entry.description(tree.hostPath(of: path)), nil)
            }
        }
        if let preparation = plan.preparation {
            text = "Made ahead, once, for the world \(preparation.reuse.name.text):\n"
            line("clone a child in new user, mount, pid namespaces", nil)
            for step in preparation.ahead { line(step.description, step.origin) }
            text += "\nSteps of each run, in a copy of it:\n"
            line("enter the world's user and mount namespace", nil)
        }
        if plan.shape != .inPlace {
            let namespaces = plan.namespaces.list
            let place = namespaces.isEmpty ? "" : " in new \(namespaces) namespaces"
            if !plan.limits.isEmpty {
                line("make a control group that may have \(plan.limits.words)", nil)
            }
            line("clone a child\(place)\(plan.limits.isEmpty ? "" : " into that group")", nil)
        }
        for (index, step) in (plan.preparation?.run ?? plan.steps).enumerated() {
            if index == plan.preparation?.commandStart ?? plan.commandStart,
                plan.shape == .childWithInit
            {
                let parent = plan.namespaces.contains(.pid) ? "pid 1" : "its parent"
                line(
                    "start the command's process; \(parent) stays to reap and to forward signals",
                    nil)
            }
            line(step.description, step.origin)
        }
        if plan.arguments.count > 1 {
            text += "      with the arguments"
            for argument in plan.arguments.dropFirst() {
                text += " " + JSONText.quote(argument.text)
            }
            text += "\n"
        }
        if let limit = timeLimit { text += "\nTime limit:\n  \(limit)\n" }
        if let reason = plan.unprepared { text += "\nNot from a prepared world:\n  \(reason)\n" }
        if !plan.omissions.isEmpty { text += "\nLeft out:\n" }
        for omission in plan.omissions { text += "  \(omission.what.text): \(omission.reason)\n" }
        text += "\nThe command would see:\n"
        return text + tree
    }

    private var timeLimit: String? {
        guard let timeout = plan.lifecycle.timeout else { return nil }
        var text = "TERM after \(seconds(timeout)) s"
        if let more = plan.lifecycle.killAfter { text += ", KILL \(seconds(more)) s later" }
        return text
    }

    private func seconds(_ nanoseconds: Int64) -> String {
        let milliseconds = nanoseconds / 1_000_000
        let rest = milliseconds % 1000
        if rest == 0 { return "\(milliseconds / 1000)" }
        let digits = String(rest + 1000).dropFirst()
        return "\(milliseconds / 1000).\(String(digits))"
    }

    /// Each mount point below the one that holds it, its source and access in columns.
    private var tree: String {
        let mounts = mounts.sorted
        var heads: [String] = []
        var width = 0
        for mount in mounts {
            let depth = mounts.count { $0.holds(mount) }
            let head = "  " + String(repeating: "  ", count: depth) + mount.path.text
            width = max(width, head.utf8.count)
            heads.append(head)
        }
        var text = ""
        for (index, mount) in mounts.enumerated() {
            text += heads[index] + String(repeating: " ", count: width - heads[index].utf8.count)
            text += "  " + mount.access.rawValue
            text += String(repeating: " ", count: 8 - mount.access.rawValue.utf8.count)
            text += mount.source + "\n"
        }
        return text
    }

    public var json: String {
        var json = "{\n  \"shape\": \"\(shapeName)\",\n  \"namespaces\": ["
        var separator = ""
        for (member, name) in NamespaceSet.names where allNamespaces.contains(member) {
            json += separator + "\"\(name)\""
            separator = ", "
        }
        json += "],\n  \"steps\": ["
        separator = "\n"
        let ahead = plan.preparation?.ahead ?? []
        for (index, step) in (ahead + (plan.preparation?.run ?? plan.steps)).enumerated() {
            json += separator + "    {\"step\": " + JSONText.quote(step.description)
            if let origin = step.origin { json += ", \"option\": " + JSONText.quote(origin.text) }
            if index < ahead.count { json += ", \"ahead\": true" }
            json += "}"
            separator = ",\n"
        }
        let commandStart =
            plan.preparation.map { ahead.count + $0.commandStart } ?? plan.commandStart
        json += "\n  ],\n  \"commandStart\": \(commandStart),\n  \"mounts\": ["
        separator = "\n"
        for mount in mounts.sorted {
            json += separator + "    {\"path\": " + JSONText.quote(mount.path.text)
            json += ", \"source\": " + JSONText.quote(mount.source)
            json += ", \"access\": \"\(mount.access.rawValue)\"}"
            separator = ",\n"
        }
        json += "\n  ],\n"
        if let timeout = plan.lifecycle.timeout {
            json += "  \"timeout\": \(seconds(timeout)),\n"
        }
        if let more = plan.lifecycle.killAfter { json += "  \"killAfter\": \(seconds(more)),\n" }
        if !plan.limits.isEmpty {
            json += "  \"limits\": " + JSONText.quote(plan.limits.words) + ",\n"
        }
        json += "  \"omissions\": ["
        separator = "\n"
        for omission in plan.omissions {
            json += separator + "    {\"what\": " + JSONText.quote(omission.what.text)
            json += ", \"reason\": " + JSONText.quote(omission.reason) + "}"
            separator = ",\n"
        }
        json += "\n  ],\n  \"arguments\": ["
        separator = ""
        for argument in plan.arguments {
            json += separator + JSONText.quote(argument.text)
            separator = ", "
        }
        json += "],\n  \"environment\": ["
        separator = "\n"
        for entry in plan.environment {
            json += separator + "    " + JSONText.quote(entry.text)
            separator = ",\n"
        }
        return json + "\n  ]\n}\n"
    }

    private var shapeName: String {
        switch plan.shape {
        case .inPlace: "in place"
        case .child: "child"
        case .childWithInit: "child with init"
        }
    }

    private var allNamespaces: NamespaceSet {
        var all = plan.namespaces
        for step in plan.steps {
            if case .unshare(let set) = step.action { all.formUnion(set) }
            if case .nest(let set, _, _) = step.action { all.formUnion(set) }
        }
        return all
    }
}

/// The mount points that a plan makes, as the command would find them.
struct MountTree {
    enum Access: String {
        case readOnly = "ro"
        case writable = "rw"
        /// In memory and nobody else's.
        case isPrivate = "private"
    }

    struct Mount {
        let path: ByteString
        let source: String
        let access: Access

        /// The other one lies below this one.
        func holds(_ other: Mount) -> Bool {
            if path == "/" { return other.path != "/" }
            return other.path.bytes.starts(with: path.bytes + [UInt8(ascii: "/")])
        }
    }

    private(set) var mounts: [Mount] = []

    /// What a step changes in what the command finds.
    enum Change {
        case mount(ByteString, String, Access)
        case readOnly(ByteString)
    }

    init(_ plan: LaunchPlan) {
        for step in plan.steps {
            for change in step.traits().shows {
                switch change {
                case .mount(let path, let source, let access): put(path, source, access)
                case .readOnly(let path): makeReadOnly(path.withoutDots)
                }
            }
        }
    }

    /// What an engine without mounts shows.
    init(_ view: ResolvedView) {
        put("/", view.root.text, .writable)
        for place in view.places {
            switch place.content {
            case .host(let source): put(place.path, source.text, .writable)
            case .directory: put(place.path, "directory", .isPrivate)
            case .file: put(place.path, "file", .isPrivate)
            case .prepended: put(place.path, "the rootfs's, with your entry", .isPrivate)
            case .link: continue
            }
        }
    }

    private mutating func makeReadOnly(_ path: ByteString) {
        guard let index = mounts.firstIndex(where: { $0.path == path }) else { return }
        mounts[index] = Mount(path: path, source: mounts[index].source, access: .readOnly)
    }

    /// A later mount hides what was at that place and below.
    private mutating func put(_ path: ByteString, _ source: String, _ access: Access) {
        let name = path.withoutDots
        let below = name.bytes + [UInt8(ascii: "/")]
        mounts.removeAll { $0.path == name || name == "/" || $0.path.bytes.starts(with: below) }
        mounts.append(Mount(path: name, source: source, access: access))
    }

    /// What lies below a directory follows it at once: a slash sorts before every other byte.
    var sorted: [Mount] {
        mounts.sorted { left, right in
            left.path.bytes.lexicographicallyPrecedes(right.path.bytes) { a, b in
                (a == UInt8(ascii: "/") ? 0 : Int(a) + 1)
                    < (b == UInt8(ascii: "/") ? 0 : Int(b) + 1)
            }
        }
    }
}
