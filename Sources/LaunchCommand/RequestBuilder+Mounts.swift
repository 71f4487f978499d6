// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The options that work on the file system, in the order given.
extension RequestBuilder {
    mutating func apply(_ option: OptionID.Mount, _ parsed: ParsedOption) throws(UsageError) {
        let values = parsed.values
        switch option {
        case .bind: bind(parsed, [])
        case .bindTry: bind(parsed, .optional)
        case .devBind: bind(parsed, .devices)
        case .devBindTry: bind(parsed, [.devices, .optional])
        case .roBind: bind(parsed, .readOnly)
        case .roBindTry: bind(parsed, [.readOnly, .optional])
        case .bindFD: try bindDescriptor(parsed, [])
        case .roBindFD: try bindDescriptor(parsed, .readOnly)
        case .overlaySource:
            if values[0].isEmpty { throw .emptyPath(parsed) }
            layers.append(values[0])
        case .overlayOptions: layerOptions += values[0].split(on: UInt8(ascii: ","))
        case .overlay:
            try overlay(parsed, values[2], .directories(upper: values[0], work: values[1]))
        case .tmpOverlay: try overlay(parsed, values[0], .memory)
        case .roOverlay: try overlay(parsed, values[0], .none)
        case .lockFile: add(.lockFile(target: values[0]), parsed)
        case .remountReadOnly: add(.remountReadOnly(target: values[0]), parsed)
        case .proc: add(.proc(target: values[0]), parsed)
        case .dev: add(.dev(target: values[0]), parsed)
        case .mqueue: add(.mqueue(target: values[0]), parsed)
        case .tmpfs:
            let onTheWay = parentMode
            let mode = takePerms() ?? 0o755
            add(.tmpfs(target: values[0], mode: mode, size: size), parsed, parentMode: onTheWay)
            size = nil
        case .directory:
            let onTheWay = parentMode
            let mode = takePerms() ?? 0o755
            add(.directory(target: values[0], mode: mode), parsed, parentMode: onTheWay)
        case .file:
            let content = try content(parsed)
            let onTheWay = parentMode
            let mode = takePerms() ?? 0o666
            add(
                .file(content: content, target: values[1], mode: mode), parsed, parentMode: onTheWay
            )
        case .bindData: try bindData(parsed, readOnly: false)
        case .roBindData: try bindData(parsed, readOnly: true)
        case .symlink: add(.symlink(text: values[0], target: values[1]), parsed)
        case .chmod: add(.changeMode(target: values[1], mode: try Value.mode(parsed)), parsed)
        case .perms: perms = try Value.mode(parsed)
        case .size: size = try Value.size(parsed)
        }
    }

    private mutating func add(
        _ action: FileSystemOperation.Action, _ parsed: ParsedOption, parentMode: UInt32 = 0o755
    ) {
        var operation = FileSystemOperation(action, origin: parsed.origin)
        operation.parentMode = parentMode
        result.request.files.operations.append(operation)
    }

    /// What a descriptor gives, which it gives once.
    private mutating func content(
        _ parsed: ParsedOption
    ) throws(UsageError) -> FileSystemOperation.Content {
        let number = try Value.descriptor(parsed, 0)
        if exhausted.contains(number) {
            throw UsageError(
                "\(parsed.origin.text): descriptor \(number) has been read for another option",
                remedy: "give each file a descriptor of its own",
                bubblewrap:
                    "Can't write data to file \(parsed.values[1].text): Bad file descriptor")
        }
        exhausted.append(number)
        return .descriptor(number)
    }

    private mutating func bindDescriptor(
        _ parsed: ParsedOption, _ options: BindOptions
    ) throws(UsageError) {
        let source = FileSystemOperation.Source.descriptor(try Value.descriptor(parsed, 0))
        add(.bind(source: source, target: parsed.values[1], options: options), parsed)
    }

    private mutating func overlay(
        _ parsed: ParsedOption, _ target: ByteString, _ upper: FileSystemOperation.OverlayUpper
    ) throws(UsageError) {
        let least = upper == .none ? 2 : 1
        guard layers.count >= least else {
            throw UsageError(
                "\(parsed.origin.text) requires at least \(least == 1 ? "one" : "two") --overlay-src"
            )
        }
        let options = layerOptions.filter { !$0.isEmpty }
        add(
            .overlay(target: target, lower: layers.reversed(), upper: upper, options: options),
            parsed)
        (layers, layerOptions) = ([], [])
    }

    /// What `--perms` keeps from group and others is kept from them on the way, too.
    private var parentMode: UInt32 {
        var mode: UInt32 = 0o755
        if let perms {
            if perms & 0o070 == 0 { mode &= ~0o050 }
            if perms & 0o007 == 0 { mode &= ~0o005 }
        }
        return mode
    }

    private mutating func bind(_ parsed: ParsedOption, _ options: BindOptions) {
        let source = FileSystemOperation.Source.path(parsed.values[0])
        add(.bind(source: source, target: parsed.values[1], options: options), parsed)
    }

    private mutating func bindData(
        _ parsed: ParsedOption, readOnly: Bool
    ) throws(UsageError) {
        let content = try content(parsed)
        // As bubblewrap: its default of 0600 keeps others from the directories on the way, too.
        if perms == nil { perms = 0o600 }
        let onTheWay = parentMode
        add(
            .bindData(
                content: content, target: parsed.values[1], mode: takePerms() ?? 0o600,
                readOnly: readOnly), parsed, parentMode: onTheWay)
    }

    private mutating func takePerms() -> UInt32? {
        defer { perms = nil }
        return perms
    }
}
