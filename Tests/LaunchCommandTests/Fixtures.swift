// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

@testable import LaunchCommand

/// The words of a command line.
func words(_ texts: [String]) -> [ByteString] { texts.map { ByteString($0) } }

func parse(_ texts: String...) throws(UsageError) -> ParsedCommandLine {
    try Parser.parse(words(texts))
}

func build(_ texts: [String]) throws(UsageError) -> Invocation {
    try RequestBuilder.build(Parser.parse(words(texts)))
}

/// What nsrun says against a command line, or nil where it has no objection.
func complaint(_ texts: [String]) -> String? {
    do throws(UsageError) {
        _ = try build(texts)
        return nil
    } catch {
        return error.remedy.map { error.message + "\n  " + $0 } ?? error.message
    }
}

func complaint(_ texts: String...) -> String? { complaint(texts) }

extension ParsedCommandLine {
    /// The options as they could have been typed.
    var typed: [ByteString] { options.flatMap { [$0.origin] + $0.values } }
}

/// A file that is there as long as the value is.
final class TemporaryFile {
    let path: String

    init(_ bytes: [UInt8]) {
        var name = Array("/tmp/nsrun-test-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        precondition(descriptor >= 0, "/tmp is not writable")
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        precondition(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    convenience init(_ text: String) { self.init(Array(text.utf8)) }

    deinit { unlink(path) }
}
