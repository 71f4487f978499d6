// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// Arguments that stand in a file or come from a descriptor.
enum ArgumentFile {
    /// The most that is read: no sane list of arguments is larger.
    private static let limit = 64 << 20

    /// One argument a line, no quoting; an empty line is an empty argument, and one that begins with # a comment.
    static func read(_ path: ByteString) throws(UsageError) -> [ByteString] {
        let text = try HostFile.read(path, limit: limit).orThrow("cannot read @\(path.text)")
        if text.contains(0) {
            throw UsageError("cannot use @\(path.text): it contains a NUL byte")
        }
        return parts(text, UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }
    }

    /// Arguments that end with NUL bytes.
    static func read(descriptor: Int32) throws(UsageError) -> [ByteString] {
        let text = try HostFile.read(descriptor: descriptor, limit: limit)
            .orThrow("cannot read arguments from descriptor \(descriptor)")
        return parts(text, 0)
    }

    /// The last part need not be terminated.
    static func parts(_ text: [UInt8], _ terminator: UInt8) -> [ByteString] {
        var words = ByteString(bytes: text).split(on: terminator)
        if words.last?.isEmpty == true { words.removeLast() }
        return words
    }
}

extension HostFile.Result {
    fileprivate func orThrow(_ what: String) throws(UsageError) -> [UInt8] {
        switch self {
        case .content(let bytes): bytes
        case .failure(let reason, let remedy):
            throw UsageError("\(what): \(reason)", remedy: remedy)
        }
    }
}
