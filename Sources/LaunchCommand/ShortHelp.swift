// SPDX-License-Identifier: Apache-2.0

import NamespaceKit

/// `nsrun -h`: what is used most, with examples.
enum ShortHelp {
    /// By their names in the option table, which has the words.
    static let names: [StaticString] = [
        "--rootfs", "--cwd", "--home", "--bind", "--ro-bind", "--ephemeral", "--overlay-dir",
        "--writable", "--fake-root", "--network", "--setenv", "--timeout", "--preset", "--explain",
        "--doctor",
    ]

    static let examples: [(String, String)] = [
        ("nsrun --rootfs bookworm --cwd -- make", "the host's directory, a foreign Debian"),
        ("nsrun --ephemeral -- ./install.sh", "the host's own root, on trial"),
        ("nsrun --network none --timeout 60 -- make check", "no network, no longer than a minute"),
        ("nsrun --preset toolbox --rootfs bookworm", "a shell there with your surroundings"),
    ]

    static var options: [Option] {
        var options: [Option] = []
        for name in names {
            options += OptionTable.options.filter { $0.name.text == name.text }
        }
        return options
    }

    static var text: String {
        var text = "usage: nsrun [OPTION]... [--] COMMAND [ARG]...\n\n"
        for option in options { text += Help.line(option) }
        text += "\nExamples:\n"
        for (command, what) in examples {
            let pad = String(repeating: " ", count: max(1, 52 - command.utf8.count))
            text += "  \(command)\(pad)# \(what)\n"
        }
        return text + "\nnsrun --help lists all options, nsrun-rootfs makes root file systems.\n"
    }
}
