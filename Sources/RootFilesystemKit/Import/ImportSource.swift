// SPDX-License-Identifier: Apache-2.0

import Glibc

/// What is to be imported, opened: a directory, a file, or what comes through standard input.
public struct ImportSource {
    /// As the user wrote it, for messages.
    let name: String
    let file: Descriptor
    let isDirectory: Bool
    /// Where the file is; nil for what comes through a pipe.
    let path: String?
    /// In bytes; 0 where that is not known.
    let size: Int64

    /// `-` is standard input, as are the names that the kernel has for it.
    init(_ argument: String) throws {
        let isInput = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"].contains(argument)
        name = isInput ? "standard input" : argument
        if isInput {
            file = try Descriptor(
                fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), cannot: "read", "standard input")
        } else {
            file = try Descriptor.open(argument, O_RDONLY | O_NONBLOCK | O_NOCTTY, cannot: "read")
        }
        let status = try file.status(cannot: "examine", name)
        isDirectory = status.isDirectory
        let isFile = status.isRegularFile
        guard isDirectory || isFile || isInput else {
            throw RootFilesystemError(
                cannot: "read", name, because: "it is neither a file nor a directory",
                remedy: "nsrun-rootfs import - DEST reads what comes through a pipe")
        }
        guard isatty(file.number) == 0, !isInput || status.type != S_IFCHR else {
            throw RootFilesystemError(
                cannot: "read", name, because: "nothing comes through it",
                remedy: "put a pipe or a file there: nsrun-rootfs import - DEST <FILE")
        }
        path = isFile || isDirectory ? (isInput ? "/proc/self/fd/\(file.number)" : argument) : nil
        size = isFile ? Int64(status.st_size) : 0
    }

    /// What a word means that has no slash: a file here or a rootfs in `store`, never one for the
    /// other. Anything else is itself.
    public static func path(of word: String, in store: RootFilesystemStore) throws -> String {
        guard !word.contains("/"), word != "-", RemoteImage(word) == nil,
            let stored = try? Destination(word, store: store), stored.exists
        else {
            var status = stat()
            if !word.contains("/"), word != "-", lstat(word, &status) != 0, errno == ENOENT,
                RemoteImage(word) == nil
            {
                throw RootFilesystemError(
                    cannot: "import", word,
                    because: "there is no such file, and no rootfs of that name in the store",
                    remedy:
                        "nsrun-rootfs list prints those; an image in a registry is docker://NAME")
            }
            return word
        }
        var status = stat()
        guard lstat(word, &status) != 0 else {
            throw RootFilesystemError(
                cannot: "import", word,
                because: "there is a rootfs of that name in the store, and something here",
                remedy: "write \(stored.path) for the one, ./\(word) for the other")
        }
        return stored.path
    }

    /// An image that was fetched, in parts, from what the user calls `name`.
    init(fetched parts: Descriptor, of name: String) {
        self.name = name
        file = parts
        isDirectory = true
        path = nil
        size = 0
    }

    /// For the record of what comes of it.
    var origin: String {
        if path == nil, isDirectory { return name }
        guard path != nil, name != "standard input" else { return "-" }
        if name.hasPrefix("/") { return name }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard getcwd(&buffer, buffer.count) != nil else { return name }
        return ByteString(cString: buffer).text + "/" + name
    }
}
