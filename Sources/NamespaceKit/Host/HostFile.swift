import CNamespace

/// Reads files of the host for the command line, which makes no system call of its own.
public enum HostFile {
    public enum Result: Sendable, Equatable {
        case content([UInt8])
        /// The reason in words.
        case failure(String)
    }

    /// The whole of a file, which must not be longer than `limit` bytes.
    public static func read(_ path: ByteString, limit: Int) -> Result {
        if path.isEmpty { return .failure("the path is empty") }
        let descriptor = withCString(path) { nsrun_open_for_reading($0) }
        guard descriptor >= 0 else { return .failure(reason(-descriptor)) }
        defer { closeDescriptor(descriptor) }
        return read(descriptor: descriptor, limit: limit)
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
            if length < 0 { return .failure(reason(Int32(-length))) }
            content += part
            if content.count > limit { return .failure("longer than \(limit) bytes") }
            if length < chunk { return .content(content) }
        }
    }

    public static func isOpen(_ descriptor: Int32) -> Bool { nsrun_is_open(descriptor) == 1 }

    /// Whether a path leads to a directory.
    public static func isDirectory(_ path: ByteString) -> Bool {
        let mode = withCString(path) { nsrun_file_mode($0, true) }
        return mode >= 0 && mode & 0o170000 == 0o040000
    }
}
