// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// The command as its users meet it.
@Suite struct CommandLineTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private var command: Command { Command(in: workspace) }

    private func run(_ arguments: String...) throws -> (status: Int32, output: String) {
        try command.run(arguments)
    }

    @Test func aRootfsFromImportToRemove() throws {
        let source = try workspace.write("a.tar", tar { $0.file("etc/debian_version", "12\n") })
        #expect(try run("import", source, "one").output == "nsrun-rootfs: importing \(source)\n")
        #expect(try run("import", "--quiet", source, "two") == (0, ""))
        let list = try run("list").output.split(separator: "\n")
        #expect(list.first == "NAME  SIZE   SUITE  ARCHITECTURE  ORIGIN")
        #expect(list.count == 3)
        #expect(try run("show", "one").output.contains("origin \(source)\n"))
        #expect(try run("export", "--quiet", "one", workspace("b.tar.gz")) == (0, ""))
        #expect(try run("remove", "one") == (0, ""))
        #expect(try run("remove", "two") == (0, ""))
        #expect(try run("list") == (0, ""))
        #expect(try workspace.names("data/nsrun/rootfs").isEmpty)
    }

    @Test func failuresHaveOneVoice() throws {
        let missing = workspace("missing.tar")
        #expect(
            try run("import", missing, "x") == (
                125, "nsrun-rootfs: cannot read \(missing): no such file or directory\n"
            ))
        #expect(
            try run("remove", "x") == (
                125,
                "nsrun-rootfs: cannot use the rootfs x: there is none of that name in the store "
                    + "\(workspace("data/nsrun/rootfs"))\n"
                    + "  nsrun-rootfs list shows what there is; a path has a slash in it\n"
            ))
        #expect(try run("show", "../x").status == 125)
        let usage = try run("import", "--nonsense", "a", "b")
        #expect(usage.status == 125)
        #expect(usage.output.hasPrefix("nsrun-rootfs: "))
        #expect(usage.output.contains("--nonsense"))
        #expect(try run("--help").status == 0)
    }

    /// A stand-in for unsquashfs that makes a file, says who it is, and never ends.
    private func startStalledImport() throws -> Process {
        try workspace.write("image.squashfs", "hsqs")
        try workspace.script(
            "bin/unsquashfs",
            """
            #!/bin/sh
            [ "$1" = -lln ] && exit 0
            while [ $# -gt 0 ]; do [ "$1" = -dest ] && : > "$2/file"; shift; done
            echo $$ > \(workspace("pid.new")); mv \(workspace("pid.new")) \(workspace("pid"))
            exec sleep 600

            """)
        let process = try command.start(["import", workspace("image.squashfs"), "one"]).process
        while workspace.read("pid") == nil && process.isRunning { usleep(2000) }
        return process
    }

    private func stalledTool() throws -> pid_t {
        let text = try #require(workspace.read("pid")).filter(\.isNumber)
        return try #require(pid_t(text))
    }

    @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
    func anInterruptedRunLeavesNothing(_ signal: Int32) throws {
        let process = try startStalledImport()
        #expect(try workspace.names("data/nsrun/rootfs").count == 1)
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
        #expect(try workspace.names("data/nsrun/rootfs").isEmpty)
        // The tool was ended and waited for.
        #expect(kill(try stalledTool(), 0) == -1)
    }

    @Test func whatAKilledRunLeftIsSweptOnceNobodyWorksOnIt() throws {
        let process = try startStalledImport()
        let tool = try stalledTool()
        kill(process.processIdentifier, SIGKILL)
        // Not waitUntilExit(): Foundation waits for a socket to close, which the tool has inherited.
        waitForEnd(of: process.processIdentifier)
        let source = try workspace.write("a.tar", tar { $0.file("x") })
        _ = try run("import", source, "two")
        #expect(
            try workspace.names("data/nsrun/rootfs").count == 2, "the tool still holds its tree")
        kill(tool, SIGKILL)
        waitForEnd(of: tool)
        _ = try run("import", source, "three")
        #expect(
            try workspace.names("data/nsrun/rootfs")
                == ["three", "two"])
    }

    /// Waits until a process is gone, or a zombie: a parent may take its time to notice.
    private func waitForEnd(of process: pid_t) {
        while let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            !status.contains(") Z ")
        { usleep(2000) }
    }
}
