// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The bind options, on every kind of kernel.
@Suite struct BindTests {
    /// A host directory with a file and a directory in it.
    private func source() throws -> TemporaryDirectory {
        let host = try TemporaryDirectory()
        try host.write("old\n", to: "file")
        try host.write("inner\n", to: "directory/inner")
        return host
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func bindIsWritable(kernel: Kernel, name: Name) throws {
        let host = try source()
        let options = kernel.options + ["--bind", host.path, "/mnt"]
        try expect(sandbox("cat /mnt/file; echo new >/mnt/file", options, as: name), prints: "old")
        #expect(host.content("file") == "new\n")
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func readOnlyBindIsNot(kernel: Kernel, name: Name) throws {
        let host = try source()
        let options = kernel.options + ["--ro-bind", host.path, "/mnt"]
        let script = "cat /mnt/file; (: >/mnt/file) 2>&1 | grep -o 'Read-only file system'"
        try expect(sandbox(script, options, as: name), prints: "old\nRead-only file system")
        #expect(host.content("file") == "old\n")
    }

    @Test(arguments: Kernel.allCases)
    func devicesOpenOnlyThroughDevBind(kernel: Kernel) throws {
        let options = ["--bind", "/dev", "/bound", "--dev-bind", "/dev", "/devices"]
        let script = "(: </bound/null) 2>&- || echo refused; : </devices/null && echo opened"
        try expect(sandbox(script, kernel.options + options), prints: "refused\nopened")
    }

    @Test(arguments: Kernel.allCases, ["--bind", "--ro-bind", "--dev-bind"])
    func filesAreBoundOntoNewAndOldFiles(kernel: Kernel, option: String) throws {
        let host = try source()
        let options = [option, host / "file", "/new/file", "--file", "7", "/present"]
        let again = [option, host / "file", "/present"]
        try expect(
            sandbox(
                "cat /new/file /present", kernel.options + options + again,
                descriptors: [7: "hidden\n"]), prints: "old\nold")
    }

    @Test(arguments: Kernel.allCases)
    func sourcesMayBeSymlinks(kernel: Kernel) throws {
        let host = try source()
        try host.link("to-file", to: "file")
        try host.link("to-directory", to: host / "directory")
        try host.link("chain", to: "to-file")
        let options = [
            "--ro-bind", host / "to-file", "/a", "--ro-bind", host / "to-directory", "/b",
            "--ro-bind", host / "chain", "/c", "--ro-bind", host / "directory/../file", "/d",
        ]
        try expect(
            sandbox("cat /a /b/inner /c /d", kernel.options + options),
            prints: "old\ninner\nold\nold")
    }

    /// `/..` is where the new root may be attached: the name behind it must stay the host's.
    @Test(arguments: Kernel.allCases)
    func linksThatClimbToTheRootAreTheHosts(kernel: Kernel) throws {
        let host = try source()
        try host.link("climbs", to: "../..\(host.path)/file")
        let options = ["--tmpfs", "/tmp", "--ro-bind", host / "climbs", "/a"]
        let direct = ["--ro-bind", "/..\(host.path)/file", "/b"]
        try expect(sandbox("cat /a /b", kernel.options + options + direct), prints: "old\nold")
    }

    @Test(arguments: ["--bind-try", "--ro-bind-try", "--dev-bind-try"], Name.allCases)
    func tryFormsPassOverWhatIsMissing(option: String, name: Name) throws {
        let host = try source()
        let options = [option, "/no/such/source", "/a", option, host.path, "/b"]
        try expect(
            sandbox("cat /b/file; [ -e /a ] || echo none", options, as: name), prints: "old\nnone")
    }

    @Test func tryFormsPassOverNothingElse() throws {
        let host = try source()
        expect(
            try sandbox("", ["--bind-try", host.path, "/usr/bin/true"]),
            refusedSaying: "/usr/bin/true")
    }

    @Test(arguments: Kernel.allCases, Name.allCases)
    func openDirectoriesAndFilesAreBound(kernel: Kernel, name: Name) throws {
        let host = try source()
        let directory = try OpenFile(host.path)
        let file = try OpenFile(host / "file", OpenFile.pathOnly)
        let options = ["--bind-fd", "8", "/a", "--ro-bind-fd", "9", "/b"]
        let script = "cat /a/file /b; echo new >/a/new; (: >/b) 2>&- || echo refused"
        let seen = try run(
            name.command() + kernel.options + options + ["sh", "-c", script],
            passing: [8: directory.number, 9: file.number])
        expect(seen, prints: "old\nold\nrefused")
        #expect(host.content("new") == "new\n")
    }

    @Test func boundDescriptorsAreNotHandedDown() throws {
        let host = try source()
        let directory = try OpenFile(host.path)
        let script = "[ -e /proc/self/fd/8 ] || echo closed"
        let seen = try run(
            Name.bwrap.command() + ["--proc", "/proc", "--bind-fd", "8", "/a", "sh", "-c", script],
            passing: [8: directory.number])
        expect(seen, prints: "closed")
    }

    @Test(arguments: Kernel.allCases)
    func readOnlyCoversWhatIsMountedBelow(kernel: Kernel) throws {
        // Of mounts on one another the last one is seen.
        let writable = "{ of[$5] = $6 } END { for (p in of) if (of[p] !~ /^ro,/) print p, of[p] }"
        let seen = try bwrap(
            kernel.options + ["--ro-bind", "/", "/", "awk", writable, "/proc/self/mountinfo"])
        expect(seen, prints: "")
    }

    @Test(arguments: Kernel.allCases)
    func bindsAreNosuidAndNodev(kernel: Kernel) throws {
        let host = try source()
        let options = ["--bind", host.path, "/a", "--dev-bind", "/dev", "/b"]
        let script = "grep -E ' /(a|b) ' /proc/self/mountinfo"
        let seen = try sandbox(script, kernel.options + options + ["--bind", "/proc", "/proc"])
        let flags = seen.lines.map { $0.split(separator: " ")[5].split(separator: ",") }
        #expect(flags.count == 2, "\(seen)")
        #expect(flags.allSatisfy { $0.contains("nosuid") }, "\(seen)")
        #expect(flags.first?.contains("nodev") == true, "\(seen)")
        #expect(flags.last?.contains("nodev") == false, "\(seen)")
    }

    /// What the kernel has locked must be kept, or it refuses the remount.
    @Test(arguments: Kernel.allCases)
    func lockedFlagsOfTheSourceAreKept(kernel: Kernel) throws {
        let bench = try Bench.current()
        let command =
            try [
                "unshare", "-Urm", "sh", "-c",
                """
                mount -t tmpfs -o noexec,nosuid,noatime none /mnt
                unshare -Um --map-user=1000 --map-group=1000 "$@"
                """, "sh", Bubblewrap.path(),
            ] + kernel.options
        let inner = [
            "--ro-bind", bench.rootfs + "/usr", "/usr", "--symlink", "usr/bin", "/bin",
            "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            "--ro-bind", "/mnt", "/mnt", "--bind", "/mnt", "/srv", "--bind", "/proc", "/proc",
            "grep", "-oE", " /(mnt|srv) [^ ]*", "/proc/self/mountinfo",
        ]
        try expect(
            run(command + inner),
            prints: " /mnt ro,nosuid,nodev,noexec,noatime\n /srv rw,nosuid,nodev,noexec,noatime")
    }

    @Test(arguments: Kernel.allCases)
    func laterOptionsCoverEarlierOnes(kernel: Kernel) throws {
        let host = try source()
        let bind = ["--bind", host / "directory", "/x"]
        let tmpfs = ["--tmpfs", "/x"]
        try expect(sandbox("ls /x", kernel.options + tmpfs + bind), prints: "inner")
        try expect(sandbox("ls /x", kernel.options + bind + tmpfs), prints: "")
    }

    @Test(arguments: Kernel.allCases)
    func aMountCanComeOutOfTheSandboxItself(kernel: Kernel) throws {
        // The source is the host's, whatever is at that path inside.
        let host = try source()
        let options = ["--tmpfs", "/tmp", "--bind", host.path, "/x", "--bind", host.path, "/y"]
        try expect(sandbox("cat /x/file /y/file", kernel.options + options), prints: "old\nold")
    }

    @Test(arguments: Kernel.allCases)
    func remountingReadOnlySparesWhatIsBelow(kernel: Kernel) throws {
        let options = ["--tmpfs", "/x", "--tmpfs", "/x/below", "--remount-ro", "/x"]
        let script = "(: >/x/a) 2>&- || echo ro; : >/x/below/a && echo rw; mkdir /y"
        try expect(sandbox(script, kernel.options + options), prints: "ro\nrw")
        let whole = kernel.options + ["--remount-ro", "/"]
        try expect(sandbox("mkdir /y 2>&- || echo ro", whole), prints: "ro")
    }

    @Test(arguments: Kernel.allCases)
    func twoThousandBindsWork(kernel: Kernel) throws {
        let host = try source()
        let binds = (0..<2000).flatMap { ["--ro-bind", host.path, "/mnt/\($0)"] }
        let arguments = try (Bubblewrap.programs() + binds).joined(separator: "\0") + "\0"
        let seen = try run(
            [Bubblewrap.path()] + kernel.options
                + ["--args", "7", "sh", "-c", "cat /mnt/*/file | wc -l"],
            descriptors: [7: arguments])
        expect(seen, prints: "2000")
    }
}
