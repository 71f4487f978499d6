// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
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
    @Argument(help: "What to make it of.") var source: String
    @Argument(help: "The file or directory to make.") var target: String

    func run() throws {
        var builder = ContainerBuilder(progress: common.progress)
        builder.architecture = arch
        builder.hasHTTPS = !noHTTPS
        builder.replaces = force
        do {
            if sandbox {
                try builder.buildDirectory(source, target)
            } else {
                try builder.buildFile(source, target)
            }
        } catch let error as RootFilesystemError {
            writeError("FATAL:   \(error.description.harmless)\n")
            throw ExitCode(255)
        }
    }
}
