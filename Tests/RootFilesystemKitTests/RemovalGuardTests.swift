// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// What `nsrun-rootfs remove` takes for a root file system, and what it never removes.
@Suite struct RemovalGuardTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
        try workspace.write("home/thesis/chapter", "years of work")
        try workspace.write("made/bin/sh", "x")
        try workspace.write("made/.nsrun/image", "origin a test\n")
        for name in ["usr", "etc"] { try makeDirectories(workspace("foreign/\(name)")) }
    }

    /// What is said where a directory is refused; nil where it was removed.
    private func refusal(
        _ names: String..., force: Bool = false, in directory: String = "", home: String = "home"
    ) throws -> String? {
        let options = force ? ["--force"] : []
        let seen = try command.run(
            ["remove"] + options + names, in: directory, environment: ["HOME": workspace(home)])
        if seen == (0, "") { return nil }
        #expect(seen.status == 125)
        let start = "nsrun-rootfs: cannot "
        let line = seen.output.split(separator: "\n").first ?? ""
        #expect(line.hasPrefix(start), "\(seen)")
        return String(line.dropFirst(start.count))
    }

    @Test func whatNsrunRootfsMadeGoes() throws {
        #expect(try refusal(workspace("made")) == nil)
        #expect(try workspace.names() == ["foreign", "home"])
    }

    @Test(arguments: ["home/thesis", "home/thesis/", "home/./thesis", "home/x/../thesis", "empty"])
    func anyOtherDirectoryStays(_ name: String) throws {
        mkdir(workspace("empty"), 0o755)
        mkdir(workspace("home/x"), 0o755)
        for force in [false, true] {
            #expect(
                try refusal(workspace(name), force: force)?.contains("it is no root file system")
                    == true)
        }
        #expect(workspace.read("home/thesis/chapter") == "years of work")
    }

    /// Half of a root is none: `usr` and `etc` both, as directories in it.
    @Test(arguments: [
        "mkdir usr", "mkdir etc", "mkdir usr; touch etc", "mkdir usr; ln -s nowhere etc",
        "mkdir usr etc x; mv etc x", "mkdir .nsrun", "mkdir .nsrun; touch .nsrun/packages.x",
    ])
    func whatOnlyResemblesOneStays(_ script: String) throws {
        mkdir(workspace("half"), 0o755)
        try ExternalTool(name: "sh", package: "dash")
            .run(["-ec", "cd \(workspace("half")); \(script)"], cannot: "make", "half")
        #expect(try refusal(workspace("half"), force: true)?.contains("no root file") == true)
    }

    @Test func oneThatOthersMadeTakesForce() throws {
        let said = try refusal(workspace("foreign"))
        #expect(said == "remove \(workspace("foreign")): nsrun-rootfs did not make it")
        #expect(try refusal(workspace("foreign"), force: true) == nil)
    }

    /// A record that anybody could have written makes nothing a rootfs.
    @Test func aRecordOfOthersIsNone() throws {
        chmod(workspace("made/.nsrun/image"), 0o666)
        #expect(try refusal(workspace("made"), force: true)?.contains("no root file") == true)
    }

    /// Every one of these is a root file system by what it holds, and still nobody's to remove.
    @Test(arguments: ["made", "foreign"]) func homeAndHereStay(_ name: String) throws {
        try makeDirectories(workspace("\(name)/a/b"))
        symlink(name, workspace("link"))
        symlink("\(name)/a/b", workspace("way"))
        for home in [name, "link", "link/", "\(name)/a/..", "\(name)//."] {
            #expect(
                try refusal(workspace(name), force: true, home: home)
                    == "remove \(workspace(name)): it is your home directory", "\(home)")
        }
        for home in ["\(name)/a", "\(name)/a/b", "way", "link/a"] {
            #expect(
                try refusal(workspace(name), force: true, home: home)
                    == "remove \(workspace(name)): your home directory lies in it", "\(home)")
        }
        #expect(
            try refusal("../\(name)", force: true, in: name)
                == "remove ../\(name): it is the current directory")
        for word in ["./.", "./", ".//."] {
            #expect(
                try refusal(word, force: true, in: name)
                    == "remove \(word): it is the current directory")
        }
        #expect(
            try refusal(workspace(name), force: true, in: "way")
                == "remove \(workspace(name)): the current directory lies in it")
        #expect(
            try refusal("../../../\(name)", force: true, in: "\(name)/a/b")
                == "remove ../../../\(name): the current directory lies in it")
        #expect(try workspace.names(name).contains("a"))
    }

    @Test func theMachinesRootStays() throws {
        for word in ["/", "//", "/.", "/usr/.."] {
            #expect(try refusal(word, force: true) != nil, "\(word)")
        }
        #expect(try refusal("/usr", force: true) != nil)
        #expect(try refusal("/proc", force: true)?.contains("something is mounted on it") == true)
    }

    /// A link is somebody's name for a root, and not the root.
    @Test func aLinkStaysWithWhatItLeadsTo() throws {
        symlink("made", workspace("link"))
        for word in ["link", "link/", "link/."] {
            #expect(
                try refusal(workspace(word), force: true)
                    == "remove \(workspace(word)): it is not a directory")
        }
        #expect(try workspace.names().contains("link"))
    }

    /// None goes where one of them cannot.
    @Test func severalGoTogether() throws {
        try workspace.write("other/.nsrun/image", "origin a test\n")
        #expect(try refusal(workspace("made"), workspace("home/thesis")) != nil)
        #expect(try workspace.names() == ["foreign", "home", "made", "other"])
        #expect(try refusal(workspace("made"), workspace("other")) == nil)
        #expect(try workspace.names() == ["foreign", "home"])
    }

    /// On a terminal, which script(1) makes, somebody is asked.
    @Test(arguments: [("y", true), ("yes", true), ("n", false), ("", false), ("maybe", false)])
    func aTerminalIsAsked(_ answer: String, _ agrees: Bool) throws {
        let program = "HOME=/nonexistent \(Command.program) remove \(workspace("foreign"))"
        try workspace.write("answer", answer + "\n")
        let seen = try ExternalTool(
            name: "sh", package: "dash", acceptedStatuses: [0, 125]
        ).run(
            ["-c", "script -qec '\(program)' /dev/null <\(workspace("answer"))"], cannot: "run",
            "script")
        let text = String(decoding: seen, as: UTF8.self)
        #expect(text.contains("was made by something else"), "\(text)")
        #expect((access(workspace("foreign"), F_OK) != 0) == agrees)
        if !agrees { #expect(text.contains("you did not agree"), "\(text)") }
    }

    /// The same holds for what takes another tree's place.
    @Test func packagesAreAddedOnlyToWhatWasUnpacked() throws {
        let package = try workspace.package("a") { $0.file("etc/x", "x") }
        let unpacker = PackageUnpacker(progress: ProgressReport(quiet: true))
        #expect(
            failure { try unpacker.unpack([package], to: workspace.destination("foreign")) }?.cause
                == "it already exists")
        try unpacker.unpack([package], to: workspace.destination("root"))
        // Not where the current directory, or the home, would be pulled from under somebody's feet.
        for place in [workspace("root"), "../../root"] {
            #expect(
                try command.run(["unpack", "--quiet", place, package], in: "root/etc") == (
                    125,
                    "nsrun-rootfs: cannot change \(place): the current directory lies in it\n"
                ))
        }
        #expect(try command.run(["unpack", "--quiet", workspace("root"), package]) == (0, ""))
        #expect(try workspace.names().filter { $0.contains("partial") } == [])
    }

    /// Few descriptors do, however deep a tree is.
    @Test func fewDescriptorsDo() throws {
        let script = """
            for my $name ("made/x", map { "d" } 1 .. 1200) { mkdir $name and chdir $name or die }
            """
        try ExternalTool(name: "perl", package: "perl").run(
            ["-e", "chdir '\(workspace.path)' or die; \(script)"], cannot: "make", "made")
        let program = "\(Command.program) remove \(workspace("made"))"
        try ExternalTool(name: "sh", package: "dash")
            .run(["-c", "ulimit -n 30; \(program)"], cannot: "remove", "made")
        #expect(try workspace.names() == ["foreign", "home"])
    }
}
