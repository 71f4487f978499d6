// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// This process as the command line sees it: arguments in, text out.
public enum HostProcess {
    /// The arguments, the program's own name first, as bytes.
    public static var arguments: [ByteString] {
        var words: [ByteString] = []
        guard var next = nsrun_arguments() else { return words }
        while let word = next.pointee {
            words.append(ByteString(cString: word))
            next += 1
        }
        return words
    }

    /// Whether the caller is root, in whatever user namespace he is.
    public static var isRoot: Bool { getuid() == 0 }
    public static var userID: UInt32 { getuid() }
    public static var groupID: UInt32 { getgid() }

    /// A variable of the environment.
    public static func variable(_ name: StaticString) -> ByteString? {
        guard
            let value = getenv(UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self))
        else { return nil }
        return ByteString(cString: value)
    }

    /// The name that this host has on a network.
    public static var hostName: ByteString {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 65) { buffer in
            nsrun_host_name(buffer.baseAddress!)
            return ByteString(cString: buffer.baseAddress!)
        }
    }

    /// All variables, entries of `NAME=value`.
    public static var environment: [ByteString] { HostFacts.environmentOnly.environment }

    /// The machine as uname(2) names it.
    public static var machine: ByteString { HostFacts.machineName }

    /// The caller's entry in the user database, where it has one.
    public static var account: Account? {
        HostFacts.readAccount(user: getuid(), group: getgid())
    }

    /// The current directory without links, nil where it cannot be told.
    public static var currentDirectory: ByteString? { HostFile.canonicalPath(".") }

    /// Ranges of subordinate ids are the caller's (subuid(5), subgid(5)), and newuidmap(1) is there to map them.
    public static var hasSubordinateIDs: Bool {
        let name = account?.name
        return ["/etc/subuid", "/etc/subgid"].allSatisfy { (path: ByteString) in
            let text = HostFacts.readFile(path, limit: 1 << 22) ?? []
            return !SubordinateIDs.parse(text, user: getuid(), name: name).isEmpty
        }
            && HostFile.tool("newuidmap") != nil
    }

    /// A time in UTC, as ISO 8601 has it; `seconds` since 1970.
    public static func time(_ seconds: Int64) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            nsrun_format_time(seconds, buffer.baseAddress!, buffer.count)
            return String(cString: buffer.baseAddress!)
        }
    }

    public static func isTerminal(_ descriptor: Int32) -> Bool {
        nsrun_is_terminal(descriptor) == 1
    }
    /// Bytes that this process's stack may have.
    public static var stackLimit: UInt64 { nsrun_stack_limit() }
    /// Bytes of address space that this process may have.
    public static var memoryLimit: UInt64 { nsrun_memory_limit() }

    /// Has SIGCHLD do what it does by default, for this program and the command: whoever started it may have ignored
    /// that, and nothing could be waited for.
    public static func heedChildren() { nsrun_heed_children() }

    /// What is taken from the mode of files that are made (umask(2)).
    public static func setMask(_ mask: UInt32) { nsrun_set_mask(mask) }

    public static func print(_ text: ByteString) throws(LaunchError) {
        try check(withCString(text) { nsrun_write_all(1, $0, text.count) })
    }

    public static func print(_ text: String) throws(LaunchError) {
        try check(write(text, to: 1))
    }

    private static func check(_ error: Int32) throws(LaunchError) {
        if error < 0 {
            throw LaunchError(
                .setup, "cannot write to standard output: \(reason(-error))",
                remedy: "make room where it goes, or send it elsewhere", code: -error)
        }
    }

    /// Ends this process.
    public static func exit(_ status: Int32) -> Never { _exit(status) }

    public static func printError(_ text: String) { _ = write(text, to: 2) }

    /// 0 or a negative error number.
    private static func write(_ text: String, to descriptor: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { buffer in
            buffer.withMemoryRebound(to: CChar.self) { bytes in
                nsrun_write_all(descriptor, bytes.baseAddress, bytes.count)
            }
        }
    }
}
