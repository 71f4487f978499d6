// SPDX-License-Identifier: Apache-2.0

import CNamespace

extension Diagnosis {
    /// Why the processes of a group cannot be joined.
    func join(_ name: ByteString, _ folder: ByteString, _ record: Record) -> LaunchError {
        let what = "cannot join the group \(name.text)"
        switch nsrun_call(rawValue: record.call) {
        case NSRUN_CALL_OTHER_GROUP:
            return LaunchError(
                .setup, "\(what): \(difference(record.text))",
                remedy: "give all its processes the same options, or this one another name",
                code: record.code)
        case NSRUN_CALL_STRANGER:
            return LaunchError(
                .setup, "\(what): a process of another user or namespace has taken its name",
                remedy: anotherName, code: record.code)
        case NSRUN_CALL_SOURCE:
            return LaunchError(
                .setup,
                record.code == EPERM
                    ? "\(what): others than you may enter \(folder.text), where its processes meet"
                    : "\(what) in \(folder.text): \(reason(record.code))",
                remedy: "remove that directory, or set XDG_RUNTIME_DIR to one of your own",
                code: record.code)
        case NSRUN_CALL_LAYER:
            return .layerInUse(plan.layerDirectory ?? "/", code: record.code)
        default: break
        }
        switch record.code {
        case ENOENT:
            return LaunchError(
                .setup, "\(what): there is none of that name",
                remedy: "\(words.list) says which there are", code: record.code)
        case EEXIST:
            var error = LaunchError(
                .setup, "cannot set up the group \(name.text): there is one of that name",
                remedy: anotherName, code: record.code)
            error.isOfTakenName = true
            return error
        case ETIMEDOUT:
            return LaunchError(
                .setup, "\(what): whoever has taken its name does not answer",
                remedy: anotherName, code: record.code)
        case EAGAIN: return error(what, record.code, "raise the limit on processes (ulimit -u)")
        default: return error(what, record.code)
        }
    }

    /// What the group is, and this request is not.
    private func difference(_ text: [UInt8]) -> String {
        let parts = ByteString(bytes: text).split(on: 0)
        let there = parts.first?.text ?? ""
        let here = plan.rootOfGroup?.text ?? ""
        if there != here { return "its root is \(there), not \(here)" }
        let theirs = parts.count > 1 ? parts[1] : ""
        let own = parts.count > 2 ? parts[2] : ""
        switch (theirs.isEmpty, own.isEmpty) {
        case (true, true): return "its namespaces, mounts or ids are not those asked for"
        case (false, true): return "it was set up to \(theirs.text), which is not asked for here"
        case (true, false): return "it was not set up to \(own.text)"
        case (false, false): return "it was set up to \(theirs.text), not to \(own.text)"
        }
    }

    private var anotherName: String { "choose another name for the group (\(words.join))" }

    /// The group was set up and is nobody's.
    func share(_ code: Int32) -> LaunchError {
        if code == EPIPE || code == ECONNRESET {
            return LaunchError(
                .setup, "cannot let others join: the process that keeps the namespaces was killed",
                remedy: "start it once more; memory and open files may be short", code: code)
        }
        return error("cannot let others join", code)
    }
}
