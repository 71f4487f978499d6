// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Squashfs files of roots, made once for all the tests of a suite as a user would make them.
enum TestImage {
    @TaskLocal private static var made: String?
    static var folder: String { get throws { try #require(made) } }

    /// The Debian of all tests.
    static var debian: String { get throws { try "\(folder)/debian.squashfs" } }
    /// A shell and little more, packed by each compressor.
    static func small(_ compression: String) throws -> String {
        try "\(folder)/\(compression).squashfs"
    }

    static let compressions = ["zstd", "lz4", "gzip", "xz"]

    struct Making: SuiteTrait, TestScoping {
        func provideScope(
            for test: Test, testCase: Test.Case?,
            performing function: @Sendable () async throws -> Void
        ) async throws {
            // The shortest to make; what is tested is the same.
            let folder = try TemporaryDirectory()
            func export(_ root: String, _ name: String, _ compression: String) throws {
                let options = ["--quiet", "--compression", compression]
                expect(
                    try rootfsTool(["export"] + options + [root, folder / "\(name).squashfs"]),
                    exits: 0)
            }
            try export(Bench.current().rootfs, "debian", "lz4")
            let bare = try BareRoot(with: ["cat", "id", "ls", "sleep", "stat", "touch"])
            for compression in compressions { try export(bare.path, compression, compression) }
            try await TestImage.$made.withValue(folder.path) { try await function() }
            withExtendedLifetime(folder) {}
        }
    }
}

/// The process that serves an image, as the host sees it.
struct ImageServer {
    let pid: pid_t

    /// The only one for this file.
    init(of image: String) throws {
        let found = try HostState.processes("squashfuse_ll: \(image)")
        #expect(found.count == 1, "\(found)")
        pid = try #require(found.first.flatMap { pid_t($0) })
    }

    /// What its descriptors lead to, by number.
    func descriptors() throws -> [String: String] {
        let folder = "/proc/\(pid)/fd"
        var found: [String: String] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            found[name] = try FileManager.default.destinationOfSymbolicLink(
                atPath: "\(folder)/\(name)")
        }
        return found
    }

    func status(_ key: String) throws -> String? {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        for line in text.split(separator: "\n") where line.hasPrefix(key + ":\t") {
            return String(line.dropFirst(key.count + 2))
        }
        return nil
    }

    static func isGone(from image: String) throws -> Bool {
        try HostState.processesGo("squashfuse_ll: \(image)")
    }
}

/// An image of a test's own, so that its server is told from those of other tests.
final class OwnImage {
    let folder: TemporaryDirectory
    let path: String

    init(_ compression: String = "lz4") throws {
        folder = try TemporaryDirectory()
        path = folder / "own.squashfs"
        try FileManager.default.copyItem(atPath: TestImage.small(compression), toPath: path)
    }
}
