// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The kinds of faults by which programs got out of their containers between 2023 and 2026, by the number under which each
/// was published. More of a kind is in ``HostileCommandTests`` and ``HostileRootTests``.
@Suite struct PublishedFaultTests {
    /// CVE-2024-21626: the working directory is a descriptor that leads to the host.
    @Test(arguments: [[], ["--share-pid"], ["--as-pid-1"], ["--info-fd", "9"]])
    func leakedDescriptorAsWorkingDirectory(shape: [String]) throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        for number in 3..<14 {
            for tail in ["", "/..", "/../..", "/../../.."] {
                let seen = try run(
                    ["sh", "-c", "exec \"$@\" 8</ 9>/dev/null", "sh", Bench.current().nsrun]
                        + ["--rootfs", Bench.current().rootfs, "--ro-bind-fd", "8", "/mnt"] + shape
                        + ["--chdir", "/proc/self/fd/\(number)\(tail)", "--"]
                        + [
                            "sh", "-c",
                            "[ ! -e ./\(host.path) ] && [ ! -e ../../../..\(host.path) ]",
                        ])
                #expect(seen.status == 0 || seen.status == 125, "\(number)\(tail) \(seen)")
            }
        }
    }

    /// CVE-2023-27561, CVE-2023-28642: /proc, or a part of it, is a link or a directory of the image's.
    @Test(arguments: MountPath.allCases, ["proc", "dev", "sys", "proc/self/attr"])
    func linkOfAStandardPlaceInTheRoot(path: MountPath, place: String) throws {
        let root = try BareRoot()
        try root.directory.makeDirectory("elsewhere")
        if place.contains("/") { try root.directory.makeDirectory("proc/self") }
        try root.directory.link(place, to: "/elsewhere")
        let script = """
            while read -r line; do
                case $line in *" /proc "*" - proc "*) echo proc;; *" /dev "*" - tmpfs "*) echo dev;; esac
            done </proc/self/mountinfo; echo /elsewhere/*
            """
        try expect(inRoot(script, path.options, root: root.path), prints: "dev\nproc\n/elsewhere/*")
    }

    /// CVE-2025-31133, CVE-2025-52565: what a mount is made from or on is a link by the time that it is made.
    @Test(arguments: ["null", "zero", "tty", "pts", "ptmx", "shm"])
    func linkInPlaceOfADevice(name: String) throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        try host.write("old\n", to: "file")
        let root = try BareRoot()
        try root.directory.link("dev", to: host.path)
        try expect(
            inRoot("echo new >/dev/null; echo /dev/\(name)", root: root.path),
            prints: "/dev/\(name)")
        let linked = try BareRoot()
        try linked.directory.makeDirectory("dev")
        try linked.directory.link("dev/\(name)", to: host / "file")
        try expect(
            inRoot("echo new >/dev/null; echo /dev/\(name)", root: linked.path),
            prints: "/dev/\(name)")
        #expect(host.content("file") == "old\n")
        #expect(try host.listing().split(separator: "\n").count == 2)
    }

    /// CVE-2025-52881: what is written for the run goes to a false /proc of the image's.
    @Test(arguments: ["attr/exec", "attr/fscreate", "uid_map", "setgroups"])
    func writtenThroughAFalseProc(file: String) throws {
        let root = try BareRoot()
        for process in ["self", "thread-self", "1"] {
            try root.directory.write("old", to: "proc/\(process)/\(file)")
        }
        for options in [["--proc", "/run"], ["--share-pid"], []] {
            _ = try inRoot(
                "true", options + ["--bind", root.path + "/proc", "/proc"], root: root.path)
            _ = try inRoot(
                "true",
                options + [
                    "--bind", root.path + "/proc", "/proc", "--uid", "0", "--cap-add", "ALL",
                ],
                root: root.path)
        }
        for process in ["self", "thread-self", "1"] {
            #expect(root.directory.content("proc/\(process)/\(file)") == "old")
        }
    }

    /// The files of a directory service's are large, and each of their lines counts.
    @Test func largeAccountFilesAreWhole() throws {
        let root = try BareRoot(with: ["tail"])
        let lines = (0..<200_000).map {
            "user\($0):x:\(100_000 + $0):100:of the directory:/:/bin/sh\n"
        }
        try root.directory.write(lines.joined(), to: "etc/passwd")
        try root.directory.write(lines.joined(), to: "etc/group")
        try expect(
            inRoot("tail -n 1 /etc/passwd; tail -n 1 /etc/group", root: root.path),
            prints: (lines.last! + lines.last!).trimmingCharacters(in: .newlines))
    }

    /// What is no such file is not copied without end, nor cut off.
    @Test(arguments: ["etc/passwd", "etc/group"])
    func accountFilesWithoutEndAreRefused(file: String) throws {
        let root = try BareRoot()
        try root.directory.write("x\n", to: file)
        #expect(truncate(root.path + "/" + file, 1 << 40) == 0)
        let seen = try inRoot("true", root: root.path)
        #expect(seen.status == 125 && seen.error.lowercased().contains("file too large"), "\(seen)")
    }

    /// A file that is read for the run is one that nothing comes out of.
    @Test(arguments: [
        "etc/passwd", "etc/group", "etc/resolv.conf", "etc/hosts", "etc/nsswitch.conf",
    ])
    func pipeInPlaceOfAFile(file: String) throws {
        let root = try BareRoot()
        try root.directory.makeDirectory("etc")
        #expect(mkfifo(root.path + "/" + file, 0o644) == 0)
        let seen = try inRoot("echo on", root: root.path)
        #expect(seen.output == "on" || seen.status == 125, "\(seen)")
        let started = try nsrun(["--rootfs", root.path, "--", file])
        #expect([125, 126, 127].contains(started.status), "\(started)")
    }

    /// The source of a bind is another place by the time that it is bound; a descriptor is what it was.
    @Test func swappedSourceOfABind() throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        try host.write("meant\n", to: "data/file")
        try host.write("secret\n", to: "secret/file")
        let script = """
            exec 8<data
            mv data gone; ln -s secret data
            "$@" --ro-bind-fd 8 /mnt -- cat /mnt/file
            """
        let bench = try Bench.current()
        let seen = try run(
            ["sh", "-c", script, "sh", bench.nsrun, "--rootfs", bench.rootfs], directory: host.path)
        expect(seen, prints: "meant")
    }

    /// CVE-2022-24769 and its like: what a run leaves to the command is what it asked for, also where the caller has more.
    @Test(arguments: [
        [], ["--uid", "5"], ["--preset", "action"], ["--uid", "5", "--cap-add", "CAP_CHOWN"],
    ])
    func capabilitiesAreThoseAskedFor(options: [String]) throws {
        let seen = try inRoot("grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status", options)
        let wanted = options.contains("CAP_CHOWN") ? "0000000000000001" : "0000000000000000"
        #expect(seen.lines.count == 5 && seen.lines.allSatisfy { $0.hasSuffix(wanted) }, "\(seen)")
    }

    /// CVE-2024-23651: two runs with one root, each of which makes and takes away the places that it mounts on.
    @Test func twoRunsWithOneRoot() throws {
        let root = try BareRoot(with: ["cat"])
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        try host.write("meant\n", to: "file")
        let before = try root.directory.listing()
        let nsrun = try Bench.current().nsrun
        // By a pipe: cat copies from file to file by copy_file_range(2), of which two at a time meet at one offset.
        let script = """
            {
                for i in 1 2 3 4 5 6 7 8 9 10; do
                    "$@" --ephemeral --bind "$H" /deep/place --dir /etc/x -- cat /deep/place/file &
                    "$@" --ro-bind "$H/file" /deep/file --symlink "$H" /deep/place -- cat /deep/file &
                done; wait
            } | cat
            """
        let seen = try run(
            ["sh", "-c", script, "sh", nsrun, "--rootfs", root.path], environment: ["H": host.path])
        expect(seen, prints: Array(repeating: "meant", count: 20).joined(separator: "\n"))
        #expect(try root.directory.listing() == before)
    }

    /// What a run may see of a directory is not what lies beside one whose name begins like it.
    @Test func prefixesOfPaths() throws {
        let host = try TemporaryDirectory(in: NSHomeDirectory())
        try host.write("own\n", to: "home/file")
        try host.write("secret\n", to: "home-of-another/file")
        let other = host / "home-of-another/file"
        let seen = try inRoot(
            "cat ~/file; cat \(other)", ["--home"], environment: ["HOME": host / "home"])
        #expect(seen.output == "own" && seen.status != 0, "\(seen)")
        // Nor is a layer that lies beside its root taken for one inside.
        let root = try BareRoot()
        try expect(
            inRoot("echo in", ["--overlay-dir", root.path + "-layer"], root: root.path),
            prints: "in")
        try expect(run(["rm", "-rf", root.path + "-layer"]), exits: 0)
    }
}
