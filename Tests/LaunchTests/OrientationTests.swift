// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What tells the programs and the people in a root where they are.
@Suite struct OrientationTests {
    private let look = "cat /run/host/container-manager; echo $container"

    @Test(arguments: [[], ["--ephemeral"], ["--uid", "0"], ["--share-pid"]])
    func aRootIsSaidToBeAContainer(shape: [String]) throws {
        expect(try inRoot(look, shape), prints: "nsrun\nnsrun")
    }

    @Test func theHostsRootHasItsPlace() throws {
        let seen = try inRoot(
            "ls /run/host/container-manager; ls -d /run/host/usr; \(look)", ["--host-root"])
        #expect(seen.output == "/run/host/usr\nnsrun", "\(seen)")
    }

    @Test func theHostViewIsTheHost() throws {
        expect(try nsrun(["sh", "-c", "echo ${container-none}"]), prints: "none")
    }

    @Test func aShellsPromptNamesTheRoot() throws {
        let name = URL(fileURLWithPath: try Bench.current().rootfs).lastPathComponent
        let terminal = try Terminal(nsrun: ["bash", "-i"])
        terminal.expect("(\(name))")
        terminal.type("exit\n")
        #expect(terminal.child.wait() == 0)
    }

    /// The root has never heard of this terminal.
    @Test(arguments: [[], ["--host-root"], ["--uid", "0"]])
    func theHostsTerminalIsKnown(shape: [String]) throws {
        let folder = try TemporaryDirectory(in: NSHomeDirectory())
        let source = try folder.write("nsrun-odd|an odd terminal,\n\tam, cols#47,\n", to: "odd.ti")
        expect(try run(["tic", "-o", "\(folder.path)/terms", source]), prints: "")
        let terminal = try Terminal(
            [
                "env", "TERM=nsrun-odd", "TERMINFO=\(folder.path)/terms", Bench.current().nsrun,
                "--rootfs",
            ]
                + [Bench.current().rootfs] + shape + ["tput", "longname"])
        terminal.expect("an odd terminal")
        #expect(terminal.child.wait() == 0)
    }

    /// One that the root knows is the root's own affair.
    @Test func theRootsOwnEntryCounts() throws {
        let terminal = try Terminal(nsrun: ["sh", "-c", "echo dirs=${TERMINFO_DIRS-none}="])
        terminal.expect("dirs=none=")
        #expect(terminal.child.wait() == 0)
    }
}
