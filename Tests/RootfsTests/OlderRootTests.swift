// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Programs of this host in a rootfs whose C library is older than they are.
@Suite(OlderRoot.Making()) struct OlderRootTests {
    private var root: String { get throws { try #require(OlderRoot.path) } }

    private func start(
        _ command: [String], _ options: [String] = ["--host-exec"],
        environment: [String: String?] = [:]
    ) throws -> Outcome {
        try nsrun(["--rootfs", root] + options + ["--"] + command, environment: environment)
    }

    @Test func itIsOlder() throws {
        let host = try run(["sh", "-c", "getconf GNU_LIBC_VERSION"]).output
        #expect(host.hasPrefix("glibc 2."), "\(host)")
        #expect(Int(host.dropFirst(8).prefix { $0.isNumber }) ?? 0 >= 34, "\(host)")
        expect(try start(["cat", "/etc/debian_version"], []), prints: "11.11")
        #expect(try start(["ls", "/lib/x86_64-linux-gnu"], []).output.contains("libc-2.31.so"))
    }

    // MARK: Dynamic programs

    /// The problem that all of this is about.
    @Test func startedByItselfAHostProgramFindsTheWrongLibrary() throws {
        let seen = try start(["/run/host/usr/bin/env", "true"], ["--host-root"])
        #expect(seen.status == 1 && seen.error.contains("`GLIBC_2.34' not found"), "\(seen)")
    }

    @Test(arguments: MountPath.allCases)
    func withItsOwnLibrariesItStarts(path: MountPath) throws {
        let seen = try start(["env", "--version"], ["--host-exec"] + path.options)
        expect(seen, try run(["env", "--version"]))
        let place = try start(["readlink", "/proc/self/exe"], ["--host-exec"] + path.options)
        expect(place, prints: "/run/host/usr/bin/readlink")
    }

    @Test(arguments: [
        ["--share-pid"], ["--ephemeral"], ["--preset", "toolbox"], ["--preset", "action"],
        ["--preset", "test"], ["--tmpfs", "/tmp"],
    ])
    func soItDoesWithOtherOptions(options: [String]) throws {
        let seen = try start(["readlink", "/proc/self/exe"], ["--host-exec"] + options)
        expect(seen, prints: "/run/host/usr/bin/readlink")
    }

    @Test func itsFilesAreTheRootfss() throws {
        expect(try start(["cat", "/etc/debian_version"]), prints: "11.11")
        let maps = try start(["grep", "\\.so", "/proc/self/maps"], environment: ["LC_ALL": "C"])
        #expect(maps.status == 0 && maps.lines.contains { $0.contains("/libc.so.6") }, "\(maps)")
        for line in maps.lines { #expect(line.contains(" /run/host/"), "\(line)") }
    }

    @Test func itsChildrenUseTheRootfssLibrary() throws {
        let maps = "while read -r a b c d e file; do echo $file; done </proc/self/maps"
        let seen = try start(["env", "sh", "-c", maps])
        #expect(seen.status == 0 && seen.output.contains("/libc-2.31.so"), "\(seen)")
        #expect(!seen.output.contains("/run/"), "\(seen)")
        // Those found by name too: bullseye's cat does not know what bookworm's does.
        expect(try start(["env", "cat", "/etc/debian_version"]), prints: "11.11")
        let version = try start(["env", "cat", "--version"]).lines.first
        #expect(version == "cat (GNU coreutils) 8.32")
    }

    @Test func aScriptOfTheHostsRuns() throws {
        let folder = try TemporaryDirectory()
        let script = try folder.write(
            "#!/bin/bash\necho \"$0\" \"$@\"; readlink /proc/$$/exe; cat /etc/debian_version\n",
            to: "script", mode: 0o755)
        expect(
            try start([script, "word"]),
            prints: "/run/host\(script) word\n/run/host/usr/bin/bash\n11.11")
    }

    /// One that is made here and now, with a library beside it.
    @Test func aProgramOfOnesOwnRuns() throws {
        let folder = try TemporaryDirectory()
        try folder.makeDirectory("bin")
        try folder.makeDirectory("lib")
        try folder.write("int part(void) { return 42; }\n", to: "part.c")
        // pthread_create has been in libc.so.6 itself since glibc 2.34.
        try folder.write(
            """
            #include <pthread.h>
            #include <stdio.h>
            int part(void);
            static void *work(void *answer) { *(int *)answer = part(); return NULL; }
            int main(void) {
                int answer = 0;
                pthread_t thread;
                if (pthread_create(&thread, NULL, work, &answer) != 0) return 1;
                pthread_join(thread, NULL);
                printf("%d\\n", answer);
                return 0;
            }

            """, to: "main.c")
        let link = [
            "gcc -shared -fPIC -o lib/libpart.so part.c",
            "gcc -o bin/tool main.c -Llib -lpart '-Wl,-rpath,$ORIGIN/../lib'",
        ]
        expect(
            try run(["sh", "-ec", link.joined(separator: "\n")], directory: folder.path), exits: 0)
        let program = folder / "bin/tool"
        let alone = try start(["/run/host\(program)"], ["--host-root"])
        #expect(alone.status == 1 && alone.error.contains("`GLIBC_2.34' not found"), "\(alone)")
        expect(try start([program]), prints: "42")
    }

    // MARK: Static programs

    @Test(arguments: MountPath.allCases)
    func nsrunRunsInAnyRoot(path: MountPath) throws {
        let nsrun = try Bench.current().nsrun
        let inner = [
            "--", "sh", "-c", "echo $$; read -r version </etc/debian_version; echo $version",
        ]
        let outside = try start([nsrun] + inner, ["--ro-bind", nsrun, nsrun] + path.options)
        expect(outside, prints: "2\n11.11")
        let shown = try start(["/run/host" + nsrun] + path.options + inner, ["--host-root"])
        expect(shown, prints: "2\n11.11")
        expect(try start([nsrun] + inner, ["--host-exec"] + path.options), prints: "2\n11.11")
    }

    @Test func nsrunInsideStartsAnotherRoot() throws {
        let bench = try Bench.current()
        let command = [
            "/run/host" + bench.nsrun, "--rootfs", "/run/host" + bench.rootfs, "--", "cat",
            "/etc/debian_version",
        ]
        let version = try inRoot("cat /etc/debian_version")
        expect(try start(command, ["--host-root"]), version)
    }

    // MARK: The rootfs

    @Test func itStaysAsItWas() throws {
        let list = ["find", try root, "-printf", "%p %y %m %s %T@ %C@ %l\\n"]
        let before = try run(list)
        for options in [["--host-exec"], ["--host-exec", "--preset", "toolbox"]] {
            expect(try start(["true"], options), exits: 0)
        }
        #expect(try run(list) == before)
    }
}

/// A few packages of bullseye, unpacked once for all the tests of the suite.
enum OlderRoot {
    @TaskLocal static var path: String?

    struct Making: SuiteTrait, TestScoping {
        func provideScope(
            for test: Test, testCase: Test.Case?,
            performing function: @Sendable () async throws -> Void
        ) async throws {
            let folder = try TemporaryDirectory()
            let packages = "base-files,coreutils,dash"
            let made = try rootfsTool(
                [
                    "debian", "--quiet", "--variant", "extract", "--include", packages, "bullseye",
                    folder / "root",
                ])
            expect(made, exits: 0)
            try await OlderRoot.$path.withValue(folder / "root") { try await function() }
            withExtendedLifetime(folder) {}
        }
    }
}
