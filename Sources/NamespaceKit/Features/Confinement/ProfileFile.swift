// SPDX-License-Identifier: Apache-2.0

import CHost

/// A seccomp profile in the form of the OCI runtime specification, with the conditions that engines have besides: on the
/// kernel, the architecture and capabilities, of which the command has none.
struct ProfileFile {
    private struct Rule {
        var names: [ByteString]
        var action: UInt32
        var compared: [nsrun_comparison] = []
        var line: Int
    }

    private let defaultAction: UInt32
    private var architectures: [ByteString] = []
    private var rules: [Rule] = []
    private let line: Int

    init(_ document: YAMLNode, _ facts: HostFacts) throws(YAMLError) {
        line = document.line
        let file = try YAMLFields(
            document,
            [
                "defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap",
                "flags", "syscalls",
            ])
        defaultAction = try ProfileFile.action(
            file.required("defaultAction"), error: file["defaultErrnoRet"])
        for node in try file.items("architectures") {
            architectures.append(try ProfileFile.architecture(node))
        }
        for node in try file.items("archMap") {
            let map = try YAMLFields(node, ["architecture", "subArchitectures"])
            let own = try ProfileFile.architecture(map.required("architecture"))
            guard own == facts.machine else { continue }
            for other in try map.items("subArchitectures") {
                architectures.append(try ProfileFile.architecture(other))
            }
        }
        for flag in try file.items("flags") {
            throw YAMLError(
                line: flag.line, reason: "the flag \(try flag.text().text) is not known here")
        }
        for node in try file.items("syscalls") {
            if let rule = try ProfileFile.rule(node, facts) { rules.append(rule) }
        }
    }

    /// Nil for one whose conditions do not hold here.
    private static func rule(_ node: YAMLNode, _ facts: HostFacts) throws(YAMLError) -> Rule? {
        let fields = try YAMLFields(
            node,
            [
                "names", "name", "action", "errnoRet", "errno", "args", "comment", "includes",
                "excludes",
            ])
        if let includes = fields["includes"], try !holds(includes, facts, all: true) { return nil }
        if let excludes = fields["excludes"], try holds(excludes, facts, all: false) { return nil }
        var names: [ByteString] = []
        for name in try fields.items("names") { names.append(try name.text()) }
        if let name = fields["name"] { names.append(try name.text()) }
        if names.isEmpty { throw YAMLError(line: node.line, reason: "the rule names no call") }
        var rule = Rule(
            names: names,
            action: try action(fields.required("action"), error: fields["errnoRet"]),
            line: node.line)
        for argument in try fields.items("args") { rule.compared.append(try comparison(argument)) }
        return rule
    }

    /// `all`: every condition that is named, else any of them.
    private static func holds(
        _ node: YAMLNode, _ facts: HostFacts, all: Bool
    ) throws(YAMLError) -> Bool {
        let fields = try YAMLFields(node, ["caps", "arches", "minKernel"])
        var answers: [Bool] = []
        if try !fields.items("caps").isEmpty { answers.append(false) }
        let arches = try fields.items("arches")
        if !arches.isEmpty {
            var isNamed = false
            for arch in arches where try named(arch.text()) == facts.machine { isNamed = true }
            answers.append(isNamed)
        }
        if let kernel = fields["minKernel"] {
            guard let least = KernelRelease(parsing: try kernel.text()) else {
                throw YAMLError(line: kernel.line, reason: "minKernel is no release of Linux")
            }
            answers.append(facts.kernel >= least)
        }
        return all ? !answers.contains(false) : answers.contains(true)
    }

    /// Engines say amd64 for x86_64, and arm64 for aarch64.
    private static func named(_ name: ByteString) -> ByteString {
        switch name {
        case "amd64": "x86_64"
        case "arm64": "aarch64"
        default: name
        }
    }

    /// `SCMP_ARCH_X86_64` is `x86_64` to libseccomp.
    private static func architecture(_ node: YAMLNode) throws(YAMLError) -> ByteString {
        let text = try node.text()
        guard text.hasPrefix("SCMP_ARCH_") else {
            throw YAMLError(
                line: node.line, reason: "\(text.text) is no architecture; as in SCMP_ARCH_X86_64")
        }
        return ByteString(
            bytes: text.slice(from: 10).bytes.map { $0 >= 0x41 && $0 <= 0x5a ? $0 | 0x20 : $0 })
    }

    private static func action(_ node: YAMLNode, error: YAMLNode?) throws(YAMLError) -> UInt32 {
        let code: UInt32 = if let error { try number(error, below: 4096) } else { UInt32(EPERM) }
        switch try node.text() {
        case "SCMP_ACT_ALLOW": return 0x7fff_0000
        case "SCMP_ACT_LOG": return 0x7ffc_0000
        case "SCMP_ACT_ERRNO": return 0x0005_0000 | code
        case "SCMP_ACT_TRAP": return 0x0003_0000
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": return 0
        case "SCMP_ACT_KILL_PROCESS": return 0x8000_0000
        case let other:
            // SCMP_ACT_TRACE and SCMP_ACT_NOTIFY want somebody who answers.
            throw YAMLError(line: node.line, reason: "the action \(other.text) is not known here")
        }
    }

    private static let comparisons: [(ByteString, UInt32)] = [
        ("SCMP_CMP_NE", 1), ("SCMP_CMP_LT", 2), ("SCMP_CMP_LE", 3), ("SCMP_CMP_EQ", 4),
        ("SCMP_CMP_GE", 5), ("SCMP_CMP_GT", 6), ("SCMP_CMP_MASKED_EQ", 7),
    ]

    private static func comparison(_ node: YAMLNode) throws(YAMLError) -> nsrun_comparison {
        let fields = try YAMLFields(node, ["index", "value", "valueTwo", "op"])
        let how = try fields.required("op")
        let name = try how.text()
        guard let known = comparisons.first(where: { $0.0 == name }) else {
            throw YAMLError(line: how.line, reason: "the comparison \(name.text) is not known here")
        }
        return nsrun_comparison(
            argument: try number(fields.required("index"), below: 6), how: known.1,
            value: try number(fields.required("value")),
            other: try fields["valueTwo"].map { node throws(YAMLError) in try number(node) } ?? 0)
    }

    private static func number(_ node: YAMLNode, below end: UInt32) throws(YAMLError) -> UInt32 {
        let value = try number(node)
        guard value < end else {
            throw YAMLError(line: node.line, reason: "\(value) is too large")
        }
        return UInt32(value)
    }

    private static func number(_ node: YAMLNode) throws(YAMLError) -> UInt64 {
        guard let value = try node.text().number() else {
            throw YAMLError(line: node.line, reason: "a number is wanted here")
        }
        return value
    }

    /// What libseccomp makes of it.
    func program() throws(YAMLError) -> [UInt8] {
        guard let profile = nsrun_profile_begin(defaultAction) else { throw refused(line, ENOMEM) }
        var isMade = false
        defer { if !isMade { _ = nsrun_profile_end(profile, nil, 0) } }
        for name in architectures {
            let error = withCString(name) { nsrun_profile_architecture(profile, $0) }
            guard error == 0 else {
                throw YAMLError(
                    line: line, reason: "the architecture \(name.text) is not known here")
            }
        }
        for rule in rules {
            for name in rule.names {
                let error = rule.compared.withUnsafeBufferPointer { compared in
                    withCString(name) {
                        nsrun_profile_rule(
                            profile, rule.action, $0, compared.baseAddress, UInt32(compared.count))
                    }
                }
                guard error == 0 else { throw refused(rule.line, -error) }
            }
        }
        let capacity = 65536
        var length = 0
        let program = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            length = buffer.withMemoryRebound(to: CChar.self) {
                nsrun_profile_end(profile, $0.baseAddress!, capacity)
            }
            count = max(0, length)
        }
        isMade = true
        guard length > 0 else { throw refused(line, Int32(-length)) }
        return program
    }

    private func refused(_ line: Int, _ code: Int32) -> YAMLError {
        YAMLError(line: line, reason: "libseccomp refuses it: \(reason(code))")
    }
}
