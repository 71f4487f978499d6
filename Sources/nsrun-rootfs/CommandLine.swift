// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
import Glibc
import NamespaceKit
import RootFilesystemKit

/// Makes, keeps and packs root file systems for nsrun.
struct RootFilesystemCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nsrun-rootfs",
        abstract: "Make, keep and pack root file systems for nsrun.",
        discussion: """
            DEST and SOURCE are a directory's path, with a slash in it, or a name in the store, \
            $XDG_DATA_HOME/nsrun/rootfs, by default below ~/.local/share. Set-id bits are kept by real root alone.
            """,
        version: nsrunVersion,
        subcommands: [
            Debian.self, Unpack.self, Import.self, Build.self, Export.self, Pack.self, Stage.self,
            List.self, Show.self, Remove.self, Generate.self, ApptainerImage.self,
            ApptainerFetch.self, ApptainerCache.self,
        ])
}

/// What every verb takes.
struct CommonOptions: ParsableArguments {
    @Flag(help: "Print errors only.")
    var quiet = false

    var progress: ProgressReport { ProgressReport(quiet: quiet) }
    var store: RootFilesystemStore { .standard() }

    func destination(_ argument: String) throws -> Destination {
        try Destination(argument, store: store)
    }

    /// Something the user should know although all went well.
    func warn(_ text: String) {
        if !quiet { printError(text) }
    }
}

/// Parses the arguments and runs the verb; every failure ends here, in one voice, with status 125.
func runCommandLine() {
    setlocale(LC_CTYPE, "C.UTF-8")
    // Whoever started this may have ignored it, and nothing could be waited for.
    signal(SIGCHLD, SIG_DFL)
    Interruption.watch()
    do {
        var command = try RootFilesystemCommand.parseAsRoot()
        try command.run()
    } catch let interrupted as Interrupted {
        Interruption.finish(interrupted)
    } catch let error as RootFilesystemError {
        fail(error.description)
    } catch let status as ExitCode where !status.isSuccess {
        // Whoever ends so has said why.
        exit(status.rawValue)
    } catch {
        // Help and version come as errors too, with status 0.
        guard RootFilesystemCommand.exitCode(for: error) != .success else {
            do {
                try printOutput(RootFilesystemCommand.fullMessage(for: error) + "\n")
            } catch {
                fail("\(error)")
            }
            exit(0)
        }
        let word = CommandLine.arguments.dropFirst().first { !$0.hasPrefix("-") }
        if let word, let verb = otherWords[word] {
            fail("there is no command \(word)\n  it is called nsrun-rootfs \(verb)")
        }
        fail(
            RootFilesystemCommand.message(for: error)
                + "\n  nsrun-rootfs --help lists the commands and their options")
    }
}

/// What podman, docker and Apptainer call it.
private let otherWords = [
    "rm": "remove", "rmi": "remove", "delete": "remove", "ls": "list", "images": "list",
    "load": "import", "pull": "import", "save": "export", "push": "export", "inspect": "show",
    "info": "show", "create": "debian", "commit": "import", "cp": "import", "bud": "build",
    "debootstrap": "debian", "install": "unpack",
]

/// Writes to standard output. What does not arrive there is an error.
func printOutput(_ text: String) throws {
    let error = writeAll(text, to: 1)
    if error != 0 {
        throw RootFilesystemError(cannot: "write to", "standard output", errno: error)
    }
}

/// Writes to standard error. Nobody could be told that it does not arrive there.
func writeError(_ text: String) { _ = writeAll(text, to: 2) }

/// 0, or an errno of write(2).
private func writeAll(_ text: String, to descriptor: Int32) -> Int32 {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        if count < 0 { return errno }
        rest = rest.dropFirst(count)
    }
    return 0
}

private func fail(_ message: String) -> Never {
    printError(message)
    exit(125)
}

/// Names in it may come from anywhere.
func printError(_ message: String) {
    writeError("nsrun-rootfs: \(message.harmless)\n")
}
