// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What the shells make of a command line that is begun: names on this machine, and programs of the root.
@Suite struct CompletionTests {
    /// A store with a root in it, a preset, and what each shell reads.
    private final class Desk {
        let folder: TemporaryDirectory
        let settings: [String]
        /// Of a group, which all desks are in.
        private let member: Conversation

        init() throws {
            let bench = try Bench.current()
            member = try Conversation(
                [bench.nsrun, "--preset", "host", "--join", "kept-to-be-completed", "sh", "-c"]
                    + ["echo up; read -r _ || :"])
            #expect(member.line() == "up")
            folder = try TemporaryDirectory(in: NSHomeDirectory())
            let programs = folder.path + "/data/nsrun/rootfs/bookish/usr/bin"
            let presets = folder.path + "/config/nsrun/presets"
            for place in [programs, presets, folder.path + "/bin"] {
                try FileManager.default.createDirectory(
                    atPath: place, withIntermediateDirectories: true)
            }
            _ = try folder.write(
                "", to: "data/nsrun/rootfs/bookish/usr/bin/only-inside", mode: 0o755)
            _ = try folder.write("--ephemeral\n", to: "config/nsrun/presets/my-own")
            symlink(bench.nsrun, folder.path + "/bin/nsrun")
            for (shell, name) in [("bash", "bash"), ("zsh", "_nsrun"), ("fish", "fish")] {
                _ = try folder.write(
                    run([bench.nsrun, "--generate", shell]).output + "\n", to: "bin/\(name)")
            }
            settings = [
                "env", "HOME=\(folder.path)", "TERM=vt100",
                "XDG_DATA_HOME=\(folder.path)/data", "XDG_CONFIG_HOME=\(folder.path)/config",
                "PATH=\(folder.path)/bin:/usr/bin:/bin",
            ]
        }
    }

    /// What is typed before the tabulator, and what becomes of it.
    private static let cases = [
        ("--epheme", "--ephemeral"),
        ("--preset tool", "--preset toolbox"),
        ("--preset=tool", "--preset=toolbox"),
        ("--preset my-o", "--preset my-own"),
        ("--rootfs book", "--rootfs bookish"),
        ("--rootfs=book", "--rootfs=bookish"),
        ("--engine fake", "--engine fakechroot"),
        ("--network pas", "--network pasta"),
        ("--cap-add CAP_NET_ADM", "--cap-add CAP_NET_ADMIN"),
        ("--cap-drop AL", "--cap-drop ALL"),
        ("--arch riscv6", "--arch riscv64"),
        ("--rlimit nofi", "--rlimit nofile="),
        ("--join kept-to-be-comp", "--join kept-to-be-completed"),
        ("--stop kept-to-be-comp", "--stop kept-to-be-completed"),
        ("--rootfs bookish -- only-in", "--rootfs bookish -- only-inside"),
        ("--rootfs bookish only-in", "--rootfs bookish only-inside"),
        (
            "--uid 0 --rootfs=bookish --ro-bind /etc /mnt only-in",
            "--uid 0 --rootfs=bookish --ro-bind /etc /mnt only-inside"
        ),
    ]

    private func completes(_ shell: [String], _ start: String) throws {
        let desk = try Desk()
        let terminal = try Terminal(desk.settings + shell)
        terminal.type(start.replacing("BIN", with: desk.folder.path + "/bin") + "; echo rea''dy\n")
        terminal.expect("ready")
        for (typed, whole) in CompletionTests.cases {
            terminal.type("show \(typed)\t\n")
            terminal.expect("<\(whole)>")
        }
        terminal.type("exit\n")
        #expect(terminal.child.wait() == 0)
    }

    @Test func bash() throws {
        try completes(
            ["bash", "--norc", "--noprofile", "-i"],
            "show() { echo \"<$*>\"; }; . BIN/bash; complete -F _nsrun show")
    }

    @Test func zsh() throws {
        try completes(
            ["zsh", "-f", "-i"],
            "show() { print -r -- \"<$*>\" }; fpath=(BIN $fpath); autoload -Uz compinit; "
                + "compinit -u -D; compdef _nsrun show")
    }

    @Test(arguments: cases) func fish(typed: String, whole: String) throws {
        let desk = try Desk()
        let seen = try run(
            desk.settings + [
                "fish", "--no-config", "-c",
                "source \(desk.folder.path)/bin/fish; complete -C 'nsrun \(typed)'",
            ])
        let last = String(whole.split(separator: " ").last!)
        let offered = seen.output.split(separator: "\n").map { $0.split(separator: "\t")[0] }
        #expect(offered == [Substring(last)] && seen.error == "", "\(seen)")
    }
}
