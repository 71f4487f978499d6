// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// What a run tells its caller in JSON, in bubblewrap's literal spacing: callers have been seen to take
/// it apart with regular expressions.
struct StatusReport {
    let info: Int32?
    private let status: Int32?
    private let namespaces: NamespaceSet
    private let tellsCommand: Bool

    init(_ plan: LaunchPlan) {
        info = plan.lifecycle.infoDescriptor
        status = plan.lifecycle.statusDescriptor
        namespaces = plan.namespaces
        tellsCommand =
            plan.lifecycle.tellsCommandPID && status != nil && plan.shape == .childWithInit
    }

    /// The command's own pid is known only once it has started.
    var wantsStart: Bool { tellsCommand }

    /// The descriptors that are written to, -1 for none.
    var descriptors: [Int32] { [info ?? -1, status ?? -1] }

    /// Tells the pid of the child, and the numbers of its namespaces.
    func tellChild(_ pid: Int32) throws(LaunchError) {
        if let info {
            try write(
                "{\n    \"child-pid\": \(pid)" + list(pid, indent: "\n    ") + "\n}\n", to: info)
        }
        if let status {
            try write("{ \"child-pid\": \(pid)" + list(pid, indent: " ") + " }\n", to: status)
        }
    }

    func tellCommand(of process: RunningProcess) throws(LaunchError) {
        guard let status, tellsCommand, let number = process.command ?? firstChild(of: process.pid)
        else { return }
        try write("{ \"command-pid\": \(number) }\n", to: status)
    }

    /// The command's pid as this process sees it: the only child of pid 1 so far.
    private func firstChild(of pid: Int32) -> Int32? {
        let path = ByteString("/proc/\(pid)/task/\(pid)/children")
        guard let text = HostFacts.readFile(path, limit: 64) else { return nil }
        let number = ByteString(bytes: text.filter { $0 != UInt8(ascii: " ") }).number()
        return number.flatMap { Int32(exactly: $0) }
    }

    /// Only for a command that did start: a failure is thrown before. What cannot be told leaves its status as it is.
    func tellEnd(_ code: Int32) throws(LaunchError) {
        if let status { try write("{ \"exit-code\": \(code) }\n", to: status) }
    }

    /// In the order of bubblewrap: those that were made new, and the mount namespace.
    private func list(_ pid: Int32, indent: String) -> String {
        let names: [(NamespaceSet, String)] = [
            (.cgroup, "cgroup"), (.ipc, "ipc"), (.mount, "mnt"), (.network, "net"), (.pid, "pid"),
            (.uts, "uts"),
        ]
        var text = ""
        for (member, name) in names where namespaces.contains(member) {
            let number = withCString(ByteString("/proc/\(pid)/ns/\(name)")) { nsrun_inode($0) }
            if number != 0 { text += ",\(indent)\"\(name)-namespace\": \(number)" }
        }
        return text
    }

    private func write(_ text: String, to descriptor: Int32) throws(LaunchError) {
        let bytes = ByteString(text)
        let error = withCString(bytes) { nsrun_write_quietly(descriptor, $0, bytes.count) }
        // Whoever does not read it any more wants no more of it.
        guard error == 0 || error == -EPIPE else {
            throw LaunchError(
                .setup, "cannot tell of the run to descriptor \(descriptor): \(reason(-error))",
                remedy: "whoever gave it must be able to take what is written", code: -error)
        }
    }
}
