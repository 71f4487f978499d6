// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The table of the two starting views, cell by cell: `nsrun CMD`.
@Suite struct HostViewTests {
    @Test(arguments: MountPath.allCases)
    func rootIsTheHosts(path: MountPath) throws {
        try expect(
            onHost("ls -A /; stat -c %i /usr /etc", path.options),
            run(["sh", "-c", "ls -A /; stat -c %i /usr /etc"]))
    }

    @Test(arguments: MountPath.allCases)
    func procIsFresh(path: MountPath) throws {
        let script = "for p in /proc/[0-9]*; do echo ${p#/proc/}; done"
        try expect(onHost(script, path.options), prints: "1\n2")
    }

    @Test(arguments: MountPath.allCases, ["/tmp", "/var/tmp", "/dev/shm"])
    func scratchIsPrivateAndEmpty(path: MountPath, place: String) throws {
        let name = "\(place)/nsrun-private-\(getpid())"
        let script = "ls -A \(place); stat -c %a \(place); echo x >\(name); cat \(name)"
        try expect(onHost(script, path.options), prints: "1777\nx")
        #expect(!FileManager.default.fileExists(atPath: name))
    }

    @Test(arguments: MountPath.allCases, ["/dev", "/sys", "/etc"])
    func theseAreTheHosts(path: MountPath, place: String) throws {
        let script = "ls -A \(place); stat -c '%d %i' \(place)"
        try expect(onHost(script, path.options), run(["sh", "-c", script]))
    }

    @Test(arguments: MountPath.allCases)
    func hostsDevicesWork(path: MountPath) throws {
        let script =
            ": >/dev/null; head -c2 /dev/zero | od -An -tx1; script -qec tty /dev/null </dev/null"
        let seen = try onHost(script, path.options)
        #expect(seen.lines.first == " 00 00" && seen.output.contains("/dev/pts/"), "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func hostsFilesAreAsWritableAsEver(path: MountPath) throws {
        let home = try TemporaryDirectory(in: NSHomeDirectory())
        try expect(
            onHost("echo new >file; cat file", path.options, directory: home.path), prints: "new")
        #expect(home.content("file") == "new\n")
    }

    @Test(arguments: MountPath.allCases)
    func directoryIsKept(path: MountPath) throws {
        try expect(
            onHost("pwd; echo $PWD", path.options, directory: "/usr/lib"),
            prints: "/usr/lib\n/usr/lib")
    }

    /// Of the host's /tmp that directory alone is there: elsewhere a command would work on other files than meant.
    @Test(arguments: [[], ["--share-pid"], ["--cwd"], ["--setenv", "a", "b"]])
    func directoryThatThePrivateTmpWouldHideIsShownThere(options: [String]) throws {
        let parent = try TemporaryDirectory()
        try parent.write("", to: "beside")
        let here = parent.path + "/here"
        try FileManager.default.createDirectory(atPath: here, withIntermediateDirectories: true)
        try expect(
            onHost("pwd; touch made; ls /tmp \(parent.path)", options, directory: here),
            prints:
                "\(here)\n/tmp:\n\((parent.path as NSString).lastPathComponent)\n\n\(parent.path):\nhere"
        )
        #expect(FileManager.default.fileExists(atPath: here + "/made"))
    }

    @Test func whatIsWrittenThereInALayerIsNotTheHosts() throws {
        let here = try TemporaryDirectory()
        try here.write("old\n", to: "file")
        try expect(
            onHost(
                "pwd; cat file; echo new >file; cat file", ["--ephemeral"], directory: here.path),
            prints: "\(here.path)\nold\nnew")
        #expect(here.content("file") == "old\n")
    }

    @Test func directoryThatAMountHidesIsRefused() throws {
        let hidden = try TemporaryDirectory()
        let seen = try onHost("true", ["--tmpfs", "/tmp"], directory: hidden.path)
        expect(
            seen, refuses: "cannot start in \(hidden.path): no such file or directory",
            remedy: "--chdir")
    }

    @Test func identityIsTheCallers() throws {
        let script = "id -u; id -g; id -un; id -gn; cat /proc/self/uid_map | tr -s ' '"
        let uid = getuid()
        let plain = try run(["sh", "-c", "id -u; id -g; id -un; id -gn"])
        let seen = try onHost(script)
        #expect(seen.output == plain.output + "\n \(uid) \(uid) 1", "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func sharePIDKeepsTheHostsProc(path: MountPath) throws {
        try expect(
            onHost("[ -d /proc/\(getpid()) ] && echo there", ["--share-pid"] + path.options),
            prints: "there")
    }

    @Test(arguments: MountPath.allCases)
    func ephemeralChangesVanish(path: MountPath) throws {
        let home = try TemporaryDirectory(in: NSHomeDirectory())
        try home.write("old\n", to: "file")
        let script = "echo new >file; echo more >other; rm -f gone; cat file other"
        try expect(
            onHost(script, ["--ephemeral"] + path.options, directory: home.path),
            prints: "new\nmore")
        #expect(home.content("file") == "old\n")
        #expect(home.content("other") == nil)
    }

    @Test func namespacesAreTheseThree() throws {
        let script = "cd /proc/self/ns; readlink cgroup ipc mnt net pid user uts"
        let host = try run(["sh", "-c", script]).lines
        let inside = try onHost(script).lines
        let changed = zip(host, inside).filter { $0 != $1 }.map { $0.0.prefix { $0 != ":" } }
        #expect(changed == ["mnt", "pid", "user"])
    }

    @Test func missingDestinationIsNotMadeOnTheHost() throws {
        let home = try TemporaryDirectory(in: NSHomeDirectory())
        let seen = try onHost("true", ["--bind", "/usr", home / "new"])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.contains(home / "new") && seen.error.contains("--ephemeral"), "\(seen)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: home.path) == [])
    }
}
