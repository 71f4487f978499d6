// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// The environment of a command as Apptainer makes it: the image's scripts first, who see nothing of the host's; over
/// that what the caller forwards by name; and of the host's own what nobody has set yet.
struct ApptainerEnvironment: Equatable {
    /// Set whatever the image says, in order.
    var forced: [ApptainerSettings.Variable] = []
    /// The same, of the caller, for a shell to expand unless --no-eval is given.
    var forwarded: [ApptainerSettings.Variable] = []
    /// Before and behind the places that programs are looked for in.
    var firstPlaces: ByteString?
    var lastPlaces: ByteString?
    /// The caller's own, where the image does not have them.
    var hosts: [ByteString] = []
    /// What the scripts of the image begin with.
    var start: [ByteString] = []
    var evaluates = true

    static let path: ByteString = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    static let libraries: ByteString = "/.singularity.d/libs"
    static let prompt: ByteString = "Apptainer> "

    /// Pass even where the environment is to be clean.
    private static let lasting: [ByteString] = [
        "TERM", "http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY",
        "all_proxy", "ALL_PROXY", "ftp_proxy", "FTP_PROXY",
    ]
    /// Never the host's.
    private static let omitted: [ByteString] = ["HOME", "PATH", "LD_LIBRARY_PATH"]

    static func make(
        _ settings: ApptainerSettings, of image: ApptainerImage, for verb: ApptainerVerb,
        home: ByteString, on host: ApptainerHost, _ notes: inout ApptainerNotes
    ) throws(ApptainerError) -> ApptainerEnvironment {
        var made = ApptainerEnvironment()
        made.evaluates = settings.evaluates
        let variables = ApptainerVariables(host.environment)
        made.start = ["HOME=" + home, "PATH=" + path]
        made.addHosts(of: host, isClean: settings.isClean)
        func force(_ name: ByteString, _ value: ByteString) {
            made.forced.append(.init(name: name, value: value))
        }
        let binds = settings.binds.map {
            $0.source + ":" + $0.target + ($0.isReadOnly ? ":ro" : "")
        }
        let facts: [(ByteString, ByteString)] = [
            ("NAME", image.path.lastComponent), ("CONTAINER", image.path),
            ("BIND", binds.joined(by: ",")),
            ("ENVIRONMENT", "/.singularity.d/env/91-environment.sh"),
        ]
        for prefix: ByteString in ["APPTAINER_", "SINGULARITY_"] {
            for (name, value) in facts { force(prefix + name, value) }
            if !settings.evaluates { force(prefix + "NO_EVAL", "1") }
        }
        force("APPTAINER_COMMAND", verb.name)
        force("APPTAINER_APPNAME", "")
        if let path = variables.value(of: "PATH") { force("USER_PATH", path) }
        for (name, value) in variables.forwarded(&notes) { made.forward(name, value) }
        for file in settings.environmentFiles {
            for variable in try read(file) { made.forward(variable.name, variable.value) }
        }
        for variable in settings.variables {
            if variable.name == "HOME" {
                notes.warn(
                    "Overriding HOME environment variable with APPTAINERENV_HOME is not permitted")
                continue
            }
            made.forward(variable.name, variable.value)
        }
        return made
    }

    /// Which instance it is.
    mutating func addInstance(_ name: ByteString) {
        for prefix: ByteString in ["APPTAINER_", "SINGULARITY_"] {
            forced.append(.init(name: prefix + "INSTANCE", value: name))
        }
    }

    private mutating func forward(_ name: ByteString, _ value: ByteString) {
        switch name {
        case "PREPEND_PATH": firstPlaces = value
        case "APPEND_PATH": lastPlaces = value
        default:
            let value = name == "LD_LIBRARY_PATH" ? value + ":" + Self.libraries : value
            forwarded.removeAll { $0.name == name }
            forwarded.append(.init(name: name, value: value))
        }
    }

    private mutating func addHosts(of host: ApptainerHost, isClean: Bool) {
        if isClean { hosts.append("LANG=C") }
        for entry in host.environment {
            guard let sign = entry.firstIndex(of: UInt8(ascii: "=")), sign > 0 else { continue }
            let name = entry.slice(from: 0, to: sign)
            let isApptainers = ["APPTAINER_", "SINGULARITY_", "APPTAINERENV_", "SINGULARITYENV_"]
                .contains { (prefix: ByteString) in name.bytes.starts(with: prefix.bytes) }
            if isApptainers || Self.omitted.contains(name) { continue }
            if isClean, !Self.lasting.contains(name) { continue }
            hosts.append(entry)
        }
    }

    /// Lines of `NAME=VALUE`; what quotes are around a value go.
    private static func read(_ file: ByteString) throws(ApptainerError) -> [ApptainerSettings
        .Variable]
    {
        var found: [ApptainerSettings.Variable] = []
        do throws(UsageError) {
            for change in try EnvironmentFile.read(file) {
                guard case .set(let name, let value) = change else { continue }
                var bytes = value.bytes
                if bytes.count > 1, let quote = bytes.first, quote == bytes.last,
                    quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'")
                {
                    bytes = Array(bytes.dropFirst().dropLast())
                }
                found.append(.init(name: name, value: ByteString(bytes: bytes)))
            }
        } catch {
            throw ApptainerError(error.message, remedy: error.remedy)
        }
        return found
    }

    // MARK: Without a shell inside

    /// A shell has nothing to expand.
    var isPlain: Bool {
        !evaluates
            || forwarded.allSatisfy { variable in
                !variable.value.bytes.contains { "$`\\".utf8.contains($0) }
            }
    }

    /// What the command gets where no script of the image's is read.
    var entries: [ByteString] {
        var changes: [(ByteString, ByteString)] = [
            ("PS1", Self.prompt),
            ("PROMPT_COMMAND", "PS1=\"" + Self.prompt + "\"; unset PROMPT_COMMAND"),
        ]
        changes += (forced + forwarded).map { ($0.name, $0.value) }
        var path = changes.last { $0.0 == "PATH" }?.1 ?? Self.path
        if let firstPlaces { path = firstPlaces + ":" + path }
        if let lastPlaces { path = path + ":" + lastPlaces }
        changes.append(("PATH", path))
        var result: [ByteString] = []
        for entry in start + hosts {
            let name = entry.slice(from: 0, to: entry.firstIndex(of: UInt8(ascii: "=")))
            if !changes.contains(where: { $0.0 == name }) { result.append(entry) }
        }
        for (index, change) in changes.enumerated()
        where !changes[(index + 1)...].contains(where: { $0.0 == change.0 }) {
            result.append(change.0 + "=" + change.1)
        }
        return result
    }
}
