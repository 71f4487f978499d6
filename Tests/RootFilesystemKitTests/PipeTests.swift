// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// `nsrun-rootfs import -`: what comes through a pipe, as it comes.
@Suite struct PipeTests {
    let workspace: Workspace
    let image: SavedImage

    init() throws {
        workspace = try Workspace()
        image = SavedImage(workspace: workspace)
    }

    /// Runs a line of shell in which `$IMPORT` imports what it reads to `one`.
    private func run(_ line: String) throws -> (status: Int32, output: String) {
        try ExternalToolOutcome.of(
            line, in: workspace,
            ["IMPORT": "\(Command.program) import --quiet - \(workspace("one"))"])
    }

    private func expectRoot(_ line: String, _ names: [String]) throws {
        let seen = try run(line)
        #expect(seen == (0, ""))
        #expect(try workspace.names("one") == [".nsrun"] + names)
        #expect(try workspace.names().filter { $0.hasPrefix(".") } == [])
        #expect(workspace.read("one/.nsrun/image")?.hasPrefix("origin -\n") == true)
    }

    @Test func aTar() throws {
        try workspace.write("a.tar", tar { $0.file("x", "1") })
        try expectRoot("cat a.tar | $IMPORT", ["x"])
    }

    /// In pieces that are smaller than what tells what it is.
    @Test func aTarInSmallPieces() throws {
        try workspace.write("a.tar", tar { $0.file("x", String(repeating: "y", count: 5000)) })
        try expectRoot("gzip a.tar; dd if=a.tar.gz bs=7 status=none | $IMPORT", ["x"])
    }

    @Test func anImage() throws {
        try image.layout([image.described()])
        try expectRoot("tar -C image -c . | zstd -c | $IMPORT", ["etc"])
    }

    @Test func aSquashfs() throws {
        try workspace.write("from/x", "1")
        let made = "mksquashfs from x.sqfs -quiet -no-progress"
        try expectRoot("\(made); cat x.sqfs | $IMPORT", ["x"])
    }

    @Test func aSquashfsThatWasCompressed() throws {
        try workspace.write("from/x", "1")
        let made = "mksquashfs from x.sqfs -quiet -no-progress"
        try expectRoot("\(made); xz -c x.sqfs | $IMPORT", ["x"])
        try workspace.importRoot(workspace("x.sqfs"), "two")
        try ExternalTool(name: "xz", package: "xz-utils").run(
            [workspace("x.sqfs")], cannot: "compress", "x.sqfs")
        try workspace.importRoot(workspace("x.sqfs.xz"), "three")
        for root in ["two", "three"] { #expect(workspace.read("\(root)/x") == "1") }
    }

    @Test(arguments: ["$IMPORT <a.tar", "cat a.tar | ${IMPORT/ - / /dev/stdin }"])
    func whatStandsForStandardInput(_ line: String) throws {
        try workspace.write("a.tar", tar { $0.file("x", "1") })
        try expectRoot(line, ["x"])
    }

    @Test func whatIsRefusedLeavesNothing() throws {
        try workspace.write("a.tar", [UInt8](repeating: 7, count: 200 << 10))
        let seen = try run("cat a.tar | $IMPORT")
        #expect(seen.status == 125)
        #expect(
            seen.output.hasPrefix("nsrun-rootfs: cannot import standard input: it is nothing"),
            "\(seen)")
        #expect(try workspace.names() == ["a.tar"])
    }

    /// A pipe whose other end stays open, and has said so much.
    private func stalled(_ bytes: [UInt8]) throws -> (process: Process, writer: Descriptor) {
        mkfifo(workspace("fifo"), 0o600)
        let writer = try Descriptor.open(workspace("fifo"), O_RDWR, cannot: "open")
        // F_SETPIPE_SZ: nobody reads yet.
        #expect(fcntl(writer.number, 1031, 1 << 18) >= bytes.count)
        #expect(write(writer.number, bytes, bytes.count) == bytes.count)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.program)
        process.arguments = ["import", "--quiet", "-", workspace("one")]
        process.standardError = FileHandle.nullDevice
        process.standardInput = FileHandle(
            fileDescriptor: open(workspace("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC),
            closeOnDealloc: true)
        try process.run()
        return (process, writer)
    }

    @Test func aRefusalDoesNotWaitForTheOtherEnd() throws {
        let (process, writer) = try stalled([UInt8](repeating: 7, count: 100 << 10))
        process.waitUntilExit()
        #expect(process.terminationStatus == 125)
        #expect(try workspace.names() == ["fifo"])
        withExtendedLifetime(writer) {}
    }

    @Test(arguments: ["$IMPORT </dev/null", "$IMPORT <&-", "${IMPORT/ - / fifo }"])
    func whereNothingComesNothingIsWaitedFor(_ line: String) throws {
        mkfifo(workspace("fifo"), 0o600)
        let seen = try run(line)
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.output.hasPrefix("nsrun-rootfs: cannot read "), "\(seen)")
        #expect(try workspace.names() == ["fifo"])
    }

    /// Also where the other end says nothing, or nothing more.
    @Test(arguments: [0, 1000, 100_000]) func aSignalEndsTheWait(said: Int) throws {
        let archive = tar { $0.file("x", String(repeating: "y", count: 200_000)) }
        let (process, writer) = try stalled(Array(archive.prefix(said)))
        // It has begun when its tree is there.
        while try workspace.names() == ["fifo"], process.isRunning { usleep(2000) }
        kill(process.processIdentifier, SIGTERM)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(try workspace.names() == ["fifo"])
        withExtendedLifetime(writer) {}
    }
}

/// What a line of bash prints, and its status.
enum ExternalToolOutcome {
    static func of(
        _ line: String, in workspace: Workspace, _ environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/bash")
        process.arguments = ["-c", line]
        process.currentDirectoryURL = URL(fileURLWithPath: workspace.path)
        process.environment = [
            "PATH": "/usr/bin:/bin:/usr/sbin", "XDG_DATA_HOME": workspace("data"),
        ].merging(environment) { $1 }
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardError = output
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: text, as: UTF8.self))
    }
}
