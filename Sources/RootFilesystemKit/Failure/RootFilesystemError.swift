// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit

/// Why something could not be done, in the user's words: what was attempted, on what, and the cause.
///
/// This is the only place that knows how a failure is worded; everything else names the parts.
public struct RootFilesystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was attempted, as a verb phrase that follows "cannot": `import`, `create the directory`.
    public var operation: String
    /// What it was attempted on, usually a path.
    public var object: String
    /// What stood in the way.
    public var cause: String
    /// What the user can do about it, if anything is known to help.
    public var remedy: String?
    /// The error number behind the cause, or 0 when no system call failed.
    public var code: Int32

    public init(
        cannot operation: String, _ object: String, because cause: String, remedy: String? = nil
    ) {
        self.operation = operation
        self.object = object
        self.cause = cause
        self.remedy = remedy
        self.code = 0
    }

    /// A system call failed; `code` is its `errno`.
    public init(cannot operation: String, _ object: String, errno code: Int32) {
        self.init(
            cannot: operation, object, because: String(cString: strerror(code)).lowercasedFirst,
            remedy: Self.remedy(for: code))
        self.code = code
    }

    /// One line, and a second, indented one with the remedy where there is one; without the name of
    /// the program.
    public var description: String {
        // Names come from arguments and archives, and must not pose as something else on a terminal.
        let line = "cannot \(operation) \(object.harmlessLine): \(cause)".harmless
        guard let remedy else { return line }
        return line + "\n  " + remedy.harmlessLine
    }

    private static func remedy(for code: Int32) -> String? {
        switch code {
        case ENOSPC, EDQUOT: "free some space there, or choose a destination on another disk"
        case EROFS: "choose a destination on a file system that is writable"
        case EMFILE, ENFILE: "raise the limit on open files (ulimit -n)"
        default: nil
        }
    }
}

extension String {
    /// The C library's texts start with a capital letter; here they come after a colon.
    fileprivate var lowercasedFirst: String { prefix(1).lowercased() + dropFirst() }
}

/// A signal asked the run to stop; whoever catches this has nothing to report but must still end.
public struct Interrupted: Error, Equatable, Sendable {
    /// The signal's number.
    public var signal: Int32
}
