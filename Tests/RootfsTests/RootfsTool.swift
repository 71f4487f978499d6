// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Runs nsrun-rootfs to its end.
func rootfsTool(
    _ arguments: [String], environment: [String: String?] = [:], directory: String = "/"
) throws -> Outcome {
    try run(
        [try RootfsTool.path()] + arguments, environment: environment, directory: directory)
}

enum RootfsTool {
    static func path() throws -> String {
        _ = try Bench.current()
        return try #require(
            ProcessInfo.processInfo.environment["NSRUN_ROOTFS_TEST_BINARY"],
            "NSRUN_ROOTFS_TEST_BINARY must name the release binary")
    }

    /// A stand-in for mmdebstrap, found before the real one: what it makes is beside the point.
    static func environment(
        mmdebstrap script: String, in folder: TemporaryDirectory
    ) throws -> [String: String?] {
        try folder.write("#!/bin/sh\n\(script)\n", to: "bin/mmdebstrap", mode: 0o755)
        return ["PATH": "\(folder.path)/bin:/usr/bin:/bin"]
    }
}

extension TemporaryDirectory {
    /// Makes a rootfs out of a directory below, as far as nsrun-rootfs is concerned: one that it made.
    func record(_ root: String, _ text: String = "origin a test\n") throws {
        try write(text, to: "\(root)/.nsrun/image")
        chmod("\(path)/\(root)/.nsrun", 0o755)
    }

    /// The names in a directory below, in order; hidden ones too.
    func names(in name: String = "") throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(name)").sorted()
    }
}

/// Ranges of subordinate ids, without which a test that is about them cannot pass.
enum SubordinateRange {
    /// The first outside id of the caller's first range.
    static func first(_ file: String = "/etc/subuid") throws -> Int {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let names = [try run(["id", "-un"]).output, String(getuid())]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":")
            if fields.count == 3, names.contains(String(fields[0])), let first = Int(fields[1]) {
                return first
            }
        }
        return try #require(
            nil, "\(names[0]) has no range in \(file): Scripts/test.sh, run by root, gives it one")
    }
}
