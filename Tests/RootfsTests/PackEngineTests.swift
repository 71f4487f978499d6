// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Packs where namespaces are really refused: each engine works with what the pack brings along, and finds
/// nothing of the kind on the host.
@Suite struct PackEngineTests {
    static let engines = ["fakechroot", "proot"]

    private let folder: TemporaryDirectory
    private let elsewhere: TemporaryDirectory
    private let pack: String

    init() throws {
        let bare = try BareRoot(with: ["cat", "readlink"])
        try bare.directory.write("inside\n", to: "etc/place")
        try bare.directory.link("etc/absolute", to: "/etc/place")
        try bare.directory.write(
            "#!/bin/sh\necho script \"$0\" \"$@\"; exec cat /etc/absolute\n", to: "bin/script",
            mode: 0o755)
        folder = try TemporaryDirectory()
        elsewhere = try TemporaryDirectory(in: NSHomeDirectory())
        try folder.write(
            """
            #include <stdio.h>
            int main(void) {
                char line[64] = "";
                FILE *file = fopen("/etc/place", "r");
                return file == NULL || fgets(line, 64, file) == NULL
                       || printf("%s", line) < 0;
            }
            """, to: "static.c")
        expect(
            try run([
                "gcc", "-static", "-o", bare.path + "/bin/static", folder / "static.c",
            ]), exits: 0)
        try folder.write(
            """
            #include <stdio.h>
            #include <unistd.h>
            int main(void) {
                char path[4096] = "";
                return readlink("/proc/self/exe", path, 4095) < 0 || puts(path) < 0;
            }
            """, to: "where.c")
        expect(try run(["gcc", "-o", bare.path + "/bin/where", folder / "where.c"]), exits: 0)
        // Finds its library from where it lies, and is started through a link.
        try folder.write("int answer(void) { return 42; }\n", to: "answer.c")
        try folder.write(
            """
            #include <stdio.h>
            int answer(void);
            int main(void) { return printf("%d\\n", answer()) < 0; }
            """, to: "app.c")
        for name in ["bin", "lib"] { try bare.directory.makeDirectory("opt/app/\(name)") }
        let lib = bare.path + "/opt/app/lib"
        expect(
            try run(["gcc", "-shared", "-fPIC", "-o", lib + "/libanswer.so", folder / "answer.c"]),
            exits: 0)
        expect(
            try run([
                "gcc", "-o", bare.path + "/opt/app/bin/app", folder / "app.c", "-L" + lib,
                "-lanswer", "-Wl,-rpath,$ORIGIN/../lib",
            ]), exits: 0)
        try bare.directory.link("bin/app", to: "/opt/app/bin/app")
        for (file, options) in [("tools.tar.gz", []), ("one", ["--self-extracting"])] {
            let made = try rootfsTool(
                [
                    "pack", "--quiet", bare.path, folder / file, "--launcher",
                    Bench.current().nsrun, "--proot", PackEngineTests.proot(), "--entry",
                    "sh=/bin/sh", "--entry", "script=/bin/script one", "--entry",
                    "static=/bin/static", "--entry", "where=/bin/where",
                ] + options)
            expect(made, exits: 0)
        }
        expect(try run(["tar", "xf", "tools.tar.gz"], directory: folder.path), exits: 0)
        pack = folder / "tools"
    }

    /// The program itself, with its loader beside it: that of Scripts/lib.sh is started by a script.
    private static func proot() throws -> String {
        let script = try #require(
            ProcessInfo.processInfo.environment["NSRUN_TEST_PROOT"],
            "NSRUN_TEST_PROOT must name a proot of 5.4 or newer")
        let program =
            (script as NSString).deletingLastPathComponent + "/root/usr/bin/proot"
        return FileManager.default.fileExists(atPath: program) ? program : script
    }

    /// Runs a command of a pack where the kernel refuses these calls, and no tool is found on the host.
    private func refused(
        _ command: [String], refusing refusals: String = "namespaces", by engine: String = "auto",
        directory: String = "/"
    ) throws -> Outcome {
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Scripts/matrix/refuse.py").standardizedFileURL.path
        return try run(
            ["/usr/bin/python3", script] + refusals.split(separator: " ").map(String.init) + ["--"]
                + command,
            environment: [
                "NSRUN_ENGINE": engine, "NSRUN_PROOT": nil, "NSRUN_FAKECHROOT": nil,
                "PATH": "/bin:" + folder.path, "XDG_CACHE_HOME": folder / "cache",
            ], directory: directory)
    }

    @Test func whatEnginesNeedIsInThePack() throws {
        for name in ["libfakechroot.so", "proot/proot", "proot/ld.so", "proot/libc.so.6"] {
            #expect(access("\(pack)/lib/nsrun/\(name)", R_OK) == 0, "\(name)")
        }
        let seen = try refused(
            [pack + "/bin/sh", "-c", "tr '\\0' '\\n' </proc/self/environ"], by: "fakechroot")
        #expect(seen.error.contains("tr: not found"), "the root has no tr: \(seen)")
        let preload = try refused([pack + "/bin/sh", "-c", "echo $LD_PRELOAD"], by: "fakechroot")
        expect(preload, prints: pack + "/lib/nsrun/libfakechroot.so")
    }

    @Test(arguments: engines, ["namespaces", "limit", "mounts"])
    func aProgramRunsInItsRoot(engine: String, refusal: String) throws {
        let script = "cat /etc/place; cat /etc/absolute; echo \"$0\" \"$@\"; test ! -e /usr"
        try elsewhere.write("mine\n", to: "file")
        let seen = try refused(
            [pack + "/bin/sh", "-c", script + " && cat file; pwd", "a", "b c"], refusing: refusal,
            by: engine, directory: elsewhere.path)
        expect(seen, prints: "inside\ninside\na b c\nmine\n\(elsewhere.path)")
    }

    @Test(arguments: engines) func statusNameAndArgumentsAreTheProgramsOwn(engine: String) throws {
        expect(try refused([pack + "/bin/sh", "-c", "exit 7"], by: engine), exits: 7)
        #expect(try refused([pack + "/bin/sh", "-c", "kill -TERM $$"], by: engine).status == 143)
        let named = ["bash", "-c", "exec -a name \"$0\" -c 'echo $0'", pack + "/bin/sh"]
        expect(try refused(named, by: engine), prints: "name")
        expect(
            try refused([pack + "/bin/script", "two"], by: engine),
            prints: "script /bin/script one two\ninside")
    }

    @Test(arguments: engines) func itsTemporaryFilesArePrivate(engine: String) throws {
        let name = "nsrun-test-pack-\(getpid())-\(engine)"
        let script = "echo x >/tmp/\(name); cat /tmp/\(name)"
        expect(try refused([pack + "/bin/sh", "-c", script], by: engine), prints: "x")
        #expect(access("/tmp/\(name)", F_OK) != 0)
    }

    @Test(arguments: engines) func itCanBeLinkedToAndMoved(engine: String) throws {
        let script = ["-c", "cat /etc/place"]
        try folder.link("any-name", to: pack + "/bin/sh")
        expect(try refused([folder / "any-name"] + script, by: engine), prints: "inside")
        try FileManager.default.moveItem(atPath: pack, toPath: folder / "moved")
        expect(try refused([folder / "moved/bin/sh"] + script, by: engine), prints: "inside")
        expect(try run(["chmod", "-R", "a-w", folder / "moved"]), exits: 0)
        expect(try refused([folder / "moved/bin/sh"] + script, by: engine), prints: "inside")
    }

    @Test(arguments: engines) func aSingleFileRunsByItself(engine: String) throws {
        for _ in 1...2 {
            expect(
                try refused([folder / "one", "-c", "cat /etc/place"], by: engine), prints: "inside")
        }
    }

    /// What runs it is said, and a program that fakechroot cannot run is left to proot.
    @Test func whoRunsItIsChosenByWhatItIs() throws {
        let dynamic = try refused([pack + "/bin/sh", "-c", "cat /etc/place"])
        #expect(dynamic.status == 0 && dynamic.output == "inside", "\(dynamic)")
        #expect(dynamic.error.contains(": running with fakechroot instead, which"), "\(dynamic)")
        let fixed = try refused([pack + "/bin/static"])
        #expect(fixed.status == 0 && fixed.output == "inside", "\(fixed)")
        #expect(fixed.error.contains(": running with proot instead, which"), "\(fixed)")
        let none = try refused([pack + "/bin/static"], refusing: "namespaces ptrace")
        #expect(none.status == 125 && none.output == "", "\(none)")
        for word in ["seccomp", "linked statically", "ptrace(2) is refused here"] {
            #expect(none.error.contains(word), "\(none)")
        }
    }

    @Test(arguments: engines) func aProgramFindsWhatLiesBesideIt(engine: String) throws {
        let script = "app; /bin/app; cd /bin && ./app"
        let seen = try refused([pack + "/bin/sh", "-c", script], by: engine)
        expect(seen, prints: "42\n42\n42")
    }

    /// Under fakechroot the kernel has started the loader, and that is what such a program would be told.
    @Test func aProgramThatAsksWhereItLiesIsTold() throws {
        let seen = try refused([pack + "/bin/where"])
        #expect(seen.status == 0 && seen.output == "/bin/where", "\(seen)")
        #expect(seen.error.contains(": running with proot instead, which"), "\(seen)")
        // Where there is nothing better it runs all the same.
        let left = try refused([pack + "/bin/where"], refusing: "namespaces ptrace")
        #expect(left.status == 0 && left.error.contains(" with fakechroot instead"), "\(left)")
        try FileManager.default.removeItem(atPath: pack + "/lib/nsrun/proot")
        let none = try refused([pack + "/bin/where"])
        #expect(none.status == 0 && none.error.contains(" with fakechroot instead"), "\(none)")
    }

    /// What was refused, and what can be done about that: one line each.
    @Test func aPackWithoutProotSaysSo() throws {
        try FileManager.default.removeItem(atPath: pack + "/lib/nsrun/proot")
        let remedy =
            "make the pack anew with a proot, which it lacks: nsrun-rootfs pack --proot FILE"
        let seen = try refused([pack + "/bin/static"])
        let lines = seen.error.split(separator: "\n")
        #expect(seen.status == 125 && lines.count == 2, "\(seen)")
        #expect(lines[0].hasPrefix("nsrun: cannot create a user namespace: "), "\(seen)")
        #expect(lines[1].hasSuffix(remedy) && !lines[1].contains(";"), "\(seen)")
        let asked = try refused([pack + "/bin/static"], by: "proot")
        expect(
            asked,
            refuses: "the engine proot cannot be used: neither this pack nor this host has a proot",
            remedy: "nsrun-rootfs pack --proot FILE", "NSRUN_PROOT")
    }

    @Test func packingWithoutProotIsSaidInOneSentence() throws {
        let launcher = try Bench.current().nsrun
        let seen = try rootfsTool(
            [
                "pack", pack + "/root", folder / "bare.tar", "--launcher", launcher, "--entry",
                "sh=/bin/sh",
            ], environment: ["PATH": folder.path])
        #expect(seen.status == 0, "\(seen)")
        let lines = seen.error.split(separator: "\n").filter { $0.contains("proot") }
        #expect(lines.count == 1, "\(seen)")
        #expect(
            lines.first?.contains(
                "without a proot, static programs will not run where user namespaces are refused")
                == true,
            "\(seen)")
    }

    /// A proot that starts its command in the host's root, as an old one lets statx(2) do.
    @Test func anUnsoundProotIsNotPacked() throws {
        let code = """
            #include <string.h>
            #include <unistd.h>
            int main(int argc, char **argv) {
                while (*argv != NULL && strcmp(*argv, "/.nsrun") != 0) argv++;
                return *argv == NULL || execv("\(try Bench.current().nsrun)", argv);
            }
            """
        try folder.write(code, to: "liar.c")
        expect(
            try run(["gcc", "-static", "-o", "liar", "liar.c"], directory: folder.path), exits: 0)
        let seen = try rootfsTool([
            "pack", "--quiet", pack + "/root", folder / "bad.tar", "--launcher",
            Bench.current().nsrun, "--proot", folder / "liar", "--entry", "sh=/bin/sh",
        ])
        #expect(seen.status == 125 && seen.error.contains("cannot be trusted"), "\(seen)")
        #expect(access(folder / "bad.tar", F_OK) != 0)
    }

    @Test func namespacesAloneAreRefusedAsElsewhere() throws {
        let seen = try refused([pack + "/bin/sh", "-c", "cat /etc/place"], by: "userns")
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot create a user namespace: "), "\(seen)")
    }
}
