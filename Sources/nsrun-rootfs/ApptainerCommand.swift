// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
import Glibc
import RootFilesystemKit

/// What nsrun has done for it where it is called `apptainer`: build and pull. Its errors are worded and counted as that
/// one's callers know them.
struct ApptainerImage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apptainer", abstract: "Make an image of Apptainer's.", shouldDisplay: false)

    @OptionGroup var common: CommonOptions
    @Flag(help: "Make a directory.") var sandbox = false
    @Flag(help: "Replace what is there.") var force = false
    @Flag(name: .customLong("no-https"), help: "Registries without TLS.") var noHTTPS = false
    @Option(help: "For which machine.") var arch: String?
    @Flag(help: "Fetch anew, and keep nothing.") var disableCache = false
    @Flag(help: "Do not run the test.") var notest = false
    @Option(help: "What stands for a name in a definition file, NAME=VALUE.")
    var buildArg: [String] = []
    @Option(help: "A file of such lines.") var buildArgFile: String?
    @Flag(help: "There may be more of these than are asked for.") var warnUnusedBuildArgs = false
    @Argument(help: "What to make it of.") var source: String
    @Argument(help: "The file or directory to make.") var target: String

    func run() throws {
        _ = TemporaryPlace()
        var builder = ContainerBuilder(progress: common.progress)
        builder.architecture = arch
        builder.hasHTTPS = !noHTTPS
        builder.replaces = force
        builder.runsTest = !notest
        builder.allowsUnusedArguments = warnUnusedBuildArgs
        try asApptainer {
            if !disableCache, !sandbox, ContainerBuilder.isRemote(source) {
                do {
                    builder.cache = try ContainerCache()
                } catch let error as RootFilesystemError {
                    common.progress.note("what is fetched is not kept: \(error.description)")
                }
            }
            try builder.setArguments(buildArg, file: buildArgFile)
            if sandbox {
                try builder.buildDirectory(source, target)
            } else {
                try builder.buildFile(source, target)
            }
        }
    }
}

/// Fetches an image into the cache, and starts the command line that it was named in once more, with the file in its place.
struct ApptainerFetch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apptainer-fetch", abstract: "Start an image that is elsewhere.",
        shouldDisplay: false)

    @OptionGroup var common: CommonOptions
    @Flag(name: .customLong("no-https"), help: "Registries without TLS.") var noHTTPS = false
    @Flag(help: "Keep nothing.") var disableCache = false
    @Option(help: "Which of the words is the image.") var index: Int
    @Argument(help: "A program, and its arguments with its name.") var words: [String]

    func run() throws {
        let place = TemporaryPlace()
        guard words.count > 1, words.dropFirst().indices.contains(index + 1) else {
            throw ValidationError("there is no word \(index)")
        }
        var builder = ContainerBuilder(progress: common.progress)
        builder.hasHTTPS = !noHTTPS
        let file = try asApptainer {
            if !disableCache { builder.cache = try ContainerCache() }
            return try builder.cached(words[index + 1])
        }
        common.progress.end()
        place.leave()
        // As they were given, be they text or not.
        let first = Int(CommandLine.argc) - words.count
        var arguments = (first + 1..<Int(CommandLine.argc)).map { CommandLine.unsafeArgv[$0] }
        arguments[index] = strdup(file)
        execv(words[0], arguments + [nil])
        throw RootFilesystemError(cannot: "start", words[0], errno: errno)
    }
}

/// `cache list` and `cache clean`.
struct ApptainerCache: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apptainer-cache", abstract: "List or clean what was fetched.",
        shouldDisplay: false)

    @OptionGroup var common: CommonOptions
    @Flag(help: "Remove it.") var clean = false
    @Flag(help: "Each of them.") var verbose = false
    @Flag(help: "Do not ask.") var force = false
    @Flag(help: "Say what would be removed.") var dryRun = false
    @Option(help: "Of these kinds.") var types: [String] = []
    @Option(help: "That are so old.") var days: Int?

    func run() throws {
        try asApptainer {
            let cache = try ContainerCache()
            let named = types.flatMap { $0.split(separator: ",").map(String.init) }
            for name in named where name != "all" && !ContainerCache.kinds.contains(name) {
                throw RootFilesystemError(
                    cannot: "use", "--type \(name)", because: "there is no such kind",
                    remedy: "all, or " + ContainerCache.kinds.joined(separator: ", "))
            }
            let kinds = named.isEmpty ? ["all"] : named
            guard clean else { return try printOutput(cache.listing(kinds, all: verbose)) }
            try clean(cache, kinds)
        }
    }

    private func clean(_ cache: ContainerCache, _ kinds: [String]) throws {
        if dryRun {
            try printOutput("User requested a dry run. Not actually deleting any data!\n")
        } else if !force {
            try printOutput(
                "This will delete everything in your cache (containers from all sources and OCI blobs).\n"
                    + "Hint: You can see exactly what would be deleted by canceling and using the --dry-run option.\n"
                    + "Do you want to continue? [y/N] ")
            guard ["y", "yes"].contains(try Interruption.readLine().lowercased()) else {
                return say("Handle cleanup canceled")
            }
        }
        for kind in ContainerCache.kinds where kinds.contains("all") || kinds.contains(kind) {
            let all = try cache.entries(kind)
            if all.isEmpty { say("No cached files to remove at \(cache.directory)/\(kind)") }
            for entry in all where days.map(entry.isOlder(than:)) ?? true {
                say("Removing \(kind) cache entry: \(entry.name)")
                if !dryRun { try cache.remove(entry) }
            }
        }
    }

    private func say(_ text: String) {
        if !common.quiet { writeError("INFO:    \(text.harmlessLine)\n") }
    }
}

/// Errors are worded and counted as Apptainer's callers know them.
private func asApptainer<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as RootFilesystemError {
        writeError("FATAL:   \(error.description.harmless)\n")
        throw ExitCode(255)
    }
}

/// APPTAINER_TMPDIR is where all that comes and goes is put.
private struct TemporaryPlace {
    private let before = getenv("TMPDIR").map { String(cString: $0) }

    init() {
        for name in ["APPTAINER_TMPDIR", "SINGULARITY_TMPDIR"] {
            guard let folder = getenv(name), folder.pointee != 0 else { continue }
            setenv("TMPDIR", folder, 1)
            return
        }
    }

    /// For a program that is to have what the caller has.
    func leave() {
        if let before { setenv("TMPDIR", before, 1) } else { unsetenv("TMPDIR") }
    }
}
