// SPDX-License-Identifier: Apache-2.0

import CHost

/// A value of a YAML or JSON file, with the line that it begins in.
public struct YAMLNode: Equatable {
    public indirect enum Content: Equatable {
        /// `isPlain`: without quotes, so that it may be a number.
        case scalar(ByteString, isPlain: Bool)
        case list([YAMLNode])
        case map([Entry])
    }

    public struct Entry: Equatable {
        public var key: ByteString
        var line: Int
        public var value: YAMLNode
    }

    var line: Int
    public var content: Content

    /// Nesting beyond any specification; whoever reads recurses as deep.
    private static let deepest = 16

    /// Reads the one document of a file. Anchors, aliases and tags are refused, see yaml.c.
    public static func parse(_ bytes: [UInt8]) throws(YAMLError) -> YAMLNode {
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count + 1)
        defer { copy.deallocate() }
        for index in 0..<bytes.count { copy[index] = CChar(bitPattern: bytes[index]) }
        guard let reader = nsrun_yaml_open(copy, bytes.count) else {
            throw YAMLError(line: 1, reason: "there is not enough memory")
        }
        defer { nsrun_yaml_close(reader) }
        var event = try next(reader)
        guard let node = try read(reader, &event, depth: 0) else {
            throw YAMLError(line: Int(event.line), reason: "it is empty")
        }
        while event.kind != NSRUN_YAML_END.rawValue { event = try next(reader) }
        return node
    }

    private static func next(_ reader: UnsafeMutableRawPointer) throws(YAMLError)
        -> nsrun_yaml_event
    {
        var event = nsrun_yaml_event()
        nsrun_yaml_next(reader, &event)
        if event.kind == NSRUN_YAML_ERROR.rawValue {
            throw YAMLError(line: Int(event.line), reason: text(event).text)
        }
        return event
    }

    private static func text(_ event: nsrun_yaml_event) -> ByteString {
        guard let start = event.text else { return "" }
        return start.withMemoryRebound(to: UInt8.self, capacity: event.length) {
            ByteString(bytes: Array(UnsafeBufferPointer(start: $0, count: event.length)))
        }
    }

    /// The value that an event begins; nil where it ends what holds it.
    private static func read(
        _ reader: UnsafeMutableRawPointer, _ event: inout nsrun_yaml_event, depth: Int
    ) throws(YAMLError) -> YAMLNode? {
        let line = Int(event.line)
        if depth > deepest { throw YAMLError(line: line, reason: "it is nested too deeply") }
        switch event.kind {
        case NSRUN_YAML_SCALAR.rawValue:
            return YAMLNode(
                line: line, content: .scalar(text(event), isPlain: event.is_plain))
        case NSRUN_YAML_LIST.rawValue:
            var items: [YAMLNode] = []
            event = try next(reader)
            while let item = try read(reader, &event, depth: depth + 1) {
                items.append(item)
                event = try next(reader)
            }
            return YAMLNode(line: line, content: .list(items))
        case NSRUN_YAML_MAP.rawValue:
            var entries: [Entry] = []
            event = try next(reader)
            while let key = try read(reader, &event, depth: depth + 1) {
                guard case .scalar(let name, _) = key.content else {
                    throw YAMLError(line: key.line, reason: "a name is not a text")
                }
                event = try next(reader)
                guard let value = try read(reader, &event, depth: depth + 1) else {
                    throw YAMLError(line: key.line, reason: "\(name.text) has no value")
                }
                entries.append(Entry(key: name, line: key.line, value: value))
                event = try next(reader)
            }
            if let repeated = entries.map({ $0.key }).firstRepeated {
                throw YAMLError(
                    line: entries[repeated].line,
                    reason: "\(entries[repeated].key.text) is given twice")
            }
            return YAMLNode(line: line, content: .map(entries))
        default: return nil
        }
    }
}

/// Where and why a text is no such file.
public struct YAMLError: Error, Equatable {
    public var line: Int
    public var reason: String
}

// MARK: What a value is taken for

extension YAMLNode {
    func entries() throws(YAMLError) -> [Entry] {
        if case .map(let entries) = content { return entries }
        throw YAMLError(line: line, reason: "an object is wanted here")
    }

    func items() throws(YAMLError) -> [YAMLNode] {
        if case .list(let items) = content { return items }
        if isNull { return [] }
        throw YAMLError(line: line, reason: "a list is wanted here")
    }

    func text() throws(YAMLError) -> ByteString {
        guard case .scalar(let text, _) = content, !isNull else {
            throw YAMLError(line: line, reason: "a text is wanted here")
        }
        if text.contains(0) { throw YAMLError(line: line, reason: "a text has a NUL byte") }
        return text
    }

    func texts() throws(YAMLError) -> [ByteString] {
        var texts: [ByteString] = []
        for item in try items() { texts.append(try item.text()) }
        return texts
    }

    /// A number of 32 bits: decimal, or octal as YAML writes it, `0666` or `0o666`.
    func number() throws(YAMLError) -> UInt32 {
        if case .scalar(let text, true) = content {
            let value =
                text.hasPrefix("0o")
                ? text.slice(from: 2).number(base: 8)
                : text.number(base: text.hasPrefix("0") ? 8 : 10)
            if let value, value <= UInt64(UInt32.max) { return UInt32(value) }
        }
        throw YAMLError(line: line, reason: "a number is wanted here")
    }

    private var isNull: Bool {
        guard case .scalar(let text, true) = content else { return false }
        return text.isEmpty || text == "null" || text == "~"
    }
}

/// The fields of an object, of which all are known.
struct YAMLFields {
    private let line: Int
    private let entries: [YAMLNode.Entry]

    init(_ node: YAMLNode, _ known: [ByteString]) throws(YAMLError) {
        line = node.line
        entries = try node.entries()
        for entry in entries where !known.contains(entry.key) {
            throw YAMLError(
                line: entry.line, reason: "the field \(entry.key.text) is not known here")
        }
    }

    subscript(name: ByteString) -> YAMLNode? {
        entries.first { $0.key == name }?.value
    }

    func required(_ name: ByteString) throws(YAMLError) -> YAMLNode {
        if let node = self[name] { return node }
        throw YAMLError(line: line, reason: "the field \(name.text) is missing")
    }

    func items(_ name: ByteString) throws(YAMLError) -> [YAMLNode] {
        guard let node = self[name] else { return [] }
        return try node.items()
    }
}
