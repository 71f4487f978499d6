// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Each refusal names operation, object and cause on one line, and the remedy on the next.
@Suite struct ErrorTests {
    @Test(arguments: MountPath.allCases)
    func rootfsMissing(path: MountPath) throws {
        let seen = try inRoot("true", path.options, root: "/no/such/root")
        expect(
            seen, refuses: "cannot use the rootfs /no/such/root: no such file or directory",
            remedy: "usr")
    }

    @Test(arguments: MountPath.allCases, [[], ["--ephemeral"]])
    func rootfsNotADirectory(path: MountPath, layer: [String]) throws {
        let seen = try inRoot("true", path.options + layer, root: "/etc/passwd")
        expect(
            seen,
            refuses: "cannot use the rootfs /etc/passwd: it is neither a directory nor a squashfs",
            remedy: "import")
    }

    /// The home of root is closed to everybody else: the one on the way, the other itself.
    @Test(arguments: MountPath.allCases, ["/root/rootfs", "/root"])
    func rootfsUnreadable(path: MountPath, root: String) throws {
        for layer in [[], ["--ephemeral"]] {
            let seen = try inRoot("true", path.options + layer, root: root)
            expect(
                seen, refuses: "cannot use the rootfs \(root): permission denied",
                remedy: "searchable")
        }
    }

    @Test func rootfsWithoutTheProgram() throws {
        let root = try BareRoot()
        let seen = try nsrun(["--rootfs", root.path, "/usr/bin/qemu"])
        expect(
            seen, refuses: "cannot run /usr/bin/qemu: no such file in the rootfs",
            remedy: "inside the rootfs", status: 127)
    }

    @Test func pathLookUpsAreInsideTheRoot() throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        try host.write("#!/bin/sh\necho host\n", to: "onlyhere", mode: 0o755)
        let root = try BareRoot()
        let path = "\(host.path):/bin"
        let seen = try nsrun(["--rootfs", root.path, "onlyhere"], environment: ["PATH": path])
        expect(
            seen, refuses: "cannot run onlyhere: not found in the rootfs",
            remedy: "looked in /bin:/usr/local/bin:/usr/bin", status: 127)
    }

    @Test func programOfAnotherMachine() throws {
        let root = try BareRoot()
        // An ELF header of an Itanium, which no emulator knows: 64 bits, big-endian, machine 50.
        var header = Data([0x7f, 0x45, 0x4c, 0x46, 2, 2, 1, 0] + [UInt8](repeating: 0, count: 8))
        header += [0, 2, 0, 50, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 40)
        let file = try root.directory.write("", to: "bin/foreign", mode: 0o755)
        try header.write(to: URL(filePath: file))
        let seen = try nsrun(["--rootfs", root.path, "/bin/foreign"])
        #expect(seen.status == 126 && seen.error.contains("machine 50"), "\(seen)")
        #expect(seen.error.contains("\n  use a rootfs for "), "\(seen)")
    }

    @Test func programWhoseInterpreterIsMissing() throws {
        let root = try BareRoot()
        try expect(run(["rm", "-r", root.path + "/lib64", root.path + "/lib"]), exits: 0)
        let seen = try nsrun(["--rootfs", root.path, "/bin/sh"])
        #expect(seen.status == 126, "\(seen)")
        #expect(
            seen.error.hasPrefix("nsrun: cannot run /bin/sh: its ELF interpreter /lib"), "\(seen)")
        #expect(seen.error.contains("ld-linux") && seen.error.contains("missing in the rootfs\n  "))
    }

    @Test func scriptWhoseInterpreterIsMissing() throws {
        let root = try BareRoot()
        try root.directory.write("#! /usr/bin/python9 -x\n", to: "bin/script", mode: 0o755)
        let seen = try nsrun(["--rootfs", root.path, "script"], environment: ["PATH": "/bin"])
        expect(
            seen,
            refuses: "cannot run /bin/script: the interpreter /usr/bin/python9 of its #! line is "
                + "missing in the rootfs",
            remedy: "#! line", status: 126)
    }

    @Test func scriptWithCarriageReturns() throws {
        let root = try BareRoot()
        try root.directory.write("#!/bin/sh\r\n", to: "bin/script", mode: 0o755)
        let seen = try nsrun(["--rootfs", root.path, "/bin/script"])
        #expect(seen.status == 126 && seen.error.contains("carriage return"), "\(seen)")
    }

    @Test func fileThatIsNotExecutable() throws {
        let root = try BareRoot()
        try root.directory.write("", to: "bin/plain")
        let seen = try nsrun(["--rootfs", root.path, "/bin/plain"])
        expect(
            seen, refuses: "cannot run /bin/plain: permission denied", remedy: "chmod +x",
            status: 126)
    }

    @Test func fileThatIsNoProgram() throws {
        let root = try BareRoot()
        try root.directory.write("x\0\n", to: "bin/odd", mode: 0o755)
        let seen = try nsrun(["--rootfs", root.path, "/bin/odd"])
        #expect(seen.status == 126 && seen.error.contains("/bin/odd: it is neither"), "\(seen)")
    }

    @Test(arguments: MountPath.allCases, ["--bind", "--ro-bind", "--dev-bind"])
    func bindSourceMissing(path: MountPath, option: String) throws {
        let seen = try inRoot("true", [option, "/no/source", "/mnt"] + path.options)
        expect(
            seen,
            refuses:
                "cannot bind-mount /no/source onto /mnt: /no/source does not exist on the host",
            remedy: "-try")
    }

    @Test(arguments: MountPath.allCases)
    func fileOntoDirectoryAndBack(path: MountPath) throws {
        for pair in [["/etc/passwd", "/mnt"], ["/usr", "/etc/fstab"]] {
            let seen = try inRoot("true", ["--bind"] + pair + path.options)
            #expect(seen.status == 125, "\(seen)")
            #expect(
                seen.error.hasPrefix("nsrun: cannot bind-mount \(pair[0]) onto \(pair[1]): "),
                "\(seen)")
            #expect(seen.error.contains("\n  a directory goes onto a directory"), "\(seen)")
        }
    }

    @Test(arguments: MountPath.allCases)
    func destinationBelowAFile(path: MountPath) throws {
        let seen = try inRoot("true", ["--tmpfs", "/etc/fstab/x"] + path.options)
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error.contains("/etc/fstab/x") && seen.error.contains("not a directory"), "\(seen)"
        )
    }

    /// In /proc nothing can be made, by whatever means.
    @Test(arguments: MountPath.allCases)
    func destinationImpossible(path: MountPath) throws {
        for option in [["--bind", "/usr"], ["--tmpfs"], ["--dir"], ["--symlink", "x"]] {
            let seen = try inRoot("true", option + ["/proc/new"] + path.options)
            #expect(seen.status == 125, "\(seen)")
            #expect(seen.error.contains("/proc/new"), "\(seen)")
            #expect(seen.error.contains("\n  "), "\(seen)")
        }
    }

    @Test(arguments: [
        ("--rotfs", "--rootfs"), ("--ro-bnid", "--ro-bind"), ("--epheneral", "--ephemeral"),
        ("--tmpf=/x", "--tmpfs"), ("--Share-pid", "--share-pid"),
    ])
    func unknownOptionNamesTheNearest(typed: String, meant: String) throws {
        let seen = try nsrun([typed, "true"])
        let name = String(typed.prefix { $0 != "=" })
        expect(seen, refuses: "unknown option \(name)", remedy: "\(meant)?")
    }

    @Test(arguments: ["-x", "--zzzzzzzzzzzzzzzz"])
    func optionLikeNoOtherIsRefused(option: String) throws {
        let seen = try nsrun([option, "true"])
        #expect(
            seen.status == 125 && seen.error.hasPrefix("nsrun: unknown option \(option)\n  "),
            "\(seen)")
    }

    @Test(arguments: [
        (["--rootfs"], "--rootfs needs a value"), (["--bind", "/a"], "--bind needs 2 values"),
        (["--setenv", "A"], "--setenv needs 2 values"),
    ])
    func optionMissingItsValue(options: [String], message: String) throws {
        expect(try nsrun(options), refuses: message, remedy: options[0])
    }

    @Test func optionThatTakesNoValue() throws {
        let seen = try nsrun(["--writable=yes", "true"])
        #expect(seen.status == 125 && seen.error.contains("--writable takes no value"), "\(seen)")
    }

    @Test func emptyCommand() throws {
        let seen = try nsrun([""])
        expect(seen, refuses: "cannot run the command: its name is empty", remedy: "shell")
    }

    @Test(arguments: [
        ["--bind", "", "/mnt"], ["--bind", "/usr", ""], ["--tmpfs", ""], ["--rootfs", ""],
        ["--chdir", ""],
    ])
    func emptyPaths(options: [String]) throws {
        let seen = try nsrun(options + ["true"])
        #expect(seen.status == 125 && seen.error.hasPrefix("nsrun: \(options[0]): "), "\(seen)")
        #expect(seen.error.contains("empty"), "\(seen)")
    }

    @Test func nulInAnArgument() throws {
        let file = try TemporaryDirectory()
        try file.write("--setenv\nA\nx\0y\n", to: "args")
        let seen = try inRoot("true", ["@" + file / "args"])
        #expect(seen.status == 125 && seen.error.contains("NUL"), "\(seen)")
    }

    @Test func newlineInAVariablesName() throws {
        let seen = try inRoot("true", ["--setenv", "A\nB", "x"])
        #expect(seen.status == 125 && seen.error.contains("newline"), "\(seen)")
    }

    @Test func newlinesInArgumentsOfTheCommandArriveWhole() throws {
        let bench = try Bench.current()
        try expect(nsrun(["--rootfs", bench.rootfs, "printf", "%s", "a\nb"]), prints: "a\nb")
    }

    @Test func overlayRefused() throws {
        let root = try BareRoot()
        // The layer below its own root: the kernel takes no overlay that overlaps itself.
        let seen = try inRoot("true", ["--overlay-dir", "/proc/self/layer"], root: root.path)
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains("/proc/self/layer") && seen.error.contains("\n  "), "\(seen)")
    }

    @Test func remountOfWhatIsNoMount() throws {
        let seen = try inRoot("true", ["--remount-ro", "/usr/bin"])
        #expect(
            seen.status == 125 && seen.error.contains("/usr/bin is not a mount point"), "\(seen)")
    }

    /// Whoever installs a man page on a full disk is told that it is not whole.
    @Test(arguments: [
        ["--help"], ["--version"], ["--doctor"], ["--generate", "man"], ["--explain", "true"],
        ["--explain=json", "true"],
    ])
    func outputThatCannotBeWritten(arguments: [String]) throws {
        let seen = try run(
            ["sh", "-c", "exec \"$@\" >/dev/full", "sh", Bench.current().nsrun] + arguments)
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot write to standard output: no space"), "\(seen)")
    }
}
