// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// A file of `NAME=VALUE` lines. Empty lines and lines that begin with `#` are passed over; nothing is
/// quoted, and `export ` before a name is allowed.
enum EnvironmentFile {
    static func read(_ path: ByteString) throws(UsageError) -> [EnvironmentRequest.Change] {
        switch HostFile.read(path, limit: 16 << 20) {
        case .failure(let reason, let remedy):
            throw UsageError("cannot read \(path.text): \(reason)", remedy: remedy)
        case .content(let text): return try parse(text, path)
        }
    }

    static func parse(
        _ text: [UInt8], _ path: ByteString
    ) throws(UsageError) -> [EnvironmentRequest.Change] {
        var changes: [EnvironmentRequest.Change] = []
        var number = 0
        for var line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
            number += 1
            if line.bytes.last == UInt8(ascii: "\r") {
                line = line.slice(from: 0, to: line.count - 1)
            }
            if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
            if line.hasPrefix("export ") { line = line.slice(from: 7) }
            if line.contains(0) {
                throw UsageError("\(path.text), line \(number): a NUL byte")
            }
            guard let sign = line.firstIndex(of: UInt8(ascii: "=")), sign > 0 else {
                throw UsageError(
                    "\(path.text), line \(number): \"\(line.text)\" is not NAME=VALUE")
            }
            changes.append(
                .set(name: line.slice(from: 0, to: sign), value: line.slice(from: sign + 1)))
        }
        return changes
    }
}
