import NamespaceKit

/// The options that work on the file system, in the order given.
extension RequestBuilder {
    mutating func applyMount(_ parsed: ParsedOption) throws(UsageError) {
        let values = parsed.values
        switch parsed.id {
        case .bind: bind(parsed, [])
        case .bindTry: bind(parsed, .optional)
        case .devBind: bind(parsed, .devices)
        case .devBindTry: bind(parsed, [.devices, .optional])
        case .roBind: bind(parsed, .readOnly)
        case .roBindTry: bind(parsed, [.readOnly, .optional])
        case .remountReadOnly: add(.remountReadOnly(target: values[0]), parsed)
        case .proc: add(.proc(target: values[0]), parsed)
        case .dev: add(.dev(target: values[0]), parsed)
        case .mqueue: add(.mqueue(target: values[0]), parsed)
        case .tmpfs:
            add(.tmpfs(target: values[0], mode: takePerms() ?? 0o755, size: size), parsed)
            size = nil
        case .directory: add(.directory(target: values[0], mode: takePerms() ?? 0o755), parsed)
        case .file:
            let content = FileSystemOperation.Content.descriptor(try Value.descriptor(parsed, 0))
            add(.file(content: content, target: values[1], mode: takePerms() ?? 0o666), parsed)
        case .bindData: try bindData(parsed, readOnly: false)
        case .roBindData: try bindData(parsed, readOnly: true)
        case .symlink: add(.symlink(text: values[0], target: values[1]), parsed)
        case .chmod: add(.changeMode(target: values[1], mode: try Value.mode(parsed)), parsed)
        case .perms: perms = try Value.mode(parsed)
        case .size: size = try Value.size(parsed)
        default: break
        }
    }

    private mutating func add(_ action: FileSystemOperation.Action, _ parsed: ParsedOption) {
        result.request.operations.append(FileSystemOperation(action, origin: parsed.origin))
    }

    private mutating func bind(_ parsed: ParsedOption, _ options: BindOptions) {
        let source = FileSystemOperation.Source.path(parsed.values[0])
        add(.bind(source: source, target: parsed.values[1], options: options), parsed)
    }

    private mutating func bindData(
        _ parsed: ParsedOption, readOnly: Bool
    ) throws(UsageError) {
        let content = FileSystemOperation.Content.descriptor(try Value.descriptor(parsed, 0))
        add(
            .bindData(
                content: content, target: parsed.values[1], mode: takePerms() ?? 0o600,
                readOnly: readOnly), parsed)
    }

    private mutating func takePerms() -> UInt32? {
        defer { perms = nil }
        return perms
    }
}
