// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A prepared world of a name that nobody else has. It ends with the test.
final class World {
    let name = "test-\(UUID().uuidString.prefix(12))"
    let root: String
    private let bench: Bench
    /// Where worlds are met, if not where all tests' are, of which there may be so many and no more.
    private let runtime: TemporaryDirectory?

    init(root: String? = nil, runtime: TemporaryDirectory? = nil) throws {
        bench = try Bench.current()
        self.root = root ?? bench.rootfs
        self.runtime = runtime
    }

    deinit { _ = try? stop() }

    func stop() throws -> Outcome { try nsrun(["--stop", name], environment: environment) }
    func list() throws -> Outcome { try nsrun(["--list"], environment: environment) }

    private var environment: [String: String?] {
        runtime.map { ["XDG_RUNTIME_DIR": $0.path] } ?? [:]
    }

    /// A launch that starts from it.
    func command(_ options: [String] = []) -> [String] {
        [bench.nsrun, "--rootfs", root, "--reuse", name] + options + ["--"]
    }

    /// A shell script in a copy of it, to its end.
    func runs(
        _ script: String, _ options: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> Outcome {
        try run(
            command(options) + ["sh", "-c", script],
            environment: self.environment.merging(environment) { $1 }, directory: directory)
    }

    /// One that is spoken with.
    func member(_ script: String, _ options: [String] = []) throws -> Conversation {
        try Conversation(command(options) + ["sh", "-c", script])
    }

    /// Why it does not start from the world with these options; nil if it does. To be asked of every test that would
    /// otherwise show that a cold launch is like a cold one.
    func obstacle(_ options: [String] = [], directory: String = "/") throws -> String? {
        let seen = try run(command(options + ["--verbose"]) + ["true"], directory: directory)
        let start = "nsrun: launched without a prepared world: "
        if let line = seen.error.split(separator: "\n").first(where: { $0.hasPrefix(start) }) {
            return String(line.dropFirst(start.count))
        }
        return seen.error.contains("nsrun: starts from the world \(name)\n") ? nil : "\(seen)"
    }

    /// What `--list` has of this name: kind and process.
    func kept() throws -> [(kind: String, pid: pid_t)] {
        var all: [(kind: String, pid: pid_t)] = []
        for line in try list().lines {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 2, words[0] == name, let pid = pid_t(words[2]) else { continue }
            all.append((words[1], pid))
        }
        return all
    }

    func keeper() throws -> pid_t { try #require(try kept().first?.pid) }

    static func isAlive(_ pid: pid_t) -> Bool {
        (try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8)) == "nsrun-reuse\n"
    }

    /// Its sockets' files.
    func files() throws -> [String] {
        var files: [String] = []
        for folder in World.folders() {
            for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
            where file.hasPrefix("w ") && file.contains(" \(name) ") {
                files.append(folder + "/" + file)
            }
        }
        return files
    }

    /// Where worlds and groups of this user are met.
    private static func folders() -> [String] {
        var states = ["/run/user/\(getuid())", NSHomeDirectory() + "/.local/state"]
        if let runtime = ProcessInfo.processInfo.environment["XDG_RUNTIME_DIR"] {
            states.append(runtime)
        }
        var folders: [String] = []
        for place in Set(states).map({ $0 + "/nsrun" }) {
            folders.append(place)
            for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
                folders.append("\(place)/\(name)")
            }
        }
        return folders
    }

    /// No process and no file is left.
    func isGone(_ keeper: pid_t) -> Bool {
        HostState.eventually {
            !World.isAlive(keeper) && ((try? self.files()) ?? ["?"]).isEmpty
        }
    }
}
