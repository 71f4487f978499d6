// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import FoundationEssentials
import NamespaceKit

/// `nsrun-rootfs.1` in the man(7) language, from what the commands say of themselves.
enum ManualPage {
    static func text() throws -> String {
        let description = RootFilesystemCommand._dumpHelp()
        let all = try JSONDecoder().decode(Description.self, from: Data(description.utf8)).command
        let commands = (all.subcommands ?? []).filter { $0.shouldDisplay }
        var page = """
            .TH NSRUN\\-ROOTFS 1 "" "nsrun \(nsrunVersion)" "User Commands"
            .SH NAME
            nsrun\\-rootfs \\- make, keep and pack root file systems for nsrun
            .SH SYNOPSIS

            """
        for command in commands { page += ".B nsrun\\-rootfs\n\(command.synopsis)\n.br\n" }
        page += ".SH DESCRIPTION\n\(escape(all.discussion ?? ""))\n.SH EXAMPLES\n"
        for (command, what) in examples {
            page += ".TP\n.B \(escape(command))\n\(escape(what))\n"
        }
        page += ".SH COMMANDS\n"
        for command in commands {
            page += ".SS \(escape(command.commandName))\n\(escape(command.abstract ?? ""))\n"
            if let discussion = command.discussion { page += ".PP\n\(escape(discussion))\n" }
            for argument in command.shownArguments {
                page += ".TP\n\(argument.head)\n\(escape(argument.words))\n"
            }
        }
        return page + """
            .SH EXIT STATUS
            0, or 125 after an error. Who interrupts it is told so by the signal.
            .SH SEE ALSO
            .BR nsrun (1),
            .BR mmdebstrap (1),
            .BR skopeo (1)

            """
    }

    private static let examples = [
        (
            "nsrun-rootfs debian bookworm bookworm",
            "a Debian in the store, for nsrun --rootfs bookworm"
        ),
        ("nsrun-rootfs import image.tar alpine", "a container image that another tool has saved"),
        (
            "nsrun-rootfs pack --entry hello=/usr/bin/hello bookworm hello.tar.gz",
            "a folder of programs that run anywhere"
        ),
        ("nsrun-rootfs list", "what there is"),
    ]

    /// What of the parser's description goes into the page.
    private struct Description: Decodable {
        var command: Command
    }

    private struct Command: Decodable {
        var commandName: String
        var shouldDisplay: Bool
        var abstract: String?
        var discussion: String?
        var subcommands: [Command]?
        var arguments: [Argument]?

        var shownArguments: [Argument] {
            (arguments ?? []).filter { $0.shouldDisplay && $0.preferredName?.name != "help" }
        }

        var synopsis: String {
            let words = shownArguments.compactMap { argument -> String? in
                guard argument.kind == "positional", let name = argument.valueName else {
                    return nil
                }
                let dots = argument.isRepeating ? "..." : ""
                return argument.isOptional ? "[\(name)]\(dots)" : name + dots
            }
            return
                ".RB \(escape(commandName)) \" [\" \"OPTION\" \"]... \(escape(words.joined(separator: " ")))\""
        }
    }

    private struct Argument: Decodable {
        struct Name: Decodable {
            var kind: String
            var name: String
            var text: String { (kind == "long" ? "--" : "-") + name }
        }

        var kind: String
        var shouldDisplay: Bool
        var isOptional: Bool
        var isRepeating: Bool
        var names: [Name]?
        var preferredName: Name?
        var valueName: String?
        var defaultValue: String?
        var abstract: String?

        var head: String {
            guard kind != "positional" else { return ".I \(escape(valueName ?? ""))" }
            let all = (names ?? []).map { escape($0.text) }.joined(separator: ", ")
            let value = kind == "option" ? " \(escape(valueName ?? ""))" : ""
            return ".B \(all)\(value)"
        }

        var words: String {
            let usual = kind == "option" ? defaultValue.map { " By default \($0)." } ?? "" : ""
            return (abstract ?? "") + usual
        }
    }

    /// A line that begins with a dot or an apostrophe would be a request.
    private static func escape(_ text: String) -> String {
        let plain = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing(
            "\n", with: " ")
        return plain.hasPrefix(".") || plain.hasPrefix("'") ? "\\&" + plain : plain
    }
}

/// For those who install this.
struct Generate: ParsableCommand {
    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case man, bash, zsh, fish
    }

    static let configuration = CommandConfiguration(
        abstract: "Print the manual page or a shell's completion.", shouldDisplay: false)

    @Argument(help: "What to print.") var kind: Kind

    func run() throws {
        switch kind {
        case .man: try printOutput(ManualPage.text())
        case .bash: try printOutput(RootFilesystemCommand.completionScript(for: .bash))
        case .zsh: try printOutput(RootFilesystemCommand.completionScript(for: .zsh))
        case .fish: try printOutput(RootFilesystemCommand.completionScript(for: .fish))
        }
    }
}
