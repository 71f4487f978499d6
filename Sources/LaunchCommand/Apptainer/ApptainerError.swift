// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// Why Apptainer would not do something, and the status that says so: 255 for what failed, 1 for a command line that makes
/// no sense.
struct ApptainerError: Error, Equatable {
    var message: String
    var remedy: String?
    var isUsage = false
    /// Which verb's command line it is.
    var verb = ""

    init(_ message: String, remedy: String? = nil) {
        self.message = message
        self.remedy = remedy
    }

    static func usage(_ message: String, of verb: ByteString? = nil) -> ApptainerError {
        var error = ApptainerError(message)
        error.isUsage = true
        error.verb = verb?.text ?? ""
        return error
    }

    init(_ error: LaunchError) {
        (message, remedy) = (error.message, error.remedy)
    }

    var status: Int32 { isUsage ? 1 : 255 }

    /// As it goes to standard error.
    var text: String {
        guard isUsage else {
            return "FATAL:   \(message)\n" + (remedy.map { "         \($0)\n" } ?? "")
        }
        return verb.isEmpty ? "Error: \(message)\n" : "Error for command \"\(verb)\": \(message)\n"
    }
}

/// What is said beside what is done.
struct ApptainerNotes: Equatable {
    /// 0 for all but INFO, as --quiet; -1 for errors alone; 2 and more for what only the curious want to know.
    var level = 1
    private(set) var text = ""

    mutating func info(_ message: String) {
        if level >= 1 { text += "INFO:    \(message)\n" }
    }

    mutating func warn(_ message: String) {
        if level >= 0 { text += "WARNING: \(message)\n" }
    }

    mutating func explain(_ message: String) {
        if level >= 2 { text += "VERBOSE: \(message)\n" }
    }

    /// Says it, once.
    mutating func flush() {
        if !text.isEmpty { HostProcess.printError(text) }
        text = ""
    }
}
