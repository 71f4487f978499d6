import CNamespace
import Glibc

/// This process as the command line sees it: arguments in, text out.
public enum HostProcess {
    /// The arguments, the program's own name first, as bytes.
    public static var arguments: [ByteString] {
        var words: [ByteString] = []
        let count = Int(CommandLine.argc)
        words.reserveCapacity(count)
        for index in 0..<count {
            guard let word = CommandLine.unsafeArgv[index] else { break }
            words.append(ByteString(cString: word))
        }
        return words
    }

    public static func print(_ text: String) { write(text, to: 1) }

    public static func printError(_ text: String) { write(text, to: 2) }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { buffer in
            var start = 0
            while start < buffer.count {
                let count = Glibc.write(descriptor, buffer.baseAddress! + start, buffer.count - start)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return }
                start += count
            }
        }
    }
}
