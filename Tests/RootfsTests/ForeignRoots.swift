// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Small roots of other architectures: a shell and the core utilities, from Debian's packages.
enum ForeignRoot: String, CaseIterable, CustomTestStringConvertible {
    case armhf, arm64, riscv64
    /// Which this machine runs itself.
    case i386

    /// Those that need an emulator.
    static let emulated: [ForeignRoot] = [.armhf, .arm64, .riscv64]

    var suite: String { self == .riscv64 ? "trixie" : "bookworm" }

    /// As uname(2) calls it.
    var machine: String {
        switch self {
        case .armhf: "armv7l"
        case .arm64: "aarch64"
        case .riscv64: "riscv64"
        case .i386: "i686"
        }
    }

    /// As QEMU calls it.
    var emulated: String {
        switch self {
        case .armhf: "arm"
        case .arm64: "aarch64"
        case .riscv64: "riscv64"
        case .i386: "i386"
        }
    }

    /// What has a run on ARM register a record, whatever the host has.
    static let registering = ["--emulator", "arm=/usr/bin/qemu-arm-static"]

    var path: String { get throws { try "\(ForeignRoot.folder)/\(rawValue)" } }
    var testDescription: String { rawValue }

    @TaskLocal private static var made: String?
    /// Where they all are.
    static var folder: String { get throws { try #require(made) } }

    /// Makes them once for all the tests of a suite.
    struct Making: SuiteTrait, TestScoping {
        func provideScope(
            for test: Test, testCase: Test.Case?,
            performing function: @Sendable () async throws -> Void
        ) async throws {
            let folder = try TemporaryDirectory()
            for root in ForeignRoot.allCases { try root.make(at: folder / root.rawValue) }
            try await ForeignRoot.$made.withValue(folder.path) { try await function() }
            withExtendedLifetime(folder) {}
        }
    }

    private func make(at path: String) throws {
        let packages = "base-files,coreutils,dash"
        let made = try rootfsTool(
            [
                "debian", "--quiet", "--arch", rawValue, "--variant", "extract", "--include",
                packages, suite, path,
            ])
        expect(made, exits: 0)
    }
}

/// What runs on the roots of other architectures.
@Suite(ForeignRoot.Making()) enum ForeignTests {}

/// Runs a shell script in a root of another architecture.
func inRoot(
    _ root: ForeignRoot, _ script: String, _ options: [String] = []
) throws -> Outcome {
    try inRoot(script, options, root: root.path)
}

/// A host that has nothing registered, whatever this one has: its proc is another one.
struct CleanHost {
    /// Mounts that make it a different one.
    var mounts: [String] = []
    var environment: [String: String?] = [:]

    /// Without the records that Debian's package of QEMU brings.
    static let withoutFiles = CleanHost(mounts: ["--tmpfs", "/usr/lib/binfmt.d"])

    /// Without them, and without Debian's emulator for an architecture.
    static func without(emulator name: String) -> CleanHost {
        CleanHost(
            mounts: withoutFiles.mounts + [
                "--ro-bind", "/dev/null", "/usr/bin/qemu-\(name)-static",
            ], environment: ["PATH": "/usr/bin:/bin"])
    }

    /// With the administrator's own files, see binfmt.d(5).
    static func with(files folder: TemporaryDirectory) -> CleanHost {
        CleanHost(mounts: ["--ro-bind", folder.path, "/etc/binfmt.d"])
    }

    func nsrun(_ words: [String], directory: String = "/") throws -> Outcome {
        let folder = try ForeignRoot.folder
        return try RootfsTests.nsrun(
            ["--bind", folder, folder] + mounts + ["--", Bench.current().nsrun] + words,
            environment: environment, directory: directory)
    }

    func inRoot(
        _ root: ForeignRoot, _ script: String, _ options: [String] = [], directory: String = "/"
    ) throws -> Outcome {
        try nsrun(
            ["--rootfs", root.path] + options + ["--", "sh", "-c", script], directory: directory)
    }
}

/// A record of binfmt_misc: as the kernel shows it, or as binfmt.d(5) has it.
struct Record: Equatable {
    var interpreter = ""
    var flags = ""
    var magic = ""
    var mask = ""

    /// Where a run keeps its own, by QEMU's name for the architecture.
    static func path(_ name: String) -> String { "/proc/sys/fs/binfmt_misc/qemu-\(name)" }

    /// Reads the kernel's account.
    init(_ seen: Outcome) {
        for line in seen.lines {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            guard words.count == 2 else { continue }
            switch words[0] {
            case "interpreter": interpreter = words[1]
            case "flags:": flags = words[1]
            case "magic": magic = words[1]
            case "mask": mask = words[1]
            default: continue
            }
        }
    }

    /// Reads the file that Debian's package of QEMU has for an architecture; nil where it has none.
    init?(packaged name: String) {
        let file = "/usr/lib/binfmt.d/qemu-\(name).conf"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else { return nil }
        let fields = text.split(separator: "\n")[0].components(separatedBy: ":")
        magic = Record.hexadecimal(fields[4])
        mask = Record.hexadecimal(fields[5])
        interpreter = fields[6]
        flags = fields[7]
    }

    /// Whatever another record takes, this one does, but for the ABI and its version (bytes 7 and 8).
    func isMet(by other: Record) -> Bool {
        let (bits, value) = (Record.bytes(mask), Record.bytes(magic))
        let (otherBits, otherValue) = (Record.bytes(other.mask), Record.bytes(other.magic))
        guard bits.count <= min(value.count, otherBits.count, otherValue.count) else {
            return false
        }
        return bits.indices.allSatisfy { index in
            let wanted = index == 7 || index == 8 ? 0 : bits[index]
            return otherBits[index] & wanted == wanted
                && (otherValue[index] ^ value[index]) & wanted == 0
        }
    }

    private static func bytes(_ digits: String) -> [UInt8] {
        let digits = Array(digits)
        return stride(from: 0, to: digits.count, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
    }

    /// `\x7fELF` as `7f454c46`.
    private static func hexadecimal(_ text: String) -> String {
        var result = ""
        var rest = text[...]
        while let character = rest.first {
            if rest.hasPrefix("\\x") {
                result += rest.dropFirst(2).prefix(2)
                rest = rest.dropFirst(4)
            } else {
                result += String(character.asciiValue ?? 0, radix: 16)
                rest = rest.dropFirst()
            }
        }
        return result
    }
}
