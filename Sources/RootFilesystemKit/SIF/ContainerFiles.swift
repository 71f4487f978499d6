// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import NamespaceKit

/// What an image of Apptainer's has in its root beside the system: `/.singularity.d`, made of how the image wants to be
/// run.
struct ContainerFiles {
    enum Content: Equatable {
        case directory
        case link(String)
        case file(String, mode: mode_t)
    }

    static let directory = ".singularity.d"

    let record: ImageRecord
    /// What it was made of, in the words of a definition file.
    let definition: String
    let architecture: SIFArchitecture

    init(_ record: ImageRecord, definition: String, architecture: SIFArchitecture) {
        self.record = record
        self.definition = definition
        self.architecture = architecture
    }

    /// Paths below the root, directories before what is in them.
    var entries: [(path: String, content: Content)] {
        let top = Self.directory
        var entries: [(path: String, content: Content)] = [
            (top, .directory), ("\(top)/actions", .directory), ("\(top)/env", .directory),
            ("\(top)/libs", .directory),
        ]
        func add(_ path: String, _ text: String, mode: mode_t = 0o755) {
            entries.append(("\(top)/\(path)", .file(text, mode: mode)))
        }
        for (verb, text) in Self.actions { add("actions/\(verb)", text) }
        for (name, text) in environment { add("env/\(name)", text) }
        add("labels.json", labelText, mode: 0o644)
        add("runscript", runScript)
        add("startscript", "#!/bin/sh\n")
        add("Singularity", definition, mode: 0o644)
        for verb in ["exec", "run", "shell", "test"] {
            entries.append((".\(verb)", .link("\(top)/actions/\(verb)")))
        }
        entries.append(("environment", .link("\(top)/env/90-environment.sh")))
        entries.append(("singularity", .link("\(top)/runscript")))
        return entries
    }

    /// Nobody runs them who has an Apptainer of this century; they do the same without one.
    private static let actions: [(String, String)] = {
        let start = """
            #!/bin/sh
            for script in /.singularity.d/env/*.sh; do
                [ ! -f "$script" ] || . "$script"
            done

            """
        return [
            ("exec", start + "exec \"$@\"\n"),
            ("run", start + "exec /.singularity.d/runscript \"$@\"\n"),
            ("shell", start + "exec /bin/sh \"$@\"\n"),
            ("start", start + "exec /.singularity.d/startscript \"$@\"\n"),
            ("test", start + "[ ! -x /.singularity.d/test ] || exec /.singularity.d/test \"$@\"\n"),
        ]
    }()

    private var environment: [(String, String)] {
        var variables = "#!/bin/sh\n"
        for entry in record.environment {
            guard let sign = entry.utf8.firstIndex(of: UInt8(ascii: "=")),
                ShellText.isName(ByteString(String(entry[..<sign])))
            else { continue }
            let value = String(entry[entry.utf8.index(after: sign)...])
            variables += "export \(entry[..<sign])=\(Self.quoted(value))\n"
        }
        return [
            ("01-base.sh", "#!/bin/sh\n"), ("10-docker2singularity.sh", variables),
            ("90-environment.sh", "#!/bin/sh\n"),
            (
                "99-base.sh",
                """
                #!/bin/sh
                LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/.singularity.d/libs"
                PS1="Apptainer> "
                export LD_LIBRARY_PATH PS1

                """
            ),
            ("99-runtimevars.sh", Self.runtimeVariables),
        ]
    }

    /// What Apptainer says of PATH on its command line, for an image whose own scripts come last.
    private static let runtimeVariables = """
        #!/bin/sh
        if [ -n "${SING_USER_DEFINED_PREPEND_PATH:-}" ]; then
            PATH="$SING_USER_DEFINED_PREPEND_PATH:$PATH"
            unset SING_USER_DEFINED_PREPEND_PATH
        fi
        if [ -n "${SING_USER_DEFINED_APPEND_PATH:-}" ]; then
            PATH="$PATH:$SING_USER_DEFINED_APPEND_PATH"
            unset SING_USER_DEFINED_APPEND_PATH
        fi
        if [ -n "${SING_USER_DEFINED_PATH:-}" ]; then
            PATH="$SING_USER_DEFINED_PATH"
            unset SING_USER_DEFINED_PATH
        fi
        export PATH

        """

    /// Arguments take the place of the image's own, behind its entry point.
    private var runScript: String {
        let own = Array(record.command)
        let command = own.isEmpty && record.entryPoint.isEmpty ? ["/bin/sh"] : own
        var text = "#!/bin/sh\n"
        if !command.isEmpty { text += "[ $# -gt 0 ] || set -- \(Self.quoted(command))\n" }
        let entryPoint = record.entryPoint.isEmpty ? "" : Self.quoted(record.entryPoint) + " "
        return text + "exec \(entryPoint)\"$@\"\n"
    }

    static func quoted(_ text: String) -> String {
        String(decoding: ShellText.quote(ByteString(text)).bytes, as: UTF8.self)
    }

    private static func quoted(_ words: [String]) -> String {
        words.map(quoted).joined(separator: " ")
    }

    /// The image's own, and what Apptainer adds to them.
    private var labels: [String: String] {
        var labels = record.labelPairs
        labels["org.label-schema.schema-version"] = "1.0"
        labels["org.label-schema.build-arch"] = architecture.name
        return labels
    }

    private var labelText: String { Self.json(labels) + "\n" }

    static func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts alone, of which none is beyond JSON.
        guard let data = try? encoder.encode(value) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    struct Metadata: Encodable {
        private struct Contents: Encodable { var attributes: Attributes }
        private struct Attributes: Encodable {
            var environment: [String: String]
            var labels: [String: String]
            var runscript, test, helpfile, deffile, startscript: String?
        }

        private var data: Contents
        private var type = "container"

        init(
            environment: [String: String], labels: [String: String], runscript: String?,
            test: String? = nil, helpfile: String? = nil, deffile: String?, startscript: String?
        ) {
            data = Contents(
                attributes: Attributes(
                    environment: environment, labels: labels, runscript: runscript, test: test,
                    helpfile: helpfile, deffile: deffile, startscript: startscript))
        }
    }

    /// What `apptainer inspect` reads, in the place of the files themselves.
    var metadata: String {
        var scripts: [String: String] = [:]
        for (name, text) in environment { scripts["/\(Self.directory)/env/\(name)"] = text }
        return Self.json(
            Metadata(
                environment: scripts, labels: labels, runscript: runScript, deffile: definition,
                startscript: "#!/bin/sh\n"))
    }

    /// How the image wants to be run, as container images say it.
    var configuration: String {
        Self.json(ImageConfiguration.Execution(record))
    }
}
