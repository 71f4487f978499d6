// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// An instance is a group of processes (`nsrun --join`) whose first stays until it is stopped.
struct ApptainerInstance {
    var name: ByteString
    /// The process whose end is the instance's.
    var pid: Int32
    var image: ByteString
    /// The options of its start that another process in it needs, too.
    var options: [ByteString]

    /// What its group is called begins so.
    private static let prefix: ByteString = "apptainer:"
    /// With this begins what is kept with the group, which are no options of nsrun's.
    static let mark: ByteString = "apptainer"

    static func group(_ name: ByteString) -> ByteString { prefix + name }

    /// Nil for a group that is none.
    static func name(of group: ByteString) -> ByteString? {
        group.bytes.starts(with: prefix.bytes) ? group.slice(from: prefix.count) : nil
    }

    /// Those of the user on this machine, by name.
    static func all() throws(ApptainerError) -> [ApptainerInstance] {
        var found: [ApptainerInstance] = []
        do throws(LaunchError) {
            for kept in try KeptWorld.list() {
                let words = GroupWords.words(in: kept.note)
                guard kept.kind == .group, let name = name(of: kept.name), words.first == mark
                else { continue }
                found.append(
                    ApptainerInstance(
                        name: name, pid: kept.processes.first ?? kept.pid, image: kept.root,
                        options: Array(words.dropFirst())))
            }
        } catch {
            throw ApptainerError(error)
        }
        return found.sorted { $0.name.bytes.lexicographicallyPrecedes($1.name.bytes) }
    }

    static func all(matching pattern: ByteString?) throws(ApptainerError) -> [ApptainerInstance] {
        try all().filter { one in pattern.map { HostFile.matches(one.name, $0) } ?? true }
    }

    static func named(_ name: ByteString) throws(ApptainerError) -> ApptainerInstance {
        guard let found = try all().first(where: { $0.name == name }) else {
            throw ApptainerError(
                "While setting image/instance: no instance found with name \(name.text)")
        }
        return found
    }

    /// As Apptainer has them; what is longer no group can be called.
    static func check(_ name: ByteString) throws(ApptainerError) {
        let isPlain = name.bytes.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, !name.isEmpty, group(name).count <= 64 else {
            throw ApptainerError(
                "\(name.text) is not a valid instance name",
                remedy: "it has at most 54 letters, digits, dots, dashes and underscores")
        }
    }

    /// What a later process has to ask for, in words.
    static func options(of settings: ApptainerSettings) -> [ByteString] {
        var words: [ByteString] = []
        if settings.isRoot { words.append("--fakeroot") }
        if settings.namespaces.contains(.ipc) { words.append("--ipc") }
        if settings.namespaces.contains(.uts) { words.append("--uts") }
        if settings.hasNetwork { words += ["--net", "--network=none"] }
        if let home = settings.home { words.append("--home=/:" + home.target) }
        return words
    }

    static func note(_ settings: ApptainerSettings) -> ByteString {
        var bytes: [UInt8] = []
        for word in [mark] + options(of: settings) { bytes += word.bytes + [0] }
        return ByteString(bytes: bytes)
    }

    /// Where its output goes.
    static func logs(of name: ByteString) -> (output: ByteString, error: ByteString) {
        let account = HostProcess.account
        let given =
            HostProcess.variable("APPTAINER_CONFIGDIR")
            ?? HostProcess.variable("SINGULARITY_CONFIGDIR")
        var settings = given ?? ""
        if settings.isEmpty {
            settings = (account?.home ?? HostProcess.variable("HOME") ?? "/")
                .appending(path: ".apptainer")
        }
        let folder = settings.appending(path: "instances/logs")
            .appending(path: HostProcess.hostName)
            .appending(path: account?.name ?? ByteString("\(HostProcess.userID)"))
        return (folder.appending(path: name + ".out"), folder.appending(path: name + ".err"))
    }
}

/// What `instance list` prints.
struct ApptainerInstanceText {
    static func table(_ instances: [ApptainerInstance]) -> String {
        var rows = [["INSTANCE NAME", "PID", "IP", "IMAGE"]]
        for one in instances { rows.append([one.name.text, "\(one.pid)", "", one.image.text]) }
        return TextTable.text(rows, gap: 4)
    }

    static func logs(_ instances: [ApptainerInstance]) -> String {
        var rows = [["INSTANCE NAME", "PID", "LOGS"]]
        for one in instances {
            let logs = ApptainerInstance.logs(of: one.name)
            rows.append([one.name.text, "\(one.pid)", logs.error.text])
            rows.append(["", "", logs.output.text])
        }
        return TextTable.text(rows, gap: 4)
    }

    static func json(_ instances: [ApptainerInstance]) -> String {
        var parts: [String] = []
        for one in instances {
            let logs = ApptainerInstance.logs(of: one.name)
            let fields: [(String, String)] = [
                ("instance", JSONText.quote(one.name.text)), ("pid", "\(one.pid)"),
                ("img", JSONText.quote(one.image.text)), ("ip", "\"\""),
                ("logErrPath", JSONText.quote(logs.error.text)),
                ("logOutPath", JSONText.quote(logs.output.text)),
            ]
            let lines = fields.map { "\t\t\t\"\($0.0)\": \($0.1)" }.joined(separator: ",\n")
            parts.append("\t\t{\n\(lines)\n\t\t}")
        }
        let list = parts.isEmpty ? "[]" : "[\n\(parts.joined(separator: ",\n"))\n\t]"
        return "{\n\t\"instances\": \(list)\n}\n"
    }
}
