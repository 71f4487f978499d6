// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Seccomp programs, made by hand, and SELinux labels.
@Suite struct FilterTests {
    #if arch(arm64)
        static let unameCall: UInt32 = 160
        static let chdirCall: UInt32 = 49
    #else
        static let unameCall: UInt32 = 63
        static let chdirCall: UInt32 = 80
    #endif

    /// One instruction of classic BPF, as `struct sock_filter` lies in memory.
    private static func instruction(
        _ code: UInt16, _ value: UInt32, then: UInt8 = 0, else otherwise: UInt8 = 0
    ) -> [UInt8] {
        withUnsafeBytes(of: code.littleEndian, Array.init) + [then, otherwise]
            + withUnsafeBytes(of: value.littleEndian, Array.init)
    }

    /// A program that answers these system calls in one way and all others in another (seccomp(2)).
    static func program(
        answering calls: [UInt32], _ listed: UInt32, otherwise others: UInt32
    ) -> [UInt8] {
        let load: UInt16 = 0x20
        let jumpIfEqual: UInt16 = 0x15
        let answer: UInt16 = 0x06
        var program = instruction(load, 0)
        for call in calls {
            program += instruction(jumpIfEqual, call, then: 0, else: 1)
            program += instruction(answer, listed)
        }
        return program + instruction(answer, others)
    }

    /// A program that answers one system call with this errno, and allows all others.
    static func refusing(_ call: UInt32, _ error: Int32) -> [UInt8] {
        program(answering: [call], 0x0005_0000 | UInt32(error), otherwise: 0x7fff_0000)
    }

    private func filtered(_ options: [String], _ programs: [[UInt8]]) throws -> Outcome {
        var files: [Int32: Int32] = [:]
        for (index, program) in programs.enumerated() {
            let file = try Scratch.openFile()
            _ = write(file, program, program.count)
            lseek(file, 0, SEEK_SET)
            files[Int32(8 + index)] = file
        }
        defer { for file in files.values { close(file) } }
        let script = "uname 2>&1 | grep -o 'Operation not permitted\\|Linux'; cd / && echo moved"
        return try run(
            Name.bwrap.command() + options + ["sh", "-c", script], passing: files)
    }

    private let noUname = FilterTests.refusing(FilterTests.unameCall, EPERM)
    private let noChdir = FilterTests.refusing(FilterTests.chdirCall, EPERM)

    @Test(arguments: [["--seccomp", "8"], ["--add-seccomp-fd", "8"]])
    func aFilterIsInstalled(options: [String]) throws {
        let seen = try filtered(options, [noUname])
        expect(seen, prints: "Operation not permitted\nmoved")
    }

    /// A pid 1 that can be looked into would otherwise do for the command what is refused to it.
    @Test func pidOneIsFilteredToo() throws {
        let file = try Scratch.openFile()
        _ = write(file, noChdir, noChdir.count)
        lseek(file, 0, SEEK_SET)
        defer { close(file) }
        let script = """
            grep -o 'Seccomp:.*2' /proc/1/status; (: </proc/1/environ) && echo open
            """
        let options = ["--unshare-pid", "--proc", "/proc", "--seccomp", "8"]
        let command = ["sh", "-c", script]
        let told = try Scratch.openFile()
        defer { close(told) }
        let seen = try run(
            Name.bwrap.command() + options + ["--info-fd", "9"] + command,
            passing: [8: file, 9: told])
        expect(seen, prints: "Seccomp:\t2\nopen")
        // Nobody can look into the other one, so that it needs no filter, which might allow it less than it needs.
        lseek(file, 0, SEEK_SET)
        let hidden = try run(Name.bwrap.command() + options + command, passing: [8: file])
        #expect(hidden.output == "" && hidden.status != 0, "\(hidden)")
    }

    @Test func filtersAreInstalledTogether() throws {
        let seen = try filtered(
            ["--add-seccomp-fd", "8", "--add-seccomp-fd", "9"], [noUname, noChdir])
        #expect(seen.output == "Operation not permitted" && seen.status != 0, "\(seen)")
    }

    @Test func aDescriptorGivesOneProgram() throws {
        expect(
            try filtered(["--add-seccomp-fd", "8", "--add-seccomp-fd", "8"], [noUname]),
            refusedSaying: "Can't read seccomp data: Bad file descriptor")
    }

    @Test func ofTwoSingleFiltersTheLastOneCounts() throws {
        let seen = try filtered(["--seccomp", "8", "--seccomp", "9"], [noChdir, noUname])
        #expect(seen.output == "Operation not permitted\nmoved" && seen.status == 0, "\(seen)")
        #expect(seen.error.contains("--seccomp"), "a warning: \(seen)")
    }

    @Test(arguments: [
        ["--seccomp", "8", "--add-seccomp-fd", "9"], ["--add-seccomp-fd", "8", "--seccomp", "9"],
    ])
    func theTwoWaysDoNotMix(options: [String]) throws {
        expect(
            try filtered(options, [noUname, noUname]), refusedSaying: "--seccomp",
            "--add-seccomp-fd", "cannot be combined")
    }

    @Test(arguments: [
        [UInt8](repeating: 0, count: 7), [1, 2, 3], [UInt8](repeating: 0, count: 8), [],
    ])
    func whatIsNoProgramIsRefused(program: [UInt8]) throws {
        expect(
            try filtered(["--seccomp", "8"], [program]),
            refusedSaying: program.isEmpty ? "PR_SET_SECCOMP" : "seccomp")
    }

    /// A filter is the command's, and must not stand in the way of what comes before it.
    @Test func theFilterComesLast() throws {
        #if arch(arm64)
            let mount: UInt32 = 40
        #else
            let mount: UInt32 = 165
        #endif
        let seen = try filtered(
            ["--seccomp", "8", "--unshare-pid", "--tmpfs", "/a"],
            [FilterTests.refusing(mount, EPERM)])
        expect(seen, prints: "Linux\nmoved")
    }

    @Test(arguments: ["--exec-label", "--file-label"])
    func labelsNeedSELinux(option: String) throws {
        try #require(!FileManager.default.fileExists(atPath: "/sys/fs/selinux/enforce"))
        expect(
            try sandbox("", [option, "label"]),
            refusedSaying: "labeling not supported on this system")
    }

    @Test(arguments: Kernel.allCases)
    func notASecurityBoundaryChangesNothingWhereAllIsWell(kernel: Kernel) throws {
        try expect(
            sandbox("(: >/usr/x) 2>&- || echo ro", kernel.options + ["--not-a-security-boundary"]),
            prints: "ro")
    }
}
