// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// What an image says of itself: of a directory what is in its `/.singularity.d`, of a SIF what was written into it when it
/// was built. Nothing of the image is run.
struct ApptainerInspection: Equatable {
    typealias Text = (name: ByteString, value: ByteString)

    var environment: [Text] = []
    var labels: [Text] = []
    var runScript: ByteString = ""
    var test: ByteString = ""
    var help: ByteString = ""
    var definition: ByteString = ""
    var startScript: ByteString = ""

    /// Bytes of a text that are read.
    private static let most = 4 << 20

    static func read(_ image: ApptainerImage) throws(ApptainerError) -> ApptainerInspection {
        image.isDirectory ? try read(directory: image.path) : try read(file: image.path)
    }

    private static func read(directory: ByteString) throws(ApptainerError) -> ApptainerInspection {
        func text(_ name: ByteString) -> ByteString {
            let path = ByteString("/.singularity.d/").appending(path: name)
            guard HostFile.locate(path, below: directory) != nil else { return "" }
            return ByteString(bytes: HostFile.read(path, below: directory, limit: most))
        }
        var result = ApptainerInspection()
        (result.runScript, result.test) = (text("runscript"), text("test"))
        (result.help, result.definition) = (text("runscript.help"), text("Singularity"))
        result.startScript = text("startscript")
        if let folder = HostFile.locate("/.singularity.d/env", below: directory) {
            for name in HostFile.names(in: folder) {
                let path = ByteString("/.singularity.d/env/").appending(path: name)
                result.environment.append((path, text(ByteString("env/").appending(path: name))))
            }
        }
        let labels = text("labels.json")
        if !labels.isEmpty { result.labels = texts(try parse(labels, of: directory)) }
        return result
    }

    private static func read(file path: ByteString) throws(ApptainerError) -> ApptainerInspection {
        func failure(_ cause: String, _ remedy: String? = nil) -> ApptainerError {
            ApptainerError("cannot inspect \(path.text): \(cause)", remedy: remedy)
        }
        guard let reader = FileReader(path) else { throw failure("it cannot be read") }
        let sif: SIFFile
        do throws(SIFFile.Fault) {
            sif = try SIFFile(size: reader.size, read: reader.read)
        } catch {
            throw failure(error.cause, "what is in a squashfs is shown by: apptainer exec FILE cat")
        }
        func content(_ part: SIFFile.Part) throws(ApptainerError) -> ByteString {
            guard part.size <= UInt64(most), let bytes = reader.read(part.offset, Int(part.size))
            else {
                throw failure("its part \(part.id) is too long, or cannot be read")
            }
            return ByteString(bytes: bytes)
        }
        var result = ApptainerInspection()
        if let part = sif.parts.first(where: { $0.name == "inspect-metadata.json" }) {
            result.add(try parse(try content(part), of: path))
        }
        if result.definition.isEmpty,
            let part = sif.parts.first(where: { $0.kind == .definition })
        {
            result.definition = try content(part)
        }
        return result
    }

    /// `{"data": {"attributes": {"labels": {...}, "runscript": "..."}}}`, all of it as hostile as the image.
    private mutating func add(_ node: YAMLNode) {
        guard let attributes = node.value(of: "data")?.value(of: "attributes"),
            case .map(let entries) = attributes.content
        else { return }
        for entry in entries {
            switch entry.key {
            case "environment": environment = Self.texts(entry.value)
            case "labels": labels = Self.texts(entry.value)
            case "runscript": runScript = entry.value.text
            case "test": test = entry.value.text
            case "helpfile": help = entry.value.text
            case "deffile": definition = entry.value.text
            case "startscript": startScript = entry.value.text
            default: continue
            }
        }
    }

    private static func parse(
        _ text: ByteString, of path: ByteString
    ) throws(ApptainerError) -> YAMLNode {
        do throws(YAMLError) {
            return try YAMLNode.parse(text.bytes)
        } catch {
            throw ApptainerError(
                "cannot inspect \(path.text): what it says of itself is no JSON: line \(error.line): "
                    + error.reason)
        }
    }

    /// Sorted by name.
    private static func texts(_ node: YAMLNode) -> [Text] {
        guard case .map(let entries) = node.content else { return [] }
        return entries.map { ($0.key, $0.value.text) }
            .sorted { $0.0.bytes.lexicographicallyPrecedes($1.0.bytes) }
    }

    static func == (left: ApptainerInspection, right: ApptainerInspection) -> Bool {
        left.json == right.json
    }

    // MARK: As it is shown

    /// Keeps what is asked for; the labels, where nothing is.
    mutating func keep(_ wanted: [ApptainerOption.Inspect]) {
        if !wanted.contains(.environment) { environment = [] }
        if !wanted.contains(.labels), !wanted.isEmpty { labels = [] }
        if !wanted.contains(.runScript) { runScript = "" }
        if !wanted.contains(.test) { test = "" }
        if !wanted.contains(.help) { help = "" }
        if !wanted.contains(.definition) { definition = "" }
        if !wanted.contains(.startScript) { startScript = "" }
    }

    private var scripts: [(StaticString, ByteString)] {
        [
            ("runscript", runScript), ("test", test), ("helpfile", help), ("deffile", definition),
            ("startscript", startScript),
        ]
    }

    /// Bytes, for they are the image's own.
    var plain: ByteString {
        var result: ByteString = ""
        for (_, text) in scripts where !text.isEmpty { result = result + text + "\n" }
        for (name, text) in environment {
            result = result + "=== " + name + " ===\n" + text + "\n\n"
        }
        for (name, text) in labels { result = result + name + ": " + text + "\n" }
        return result
    }

    var json: String {
        var fields: [String] = []
        for (name, texts) in [("environment", environment), ("labels", labels)] where !texts.isEmpty
        {
            var lines: [String] = []
            for text in texts {
                lines.append("\t\t\t\t\(Self.quoted(text.name)): \(Self.quoted(text.value))")
            }
            fields.append("\t\t\t\"\(name)\": {\n\(lines.joined(separator: ",\n"))\n\t\t\t}")
        }
        for (name, text) in scripts where !text.isEmpty {
            fields.append("\t\t\t\"\(name.text)\": \(Self.quoted(text))")
        }
        let inner = fields.isEmpty ? "{}" : "{\n\(fields.joined(separator: ",\n"))\n\t\t}"
        return
            "{\n\t\"data\": {\n\t\t\"attributes\": \(inner)\n\t},\n\t\"type\": \"container\"\n}\n"
    }

    /// As Go's encoder writes it, which thinks of browsers.
    private static func quoted(_ text: ByteString) -> String {
        JSONText.quote(String(decoding: text.bytes, as: UTF8.self)) {
            [0x26, 0x3c, 0x3e, 0x7f, 0x2028, 0x2029].contains($0)
        }
    }
}

extension YAMLNode {
    fileprivate func value(of name: ByteString) -> YAMLNode? {
        guard case .map(let entries) = content else { return nil }
        return entries.first { $0.key == name }?.value
    }

    fileprivate var text: ByteString {
        if case .scalar(let text, _) = content { text } else { "" }
    }
}

extension ApptainerTool {
    func inspect(_ line: ApptainerLine) throws(ApptainerError) -> Int32 {
        guard line.words.count == 1 else {
            throw .usage("accepts 1 arg(s), received \(line.words.count)", of: "inspect")
        }
        var wanted: [ApptainerOption.Inspect] = []
        var isJSON = false
        for given in line.options where given.value == "true" {
            guard case .inspect(let option) = given.option.id else { continue }
            if option == .json { isJSON = true } else { wanted.append(option) }
        }
        var found = try ApptainerInspection.read(.find(line.words[0]))
        found.keep(wanted)
        do throws(LaunchError) {
            if isJSON {
                try HostProcess.print(found.json)
            } else {
                try HostProcess.print(found.plain)
            }
        } catch {
            throw ApptainerError(error)
        }
        return 0
    }
}
