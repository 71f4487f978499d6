// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--host-exec`: a program of the host's inside a rootfs, with the host's libraries.
@Suite struct HostProgramTests {
    private let workshop: Workshop

    init() throws { workshop = try Workshop() }

    private func start(
        _ command: [String], _ options: [String] = [], environment: [String: String?] = [:],
        directory: String = "/"
    ) throws -> Outcome {
        let bench = try Bench.current()
        return try nsrun(
            ["--rootfs", bench.rootfs, "--host-exec"] + options + ["--"] + command,
            environment: environment, directory: directory)
    }

    // MARK: What the program sees of itself

    /// All of it is where the host's files are, below /run/host.
    private func itself(_ name: String, _ more: String = "") -> String {
        let place = "/run/host" + workshop.folder / name
        return "part\n\(place)\n\(place)\n\((name as NSString).lastPathComponent)" + more
    }

    @Test(arguments: MountPath.allCases)
    func aProgramKnowsWhereItIs(path: MountPath) throws {
        let program = try workshop.program("bin/tool")
        expect(try start([program], path.options), prints: itself("bin/tool"))
    }

    @Test(arguments: [
        ["--writable"], ["--ephemeral"], ["--share-pid"], ["--as-pid-1"], ["--host-root"],
        ["--tmpfs", "/tmp"], ["--preset", "toolbox"], ["--preset", "test"], ["--uid", "0"],
    ])
    func soItDoesWithOtherOptions(options: [String]) throws {
        let root = try BareRoot()
        let program = try workshop.program("bin/tool")
        let seen = try nsrun(
            options + ["--rootfs", root.path, "--host-exec", "--", program])
        expect(seen, prints: itself("bin/tool"))
    }

    @Test func changesInALayerAreKept() throws {
        let layer = try TemporaryDirectory()
        let options = ["--overlay-dir", layer / "layer"]
        expect(try start(["sh", "-c", "echo kept >/opt/new"], options), exits: 0)
        expect(try start(["cat", "/opt/new"], options), prints: "kept")
    }

    @Test func argumentsAreItsOwn() throws {
        let program = try workshop.program("bin/tool")
        let words = ["--argv0", "x", "", "a b", "--", "--library-path", "*"]
        let lines = words.map { "\n<\($0)>" }.joined()
        expect(try start([program] + words), prints: itself("bin/tool", lines))
    }

    @Test func argumentZeroCanBeAnother() throws {
        let program = try workshop.program("bin/tool")
        let seen = try start([program], ["--argv0", "other name"])
        #expect(seen.lines.dropFirst().first == "other name", "\(seen)")
        #expect(seen.lines.dropFirst(2).first == "/run/host\(program)", "\(seen)")
    }

    @Test func aNameIsLookedUpOnTheHostsPath() throws {
        _ = try workshop.program("bin/outside-tool")
        let environment = ["PATH": "/nonexistent:\(workshop.folder / "bin"):/usr/bin:/bin"]
        let seen = try start(["outside-tool"], environment: environment)
        expect(seen, prints: itself("bin/outside-tool"))
    }

    @Test(arguments: ["./tool", "../bin/tool"])
    func aPathMayBeRelative(command: String) throws {
        _ = try workshop.program("bin/tool")
        let seen = try start([command], directory: workshop.folder / "bin")
        #expect(seen.status == 0 && seen.lines.first == "part", "\(seen)")
        #expect(
            seen.lines.dropFirst(2).first == "/run/host" + workshop.folder / "bin/tool", "\(seen)")
    }

    /// Some programs are several, by their names.
    @Test func throughALinkItHasTheLinksName() throws {
        _ = try workshop.program("bin/tool")
        try workshop.folder.link("bin/other", to: "tool")
        let seen = try start([workshop.folder / "bin/other"])
        #expect(seen.lines.dropFirst().first == "/run/host" + workshop.folder / "bin/other")
        #expect(seen.lines.dropFirst(2).first == "/run/host" + workshop.folder / "bin/tool")
    }

    /// The rootfs has a program of the same name, and it is not that.
    @Test func theRootfssOwnIsNotMeant() throws {
        expect(try start(["readlink", "/proc/self/exe"]), prints: "/run/host/usr/bin/readlink")
    }

    // MARK: Libraries

    /// Where a program may have its library from; FOLDER stands for the folder of bin and lib.
    @Test(arguments: [
        ["-Wl,-rpath,$ORIGIN/../lib"], ["-Wl,-rpath,$ORIGIN/../lib", "-no-pie"],
        ["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lib"], ["-Wl,-rpath,FOLDER/lib"],
        ["-Wl,--disable-new-dtags,-rpath,FOLDER/lib"],
    ])
    func librariesAreFound(linking: [String]) throws {
        let program = try workshop.program(
            "bin/tool", linking.map { $0.replacing("FOLDER", with: workshop.folder.path) })
        expect(try start([program]), prints: itself("bin/tool"))
    }

    @Test func librariesAreFoundAsOnTheHost() throws {
        let program = try workshop.program("bin/tool", [])
        let seen = try start([program], environment: ["LD_LIBRARY_PATH": workshop.folder / "lib"])
        expect(seen, prints: itself("bin/tool"))
    }

    @Test func aLibraryMayBeNamedByItsPath() throws {
        let program = try workshop.program("bin/tool", [], library: "lib/by-path.so")
        expect(try start([program]), prints: itself("bin/tool"))
    }

    @Test func aLibraryLoadedLaterIsFound() throws {
        let program = try workshop.program("bin/tool", loading: "libpart.so")
        expect(try start([program]), prints: itself("bin/tool"))
    }

    @Test(arguments: ["a folder", "a:folder", "a\tfolder", "f\u{f6}lder"])
    func namesMayHoldAnything(name: String) throws {
        _ = try workshop.program("\(name)/bin/tool")
        try workshop.library("\(name)/lib/libpart.so")
        expect(
            try start([workshop.folder / "\(name)/bin/tool"]), prints: itself("\(name)/bin/tool"))
    }

    @Test func aStaticProgramNeedsNone() throws {
        let program = try workshop.program("bin/tool", ["-static"], library: nil)
        expect(try start([program]), prints: itself("bin/tool"))
    }

    @Test func everythingLoadedIsTheHosts() throws {
        let seen = try start(["grep", "\\.so", "/proc/self/maps"], environment: ["LC_ALL": "C"])
        #expect(seen.status == 0 && seen.lines.count > 3, "\(seen)")
        for line in seen.lines { #expect(line.contains(" /run/host/"), "\(line)") }
    }

    // MARK: Its children

    @Test func childrenUseTheRootfssLibraries() throws {
        let maps = "while read -r a b c d e file; do echo $file; done </proc/self/maps"
        let seen = try start(["env", "/bin/sh", "-c", maps])
        #expect(seen.status == 0 && seen.output.contains("/libc.so"), "\(seen)")
        #expect(!seen.output.contains("/run/"), "\(seen)")
    }

    @Test func theEnvironmentIsAsForAnyOther() throws {
        // In which order they come is the caller's affair.
        func variables(_ seen: Outcome) -> [String] {
            #expect(seen.status == 0, "\(seen)")
            return seen.output.split(separator: "\n").map(String.init).sorted()
        }
        let plain = try nsrun(["--rootfs", Bench.current().rootfs, "env"])
        #expect(try variables(start(["env"])) == variables(plain))
    }

    @Test func statusOutputAndSignalsAreItsOwn() throws {
        let seen = try start(["sh", "-c", "cat; echo error >&2; exit 42"])
        expect(seen, Outcome(status: 42, output: "", error: "error"))
        expect(try start(["sh", "-c", "kill -TERM $$"]), exits: 128 + SIGTERM)
    }

    @Test func itsRootIsTheRootfs() throws {
        let seen = try start(["stat", "-c", "%d %i", "/usr", "/etc"])
        let rootfs = try Bench.current().rootfs
        expect(seen, try run(["stat", "-c", "%d %i", rootfs + "/usr", rootfs + "/etc"]))
    }

    // MARK: Scripts

    @Test(arguments: ["#!/bin/sh", "#! /bin/sh", "#!\t/bin/sh  "])
    func scriptsOfTheHostRun(first: String) throws {
        let script = try workshop.script("bin/script", first)
        let place = "/run/host" + script
        let shell = try run(["realpath", "/bin/sh"]).output
        let seen = try start([script, "one", "two words"])
        expect(seen, prints: "\(place) <one> <two words>\n/run/host\(shell)")
    }

    @Test func theFirstLineMayHoldAnArgument() throws {
        let script = try workshop.script("bin/script", "#!/bin/sh -e -u")
        let seen = try start([script])
        // As one word, which a shell does not know.
        #expect(seen.status == 2 && seen.output == "", "\(seen)")
        try workshop.script("bin/script", "#!/bin/sh -eu")
        #expect(try start([script]).status == 0)
    }

    /// env is the host's; what it looks up is inside.
    @Test func scriptsByEnvRun() throws {
        let script = try workshop.script("bin/script", "#!/usr/bin/env sh")
        let seen = try start([script], environment: ["PATH": "/usr/bin:/bin"])
        expect(seen, prints: "/run/host\(script)\n/usr/bin/dash")
    }

    /// As execve(2) has it since Linux 2.6.28.
    @Test func anInterpreterMayBeAScript() throws {
        let inner = try workshop.script("bin/inner", "#!/bin/sh")
        let outer = try workshop.script("bin/outer", "#!\(inner) -x")
        let seen = try start([outer, "word"])
        #expect(seen.lines.first == "/run/host\(inner) <-x> </run/host\(outer)> <word>", "\(seen)")
    }

    // MARK: nsrun itself

    @Test func nsrunRunsInsideItself() throws {
        let bench = try Bench.current()
        let seen = try start([bench.nsrun, "--", "sh", "-c", "echo $$; cat /etc/debian_version"])
        let version = try inRoot("cat /etc/debian_version")
        expect(seen, prints: "2\n" + version.output)
    }

    // MARK: What cannot be started

    @Test(arguments: ["no-such-program", "/no/such/program", "./program"])
    func whatIsNotThereIs127(command: String) throws {
        expect(
            try start([command]), refuses: "cannot run \(command): not found on this host",
            remedy: "--host-exec", status: 127)
    }

    /// One line that names the program, one with the remedy, and 126.
    private func cannot(
        _ command: String, saying words: String...,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let seen = try start([command])
        #expect(seen.status == 126 && seen.output == "", "\(seen)", sourceLocation: sourceLocation)
        let start = "nsrun: cannot run \(command): "
        let own = seen.error.split(separator: "\n").drop { !$0.hasPrefix(start) }
        #expect(
            own.count == 2 && own.last?.hasPrefix("  ") == true, "\(seen)",
            sourceLocation: sourceLocation)
        for word in words {
            #expect(seen.error.contains(word), "\(seen)", sourceLocation: sourceLocation)
        }
    }

    @Test func whatMayNotBeExecutedIs126() throws {
        let file = try workshop.folder.write("#!/bin/sh\n", to: "file")
        try cannot(file, saying: "chmod +x")
    }

    @Test func aDirectoryIs126() throws { try cannot(workshop.folder.path) }

    @Test func aTextWithoutAFirstLineIsTheShells() throws {
        let script = try workshop.folder.write("echo $0 $1\n", to: "file", mode: 0o755)
        try expect(start([script, "a"]), prints: "/run/host\(script) a")
    }

    @Test func anEmptyFileDoesNothing() throws {
        try expect(start([workshop.folder.write("", to: "file", mode: 0o755)]), exits: 0)
    }

    @Test func whatIsNeitherProgramNorTextIs126() throws {
        try cannot(workshop.folder.write("x\0\n", to: "file", mode: 0o755), saying: "neither")
    }

    @Test func aMissingInterpreterIs126() throws {
        let script = try workshop.script("script", "#!/no/such/interpreter")
        try cannot(script, saying: "/no/such/interpreter")
    }

    @Test func aMissingLoaderIs126() throws {
        let program = try workshop.program(
            "bin/tool", ["-Wl,--dynamic-linker=/no/such/loader"], library: "lib/libpart.so")
        try cannot(program, saying: "/no/such/loader")
    }

    @Test func aMissingLibraryIs126() throws {
        let program = try workshop.program("bin/tool")
        unlink(workshop.folder / "lib/libpart.so")
        try cannot(program, saying: "libpart.so")
    }

    @Test func anotherMachinesProgramIs126() throws {
        let program = try workshop.program("bin/tool", ["-static"], library: nil)
        let file = try #require(FileHandle(forUpdatingAtPath: program))
        try file.seek(toOffset: 18)
        // s390x, which has the other byte order too.
        try file.write(contentsOf: Data([22, 0]))
        try file.close()
        let seen = try start([program])
        #expect(seen.status == 126, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot run /run/host\(program): it is built for"))
    }

    @Test func thereMustBeARootfsAndACommand() throws {
        expect(
            try nsrun(["--host-exec", "true"]), refuses: "--host-exec needs --rootfs",
            remedy: "without a rootfs every program is the host's")
        expect(
            try nsrun(["--host-exec", "--rootfs", Bench.current().rootfs]),
            refuses: "--host-exec needs a command", remedy: "program of the host")
    }

    // MARK: What it leaves

    @Test func explainShowsWhatIsDone() throws {
        let seen = try start(["cat"], ["--explain"])
        let cat = try run(["sh", "-c", "realpath $(command -v cat)"]).output
        #expect(seen.output.contains("onto /run/host\(cat) (read-only)  [--host-exec]"), "\(seen)")
    }

    @Test func nothingStaysMountedAndTheHostIsAsItWas() throws {
        let program = try workshop.program("bin/tool")
        let before = try workshop.folder.listing()
        let mounts = try HostState.mounts()
        let seen = try start(
            [
                "sh", "-c",
                "for f in bin/tool bin/new; do (: >/run/host$0/$f) 2>/dev/null; done; $0/bin/tool",
                workshop.folder.path,
            ],
            ["--ro-bind", workshop.folder.path, workshop.folder.path])
        #expect(seen.lines.first == "part", "\(seen)")
        expect(try start([program]), prints: itself("bin/tool"))
        #expect(try HostState.mounts() == mounts)
        #expect(try workshop.folder.listing() == before)
    }
}

/// Programs and libraries of the host's, compiled for a test.
struct Workshop {
    let folder: TemporaryDirectory

    init() throws {
        folder = try TemporaryDirectory()
        try folder.write("const char *part(void) { return \"part\"; }\n", to: "part.c")
        try folder.write(Workshop.source, to: "main.c")
    }

    @discardableResult
    func library(_ name: String) throws -> String {
        let file = folder / name
        try folder.makeDirectory((name as NSString).deletingLastPathComponent)
        // Without a name of its own a library is asked for as it was given to the linker.
        let names = name.contains("/by-path") ? [] : ["-Wl,-soname,libpart.so"]
        try compile(["-shared", "-fPIC", "-o", file, folder / "part.c"] + names)
        return file
    }

    /// A program that says `part`, which the library says to it, then its argv[0], its /proc/self/exe, its
    /// comm and its arguments. Without a library it says so itself.
    func program(
        _ name: String, _ linking: [String] = ["-Wl,-rpath,$ORIGIN/../lib"],
        library: String? = "lib/libpart.so"
    ) throws -> String {
        let part = try library.map(self.library) ?? folder / "part.c"
        return try program(name, linking + [part])
    }

    /// The same, with the library loaded by dlopen(3).
    func program(_ name: String, loading library: String) throws -> String {
        try self.library("lib/\(library)")
        return try program(
            name, ["-DLIBRARY=\"\(library)\"", "-Wl,-rpath,$ORIGIN/../lib"])
    }

    private func program(_ name: String, _ arguments: [String]) throws -> String {
        try folder.makeDirectory((name as NSString).deletingLastPathComponent)
        try compile(["-o", folder / name, folder / "main.c"] + arguments)
        return folder / name
    }

    /// A shell script that says its name, its arguments and what runs it.
    @discardableResult
    func script(_ name: String, _ first: String) throws -> String {
        let text = """
            \(first)
            printf %s "$0"; for word; do printf ' <%s>' "$word"; done; echo
            /usr/bin/readlink /proc/$$/exe

            """
        return try folder.write(text, to: name, mode: 0o755)
    }

    private func compile(_ arguments: [String]) throws {
        expect(try run(["gcc", "-w"] + arguments, directory: folder.path), exits: 0)
    }

    private static let source = """
        #include <dlfcn.h>
        #include <stdio.h>
        #include <unistd.h>

        #ifdef LIBRARY
        static const char *part(void) {
            void *library = dlopen(LIBRARY, RTLD_NOW);
            const char *(*answer)(void) = library ? dlsym(library, "part") : NULL;
            return answer ? answer() : dlerror();
        }
        #else
        const char *part(void);
        #endif

        int main(int count, char **words) {
            char exe[4096], comm[64];
            ssize_t size = readlink("/proc/self/exe", exe, sizeof exe);
            FILE *file = fopen("/proc/self/comm", "r");
            fgets(comm, sizeof comm, file);
            printf("%s\\n%s\\n%.*s\\n%s", part(), words[0], (int)size, exe, comm);
            for (int i = 1; i < count; i++)
                printf("<%s>\\n", words[i]);
            return 0;
        }

        """
}
