// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// A program that stays in a process of its own while its caller goes on: for one of one thread.
public enum DetachedRun {
    /// The file that the run's output goes to, at its end.
    public struct Log: Sendable {
        public var path: ByteString
        /// The caller closes it.
        public var descriptor: Int32

        public func remove() { _ = withCString(path) { unlink($0) } }
    }

    /// One by a name lies where programs keep what they know between runs; `anew`: it is emptied.
    public static func openLog(
        _ path: ByteString?, name: ByteString, anew: Bool
    ) throws(LaunchError) -> Log {
        let place: ByteString
        if let path { place = path } else { place = try standardLog(name) }
        let log = withCString(place) { nsrun_open_log($0, path == nil, path == nil && anew) }
        guard log >= 0 else { throw unwritable(place, -log) }
        return Log(path: place, descriptor: log)
    }

    /// One for the user alone, in folders that nobody else looks into: so many are made above it.
    public static func openOwnLog(
        _ path: ByteString, above: Int
    ) throws(LaunchError) -> Log {
        if let folder = path.parent { HostFile.makePrivate(folder, above: above) }
        let log = withCString(path) { nsrun_open_log($0, true, false) }
        guard log >= 0 else { throw unwritable(path, -log) }
        return Log(path: path, descriptor: log)
    }

    private static func unwritable(_ path: ByteString, _ code: Int32) -> LaunchError {
        LaunchError(
            .setup, "cannot write the log \(path.text): \(reason(code))",
            remedy: "name a file that you may write to", code: code)
    }

    private static func standardLog(_ name: ByteString) throws(LaunchError) -> ByteString {
        var facts = HostFacts.environmentOnly
        (facts.userID, facts.groupID) = (getuid(), getgid())
        guard let folder = facts.stateFolders.last else {
            throw LaunchError(
                .setup, "cannot keep a log: no home directory is known",
                remedy: "name a file for it, or set HOME")
        }
        let logs = folder.appending(path: "nsrun/logs")
        HostFile.makePrivate(logs, above: 3)
        let file = ByteString(
            bytes: name.bytes.map { $0 == UInt8(ascii: "/") ? UInt8(ascii: "%") : $0 })
        return logs.appending(path: file + ".log")
    }

    /// Makes the process that stays, in a session of its own, with nothing to read, and the log for its output; `errors` is
    /// one of its own for standard error. In that one it returns where the start is to be told, see
    /// ``LaunchPlan/detach(tellingStartTo:)``, or why there was none. In the caller it returns nil when the command has
    /// started, or throws what kept it from that.
    public static func split(log: Int32, errors: Int32? = nil) throws(LaunchError) -> Int32? {
        var channel: Int32 = -1
        let child = nsrun_split(log, errors ?? log, &channel)
        guard child >= 0 else {
            throw LaunchError(
                .setup, "cannot start a process: \(reason(-child))",
                remedy: Remedy.general(-child, at: nil), code: -child)
        }
        if child == 0 { return channel }
        defer { closeDescriptor(channel) }
        guard case .content(let words) = HostFile.read(descriptor: channel, limit: 1 << 16) else {
            throw .hasGone
        }
        if words.first == started { return nil }
        let parts = ByteString(bytes: words).split(on: 0)
        guard parts.count == 4 else { throw .hasGone }
        let kind: LaunchError.Kind =
            switch parts[0].number() {
            case 126: .notExecutable
            case 127: .notFound
            default: .setup
            }
        var error = LaunchError(
            kind, parts[2].text, remedy: parts[3].isEmpty ? nil : parts[3].text)
        error.isOfTakenName = parts[1] == "1"
        throw error
    }

    static let started = UInt8(ascii: "+")

    /// Why there is no start. `remedy`: what helps.
    public static func tell(_ error: LaunchError, _ remedy: String?, on channel: Int32) {
        let taken = error.isOfTakenName ? "1" : "0"
        var text = "\(error.exitStatus)\0\(taken)\0\(error.message)\0\(remedy ?? "")"
        _ = text.withUTF8 { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                nsrun_write_all(channel, $0.baseAddress!, $0.count)
            }
        }
    }
}

extension LaunchError {
    fileprivate static let hasGone = LaunchError(
        .setup, "the run has ended before its command was started",
        remedy: "start it once more; free memory and open files may be short")
}
