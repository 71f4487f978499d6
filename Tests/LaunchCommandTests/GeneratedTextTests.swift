// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import LaunchCommand

/// Help, manual page and completions all come from the one table.
@Suite struct GeneratedTextTests {
    static let visible = OptionTable.options.filter { $0.section != .hidden }
    private let help = Help(Personality(argument0: "nsrun")).text

    /// The options that the command line's contract promises.
    private static let promised = """
        rootfs writable ephemeral overlay-dir home cwd host-root share-pid uid gid bind bind-try \
        ro-bind ro-bind-try dev-bind dev-bind-try tmpfs proc dev dir file bind-data ro-bind-data \
        symlink chmod perms size remount-ro mqueue setenv unsetenv clearenv clean-env env-file \
        chdir hostname argv0 args unshare-user unshare-user-try unshare-ipc unshare-pid \
        unshare-net unshare-uts unshare-cgroup unshare-cgroup-try unshare-all share-net network \
        new-session die-with-parent as-pid-1 cap-add cap-drop rlimit timeout kill-after preset \
        explain doctor verbose quiet help version fake-root map-auto map-users map-groups userns \
        userns2 pidns disable-userns assert-userns-disabled bind-fd ro-bind-fd overlay-src \
        overlay tmp-overlay ro-overlay lock-file sync-fd block-fd userns-block-fd info-fd \
        json-status-fd seccomp add-seccomp-fd exec-label file-label level-prefix \
        not-a-security-boundary engine require device nvidia allow-host allow-socket hide \
        allow-read allow-write seccomp-profile limit
        """

    @Test(arguments: promised.split(separator: " "))
    func everyPromisedOptionIsThere(name: Substring) {
        #expect(GeneratedTextTests.visible.contains { $0.name.text == "--" + name })
    }

    @Test func namesAreUniqueAndEveryOptionIsExplained() {
        let names = OptionTable.options.map(\.name.text)
        #expect(Set(names).count == names.count)
        for option in OptionTable.options {
            #expect(option.help.text.hasSuffix("."), "\(option.name.text)")
        }
    }

    @Test(arguments: visible.map(\.name.text)) func everyOptionIsEverywhere(name: String) {
        let escaped = name.replacing("-", with: "\\-")
        func appears(_ text: String, _ starts: String, ends: String) -> Bool {
            ends.contains { text.contains(starts + String($0)) }
        }
        #expect(appears(help, "\n  \(name)", ends: " [\n"))
        #expect(appears(ManualPage.text, "\n.B \(escaped)", ends: " [\n"))
        // What bash offers is asked of bash itself, below.
        #expect(appears(Completions.zsh, "'*\(name)", ends: "[=+"))
        let fish = name.count == 2 ? "-s \(name.dropFirst())" : "-l \(name.dropFirst(2))"
        #expect(appears(Completions.fish, " \(fish)", ends: " "))
    }

    @Test func hiddenOptionsAreNowhere() {
        for option in OptionTable.options where option.section == .hidden {
            let name = option.name.text
            #expect(!help.contains(name))
            #expect(!ManualPage.text.contains(name.replacing("-", with: "\\-")))
            #expect(!Completions.zsh.contains("*" + name))
            let fish = option.isShort ? "-s \(name.dropFirst())" : "-l \(name.dropFirst(2))"
            #expect(!Completions.fish.contains(" \(fish) "))
        }
    }

    @Test func helpFitsATerminalAndTellsTheExitStatus() {
        for line in help.split(separator: "\n") { #expect(line.count <= 100, "\(line)") }
        #expect(help.hasPrefix("usage: nsrun [OPTION]... [--] COMMAND [ARG]...\n"))
        for status in ["124", "125", "126", "127", "128+N"] {
            #expect(help.contains(status))
            #expect(ManualPage.text.contains(status == "128+N" ? "128+" : status))
        }
    }

    /// Whoever looks something up finds what is used most without going far.
    @Test func thePageBeginsWithWhatIsUsedMost() throws {
        let page = ManualPage.text
        let places = try [
            ".SH EXAMPLES", ".B nsrun \\-\\-preset toolbox", ".SH OPTIONS", ".SS Every day",
            ".B \\-\\-rootfs R", ".SS General",
        ]
        .map { try #require(page.range(of: $0), "\($0)").lowerBound }
        #expect(places == places.sorted())
        for name in ShortHelp.names {
            let head = ".TP\n.B " + name.text.replacing("-", with: "\\-")
            let heads = page.ranges(of: head).filter { " [\n".contains(page[$0.upperBound]) }
            #expect(heads.count == 1, "\(name)")
        }
    }

    /// A line of the page that begins with a dot or an apostrophe is a request.
    @Test func thePageHoldsNoAccidentalRequests() {
        let known = [
            ".TH ", ".SH ", ".SS ", ".TP", ".PP", ".B ", ".I ", ".BI ", ".BR ", ".RB ", ".RI ",
            ".IR ",
        ]
        for line in ManualPage.text.split(separator: "\n") where ".'".contains(line.first ?? " ") {
            #expect(known.contains { line.hasPrefix($0) }, "\(line)")
        }
    }

    // MARK: bash

    /// Runs bash on the completion and a few lines more; what it prints, or nil if it fails.
    private func bash(_ options: [String], _ script: String = "") throws -> String? {
        let file = TemporaryFile(Completions.bash + script)
        let process = Process()
        process.executableURL = URL(filePath: "/bin/bash")
        process.arguments = options + [file.path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return process.terminationStatus == 0 ? String(decoding: data, as: UTF8.self) : nil
    }

    /// What bash offers for the last of these words.
    private func offers(_ words: String...) throws -> [Substring] {
        let line = words.map { "'\($0)'" }.joined(separator: " ")
        let script = """
            COMP_WORDS=(nsrun \(line)); COMP_CWORD=\(words.count)
            _nsrun
            printf '%s\\n' "${COMPREPLY[@]}"
            """
        return try #require(try bash([], script)).split(separator: "\n")
    }

    @Test func theBashCompletionIsValid() throws {
        #expect(try bash(["-n"]) != nil)
    }

    @Test func bashOffersEveryOption() throws {
        let offered = try offers("--")
        let long = GeneratedTextTests.visible.filter { !$0.isShort }
        #expect(Set(offered) == Set(long.map { Substring($0.name.text) }))
    }

    @Test func bashOffersWhatFits() throws {
        #expect(try offers("--ro-bind-") == ["--ro-bind-try", "--ro-bind-fd", "--ro-bind-data"])
        #expect(try offers("--network", "n") == ["none"])
        #expect(try offers("--rootfs", "/us").contains("/usr"))
        #expect(try offers("--uid", "") == [])
    }
}
