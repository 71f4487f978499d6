// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// A filter is written for the command. Behind it nsrun makes no calls of its own but execve, write, exit_group and
/// wait4, as bubblewrap does: loaders of images and the like are run with a list of what they may call, and whatever
/// else is called kills.
@Suite struct NarrowFilterTests {
    /// What echo(1) and the dynamic linker call, and pid 1 may; all else kills.
    private static let forEcho: [UInt8] = {
        #if arch(arm64)
            let calls: [UInt32] = [
                29, 48, 56, 57, 62, 63, 64, 67, 78, 79, 80, 94, 96, 98, 99, 214, 215, 221, 222, 226,
                260, 261, 278, 291, 293,
            ]
        #else
            let calls: [UInt32] = [
                0, 1, 3, 5, 8, 9, 10, 11, 12, 16, 17, 21, 59, 61, 89, 158, 202, 218, 231, 257, 262,
                273,
                302, 318, 332, 334,
            ]
        #endif
        return FilterTests.program(answering: calls, 0x7fff_0000, otherwise: 0x8000_0000)
    }()

    /// Calls that pid 1 works by where it can, and that a shell does without: ppoll, sendto, recvfrom, rt_sigtimedwait
    /// and waitid.
    private static let killingPidOnesCalls: [UInt8] = {
        #if arch(arm64)
            let calls: [UInt32] = [73, 95, 137, 206, 207]
        #else
            let calls: [UInt32] = [44, 45, 128, 247, 271]
        #endif
        return FilterTests.program(answering: calls, 0x8000_0000, otherwise: 0x7fff_0000)
    }()

    #if arch(arm64)
        private static let waitCall: UInt32 = 260
    #else
        private static let waitCall: UInt32 = 61
    #endif

    /// Where pid 1 can be looked into it takes the filter, too; descriptor 9 is where the caller is told of it.
    static let shapes = [
        [], ["--unshare-pid"], ["--unshare-pid", "--as-pid-1"], ["--sync-fd", "9"],
        ["--unshare-pid", "--info-fd", "9"], ["--unshare-pid", "--json-status-fd", "9"],
        ["--unshare-pid", "--json-status-fd", "9", "--die-with-parent"],
        ["--sync-fd", "7", "--info-fd", "9"],
    ]
    static let readable = [["--info-fd", "9"], ["--json-status-fd", "9"]]

    /// Descriptors 7 and 9 for the options, and the filter in 8.
    private func descriptors(_ program: [UInt8]) throws -> [Int32: Int32] {
        let file = try Scratch.openFile()
        _ = write(file, program, program.count)
        lseek(file, 0, SEEK_SET)
        return [7: try Scratch.openFile(), 8: file, 9: try Scratch.openFile()]
    }

    private func filtered(
        _ program: [UInt8], _ options: [String], _ command: [String], as name: Name = .bwrap
    ) throws -> Outcome {
        let files = try descriptors(program)
        defer { for file in files.values { close(file) } }
        return try run(
            name.command() + options + ["--seccomp", "8", "--"] + command, passing: files)
    }

    @Test(arguments: shapes, Name.allCases)
    func nothingElseIsCalled(shape: [String], name: Name) throws {
        let seen = try filtered(
            NarrowFilterTests.forEcho, shape, ["/usr/bin/echo", "hello"], as: name)
        expect(seen, prints: "hello")
    }

    @Test(arguments: readable, Name.allCases)
    func theStatusIsTheCommands(shape: [String], name: Name) throws {
        let options = shape + (name == .bwrap ? ["--unshare-pid"] : [])
        for (script, status) in [("exit 7", 7), ("kill -TERM $$", 128 + SIGTERM)] {
            let seen = try filtered(
                NarrowFilterTests.killingPidOnesCalls, options, ["sh", "-c", script], as: name)
            #expect(seen.status == status, "\(seen)")
        }
        let seen = try filtered(
            NarrowFilterTests.killingPidOnesCalls, options, ["/none"], as: name)
        #expect(seen.status == (name == .bwrap ? 1 : 127), "\(seen)")
        #expect(seen.error.contains("/none"), "\(seen)")
    }

    /// The launcher itself sends them.
    @Test(arguments: readable, Name.allCases)
    func signalsReachTheCommand(shape: [String], name: Name) throws {
        let files = try descriptors(NarrowFilterTests.killingPidOnesCalls)
        defer { for file in files.values { close(file) } }
        let options = shape + (name == .bwrap ? ["--unshare-pid"] : [])
        let run = try Conversation(
            name.command() + options
                + ["--seccomp", "8", "--", "sh", "-c", LifecycleTests.listener],
            passing: files)
        #expect(run.line() == "ready")
        run.child.send(SIGUSR1)
        #expect(run.line() == "USR1")
        #expect(run.child.wait() == 6)
    }

    @Test(arguments: Name.allCases) func theCommandsPidIsTold(name: Name) throws {
        let files = try descriptors(NarrowFilterTests.killingPidOnesCalls)
        defer { for file in files.values { close(file) } }
        let options = ["--json-status-fd", "9"] + (name == .bwrap ? ["--unshare-pid"] : [])
        let seen = try run(
            name.command() + options + ["--seccomp", "8", "--", "sh", "-c", "exit 3"],
            passing: files)
        #expect(seen.status == 3)
        let told = Scratch.content(files[9]!)
        #expect(told.contains("\"command-pid\": ") == (name == .nsrun), "\(told)")
        #expect(told.hasSuffix("{ \"exit-code\": 3 }"), "\(told)")
    }

    @Test(arguments: readable) func whatLingersIsNotWaitedFor(shape: [String]) throws {
        let mark = "sleep 5000.\(getpid())\(shape[0].count)"
        let script = "\(mark) >&- 2>&- & exit 3"
        let seen = try filtered(
            NarrowFilterTests.killingPidOnesCalls, shape + ["--unshare-pid", "--dev", "/dev"],
            ["sh", "-c", script])
        #expect(seen.status == 3, "\(seen)")
        // It may not have got that far yet.
        #expect(try HostState.eventually { try run(["pkill", "-x", "-f", mark]).status == 0 })
    }

    @Test(arguments: Name.allCases) func theRunDiesWithItsMonitor(name: Name) throws {
        let mark = "sleep 6000.\(getpid())"
        let files = try descriptors(NarrowFilterTests.killingPidOnesCalls)
        defer { for file in files.values { close(file) } }
        let options = name == .bwrap ? ["--unshare-pid", "--die-with-parent"] : []
        let run = try Conversation(
            name.command() + options + ["--info-fd", "9", "--seccomp", "8"]
                + ["--", "sh", "-c", "\(mark) & echo on; wait"], passing: files)
        #expect(run.line() == "on")
        run.child.send(SIGKILL)
        #expect(try HostState.processesGo(mark))
    }

    /// Pid 1 cannot tell when the command ends, and does not wait for ever.
    @Test(arguments: shapes, Name.allCases)
    func waitingMayBeForbidden(shape: [String], name: Name) throws {
        let seen = try filtered(
            FilterTests.refusing(NarrowFilterTests.waitCall, EPERM), shape,
            ["/usr/bin/echo", "hello"], as: name)
        if shape.contains("--info-fd") || shape.contains("--json-status-fd") {
            #expect(seen.status == name.failure, "\(seen)")
            #expect(seen.error.contains("cannot wait for the command"), "\(seen)")
        } else {
            expect(seen, prints: "hello")
        }
    }

    @Test(arguments: ["--seccomp", "--add-seccomp-fd"], Name.allCases)
    func itsDescriptorIsNotTheCommands(option: String, name: Name) throws {
        let files = try descriptors(FilterTests.refusing(FilterTests.chdirCall, EPERM))
        defer { for file in files.values { close(file) } }
        let script = "(: <&8) 2>&- || echo closed; (: <&7) && echo open"
        let seen = try run(
            name.command() + [option, "8", "--", "sh", "-c", script], passing: files)
        expect(seen, prints: "closed\nopen")
    }
}
