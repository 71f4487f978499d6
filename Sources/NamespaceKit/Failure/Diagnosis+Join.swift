import CNamespace

extension Diagnosis {
    /// Why the processes of a group cannot be joined.
    func join(_ name: ByteString, _ folder: ByteString, _ record: Record) -> LaunchError {
        let what = "cannot join the group \(name.text)"
        switch nsrun_call(rawValue: record.call) {
        case NSRUN_CALL_OTHER_GROUP:
            let there = ByteString(bytes: record.text).text
            let here = plan.rootOfGroup?.text ?? ""
            return LaunchError(
                .setup,
                there == here
                    ? "\(what): its namespaces, mounts or ids are not those asked for"
                    : "\(what): its root is \(there), not \(here)",
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
        default: break
        }
        switch record.code {
        case ETIMEDOUT:
            return LaunchError(
                .setup, "\(what): whoever has taken its name does not answer",
                remedy: anotherName, code: record.code)
        case EAGAIN: return error(what, record.code, "raise the limit on processes (ulimit -u)")
        case EMFILE: return error(what, record.code, "raise the limit on open files (ulimit -n)")
        default: return error(what, record.code)
        }
    }

    private var anotherName: String { "choose another name for the group (\(words.join))" }

    /// The group was set up and is nobody's.
    func share(_ code: Int32) -> LaunchError {
        if code == EPIPE || code == ECONNRESET {
            return LaunchError(
                .setup, "cannot let others join: the process that keeps the namespaces was killed",
                code: code)
        }
        return error("cannot let others join", code)
    }
}
