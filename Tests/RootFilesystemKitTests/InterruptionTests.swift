// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// A signal ends every verb, wherever it is, and nothing is left of what it was making.
@Suite struct InterruptionTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
        try workspace.write("a.tar", tar { $0.file("etc/x", "x") })
        try workspace.write("store/nsrun/rootfs/one/.nsrun/image", "origin a test\n")
        try workspace.write("store/nsrun/rootfs/one/etc/x", "x")
        mkdir(workspace("local"), 0o700)
    }

    /// The verbs that work on trees, and what they would print or make.
    static let verbs = [
        ["list"], ["import", "a.tar", "./new"], ["import", "store/nsrun/rootfs/one", "./new"],
        ["export", "one", "new.tar"], ["export", "one", "new.squashfs"], ["remove", "one"],
        ["stage", "one", "local"], ["stage", "./a.tar", "local"], ["unpack", "./new", "a.deb"],
        ["debian", "bookworm", "./new"],
    ]

    /// The signal is there before the work begins: whoever looks for it does nothing any more.
    @Test(arguments: verbs, [SIGTERM, SIGINT, SIGHUP])
    func itIsLookedForEverywhere(_ verb: [String], _ signal: Int32) throws {
        rename(try workspace.package("a") { $0.file("etc/x", "x") }, workspace("a.deb"))
        rmdir(workspace("debs"))
        let before = try workspace.names()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/perl")
        let script = """
            use POSIX;
            sigprocmask(SIG_BLOCK, POSIX::SigSet->new(\(signal)));
            kill \(signal), $$;
            exec @ARGV;
            """
        process.arguments = ["-e", script, Command.program] + verb
        process.currentDirectoryURL = URL(fileURLWithPath: workspace.path)
        process.environment = ["PATH": "/usr/bin:/bin", "XDG_DATA_HOME": workspace("store")]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let printed = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
        #expect(printed.isEmpty, "\(String(decoding: printed, as: UTF8.self))")
        #expect(try workspace.names() == before)
        #expect(try workspace.names("store/nsrun/rootfs") == ["one"])
        #expect(workspace.read("store/nsrun/rootfs/one/etc/x") == "x")
    }

    /// Reading what takes hours.
    @Test func aLongReadEnds() throws {
        try workspace.write("big.squashfs", "hsqs")
        truncate(workspace("big.squashfs"), 1 << 40)
        let (process, output) = try command.start(
            ["stage", workspace("big.squashfs"), workspace("local")])
        #expect(output.fileHandleForReading.availableData.isEmpty == false)
        usleep(50_000)
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(
            try workspace.names("local/nsrun-\(geteuid())").allSatisfy { $0.hasSuffix(".stage") })
    }

    /// Whoever is asked may also leave.
    @Test func aQuestionEnds() throws {
        for name in ["usr", "etc"] { try makeDirectories(workspace("foreign/\(name)")) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/script")
        let line =
            "echo $$ >\(workspace("pid")); HOME=/nonexistent exec \(Command.program) remove \(workspace("foreign"))"
        process.arguments = ["-qefc", line, workspace("said")]
        process.standardInput = Pipe()
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        while process.isRunning, workspace.read("said")?.contains("[y/N]") != true { usleep(2000) }
        let text = try #require(workspace.read("pid")).filter(\.isNumber)
        kill(try #require(pid_t(text)), SIGTERM)
        process.waitUntilExit()
        #expect(process.terminationStatus == 128 + SIGTERM)
        #expect(try workspace.names().contains("foreign"))
    }
}
