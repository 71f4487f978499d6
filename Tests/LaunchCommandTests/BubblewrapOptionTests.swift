// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit
import Testing

@testable import LaunchCommand

/// Options of bubblewrap that depend on each other: layers and their overlay, modes of what is made on
/// the way, seccomp programs.
@Suite struct BubblewrapOptionTests {
    // MARK: Overlays

    /// Each layer lies over the one before; the request has the uppermost first.
    @Test func layersPileUp() throws {
        let request = try build([
            "--overlay-src", "/a", "--overlay-src", "/b", "--overlay", "/rw", "/work", "/x",
            "--overlay-src", "/c", "--tmp-overlay", "/y", "--overlay-src", "/d", "--overlay-src",
            "/e", "--ro-overlay", "/z", "true",
        ]).request
        #expect(
            request.files.operations.map(\.action) == [
                .overlay(
                    target: "/x", lower: ["/b", "/a"],
                    upper: .directories(upper: "/rw", work: "/work")),
                .overlay(target: "/y", lower: ["/c"], upper: .memory),
                .overlay(target: "/z", lower: ["/e", "/d"], upper: .none),
            ])
    }

    private static let dangling =
        "--overlay-src must be followed by another --overlay-src or one of --overlay, "
        + "--tmp-overlay, or --ro-overlay"

    @Test(arguments: [
        (["--overlay-src", "/a"], dangling),
        (["--overlay-src", "/a", "--bind", "/b", "/c", "--tmp-overlay", "/x"], dangling),
        (["--overlay-src", "/a", "--unshare-net"], dangling),
        (["--tmp-overlay", "/x"], "--tmp-overlay requires at least one --overlay-src"),
        (["--overlay", "/a", "/b", "/x"], "--overlay requires at least one --overlay-src"),
        (["--ro-overlay", "/x"], "--ro-overlay requires at least two --overlay-src"),
        (
            ["--overlay-src", "/a", "--ro-overlay", "/x"],
            "--ro-overlay requires at least two --overlay-src"
        ),
        (
            ["--overlay-src", "/a", "--tmp-overlay", "/x", "--tmp-overlay", "/y"],
            "--tmp-overlay requires at least one --overlay-src"
        ),
        (["--overlay-src", ""], "--overlay-src: the path is empty"),
    ])
    func layersGoneWrong(options: [String], wanted: String) {
        #expect(complaint(options + ["true"]) == wanted)
    }

    /// Before the layers or among them, once or more often; they are the next overlay's alone.
    @Test func optionsOfAnOverlay() throws {
        let request = try build([
            "--overlay-opt", "index=off", "--overlay-src", "/a", "--overlay-opt",
            "xino=off,volatile",
            "--tmp-overlay", "/x", "--overlay-src", "/a", "--tmp-overlay", "/y", "true",
        ]).request
        #expect(
            request.files.operations.map(\.action) == [
                .overlay(
                    target: "/x", lower: ["/a"], upper: .memory,
                    options: ["index=off", "xino=off", "volatile"]),
                .overlay(target: "/y", lower: ["/a"], upper: .memory),
            ])
        for options in [["--overlay-opt", "a"], ["--overlay-opt", "a", "--dir", "/x"]] {
            #expect(
                complaint(options + ["true"])
                    == "--overlay-opt must be followed by one of --overlay, --tmp-overlay, or "
                    + "--ro-overlay")
        }
    }

    // MARK: Modes on the way

    /// What is kept from group and others is kept from them on the way, too.
    @Test(
        arguments: [
            (["--dir"], nil, 0o755), (["--dir"], "0700", 0o700), (["--dir"], "0750", 0o750),
            (["--dir"], "0705", 0o705), (["--dir"], "0711", 0o755), (["--dir"], "1777", 0o755),
            (["--tmpfs"], nil, 0o755), (["--tmpfs"], "0700", 0o700), (["--file", "2"], nil, 0o755),
            (["--file", "2"], "0640", 0o750), (["--bind-data", "2"], "0644", 0o755),
            (["--bind-data", "2"], nil, 0o700), (["--ro-bind-data", "2"], nil, 0o700),
            (["--ro-bind-data", "2"], "0400", 0o700), (["--bind", "/a"], nil, 0o755),
        ] as [([String], String?, UInt32)])
    func directoriesOnTheWay(options: [String], perms: String?, mode: UInt32) throws {
        let modifier = perms.map { ["--perms", $0] } ?? []
        let request = try build(modifier + options + ["/x/y", "true"]).request
        #expect(request.files.operations.map(\.parentMode) == [mode])
    }

    @Test func aModeHoldsForOneOptionOnly() throws {
        let request = try build([
            "--perms", "0700", "--dir", "/a/b", "--dir", "/c/d", "--symlink", "x", "/e/f", "true",
        ]).request
        #expect(request.files.operations.map(\.parentMode) == [0o700, 0o755, 0o755])
    }

    // MARK: seccomp

    /// What nsrun makes of these options, `%` being a descriptor that gives the bytes; each is read once.
    private func filters(_ options: [String], _ programs: [UInt8]...) throws -> [[UInt8]] {
        var left = programs[...]
        var open: [Int32] = []
        defer { for descriptor in open { close(descriptor) } }
        let words = options.map { option in
            guard option == "%" else { return option }
            var ends: [Int32] = [0, 0]
            #expect(pipe(&ends) == 0)
            let program = left.removeFirst()
            #expect(write(ends[1], program, program.count) == program.count)
            close(ends[1])
            open.append(ends[0])
            return String(ends[0])
        }
        return try build(words + ["true"]).request.program.filters
    }

    private let one = [UInt8](repeating: 1, count: 8)
    private let two = [UInt8](repeating: 2, count: 16)

    @Test func programsComeInOrder() throws {
        #expect(try filters(["--seccomp", "%"], one) == [one])
        #expect(
            try filters(["--add-seccomp-fd", "%", "--add-seccomp-fd", "%"], two, one) == [two, one])
    }

    /// As in bubblewrap, with a warning.
    @Test func ofSeveralSingleProgramsTheLastOneCounts() throws {
        #expect(try filters(["--seccomp", "%", "--seccomp", "%"], one, two) == [two])
    }

    /// The two options do not go together.
    @Test(arguments: [
        (
            ["--seccomp", "%", "--add-seccomp-fd", "%"],
            "--seccomp cannot be combined with --add-seccomp-fd"
        ),
        (
            ["--add-seccomp-fd", "%", "--seccomp", "%"],
            "--seccomp cannot be combined with --add-seccomp-fd"
        ),
        (
            ["--add-seccomp-fd", "%", "--add-seccomp-fd", "%", "--seccomp", "%"],
            "--seccomp cannot be combined with --add-seccomp-fd"
        ),
    ])
    func programsThatDoNotGoTogether(options: [String], wanted: String) {
        #expect {
            try filters(options, one, one, one)
        } throws: {
            ($0 as? UsageError)?.message == wanted
        }
    }

    @Test(arguments: [0, 7, 9]) func whatIsNoProgram(length: Int) {
        #expect {
            try filters(["--seccomp", "%"], [UInt8](repeating: 0, count: length))
        } throws: {
            ($0 as? UsageError)?.message
                == "--seccomp: invalid seccomp data, must be multiple of 8"
        }
    }

    // MARK: Levels

    @Test func messagesMayBeginWithTheirLevel() throws {
        #expect(try parse("--level-prefix", "true").hasLevelPrefix)
        #expect(!(try parse("true", "--level-prefix").hasLevelPrefix))
    }

    @Test(arguments: [
        "--userns", "--userns2", "--pidns", "--sync-fd", "--block-fd", "--userns-block-fd",
        "--info-fd", "--json-status-fd", "--seccomp", "--add-seccomp-fd",
    ])
    func descriptorsMustBeOpen(option: String) throws {
        for value in ["9999", "x", ""] {
            let message = try #require(complaint(option, value, "true"))
            #expect(message.hasPrefix("\(option): "))
        }
    }

    // MARK: Ranges of ids

    @Test(arguments: [
        "", "0", "0:1", "0:1:0", "0:1:2:3", "a:1:1", "-1:1:1", "0:4294967295:1", "0 1 1",
    ])
    func notARange(text: String) {
        for option in ["--map-users", "--map-groups"] {
            #expect(
                complaint(option, text, "true") == """
                    \(option): "\(text)" is no range of ids
                      INSIDE:OUTSIDE:COUNT, as in 0:100000:65536
                    """)
        }
    }
}
