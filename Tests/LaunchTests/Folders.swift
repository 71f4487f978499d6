// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A directory that goes away with its last user, whatever became of the modes inside.
final class TemporaryDirectory {
    let path: String

    /// Not below /tmp if it is to be seen in the host view, whose /tmp is private.
    init(in parent: String = "/tmp") throws {
        var name = Array("\(parent)/nsrun-test-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        let remove = ["sh", "-c", "chmod -R u+rwX \"$0\" 2>&-; rm -rf \"$0\"", path]
        _ = try? run(remove)
        // Files of the caller's subordinate ids are within reach of a run that maps those.
        guard access(path, F_OK) == 0, let nsrun = try? Bench.current().nsrun else { return }
        let mapped = ["--map-auto", "--uid", "0", "--gid", "0", "--bind", path, path]
        _ = try? run([nsrun] + mapped + ["--", "find", path, "-mindepth", "1", "-delete"])
        _ = try? run(remove)
    }

    static func / (directory: TemporaryDirectory, name: String) -> String {
        "\(directory.path)/\(name)"
    }

    @discardableResult
    func write(_ content: String, to name: String, mode: Int = 0o644) throws -> String {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try Data(content.utf8).write(to: URL(filePath: file))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }

    @discardableResult
    func makeDirectory(_ name: String) throws -> String {
        let directory = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        return directory
    }

    func link(_ name: String, to text: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: "\(path)/\(name)", withDestinationPath: text)
    }

    func content(_ name: String) -> String? {
        try? String(contentsOfFile: "\(path)/\(name)", encoding: .utf8)
    }

    /// Everything below: names, types, modes, sizes, times and link texts.
    func listing() throws -> String {
        let format = "%p %y %m %s %T@ %C@ %l\\n"
        return try run(["find", path, "-printf", format]).output
            .split(separator: "\n").sorted().joined(separator: "\n")
    }
}

/// The smallest root in which a shell script runs: not usr-merged, and with nothing but bin and lib.
struct BareRoot {
    let directory: TemporaryDirectory
    var path: String { directory.path }

    /// Programs beside the shell have to be asked for: copying is what a test spends its time on.
    init(with programs: [String] = []) throws {
        directory = try TemporaryDirectory()
        let rootfs = try Bench.current().rootfs
        let script = """
            set -eu
            umask 022
            mkdir bin lib lib64
            for program in sh "$@"; do cp -L "$R/usr/bin/$program" bin/; done
            for lib in "$R"/usr/lib/*-linux-gnu/; do :; done
            cp -L "$lib"libc.so.6 lib/
            cp -L "$lib"ld-linux-*.so.* lib64/
            ln lib64/* lib/
            if [ $# -gt 0 ]; then cp -L "$lib"libselinux.so.1 "$lib"libpcre2-8.so.0 lib/; fi
            """
        let made = try run(
            ["sh", "-c", script, "sh"] + programs, environment: ["R": rootfs], directory: path)
        expect(made, exits: 0)
    }
}
