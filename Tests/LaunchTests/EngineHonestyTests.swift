// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Each engine says what it cannot do, before anything is done by halves.
@Suite struct EngineHonestyTests {
    private static let folder = NSTemporaryDirectory()

    /// Options that only namespaces can honour, and how they are named.
    static let unsupported: [([String], String)] = [
        (["--network", "none"], "--network none"), (["--unshare-net"], "--unshare-net"),
        (["--hostname", "x"], "--hostname"), (["--unshare-ipc"], "--unshare-ipc"),
        (["--unshare-cgroup"], "--unshare-cgroup"),
        (["--ro-bind", "/usr", "/x"], "a read-only bind"),
        (["--remount-ro", "/"], "a read-only bind"), (["--unshare-ipc"], "--unshare-ipc"),
        (["--ephemeral"], "--ephemeral"), (["--overlay-dir", "/tmp/none"], "--overlay-dir"),
        (["--overlay-src", "/usr", "--tmp-overlay", "/x"], "an overlay"),
        (["--map-auto"], "--map-auto"),
        (["--cap-add", "ALL"], "--cap-add"), (["--lock-file", "/etc/passwd"], "--lock-file"),
        (["--sync-fd", "0"], "--sync-fd"), (["--info-fd", "2"], "--info-fd"),
        (["--disable-userns"], "--disable-userns"), (["--as-pid-1"], "--as-pid-1"),
        (["--chmod", "0700", "/etc"], "--chmod"), (["--size", "1M", "--tmpfs", "/x"], "--size"),
        (["--host-exec"], "--host-exec"),
    ]
    static let unsupportedByFakechroot: [([String], String)] = [
        (["--uid", "0"], "--uid and --gid"), (["--fake-root"], "--fake-root"),
        (["--writable"], "--writable"), (["--host-root"], "--host-root"),
        (["--arch", "armhf"], "--arch"),
    ]

    private func refused(_ engine: TestEngine, _ options: [String], _ name: String) throws {
        let seen = try nsrun(
            by: engine, ["--rootfs", Bench.current().rootfs] + options + ["true"])
        expect(
            seen, refuses: "the engine \(engine.rawValue) cannot honour \(name)",
            remedy: "--engine userns")
    }

    @Test(arguments: TestEngine.withoutNamespaces, unsupported)
    func optionsThatNeedNamespacesAreRefused(
        engine: TestEngine, option: ([String], String)
    ) throws {
        try refused(engine, option.0, option.1)
    }

    @Test(arguments: unsupportedByFakechroot)
    func optionsThatFakechrootCannotHonourAreRefused(option: ([String], String)) throws {
        try refused(.fakechroot, option.0, option.1)
    }

    @Test func prootFakesRoot() throws {
        let script = "id -u; touch /tmp/x; chown 5:6 /tmp/x; stat -c %u:%g /tmp/x"
        try expect(inRoot(by: .proot, script, ["--fake-root"]), prints: "0\n0:0")
        let other = ["--uid", "7", "--gid", "8"]
        try expect(inRoot(by: .proot, "id -u; id -g", other), prints: "7\n8")
    }

    @Test func prootShowsTheHostsRoot() throws {
        try expect(
            inRoot(by: .proot, "cat /run/host/etc/hostname", ["--host-root"]),
            run(["cat", "/etc/hostname"]))
    }

    @Test(arguments: TestEngine.withoutNamespaces)
    func limitsAndFreshSessionsAreHonoured(engine: TestEngine) throws {
        let script = "ulimit -Sn; ulimit -Hn; cut -d' ' -f6 /proc/$$/stat; echo $$"
        let seen = try inRoot(
            by: engine, script, ["--rlimit", "nofile=300:400", "--new-session"])
        #expect(seen.status == 0 && seen.lines.prefix(2) == ["300", "400"], "\(seen)")
        try expect(
            inRoot(by: engine, "grep NoNewPrivs /proc/self/status | tr -dc 01"), prints: "1")
    }

    // MARK: What is in the engines' way

    private static let program = "int main(void) { return 42; }"

    private func build(_ options: String) throws -> TemporaryDirectory {
        let folder = try TemporaryDirectory()
        try folder.write(EngineHonestyTests.program, to: "main.c")
        try expect(
            run(["sh", "-c", "gcc \(options) -o prog main.c"], directory: folder.path), exits: 0)
        return folder
    }

    @Test(arguments: ["-static", "-static-pie"])
    func staticProgramsAreRefusedByName(option: String) throws {
        let folder = try build(option)
        let bind = ["--bind", folder.path, "/opt/p"]
        let root = try Bench.current().rootfs
        let seen = try nsrun(by: .fakechroot, ["--rootfs", root] + bind + ["/opt/p/prog"])
        expect(
            seen,
            refuses: "the engine fakechroot cannot run /opt/p/prog: it is linked statically, as "
                + "programs in Go are, and makes its system calls without a library",
            remedy: "--engine proot")
        // As a child, too.
        let child = try inRoot(by: .fakechroot, "/opt/p/prog; echo $?", bind)
        #expect(child.output == "126", "\(child)")
        #expect(child.error.hasPrefix("nsrun: cannot run /opt/p/prog: it is linked statically"))
        for engine in [TestEngine.userns, .proot] {
            try expect(nsrun(by: engine, ["--rootfs", root] + bind + ["/opt/p/prog"]), exits: 42)
            try expect(inRoot(by: engine, "/opt/p/prog", bind), exits: 42)
        }
    }

    /// Debian's are linked with a C library, and open files without it. A C program with the note of Go's linker
    /// stands for them.
    @Test func programsInGoAreRefusedByName() throws {
        let folder = try TemporaryDirectory()
        let code = #"""
            __asm__(".pushsection .note.go.buildid,\"a\",%note\n"
                    ".long 4, 4, 4\n.ascii \"Go\\0\\0abcd\"\n.popsection");
            int main(void) { return 42; }
            """#
        try folder.write(code, to: "main.c")
        try expect(run(["gcc", "-o", "prog", "main.c"], directory: folder.path), exits: 0)
        let bind = ["--bind", folder.path, "/opt/p"]
        let root = try Bench.current().rootfs
        let seen = try nsrun(by: .fakechroot, ["--rootfs", root] + bind + ["/opt/p/prog"])
        expect(
            seen,
            refuses: "the engine fakechroot cannot run /opt/p/prog: it is built by Go, and makes "
                + "its system calls without a library", remedy: "--engine proot")
        let child = try inRoot(by: .fakechroot, "/opt/p/prog; echo $?", bind)
        #expect(child.output == "126", "\(child)")
        #expect(child.error.hasPrefix("nsrun: cannot run /opt/p/prog: it is built by Go, and "))
        for engine in [TestEngine.userns, .proot] {
            try expect(nsrun(by: engine, ["--rootfs", root] + bind + ["/opt/p/prog"]), exits: 42)
        }
    }

    /// libfakechroot would drop the others, and say nothing.
    @Test func moreArgumentsThanLibfakechrootTakesAreAnError() throws {
        let script = "/usr/bin/printf '%s\\n' $(seq 3000) | wc -l"
        try expect(inRoot(by: .proot, script), prints: "3000")
        let seen = try inRoot(by: .fakechroot, script)
        #expect(seen.output == "0", "\(seen)")
        #expect(seen.error.contains("no more than 1,020 arguments"), "\(seen)")
        try expect(
            inRoot(by: .fakechroot, "/usr/bin/printf '%s\\n' $(seq 1000) | wc -l"), prints: "1000")
    }

    @Test func aLibraryThatIsNotLibfakechrootIsFoundOut() throws {
        let root = try Bench.current().rootfs
        let cache = try TemporaryDirectory()
        let libm = try run(["sh", "-c", "echo \"$0\"/usr/lib/*/libm.so.6", root]).output
        let seen = try nsrun(
            by: .fakechroot, ["--rootfs", root, "true"],
            environment: ["NSRUN_FAKECHROOT": libm, "XDG_CACHE_HOME": cache.path])
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(
            seen.error.hasPrefix(
                "nsrun: the engine fakechroot does not work in this rootfs: a child does not see"))
        // A check that was passed is remembered, one that failed is not.
        let engines = try EngineBench.current()
        let sound: [String: String?] = ["XDG_CACHE_HOME": cache.path]
        for _ in 0..<2 {
            try expect(
                nsrun(by: .fakechroot, ["--rootfs", root, "true"], environment: sound), exits: 0)
        }
        let again = try nsrun(
            by: .fakechroot, ["--rootfs", root, "true"],
            environment: ["NSRUN_FAKECHROOT": libm, "XDG_CACHE_HOME": cache.path])
        #expect(again.status == 125 && again.error.contains("a child does not see"), "\(again)")
        #expect(engines.fakechroot != libm)
    }

    /// Debian 12's, where it is on this host, and else a program that says what it would.
    @Test func aProotThatLooksPastTheRootIsRefused() throws {
        let folder = try TemporaryDirectory()
        // Starts its command in the host's root, as an unsound proot lets statx(2) do.
        let script = """
            #!/bin/sh
            while [ "$1" != /.nsrun ]; do shift; done; shift
            exec "$NSRUN" "$@"
            """
        try folder.write(
            script.replacingOccurrences(of: "$NSRUN", with: Bench.current().nsrun), to: "proot",
            mode: 0o755)
        var candidates = [folder / "proot"]
        let old = try run(["/usr/bin/proot", "--version"])
        if old.output.contains("5.1.0") { candidates.append("/usr/bin/proot") }
        for proot in candidates {
            let cache = try TemporaryDirectory()
            let seen = try nsrun(
                by: .proot, ["--rootfs", Bench.current().rootfs, "true"],
                environment: ["NSRUN_PROOT": proot, "XDG_CACHE_HOME": cache.path])
            expect(
                seen,
                refuses: "the engine proot cannot be trusted: \(proot) lets statx(2) or "
                    + "faccessat2(2) see the host's root", remedy: "5.4.0", "NSRUN_PROOT")
        }
    }

    @Test func missingToolsAreNamed() throws {
        let root = try Bench.current().rootfs
        let none: [String: String?] = ["NSRUN_PROOT": "/no/such", "NSRUN_FAKECHROOT": ""]
        expect(
            try nsrun(by: .proot, ["--rootfs", root, "true"], environment: none),
            refuses: "the engine proot cannot be used: NSRUN_PROOT names /no/such, which is no "
                + "program", remedy: "name a proot")
        expect(
            try nsrun(
                by: .fakechroot, ["--rootfs", root, "true"],
                environment: ["NSRUN_FAKECHROOT": "/no/such"]),
            refuses: "the engine fakechroot cannot be used: NSRUN_FAKECHROOT names /no/such, which "
                + "is no file", remedy: "libfakechroot.so")
    }

    @Test func prootIsFoundOnThePath() throws {
        let folder = try TemporaryDirectory()
        try folder.link("proot", to: EngineBench.current().proot)
        let root = try Bench.current().rootfs
        let seen = try nsrun(
            by: .proot, ["--rootfs", root, "true"],
            environment: ["NSRUN_PROOT": nil, "PATH": "\(folder.path):/usr/bin:/bin"])
        expect(seen, exits: 0)
    }

    @Test func placesThatFakechrootCannotShowAreRefused() throws {
        let folder = try TemporaryDirectory()
        try folder.makeDirectory("a:b")
        let root = try Bench.current().rootfs
        func seen(_ options: String...) throws -> Outcome {
            try nsrun(by: .fakechroot, ["--rootfs", root] + options + ["true"])
        }
        expect(
            try seen("--bind", "/usr", "/opt/usr"),
            refuses: "fakechroot cannot show /usr of the host elsewhere: the root has a /usr of "
                + "its own", remedy: "--engine proot")
        expect(
            try seen("--bind", "/tmp", "/opt/tmp"),
            refuses: "fakechroot cannot show /tmp of the host elsewhere: the root has a /tmp of "
                + "its own", remedy: "--engine proot")
        expect(
            try seen("--bind", folder / "a:b", "/opt/ab"),
            refuses: "fakechroot cannot show \(folder / "a:b"): it knows no paths with a colon",
            remedy: "rename it")
        expect(
            try seen("--bind", folder.path, folder.path, "--tmpfs", folder / "x"),
            refuses: "fakechroot cannot show \(folder / "x") inside of \(folder.path), which is "
                + "the host's", remedy: "--engine proot")
        let proot = try nsrun(
            by: .proot, ["--rootfs", root, "--bind", folder / "a:b", "/opt/ab", "true"])
        expect(
            proot,
            refuses: "the engine proot cannot show \(folder / "a:b"): it knows no paths with a "
                + "colon", remedy: "rename it")
    }

    /// What Documentation/limits.md says that fakechroot does not do. Where one of these fails, it has become better.
    @Test func theLimitsOfFakechrootAreAsWritten() throws {
        let names = try inRoot(by: .fakechroot, "find /usr | wc -l")
        #expect(try #require(Int(names.output)) < 100, "\(names)")
        try expect(
            inRoot(by: .fakechroot, "cd /usr/share && /bin/pwd"),
            prints: Bench.current().rootfs + "/usr/share")
        let mark = try TemporaryDirectory()
        try mark.write("the host's\n", to: "file")
        let file = mark / "file"
        let script = """
            test ! -e \(file) && exec perl -e '%ENV = (); exec "/bin/cat", "\(file)"'
            """
        try expect(inRoot(by: .fakechroot, script), prints: "the host's")
    }

    // MARK: Which engine

    @Test func theEngineCanBeChosenByTheEnvironment() throws {
        let root = try Bench.current().rootfs
        let tools = try EngineBench.current().tools
        func seen(_ value: String, _ options: String...) throws -> Outcome {
            try nsrun(
                options + ["--rootfs", root, "cat", "/proc/1/comm"],
                environment: tools.merging(["NSRUN_ENGINE": value]) { $1 })
        }
        let host = try run(["cat", "/proc/1/comm"])
        for name in ["proot", "fakechroot"] { try expect(seen(name), host) }
        for name in ["userns", "auto", ""] { try expect(seen(name), prints: "nsrun") }
        // The command line has the last word.
        try expect(seen("proot", "--engine", "userns"), prints: "nsrun")
        expect(
            try seen("chroot"), refuses: "NSRUN_ENGINE: unknown engine \"chroot\"",
            remedy: "auto, userns, fakechroot, proot")
    }

    @Test func bubblewrapKnowsNoEngines() throws {
        let link = try TemporaryDirectory()
        try link.link("bwrap", to: Bench.current().nsrun)
        let seen = try run(
            [link / "bwrap", "--ro-bind", "/", "/", "true"],
            environment: EngineBench.current().tools.merging(["NSRUN_ENGINE": "proot"]) { $1 })
        expect(seen, exits: 0)
    }

    @Test(arguments: TestEngine.withoutNamespaces)
    func requiredIsolationIsAnErrorInAnEngineWithout(engine: TestEngine) throws {
        let root = try Bench.current().rootfs
        let seen = try nsrun(by: engine, ["--rootfs", root, "--require", "isolation", "true"])
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(
            seen.error.hasPrefix(
                "nsrun: the engine \(engine.rawValue) does not isolate the host's processes, "))
        try expect(
            nsrun(by: .userns, ["--rootfs", root, "--require", "isolation", "true"]), exits: 0)
    }

    @Test(arguments: TestEngine.withoutNamespaces)
    func explanationsTellWhatTheEngineDoes(engine: TestEngine) throws {
        let before = try PrivateTrees.abandoned()
        let root = try Bench.current().rootfs
        let seen = try nsrun(
            by: engine, ["--rootfs", root, "--bind", "/opt", "/opt", "--explain", "true"])
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        #expect(seen.output.contains("removed after the run"), "\(seen)")
        #expect(seen.output.contains("/opt ") && seen.output.contains(root), "\(seen)")
        #expect(try HostState.eventually { try PrivateTrees.abandoned().isSubset(of: before) })
        let json = try nsrun(by: engine, ["--rootfs", root, "--explain=json", "true"])
        #expect(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) is [String: Any])
    }
}
