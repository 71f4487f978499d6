// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The engines, each with what it needs from outside.
enum TestEngine: String, CaseIterable, CustomTestStringConvertible {
    case userns, fakechroot, proot

    var testDescription: String { rawValue }

    static let withoutNamespaces: [TestEngine] = [.fakechroot, .proot]
}

/// libfakechroot and a sound proot, which Scripts/test.sh fetches. A test that cannot have them fails.
struct EngineBench {
    let bench: Bench
    let fakechroot: String
    let proot: String

    static func current() throws -> EngineBench {
        struct Unfit: Error, CustomStringConvertible {
            let description: String
        }
        let environment = ProcessInfo.processInfo.environment
        guard let fakechroot = environment["NSRUN_TEST_FAKECHROOT"],
            let proot = environment["NSRUN_TEST_PROOT"]
        else {
            throw Unfit(
                description:
                    "NSRUN_TEST_FAKECHROOT and NSRUN_TEST_PROOT must name libfakechroot.so "
                    + "and a proot of 5.4 or newer")
        }
        return try EngineBench(bench: .current(), fakechroot: fakechroot, proot: proot)
    }

    /// The variables by which nsrun finds them.
    var tools: [String: String?] { ["NSRUN_FAKECHROOT": fakechroot, "NSRUN_PROOT": proot] }

    /// A path in the sources.
    static func script(_ name: String) -> String {
        let file = URL(filePath: #filePath)
        return file.deletingLastPathComponent().appending(path: "../../Scripts/\(name)")
            .standardizedFileURL.path
    }
}

/// Runs nsrun with an engine.
func nsrun(
    by engine: TestEngine, _ arguments: [String], input: String = "",
    environment: [String: String?] = [:], directory: String = "/",
    descriptors: [Int32: String] = [:]
) throws -> Outcome {
    try nsrun(
        ["--engine", engine.rawValue] + arguments, input: input,
        environment: EngineBench.current().tools.merging(environment) { $1 }, directory: directory,
        descriptors: descriptors)
}

/// Runs a shell script in the rootfs.
func inRoot(
    by engine: TestEngine, _ script: String, _ options: [String] = [],
    environment: [String: String?] = [:], directory: String = "/",
    descriptors: [Int32: String] = [:]
) throws -> Outcome {
    let root = try Bench.current().rootfs
    return try nsrun(
        by: engine, ["--rootfs", root] + options + ["--", "sh", "-c", script],
        environment: environment, directory: directory, descriptors: descriptors)
}

/// Runs a command where the kernel refuses what refuse.py knows by these words.
func run(
    _ command: [String], refusing refusals: String, environment: [String: String?] = [:],
    descriptors: [Int32: String] = [:]
) throws -> Outcome {
    let words = refusals.split(separator: " ").map(String.init)
    return try run(
        ["/usr/bin/python3", EngineBench.script("matrix/refuse.py")] + words + ["--"] + command,
        environment: environment, descriptors: descriptors)
}

extension Conversation {
    /// nsrun on a shell script in the rootfs.
    convenience init(
        by engine: TestEngine, _ script: String, _ options: [String] = [],
        passing beside: [Int32: Int32] = [:]
    ) throws {
        let engines = try EngineBench.current()
        try self.init(
            [engines.bench.nsrun, "--engine", engine.rawValue, "--rootfs", engines.bench.rootfs]
                + options + ["--", "sh", "-c", script],
            environment: engines.tools, passing: beside)
    }
}

/// The private directories of runs without namespaces. Other tests have runs under way.
enum PrivateTrees {
    static let folder = "/dev/shm"

    /// By the process that is the launcher, which is part of the name.
    private static func all() throws -> [(name: String, launcher: pid_t)] {
        let prefix = "nsrun-\(getuid())-"
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap { name in
            guard name.hasPrefix(prefix),
                let launcher = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" })
            else { return nil }
            return (name, launcher)
        }
    }

    static func of(launcher: pid_t) throws -> Set<String> {
        Set(try all().filter { $0.launcher == launcher }.map(\.name))
    }

    /// Those whose launcher is gone.
    static func abandoned() throws -> Set<String> {
        Set(try all().filter { access("/proc/\($0.launcher)", F_OK) != 0 }.map(\.name))
    }
}
