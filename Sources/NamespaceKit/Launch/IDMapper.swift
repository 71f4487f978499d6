// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Has the set-user-ID helpers newuidmap(1) and newgidmap(1) map ranges of ids for a new child. Root needs
/// nobody's help.
struct IDMapper {
    let plan: LaunchPlan

    func write(for child: Int32) throws(LaunchError) {
        for step in plan.steps {
            if case .requestIDMaps(let users, let groups) = step.action {
                if HostProcess.isRoot, write(groups, "gid_map", child),
                    write(users, "uid_map", child)
                {
                    continue
                }
                if !groups.isEmpty { try run("newgidmap", child, groups) }
                if !users.isEmpty { try run("newuidmap", child, users) }
            }
        }
    }

    /// What root of the host may write; root of a namespace may have to ask the helpers after all.
    private func write(_ ranges: [IDRange], _ file: ByteString, _ child: Int32) -> Bool {
        if ranges.isEmpty { return true }
        let path = ByteString("/proc/\(child)/").appending(path: file)
        return HostFile.write(IDRange.map(ranges), to: path)
    }

    private func run(
        _ tool: ByteString, _ child: Int32, _ ranges: [IDRange]
    ) throws(LaunchError) {
        var arguments = [ByteString(String(child))]
        for range in ranges {
            for number in [range.inside, range.outside, range.count] {
                arguments.append(ByteString(String(number)))
            }
        }
        let path = ByteString("/usr/bin/").appending(path: tool)
        guard HostFile.isExecutable(path) else {
            throw LaunchError(
                .setup, "cannot map ranges of ids: \(path.text) is not installed",
                remedy: "install the package uidmap, or use \(OptionNames.current.fakeSingle)")
        }
        let answer = HostTool.attempt(path, arguments, errorsToo: true)
        guard answer.status >= 0 else {
            throw LaunchError(
                .setup,
                "cannot map ranges of ids: cannot start \(path.text): \(reason(-answer.status))",
                code: -answer.status)
        }
        guard answer.status >> 8 != 127 else {
            throw LaunchError(
                .setup, "cannot map ranges of ids: \(path.text) cannot be started",
                remedy: "memory, open files (ulimit -n) or processes (ulimit -u) are short")
        }
        guard answer.succeeded else {
            let said = ByteString(bytes: answer.output).trimmed
            throw LaunchError(
                .setup, "cannot map ranges of ids: \(said)",
                remedy: "/etc/subuid and /etc/subgid must allow the ranges")
        }
    }
}

extension IDRange {
    /// The text of an id map (user_namespaces(7)).
    static func map(_ ranges: [IDRange]) -> ByteString {
        var text: ByteString = ""
        for range in ranges {
            text = text + ByteString("\(range.inside) \(range.outside) \(range.count)\n")
        }
        return text
    }
}
