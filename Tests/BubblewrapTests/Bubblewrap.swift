// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// nsrun under the name of bubblewrap.
enum Bubblewrap {
    private static let directory = "/tmp/nsrun-test-\(getpid())-bwrap"

    /// A link named bwrap, there until the tests end.
    private static let link: Result<String, any Error> = Result {
        let path = directory + "/bwrap"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: path, withDestinationPath: Bench.current().nsrun)
        atexit { _ = try? FileManager.default.removeItem(atPath: Bubblewrap.directory) }
        // A sandbox that ends too early fails its own test, not all of them.
        signal(SIGPIPE, SIG_IGN)
        return path
    }

    static func path() throws -> String { try link.get() }

    /// What a script usually begins with: programs from the test root, and nothing else.
    static func programs() throws -> [String] {
        let root = try Bench.current().rootfs
        return [
            "--ro-bind", root + "/usr", "/usr", "--symlink", "usr/bin", "/bin",
            "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
        ]
    }
}

/// Both names. What is said of one holds for the other where a test takes the name as argument.
enum Name: String, CaseIterable, CustomTestStringConvertible {
    case bwrap, nsrun

    var testDescription: String { rawValue }

    /// The command up to its own options, with Debian's programs inside.
    func command() throws -> [String] {
        let bench = try Bench.current()
        return switch self {
        case .bwrap: try [Bubblewrap.path()] + Bubblewrap.programs()
        case .nsrun: [bench.nsrun, "--rootfs", bench.rootfs, "--ephemeral"]
        }
    }

    var failure: Int32 { self == .bwrap ? 1 : 125 }
}

/// Kernels as nsrun may find them. The options are undocumented; callers use two of them.
enum Kernel: String, CaseIterable, CustomTestStringConvertible {
    case own = ""
    case withoutOpenat2 = "--debug-opt=force-openat-fallback"
    case withoutMountSetattr = "--debug-opt=force-mount-setattr-fallback"
    case withoutMountAPI = "--debug-opt=force-classic-mounts"
    case withoutDetachedMounts = "--debug-opt=force-attached-mounts"

    var options: [String] { rawValue.isEmpty ? [] : [rawValue] }
    var testDescription: String { rawValue.isEmpty ? "own" : rawValue }
}

/// Runs a shell script in a root of programs and what the options add.
func sandbox(
    _ script: String, _ options: [String] = [], as name: Name = .bwrap,
    environment: [String: String?] = [:], descriptors: [Int32: String] = [:]
) throws -> Outcome {
    try run(
        name.command() + options + ["--", "sh", "-c", script], environment: environment,
        descriptors: descriptors)
}

/// Runs bwrap with these arguments and no others; `beside` are descriptors of the test's own.
func bwrap(_ arguments: [String], passing beside: [Int32: Int32] = [:]) throws -> Outcome {
    try run([Bubblewrap.path()] + arguments, passing: beside)
}

/// Runs a command to its end with descriptors of the test's own.
func run(_ command: [String], passing beside: [Int32: Int32]) throws -> Outcome {
    var files = beside
    let own = [try Scratch.openFile(), try Scratch.openFile(), try Scratch.openFile()]
    for (number, file) in own.enumerated() { files[Int32(number)] = beside[Int32(number)] ?? file }
    defer { for file in own { close(file) } }
    let status = try Child(command, descriptors: files).wait()
    return Outcome(
        status: status, output: Scratch.content(own[1]), error: Scratch.content(own[2]))
}

/// A refusal as bubblewrap's callers know it: status 1, the prefix, and these words somewhere.
func expect(
    _ seen: Outcome, refusedSaying words: String..., by name: Name = .bwrap,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(seen.status == name.failure, "\(seen)", sourceLocation: sourceLocation)
    #expect(seen.output == "", sourceLocation: sourceLocation)
    #expect(
        seen.error.hasPrefix("\(name.rawValue): "), "\(seen)", sourceLocation: sourceLocation)
    for word in words {
        #expect(seen.error.contains(word), "\(seen)", sourceLocation: sourceLocation)
    }
}

/// An open file or directory of the test's own, closed with its last user.
final class OpenFile {
    /// O_PATH, which glibc hides from Swift.
    static let pathOnly: Int32 = 0o10000000

    let number: Int32

    init(_ path: String, _ flags: Int32 = O_RDONLY) throws {
        number = open(path, flags | O_CLOEXEC, 0o644)
        if number < 0 { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
    }

    deinit { close(number) }
}
