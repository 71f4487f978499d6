// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What the tests run on, from the environment. A test that cannot run fails.
struct Bench {
    let nsrun: String
    let rootfs: String

    static func current() throws -> Bench {
        struct Unfit: Error, CustomStringConvertible {
            let description: String
        }
        let environment = ProcessInfo.processInfo.environment
        guard let nsrun = environment["NSRUN_TEST_BINARY"] else {
            throw Unfit(description: "NSRUN_TEST_BINARY must name the release binary")
        }
        guard let rootfs = environment["NSRUN_TEST_ROOTFS"] else {
            throw Unfit(description: "NSRUN_TEST_ROOTFS must name a Debian root")
        }
        guard getuid() != 0 else {
            throw Unfit(description: "nsrun run by root proves nothing: use an ordinary account")
        }
        return Bench(nsrun: nsrun, rootfs: rootfs)
    }
}

/// How a process ended, and what it printed.
struct Outcome: Equatable, CustomStringConvertible {
    var status: Int32
    var output: String
    var error: String

    var description: String {
        var text = "exit status \(status)"
        if !output.isEmpty { text += "\n  output: \(output)" }
        if !error.isEmpty { text += "\n  error: \(error)" }
        return text
    }

    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// The whole outcome: success, with this on standard output and nothing on standard error.
func expect(
    _ seen: Outcome, prints output: String, sourceLocation: SourceLocation = #_sourceLocation
) {
    expect(seen, Outcome(status: 0, output: output, error: ""), sourceLocation: sourceLocation)
}

/// The whole outcome: this status, and silence.
func expect(
    _ seen: Outcome, exits status: Int32, sourceLocation: SourceLocation = #_sourceLocation
) {
    expect(seen, Outcome(status: status, output: "", error: ""), sourceLocation: sourceLocation)
}

func expect(
    _ seen: Outcome, _ wanted: Outcome, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(seen == wanted, sourceLocation: sourceLocation)
}

/// A refusal in the house's form: one line that names operation, object and cause, and one with the
/// remedy, which says all of these words.
func expect(
    _ seen: Outcome, refuses message: String, remedy words: String..., status: Int32 = 125,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let lines = seen.error.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(seen.status == status, "\(seen)", sourceLocation: sourceLocation)
    #expect(seen.output == "", sourceLocation: sourceLocation)
    #expect(lines.first == "nsrun: \(message)", "\(seen)", sourceLocation: sourceLocation)
    guard !words.isEmpty else {
        #expect(lines.count == 1, "\(seen)", sourceLocation: sourceLocation)
        return
    }
    #expect(lines.count == 2, "\(seen)", sourceLocation: sourceLocation)
    let remedy = lines.count > 1 ? lines[1] : ""
    #expect(remedy.hasPrefix("  "), "\(seen)", sourceLocation: sourceLocation)
    for word in words {
        #expect(remedy.contains(word), "\(seen)", sourceLocation: sourceLocation)
    }
}

/// Both ways to reach the same mounts, and the fallbacks between them.
enum MountPath: String, CaseIterable, CustomTestStringConvertible {
    case native = ""
    case attached = "--debug-opt=force-attached-mounts"
    case classic = "--debug-opt=force-classic-mounts"
    case withoutOpenat2 = "--debug-opt=force-openat-fallback"

    var options: [String] { rawValue.isEmpty ? [] : [rawValue] }
    var testDescription: String { rawValue.isEmpty ? "native" : rawValue }
}

/// Runs nsrun to its end.
func nsrun(
    _ arguments: [String], input: String = "", environment: [String: String?] = [:],
    directory: String = "/", descriptors: [Int32: String] = [:]
) throws -> Outcome {
    let bench = try Bench.current()
    return try run(
        [bench.nsrun] + arguments, input: input, environment: environment, directory: directory,
        descriptors: descriptors)
}

/// Runs a shell script in the rootfs.
func inRoot(
    _ script: String, _ options: [String] = [], root: String? = nil,
    environment: [String: String?] = [:], directory: String = "/",
    descriptors: [Int32: String] = [:]
) throws -> Outcome {
    let root = try root ?? Bench.current().rootfs
    return try nsrun(
        ["--rootfs", root] + options + ["--", "sh", "-c", script], environment: environment,
        directory: directory, descriptors: descriptors)
}

/// Runs a shell script in the host view.
func onHost(
    _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
    directory: String = "/"
) throws -> Outcome {
    try nsrun(
        options + ["--", "sh", "-c", script], environment: environment, directory: directory)
}

/// Runs a command to its end. Descriptors are given as the content of a file to read.
func run(
    _ command: [String], input: String = "", environment: [String: String?] = [:],
    directory: String = "/", descriptors: [Int32: String] = [:]
) throws -> Outcome {
    let output = try Scratch.openFile()
    let error = try Scratch.openFile()
    var files: [Int32: Int32] = [0: try Scratch.openFile(input), 1: output, 2: error]
    for (number, content) in descriptors { files[number] = try Scratch.openFile(content) }
    defer { for file in files.values { close(file) } }
    let child = try Child(
        command, environment: environment, directory: directory, descriptors: files)
    let status = child.wait()
    return Outcome(
        status: status, output: Scratch.content(output), error: Scratch.content(error))
}

/// Nameless files.
enum Scratch {
    static func openFile(_ content: String = "") throws -> Int32 {
        var name = Array("/tmp/nsrun-test-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        guard file >= 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        unlink(name)
        let bytes = Array(content.utf8)
        guard write(file, bytes, bytes.count) == bytes.count else { throw POSIXError(.EIO) }
        lseek(file, 0, SEEK_SET)
        return file
    }

    /// The text in a file, without the newline at its end.
    static func content(_ file: Int32) -> String {
        lseek(file, 0, SEEK_SET)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = read(file, &buffer, buffer.count)
            if count <= 0 { break }
            bytes += buffer[..<count]
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
