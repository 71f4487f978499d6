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

    public static func print(_ text: String) { write(text, to: 1) }

    public static func printError(_ text: String) { write(text, to: 2) }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { buffer in
            buffer.withMemoryRebound(to: CChar.self) { bytes in
                _ = nsrun_write_all(descriptor, bytes.baseAddress, bytes.count)
            }
        }
    }
}
