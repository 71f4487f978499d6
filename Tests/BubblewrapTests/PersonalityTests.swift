// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// How nsrun behaves under the name bwrap: help, messages, exit status, namespaces, inheritance.
@Suite struct PersonalityTests {
    @Test func helpNamesTheProgramAsInvoked() throws {
        let seen = try bwrap(["--help"])
        #expect(try seen.output.hasPrefix("usage: \(Bubblewrap.path()) ") && seen.status == 0)
        let bare = try run(
            ["sh", "-c", "PATH=\"$(dirname \"$0\"):$PATH\" exec bwrap --help", Bubblewrap.path()])
        #expect(bare.output.hasPrefix("usage: bwrap ") && bare.status == 0, "\(bare)")
    }

    @Test func helpNamesEveryOption() throws {
        let help = try bwrap(["--help"]).output.split(whereSeparator: \.isWhitespace)
        let options = """
            --help --version --args --argv0 --level-prefix --unshare-user --unshare-user-try
            --unshare-ipc --unshare-pid --unshare-net --unshare-uts --unshare-cgroup
            --unshare-cgroup-try --unshare-all --share-net --userns --userns2 --pidns
            --disable-userns --assert-userns-disabled --uid --gid --hostname --chdir --setenv
            --unsetenv --clearenv --bind --bind-try --dev-bind --dev-bind-try --ro-bind
            --ro-bind-try --bind-fd --ro-bind-fd --remount-ro --overlay-src --overlay --tmp-overlay
            --ro-overlay --proc --dev --tmpfs --mqueue --dir --file --bind-data --ro-bind-data
            --symlink --chmod --perms --size --lock-file --sync-fd --block-fd --userns-block-fd
            --info-fd --json-status-fd --seccomp --add-seccomp-fd --exec-label --file-label
            --new-session --die-with-parent --as-pid-1 --cap-add --cap-drop
            --not-a-security-boundary --netns --overlay-opt --forward-signals
            --scope-abstract-af-unix --scope-abstract-af-unix-try
            """
        for option in options.split(whereSeparator: \.isWhitespace) {
            #expect(help.contains(option), "--help says nothing of \(option)")
        }
    }

    @Test func versionIsBubblewraps() throws {
        try expect(bwrap(["--version"]), prints: "bubblewrap 0.13.1")
    }

    @Test func withoutACommandTheUsageIsShown() throws {
        for options in [[], ["--ro-bind", "/", "/"]] {
            let seen = try bwrap(options)
            #expect(seen.status == 1 && seen.output == "", "\(seen)")
            #expect(seen.error.contains("usage: "), "\(seen)")
        }
    }

    @Test(arguments: [
        (["--no-such-option"], "--no-such-option"), (["--uid", "x", "--"], "uid: x"),
        (["--cap-add", "CAP_NONE"], "CAP_NONE"), (["--hostname", "x"], "--hostname"),
        (["--as-pid-1"], "--as-pid-1"), (["--chdir", "/none"], "/none"),
    ])
    func ownFailuresAreStatusOneWithThePrefix(options: [String], words: String) throws {
        expect(try sandbox("exit 7", options), refusedSaying: words)
    }

    @Test(arguments: [["--bind"], ["--bind", "/"], ["--setenv", "A"], ["--uid"], ["--args"]])
    func valuesThatAreMissingAreAskedFor(options: [String]) throws {
        expect(try bwrap(options), refusedSaying: options[0])
    }

    /// Who reads a message from bwrap knows nothing of nsrun or its options.
    @Test(arguments: [
        ["--no-such-option"], ["--file", "77", "/x"], ["--dir", "/a", "--symlink", "x", "/a"],
        ["--bind", "/no/such", "/x"],
    ])
    func messagesSpeakOfBubblewrap(options: [String]) throws {
        let seen = try sandbox("", options)
        for word in ["nsrun", "rootfs", "--ephemeral"] { #expect(!seen.error.contains(word)) }
    }

    @Test func commandsThatCannotRunAreStatusOneToo() throws {
        for command in ["/none", "none", "/usr", "/usr/share/common-licenses/GPL-3"] {
            let seen = try run(Name.bwrap.command() + [command])
            expect(seen, refusedSaying: command)
        }
    }

    @Test(arguments: [[], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"]])
    func statusIsTheCommandsOwn(shape: [String]) throws {
        for status: Int32 in [0, 1, 42, 125, 126, 127, 128, 255] {
            try expect(sandbox("exit \(status)", shape), exits: status)
        }
    }

    @Test(arguments: [[], ["--unshare-pid"], ["--json-status-fd", "2", "--info-fd", "2"]])
    func signalIs128AndItsNumber(shape: [String]) throws {
        for signal in [SIGKILL, SIGTERM, SIGSEGV, SIGUSR1] {
            #expect(try sandbox("kill -\(signal) $$", shape).status == 128 + signal)
        }
    }

    @Test func rootIsEmptyButForWhatIsAskedFor() throws {
        try expect(sandbox("ls -A /"), prints: "bin\nlib\nlib64\nusr")
        try expect(sandbox("stat -c '%a %u' /; : >/new; ls /new"), prints: "755 \(getuid())\n/new")
    }

    @Test func onlyTheNamespacesAskedForAreNew() throws {
        let kinds = ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"]
        func new(_ options: [String]) throws -> [String] {
            let words = kinds.joined(separator: " ")
            let script = "for k in \(words); do readlink /proc/self/ns/$k; done"
            let seen = try sandbox(script, ["--dev-bind", "/proc", "/proc"] + options)
            return try zip(kinds, seen.lines).filter {
                try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\($0)")
                    != $1
            }.map(\.0)
        }
        #expect(try new([]) == ["mnt", "user"])
        #expect(try new(["--unshare-ipc"]) == ["ipc", "mnt", "user"])
        #expect(try new(["--unshare-net"]) == ["mnt", "net", "user"])
        #expect(try new(["--unshare-uts"]) == ["mnt", "user", "uts"])
        #expect(try new(["--unshare-cgroup"]) == ["cgroup", "mnt", "user"])
        #expect(try new(["--unshare-cgroup-try"]) == ["cgroup", "mnt", "user"])
        let all = ["--unshare-all", "--proc", "/proc"]
        #expect(try new(all) == kinds)
        #expect(try new(all + ["--share-net"]) == kinds.filter { $0 != "net" })
    }

    @Test func descriptorsReachTheCommand() throws {
        let seen = try sandbox("cat <&7; cat <&9", descriptors: [7: "seven\n", 9: "nine\n"])
        expect(seen, prints: "seven\nnine")
    }

    @Test func environmentReachesTheCommand() throws {
        let options = [
            "--setenv", "A", "b c", "--unsetenv", "B", "--setenv", "C", "1", "--setenv", "C", "2",
        ]
        let seen = try sandbox(
            "echo $A-$B-$C-$TMPDIR", options, environment: ["B": "x", "TMPDIR": "/t"])
        expect(seen, prints: "b c--2-/t")
        try expect(run(Name.bwrap.command() + ["--clearenv", "/bin/env"]), prints: "PWD=/")
        let order = [
            "--setenv", "A", "1", "--clearenv", "--setenv", "B", "2", "sh", "-c", "env | sort",
        ]
        try expect(run(Name.bwrap.command() + order), prints: "B=2\nPWD=/")
    }

    @Test func directoryIsTheCallersWhereItExists() throws {
        func place(_ options: [String], from directory: String) throws -> Outcome {
            try run(Name.bwrap.command() + options + ["pwd"], directory: directory)
        }
        try expect(place([], from: "/usr/share"), prints: "/usr/share")
        try expect(place([], from: "/tmp"), prints: "/")
        try expect(place(["--chdir", "/usr/bin"], from: "/tmp"), prints: "/usr/bin")
    }

    @Test func argumentsComeFromDescriptorsToo() throws {
        let seen = try run(
            Name.bwrap.command() + ["--args", "7", "--dir", "/c", "ls", "-d", "/a b", "/c"],
            descriptors: [7: "--dir\0/a b\0"])
        expect(seen, prints: "/a b\n/c")
        expect(try sandbox("", ["--args", "77"]), refusedSaying: "--args")
    }

    /// What comes after these options is no command.
    @Test(arguments: ["--\0", "", "true\0", "--\0true\0"])
    func argumentsOfDescriptorsAreOptionsAlone(rest: String) throws {
        let words = ["--args", "7", "--dir", "/c", "--", "ls", "-d", "/a b", "/c"]
        let seen = try run(Name.bwrap.command() + words, descriptors: [7: "--dir\0/a b\0" + rest])
        expect(seen, prints: "/a b\n/c")
    }

    @Test func optionsEndAtTwoDashes() throws {
        try expect(run(Name.bwrap.command() + ["--", "echo", "--bind"]), prints: "--bind")
        let seen = try run(Name.bwrap.command() + ["--", "--dir", "/x", "true"])
        expect(seen, refusedSaying: "--dir")
    }

    @Test(arguments: Name.allCases)
    func argument0IsTheCommandsName(name: Name) throws {
        let seen = try run(name.command() + ["--argv0", "other", "sh", "-c", "echo $0"])
        expect(seen, prints: "other")
    }

    @Test func levelPrefixMarksEveryLine() throws {
        for options in [
            ["--level-prefix", "--bind", "/no/such", "/x"], ["--level-prefix", "--no"],
        ] {
            let seen = try sandbox("", options)
            #expect(seen.status == 1 && seen.error.hasPrefix("<3>bwrap: "), "\(seen)")
            for line in seen.error.split(separator: "\n") { #expect(line.hasPrefix("<3>")) }
        }
    }

    /// Behind the command's name it is the command's, and before it wherever it stands.
    @Test(arguments: Name.allCases)
    func levelPrefixOfTheCommandIsItsOwn(name: Name) throws {
        for words in [["--", "/no/such", "--level-prefix"], ["/no/such", "--level-prefix"]] {
            let seen = try run(name.command() + words)
            #expect(seen.status != 0 && !seen.error.contains("<3>"), "\(seen)")
        }
        let seen = try run(name.command() + ["echo", "--level-prefix"])
        expect(seen, prints: "--level-prefix")
        let given = try run(
            name.command() + ["--args", "7", "/no/such"], descriptors: [7: "--level-prefix\0"])
        #expect(given.status != 0 && given.error.hasPrefix("<3>"), "\(given)")
    }

    @Test func assumedKernelIsPrinted() throws {
        let seen = try bwrap(["--debug-opt=print-assumed-kernel"])
        let numbers = seen.output.split(separator: ".").compactMap { Int($0) }
        #expect(numbers.count >= 2 && seen.status == 0, "\(seen)")
    }

    @Test func sessionIsNewOnRequest() throws {
        let script = "echo $(cut -d' ' -f6 /proc/$$/stat)"
        let proc = ["--bind", "/proc", "/proc"]
        let own = try sandbox(script, proc + ["--new-session"]).output
        #expect(Int(own) != nil && own != "\(getsid(0))")
        try expect(sandbox(script, proc), prints: "\(getsid(0))")
    }
}
