// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What the command sees, and in which surroundings it starts: the same in every engine.
@Suite struct EngineViewTests {
    // MARK: Environment, working directory, name

    /// Without what an engine itself needs to be there.
    private func variables(_ seen: Outcome) -> [String] {
        let own = ["FAKECHROOT", "LD_PRELOAD=", "LD_LIBRARY_PATH=", "GCONV_PATH=", "LOCPATH="]
        return seen.lines.filter { line in !own.contains { line.hasPrefix($0) } }.sorted()
    }

    @Test(
        arguments: TestEngine.withoutNamespaces,
        [
            [], ["--clean-env"], ["--clearenv"], ["--setenv", "A", "1", "--unsetenv", "HOME"],
            ["--clearenv", "--setenv", "B", "x=y z"], ["--setenv", "PWD", "/odd"],
        ])
    func environmentIsTheSame(engine: TestEngine, options: [String]) throws {
        let arguments = try ["--rootfs", Bench.current().rootfs] + options + ["printenv"]
        let environment: [String: String?] = [
            "LD_LIBRARY_PATH": "/no/such", "FAKECHROOT_DEBUG": "true", "TMPDIR": "/no/such",
            "LANG": "C.UTF-8",
        ]
        let wanted = try nsrun(
            by: .userns, arguments, environment: environment, directory: "/usr")
        let seen = try nsrun(
            by: engine, arguments, environment: environment, directory: "/usr")
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        #expect(variables(seen) == variables(wanted))
        #expect(wanted.lines.contains("PWD=/usr") || options.contains("/odd"))
    }

    /// The command's own libraries are found, and are inside.
    @Test(arguments: TestEngine.allCases) func variablesOfTheLoaderMeanTheRoot(engine: TestEngine)
        throws
    {
        let options = ["--setenv", "LD_LIBRARY_PATH", "/usr/lib/none:/opt/lib"]
        let folder = try TemporaryDirectory()
        let code = "int answer(void) { return 42; }"
        let main = """
            #include <stdio.h>
            int answer(void);
            int main(void) { printf("%d\\n", answer()); }
            """
        try folder.write(code, to: "answer.c")
        try folder.write(main, to: "main.c")
        let build = """
            gcc -shared -fPIC -o libanswer.so answer.c && gcc -o main main.c -L. -lanswer
            """
        try expect(run(["sh", "-c", build], directory: folder.path), exits: 0)
        let root = try Bench.current().rootfs
        let arguments = ["--rootfs", root, "--bind", folder.path, "/opt/lib"]
        for command in [["/opt/lib/main"], ["sh", "-c", "/opt/lib/main"]] {
            try expect(nsrun(by: engine, arguments + options + command), prints: "42")
        }
        let preload = ["--setenv", "LD_PRELOAD", "/opt/lib/libanswer.so"]
        let seen = try nsrun(
            by: engine, arguments + preload + ["grep", "-c", "libanswer", "/proc/self/maps"])
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
    }

    @Test(arguments: TestEngine.allCases) func directoryIsByTheSameRules(engine: TestEngine) throws
    {
        let script = "pwd; echo $PWD; ls -d ../usr"
        try expect(
            inRoot(by: engine, script, ["--chdir", "/usr"]), prints: "/usr\n/usr\n../usr")
        try expect(
            inRoot(by: engine, "pwd; echo $PWD", directory: "/usr/bin"),
            prints: "/usr/bin\n/usr/bin")
        let elsewhere = try TemporaryDirectory()
        let home = NSHomeDirectory()
        try expect(
            inRoot(by: engine, "pwd; echo $PWD", directory: elsewhere.path),
            prints: "\(home)\n\(home)")
        try expect(
            inRoot(by: engine, "pwd; cat here", ["--cwd"], directory: try made(elsewhere)),
            prints: "\(elsewhere.path)\nfile")
    }

    private func made(_ folder: TemporaryDirectory) throws -> String {
        try folder.write("file\n", to: "here")
        return folder.path
    }

    @Test(arguments: TestEngine.allCases) func commandsOwnNameIsAsAskedFor(engine: TestEngine)
        throws
    {
        let root = try Bench.current().rootfs
        let arguments = ["--rootfs", root, "--argv0", "-strange", "sh", "-c", "echo $0"]
        try expect(nsrun(by: engine, arguments), prints: "-strange")
        try expect(nsrun(by: engine, ["--rootfs", root, "sh", "-c", "echo $0"]), prints: "sh")
    }

    // MARK: Files

    @Test(arguments: TestEngine.allCases) func theRootIsTheRootfs(engine: TestEngine) throws {
        let bench = try Bench.current()
        let release = try run(["cat", bench.rootfs + "/usr/lib/os-release"])
        let script = "cat /etc/os-release"
        try expect(inRoot(by: engine, script), release)
        try expect(inRoot(by: engine, "sh -c 'exec sh -c \"\(script)\"'"), release)
        #expect(release != (try run(["cat", "/etc/no-such-file"])))
    }

    @Test(arguments: TestEngine.withoutNamespaces) func treesAreWalked(engine: TestEngine) throws {
        let script = """
            find -L /usr | wc -l; find /usr/share/ | wc -l; tar -c -C /usr/share . | wc -c
            """
        let wanted = try inRoot(by: .userns, script)
        #expect(wanted.status == 0 && wanted.error == "", "\(wanted)")
        try expect(inRoot(by: engine, script), wanted)
    }

    /// A link of the rootfs leads to the rootfs, not to a file of the host's with the same name.
    @Test(arguments: TestEngine.allCases) func linksStayInside(engine: TestEngine) throws {
        let rootfs = try Bench.current().rootfs
        let script = """
            pager --version; which awk; awk 'BEGIN { print 1 + 1 }'; ldd --version | head -1
            """
        let seen = try inRoot(by: engine, script)
        let wanted = try inRoot(by: .userns, script)
        #expect(wanted.lines.contains("2") && wanted.lines.contains("/usr/bin/awk"), "\(wanted)")
        expect(seen, wanted)
        // The file that is executed is the rootfs's.
        let maps = """
            BEGIN { while ((getline l < "/proc/self/maps") > 0) if (l ~ /mawk/) { print l; exit } }
            """
        let file = try inRoot(by: engine, "awk '\(maps)'")
        #expect(
            file.output.hasSuffix(engine == .userns ? " /usr/bin/mawk" : rootfs + "/usr/bin/mawk"))
    }

    @Test(arguments: TestEngine.allCases) func scratchIsPrivateAndEmpty(engine: TestEngine) throws {
        let name = "nsrun-engine-\(UInt32.random(in: 0...UInt32.max))"
        for place in ["/tmp", "/var/tmp", "/dev/shm", "/run", NSHomeDirectory()] {
            let seen = try inRoot(
                by: engine, "ls \(place); echo x >\(place)/\(name); cat \(place)/\(name)")
            #expect(seen.status == 0 && seen.lines.last == "x", "\(place): \(seen)")
            #expect(!FileManager.default.fileExists(atPath: "\(place)/\(name)"))
        }
        try expect(inRoot(by: engine, "ls -A /tmp; ls -A /var/tmp"), exits: 0)
        try expect(inRoot(by: engine, "stat -c %a /tmp"), prints: "1777")
    }

    @Test(arguments: TestEngine.allCases) func scratchOfTheHostViewIsPrivate(engine: TestEngine)
        throws
    {
        let mark = try TemporaryDirectory()
        let script = """
            test -e \(mark.path) || echo hidden; echo x >/tmp/y; ls -A /tmp; test -d /usr/bin
            """
        let seen = try nsrun(by: engine, ["sh", "-c", script])
        expect(seen, prints: "hidden\ny")
    }

    @Test(arguments: TestEngine.allCases) func bindsAreTheHostsFiles(engine: TestEngine) throws {
        let folder = try TemporaryDirectory()
        try folder.write("host\n", to: "in")
        try folder.makeDirectory("sub")
        let script = """
            cat /mnt/x/in; echo out >/mnt/x/sub/out; cd /mnt/x/sub; cat ./out ../in; ls /mnt
            """
        let seen = try inRoot(by: engine, script, ["--bind", folder.path, "/mnt/x"])
        expect(seen, prints: "host\nout\nhost\nx")
        #expect(folder.content("sub/out") == "out\n")
        // At its own path, as programs that resolve paths would name it.
        let own = try inRoot(
            by: engine, "cat \(folder / "in"); cat $(realpath \(folder / "in"))",
            ["--bind", folder.path, folder.path])
        expect(own, prints: "host\nhost")
    }

    @Test(arguments: TestEngine.allCases) func filesDirectoriesAndLinks(engine: TestEngine) throws {
        let options = [
            "--file", "5", "/opt/made/file", "--dir", "/opt/made/dir", "--tmpfs", "/srv",
            "--symlink", "made/file", "/opt/link", "--dir", "/usr/share", "--bind-data", "6",
            "/etc/motd",
        ]
        let script = """
            cat /opt/link /etc/motd; ls /opt /opt/made; echo x >/srv/x; cat /srv/x
            test -d /usr/share/doc && test -d /opt/made/dir && echo there
            """
        let seen = try inRoot(
            by: engine, script, options, descriptors: [5: "five\n", 6: "six\n"])
        expect(seen, prints: "five\nsix\n/opt:\nlink\nmade\n\n/opt/made:\ndir\nfile\nx\nthere")
    }

    @Test(arguments: TestEngine.allCases) func homeCanBeBound(engine: TestEngine) throws {
        let name = ".nsrun-engine-\(UInt32.random(in: 0...UInt32.max))"
        let path = NSHomeDirectory() + "/" + name
        defer { unlink(path) }
        try expect(inRoot(by: engine, "echo x >~/\(name); cat ~/\(name)", ["--home"]), prints: "x")
        #expect(FileManager.default.fileExists(atPath: path))
    }

    @Test(arguments: TestEngine.allCases) func callersEntriesAreAdded(engine: TestEngine) throws {
        let script = "id -u; id -g; id -un; id -gn; getent passwd root | cut -d: -f1"
        let host = try run(["sh", "-c", script])
        try expect(inRoot(by: engine, script), host)
    }

    @Test(arguments: TestEngine.allCases) func devicesWork(engine: TestEngine) throws {
        let script = """
            echo lost >/dev/null && head -c2 /dev/zero | od -An -tx1; head -c4 /dev/urandom | wc -c
            echo in | cat /dev/stdin; (echo err >/dev/stderr) 2>&1 | cat; ls /proc/self/fd | wc -l
            """
        try expect(inRoot(by: engine, script), prints: " 00 00\n4\nin\nerr\n4")
    }

    @Test(arguments: TestEngine.allCases) func locales(engine: TestEngine) throws {
        let script = """
            locale charmap; printf '\\303\\244' | iconv -f UTF-8 -t ISO-8859-1 | od -An -tx1
            """
        try expect(
            inRoot(by: engine, script, ["--setenv", "LC_ALL", "C.UTF-8"]), prints: "UTF-8\n e4")
    }

    @Test(arguments: TestEngine.allCases) func scriptsGetTheirArguments(engine: TestEngine) throws {
        let script = """
            printf '#!/bin/sh\\necho "$0|$#|$*"\\n' >/tmp/s; chmod +x /tmp/s
            /tmp/s; /tmp/s a 'b c'; /tmp/s $(seq 900) | cut -c1-11
            """
        try expect(
            inRoot(by: engine, script), prints: "/tmp/s|0|\n/tmp/s|2|a b c\n/tmp/s|900|")
    }

    @Test(arguments: TestEngine.allCases, ["env -i", "env -", "A=1 env -i B=2", "env -u A -i"])
    func anEmptiedEnvironmentStaysInside(engine: TestEngine, command: String) throws {
        let version = try run(["cat", Bench.current().rootfs + "/etc/debian_version"])
        try expect(inRoot(by: engine, "\(command) sh -c 'cat /etc/debian_version'"), version)
        try expect(
            inRoot(by: engine, "A=1 env -i B=2 sh -c 'echo ${A-none} $B'"), prints: "none 2")
    }

    /// On kernels before 5.6, and under filters that know no openat2.
    @Test(arguments: TestEngine.withoutNamespaces) func enginesNeedNoNewCalls(engine: TestEngine)
        throws
    {
        let engines = try EngineBench.current()
        let seen = try run(
            [
                engines.bench.nsrun, "--engine", engine.rawValue, "--rootfs",
                engines.bench.rootfs, "sh", "-c", "awk 'BEGIN { print 3 }'; id -un",
            ], refusing: "openat2=ENOSYS", environment: engines.tools)
        try expect(seen, prints: "3\n\(run(["id", "-un"]).output)")
    }
}
