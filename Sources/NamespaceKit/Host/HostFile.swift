// SPDX-License-Identifier: Apache-2.0

import CHost
import CNamespace

/// Reads files of the host for the command line, which makes no system call of its own.
public enum HostFile {
    public enum Result: Sendable, Equatable {
        case content([UInt8])
        /// The reason in words, and what helps against it.
        case failure(String, remedy: String? = nil)
    }

    /// The whole of a file, which must not be longer than `limit` bytes.
    public static func read(_ path: ByteString, limit: Int) -> Result {
        if path.isEmpty { return .failure("the path is empty") }
        let descriptor = withCString(path) { nsrun_open_for_reading($0) }
        guard descriptor >= 0 else {
            let remedy = Remedy.general(-descriptor, at: path)
            return .failure(reason(-descriptor), remedy: remedy)
        }
        defer { closeDescriptor(descriptor) }
        return read(descriptor: descriptor, limit: limit)
    }

    /// The beginning of a regular file of a rootfs, whose links lead nowhere else; empty where there is none.
    public static func read(_ path: ByteString, below root: ByteString, limit: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let length = buffer.withMemoryRebound(to: CChar.self) { bytes in
                withCString(root) { root in
                    withCString(path) { nsrun_read_below(root, $0, bytes.baseAddress!, limit) }
                }
            }
            count = max(0, length)
        }
    }

    /// What a descriptor gives until it ends.
    public static func read(descriptor: Int32, limit: Int) -> Result {
        var content: [UInt8] = []
        let chunk = 65536
        while true {
            var length = 0
            let part = [UInt8](unsafeUninitializedCapacity: chunk) { buffer, count in
                length = buffer.withMemoryRebound(to: CChar.self) {
                    nsrun_read_all(descriptor, $0.baseAddress!, chunk)
                }
                count = max(0, length)
            }
            if length < 0 {
                let code = Int32(-length)
                return .failure(reason(code), remedy: Remedy.general(code, at: nil))
            }
            content += part
            if content.count > limit { return .failure("longer than \(limit) bytes") }
            if length < chunk { return .content(content) }
        }
    }

    /// The names in a directory, without `.` and `..`, in the order of their bytes; none where it cannot
    /// be read.
    public static func names(in directory: ByteString) -> [ByteString] {
        var fault: Int32 = 0
        return names(in: directory, &fault)
    }

    /// The same; `fault` becomes the errno of what kept it from being read whole.
    static func names(in directory: ByteString, _ fault: inout Int32) -> [ByteString] {
        var error: Int32 = 0
        let list = withCString(directory) { nsrun_open_list($0, &error) }
        var names: [ByteString] = []
        if let list {
            defer { nsrun_close_list(list) }
            while let name = nsrun_next_name(list, &error) {
                names.append(ByteString(cString: name))
            }
        }
        if error < 0 { fault = -error }
        return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    /// What a symbolic link says.
    static func linkText(_ path: ByteString) -> ByteString? {
        var fault: Int32 = 0
        return linkText(path, &fault)
    }

    /// The same; `fault` becomes the errno of what kept it from being read, be it that it is no link (EINVAL).
    static func linkText(_ path: ByteString, _ fault: inout Int32) -> ByteString? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
            let length = withCString(path) { nsrun_read_link($0, buffer.baseAddress!, 4097) }
            if length < 0 {
                fault = Int32(-length)
                return nil
            }
            return ByteString(cString: buffer.baseAddress!)
        }
    }

    /// Whether a path leads to anything.
    /// So it is also where that cannot be told just now: whoever uses it then meets the error, and names it.
    public static func exists(_ path: ByteString) -> Bool {
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        return mode >= 0 || HostFacts.passes(Int32(-mode))
    }

    /// Whether a path leads to an ordinary file.
    public static func isRegular(_ path: ByteString) -> Bool {
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        return mode >= 0 && mode & 0o170000 == 0o100000
    }

    /// The file system of a path, in words, where it is one that overlayfs takes for no upper directory.
    static func unfitForLayers(_ path: ByteString) -> String? {
        switch withCString(path, { nsrun_file_system($0) }) {
        case 0x6573_5546: "a FUSE file system"
        case 0x6969: "NFS"
        case 0x794c_7630: "another overlay"
        case 0x0102_1997: "9p"
        case 0x00c3_6400: "Ceph"
        case 0x0bd0_0bd0: "Lustre"
        case 0x4750_4653: "GPFS"
        case 0x1983_0326: "BeeGFS"
        case 0xff53_4d42, 0xfe53_4d42: "SMB"
        default: nil
        }
    }

    static func isWritable(_ path: ByteString) -> Bool {
        withCString(path) { nsrun_is_writable($0) } == 1
    }

    /// What keeps the caller from a device that the kernel's module makes, and what helps; nil where nothing does.
    static func obstacle(
        to device: ByteString, of module: StaticString
    ) -> (cause: String, remedy: String, code: Int32)? {
        if !exists(device) {
            return (
                "there is no \(device.text) here",
                "ask the administrator for modprobe \(module) (in a container, for the device)",
                ENOENT
            )
        }
        if !isWritable(device) {
            return (
                "you may not use \(device.text)",
                "ask the administrator for chmod 666 \(device.text), as systems have it", EACCES
            )
        }
        return nil
    }

    public static func isExecutable(_ path: ByteString) -> Bool {
        withCString(path) { nsrun_is_executable($0) } == 1
    }

    /// Where on the host a path of a rootfs lies, whose links lead nowhere else; nil where it leads to
    /// nothing.
    public static func locate(_ path: ByteString, below root: ByteString) -> ByteString? {
        var fault: Int32 = 0
        return locate(path, below: root, &fault)
    }

    /// The same; `fault` becomes the errno of what kept it from being found.
    static func locate(
        _ path: ByteString, below root: ByteString, _ fault: inout Int32
    ) -> ByteString? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
            let length = withCString(root) { root in
                withCString(path) { nsrun_locate_below(root, $0, buffer.baseAddress!, 4097) }
            }
            if length < 0 { fault = Int32(-length) }
            return length > 0 ? ByteString(cString: buffer.baseAddress!) : nil
        }
    }

    /// Whether a rootfs has something at a path, be it a link that leads to nothing.
    public static func isThere(_ path: ByteString, below root: ByteString) -> Bool {
        guard let parent = path.parent else { return true }
        guard let holder = locate(parent, below: root) else { return false }
        let place = holder.appending(path: path.lastComponent)
        return withCString(place) { nsrun_file_mode($0, false) } >= 0
    }

    /// The path without links, nil where it leads to nothing (realpath(3)).
    public static func canonicalPath(_ path: ByteString) -> ByteString? {
        var code: Int32 = 0
        return canonicalPath(path, &code)
    }

    /// The same, and why there is none, an errno.
    static func canonicalPath(_ path: ByteString, _ code: inout Int32) -> ByteString? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4097) { buffer in
            let length = withCString(path) { nsrun_canonical($0, buffer.baseAddress!, 4097) }
            if length < 0 { code = Int32(-length) }
            return length > 0 ? ByteString(cString: buffer.baseAddress!) : nil
        }
    }

    public static func close(_ descriptor: Int32) { closeDescriptor(descriptor) }

    /// The error number of what is not there.
    public static let missing = ENOENT

    /// An error number in words.
    public static func reason(_ code: Int32) -> String { NamespaceKit.reason(code) }

    /// What this program's own file is called, or was; the kernel follows no more links for it than one.
    public static var ownName: ByteString? { linkText("/proc/self/exe")?.lastComponent }

    /// This program's own file.
    public static var ownPath: ByteString? { canonicalPath("/proc/self/exe") }

    /// Writes to a file of the kernel's, in one write.
    static func write(_ text: ByteString, to path: ByteString) -> Bool {
        withCString(path) { path in
            withCString(text) { nsrun_write_file(path, $0, text.count) }
        } == 0
    }

    /// Writes a file of the caller's, which is emptied before. The reason in words why not, or nil.
    public static func replace(_ path: ByteString, with text: ByteString) -> String? {
        let file = withCString(path) { nsrun_open_log($0, true, true) }
        guard file >= 0 else { return reason(-file) }
        defer { closeDescriptor(file) }
        let error = withCString(text) { nsrun_write_all(file, $0, text.count) }
        return error == 0 ? nil : reason(-error)
    }

    /// Whether a name matches a pattern of `*`, `?` and brackets, of which each counts as any one byte.
    public static func matches(_ name: ByteString, _ pattern: ByteString) -> Bool {
        SecureShell.matches(name.bytes[...], pattern.bytes[...])
    }

    public static func isOpen(_ descriptor: Int32) -> Bool { nsrun_is_open(descriptor) == 1 }

    /// Makes a directory, which may be there already. The reason in words, or nil.
    public static func makeDirectory(_ path: ByteString) -> String? {
        let error = withCString(path) { nsrun_make_directory($0, 0o755) }
        return error == 0 || error == -EEXIST && isDirectory(path) ? nil : reason(-error)
    }

    /// Becomes another program, with the environment given. Returns only to say why not.
    public static func become(
        _ path: ByteString, _ arguments: [ByteString], environment: [ByteString]
    ) -> String {
        var words = CStringArray()
        for argument in arguments { words.append(argument) }
        var entries = CStringArray()
        for entry in environment { entries.append(entry) }
        let (argv, envp) = (words.terminated(), entries.terminated())
        let code = withCString(path) { nsrun_become($0, argv, envp) }
        words.free()
        entries.free()
        return reason(-code)
    }

    /// Whether a path leads to a directory.
    public static func isDirectory(_ path: ByteString) -> Bool {
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        if mode < 0 { return HostFacts.passes(Int32(-mode)) }
        return mode & 0o170000 == 0o040000
    }
}
