// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// What the sections of a definition file become in `/.singularity.d`.
struct DefinitionMetadata {
    private let stage: DefinitionFile.Stage
    private let text: String
    /// What the image that it begins with says gives way.
    private let replaces: Bool
    private let progress: ProgressReport

    init(
        _ stage: DefinitionFile.Stage, text: String, replaces: Bool, _ progress: ProgressReport
    ) {
        self.stage = stage
        self.text = text
        self.replaces = replaces
        self.progress = progress
    }

    func write(to tree: ContainerTree) throws {
        try writeHelp(to: tree)
        try writeLabels(to: tree)
        try writeDefinition(to: tree)
        if let section = stage.section(.environment), !section.text.isEmpty {
            let place = "env/90-environment.sh"
            let start = try tree.text(place) ?? "#!/bin/sh\n"
            try tree.write(place, start + "\n" + section.text + "\n", mode: 0o755)
        }
        for (name, file) in [
            (DefinitionFile.Section.Name.startscript, "startscript"), (.runscript, "runscript"),
            (.test, "test"),
        ] {
            guard let section = stage.section(name), !section.text.isEmpty else { continue }
            try tree.write(file, Self.script(section), mode: 0o755)
        }
    }

    /// With its own first line where it has one. What stands behind the section's name are arguments of that program's.
    static func script(_ section: DefinitionFile.Section) -> String {
        var lines = section.lines.map(\.text)[...]
        var first = "#!/bin/sh"
        let start = lines.drop { $0.allSatisfy(ContainerfileLines.isBlank) }
        if let line = start.first?.drop(while: ContainerfileLines.isBlank), line.hasPrefix("#!") {
            first = String(line)
            lines = start.dropFirst()
        }
        if !section.arguments.isEmpty { first += " " + section.arguments }
        return first + "\n\n" + lines.map { $0 + "\n" }.joined() + "\n"
    }

    private func writeHelp(to tree: ContainerTree) throws {
        guard let section = stage.section(.help), !section.text.isEmpty else { return }
        let isNew = try tree.text("runscript.help") == nil
        guard replaces || isNew else {
            progress.note("the image has a help text already, which stays without --force")
            return
        }
        try tree.write("runscript.help", section.text + "\n", mode: 0o644)
    }

    // MARK: Labels

    /// `NAME VALUE` in a line each.
    static func labels(_ lines: [String]) -> [(name: String, value: String)] {
        lines.compactMap { line in
            let words = line.drop(while: \.isWhitespace)
            if words.isEmpty || words.hasPrefix("#") { return nil }
            let name = words.prefix { $0 != " " }
            var value = words.dropFirst(name.count).drop(while: \.isWhitespace)
            while let last = value.last, last.isWhitespace { value.removeLast() }
            return (String(name), String(value))
        }
    }

    private func writeLabels(to tree: ContainerTree) throws {
        var labels = try tree.labels()
        if let text = try tree.take(DefinitionStage.labelPlace) {
            for (name, value) in Self.labels(text.split(separator: "\n").map(String.init)) {
                labels[name] = value
            }
        }
        labels["org.label-schema.schema-version"] = "1.0"
        labels["org.label-schema.build-arch"] = tree.architecture.name
        labels["org.label-schema.build-date"] = try Self.date()
        if stage.section(.help) != nil {
            labels["org.label-schema.usage"] = "/.singularity.d/runscript.help"
            labels["org.label-schema.usage.apptainer.runscript.help"] =
                "/.singularity.d/runscript.help"
        }
        for (key, field) in stage.header {
            labels["org.label-schema.usage.singularity.deffile.\(key)"] = field.value
        }
        for (name, value) in Self.labels(stage.section(.labels)?.lines.map(\.text) ?? []) {
            guard replaces || labels[name] == nil else {
                progress.note("the image has a label \(name) already, which stays without --force")
                continue
            }
            labels[name] = value
        }
        try tree.write("labels.json", ContainerFiles.json(labels) + "\n", mode: 0o644)
    }

    /// Now, or what SOURCE_DATE_EPOCH says, as Apptainer has it: `Tuesday_1_December_2026_3:41:5_UTC`.
    private static func date() throws -> String {
        let said = try Exporter.latestTime()
        var seconds = said == Int(UInt32.max) ? Glibc.time(nil) : said
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
        let months = [
            "January", "February", "March", "April", "May", "June", "July", "August",
            "September", "October", "November", "December",
        ]
        return "\(days[Int(parts.tm_wday)])_\(parts.tm_mday)_\(months[Int(parts.tm_mon)])"
            + "_\(parts.tm_year + 1900)_\(parts.tm_hour):\(parts.tm_min):\(parts.tm_sec)_UTC"
    }

    // MARK: The file itself

    /// What the image was made of before stays in its history.
    private func writeDefinition(to tree: ContainerTree) throws {
        if let before = try tree.text("Singularity") {
            let number = try tree.names("bootstrap_history").count
            try tree.write("bootstrap_history/Apptainer\(number)", before, mode: 0o644)
        }
        try tree.write("Singularity", text, mode: 0o644)
    }
}
