// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// A script of the host's that is run in a root: by what its first line names, which is the root's, or by sh.
struct RootScript {
    /// As the user wrote it.
    let name: String
    let path: String
    /// How it is run where it is shown to be at ``TreeRun/scriptPlace``.
    let command: [String]

    init(_ name: String) throws {
        self.name = name
        let file = try FileStream.open(name)
        var head = [UInt8](repeating: 0, count: 256)
        let count = pread(file.number, &head, head.count, 0)
        guard count >= 0 else { throw RootFilesystemError(cannot: "read", name, errno: errno) }
        path = name.hasPrefix("/") ? name : FileManager.default.currentDirectoryPath + "/" + name
        var words = ["/bin/sh"]
        let line = head[..<count].prefix { $0 != UInt8(ascii: "\n") }
        if line.starts(with: Array("#!".utf8)) {
            // As the kernel has it: the interpreter, and all that follows as one word.
            let parts = String(decoding: line.dropFirst(2), as: UTF8.self)
                .split(separator: " ", maxSplits: 1)
            guard let interpreter = parts.first else {
                throw RootFilesystemError(
                    cannot: "run", name, because: "its first line names no interpreter")
            }
            words = [String(interpreter)]
            if parts.count > 1 { words.append(String(parts[1])) }
        }
        command = words + [TreeRun.scriptPlace]
    }
}
