// SPDX-License-Identifier: Apache-2.0

/// The parts of a step in the words of its user, for messages and for the printed plan.
extension Step {
    func maps(_ ranges: [IDRange]) -> String {
        var text = ""
        for range in ranges {
            if !text.isEmpty { text += ", " }
            text += "\(range.inside):\(range.outside):\(range.count)"
        }
        return text
    }

    func list(_ records: [BinfmtRecord]) -> String {
        var text = ""
        for record in records {
            if !text.isEmpty { text += ", " }
            text += "\(record.name.text) (\(record.interpreter.text), \(record.flags.text))"
        }
        return text
    }

    func list(_ candidates: [ByteString], separator: String = ", else ") -> String {
        var text = ""
        for candidate in candidates {
            if !text.isEmpty { text += separator }
            text += candidate.text
        }
        return text
    }

    func octal(_ mode: UInt32) -> String { "mode 0" + String(mode, radix: 8) }
}

extension Step.Bind {
    var sourceText: String {
        switch source {
        case .path(let path): path.text
        case .descriptor(let number): "descriptor \(number)"
        }
    }

    var description: String {
        var notes: [String] = []
        if options.contains(.readOnly) { notes.append("read-only") }
        if options.contains(.noExecute) { notes.append("no programs") }
        if options.contains(.devices) { notes.append("devices") }
        if options.contains(.optional) { notes.append("if it exists") }
        if options.contains(.implied), !options.contains(.optional) { notes.append("if it can be") }
        if options.contains(.onlyIfPresent) { notes.append("if the target exists") }
        let note = notes.isEmpty ? "" : " (" + notes.joined(separator: ", ") + ")"
        return "bind-mount \(sourceText) onto \(target.text)\(note)"
    }
}

extension Step.Image {
    var description: String {
        switch mounting {
        case .kernel: "mount the squashfs \(place) on / by a loop device"
        case .server(let program):
            "mount the squashfs \(place) on / through FUSE, served by \(program.text)"
        }
    }

    private var place: String {
        offset == 0 ? path.text : "in \(path.text), from byte \(offset) on,"
    }
}

extension Step.Overlay {
    var sourceText: String {
        let source = "overlay of " + (lower.first?.text ?? "")
        if case .directories(let upper, _) = upper { return source + " and \(upper.text)" }
        return source
    }

    var access: MountTree.Access {
        switch upper {
        case .none: .readOnly
        case .memory: .isPrivate
        case .directories: .writable
        }
    }

    var description: String {
        var layers = ""
        for path in lower {
            if !layers.isEmpty { layers += ", " }
            layers += path.text
        }
        return switch upper {
        case .none: "mount a read-only overlay of \(layers) on \(target.text)"
        case .memory: "mount an overlay of \(layers) on \(target.text), changes in memory"
        case .directories(let upper, _):
            "mount an overlay of \(layers) on \(target.text), changes in \(upper.text)"
        }
    }
}

extension Step.CapabilitySets {
    var description: String {
        if held == 0 { return "drop all capabilities" }
        return "keep the capabilities 0x\(String(held, radix: 16)), drop all others"
    }
}

extension ResourceLimit {
    var name: String {
        for (name, number) in ResourceLimit.resources where number == resource { return name.text }
        return "\(resource)"
    }

    var description: String {
        func value(_ number: UInt64) -> String {
            number == ResourceLimit.unlimited ? "unlimited" : "\(number)"
        }
        let note = onlyLowers ? ", unless it is lower" : ""
        return "limit \(name) to \(value(soft)), at most \(value(hard))\(note)"
    }
}

extension FileSystemOperation.Content {
    var description: String {
        switch self {
        case .descriptor(let number): "descriptor \(number)"
        case .bytes(let bytes): "\(bytes.count) bytes"
        }
    }
}

extension ByteString {
    /// Without the newline at its end.
    var trimmed: String {
        bytes.last == UInt8(ascii: "\n") ? slice(from: 0, to: count - 1).text : text
    }
}
