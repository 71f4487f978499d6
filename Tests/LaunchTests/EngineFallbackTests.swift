// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// Where the kernel refuses namespaces, and only there, `auto` runs the command by another engine; nothing else does.
/// The refusals are real, see refuse.py.
@Suite struct EngineFallbackTests {
    /// What the kernel refuses, and what nsrun says of it.
    static let refusals: [(String, String)] = [
        ("limit", "cannot create user, mount, pid namespaces: the sysctl user.max_user_names"),
        ("namespaces", "cannot create a user namespace: a seccomp filter around nsrun"),
        ("namespaces=EINVAL", "cannot create user, mount, pid namespaces: this kernel lacks one"),
        ("mounts", "mounting is refused (a seccomp filter around nsrun"),
        // As security modules do.
        ("mounts=EACCES", "mounting is refused (a seccomp filter around nsrun"),
    ]

    private func seen(
        refusing refusals: String, _ options: [String] = [], _ script: String = "echo ran; id -un",
        environment: [String: String?] = [:], descriptors: [Int32: String] = [:]
    ) throws -> Outcome {
        let engines = try EngineBench.current()
        return try run(
            [engines.bench.nsrun, "--engine", "auto", "--rootfs", engines.bench.rootfs] + options
                + ["--", "sh", "-c", script],
            refusing: refusals, environment: engines.tools.merging(environment) { $1 },
            descriptors: descriptors)
    }

    private func name() throws -> String { try run(["id", "-un"]).output }

    @Test(arguments: refusals)
    func fakechrootComesFirstAndIsAnnouncedOnce(refusal: (String, String)) throws {
        let seen = try seen(refusing: refusal.0)
        #expect(try seen.status == 0 && seen.output == "ran\n\(name())", "\(seen)")
        let lines = seen.error.split(separator: "\n")
        #expect(lines.count == 1 && lines[0].hasPrefix("nsrun: cannot "), "\(seen)")
        #expect(
            lines.first?.contains(refusal.1) == true
                && lines[0].contains(
                    ": running with fakechroot instead, which does not isolate the host's "
                        + "processes, read-only files, static programs, and programs that mean to "
                        + "leave the root"),
            "\(seen)")
    }

    @Test(arguments: refusals) func quietSaysNothing(refusal: (String, String)) throws {
        try expect(seen(refusing: refusal.0, ["--quiet"]), prints: "ran\n\(name())")
    }

    @Test(arguments: refusals)
    func requiredIsolationIsAnError(refusal: (String, String)) throws {
        let seen = try seen(refusing: refusal.0, ["--require", "isolation"])
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.contains(refusal.1), "\(seen)")
        #expect(seen.error.contains("and the engine fakechroot does not isolate the host's"))
        #expect(seen.error.contains("\n  "), "\(seen)")
    }

    /// Named, or the engine of who names none: he is told of the others.
    @Test(arguments: refusals, [["--engine", "userns"], []])
    func theKernelsEngineAloneDoesNotFallBack(refusal: (String, String), engine: [String]) throws {
        let engines = try EngineBench.current()
        let seen = try run(
            [engines.bench.nsrun] + engine + ["--rootfs", engines.bench.rootfs, "echo", "ran"],
            refusing: refusal.0, environment: engines.tools)
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.contains(refusal.1), "\(seen)")
        #expect(seen.error.contains("--engine fakechroot or proot does without"), "\(seen)")
        #expect(seen.error.split(separator: "\n").count == 2, "\(seen)")
    }

    /// A limit that is used up may have been used up by a command that means the next run to isolate less.
    @Test(arguments: [["--engine", "auto"], []])
    func aLimitThatIsUsedUpIsNoRefusal(engine: [String]) throws {
        let engines = try EngineBench.current()
        let seen = try run(
            [engines.bench.nsrun] + engine + ["--rootfs", engines.bench.rootfs, "echo", "ran"],
            refusing: "exhausted", environment: engines.tools)
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(
            seen.error.hasPrefix(
                "nsrun: cannot create user, mount, pid namespaces: the limit of this machine or"),
            "\(seen)")
        #expect(seen.error.contains("\n  ") && !seen.error.contains("engine"), "\(seen)")
    }

    @Test(arguments: refusals) func prootComesNext(refusal: (String, String)) throws {
        let seen = try seen(
            refusing: refusal.0, environment: ["NSRUN_FAKECHROOT": "/no/such"])
        #expect(try seen.status == 0 && seen.output == "ran\n\(name())", "\(seen)")
        #expect(seen.error.contains(": running with proot instead, which"), "\(seen)")
        #expect(seen.error.split(separator: "\n").count == 1, "\(seen)")
    }

    @Test(arguments: refusals) func aStaticProgramIsRunByProot(refusal: (String, String)) throws {
        let folder = try TemporaryDirectory()
        try folder.write("int main(void) { return 42; }", to: "main.c")
        let build = ["gcc", "-static", "-o", "prog", "main.c"]
        try expect(run(build, directory: folder.path), exits: 0)
        let engines = try EngineBench.current()
        let command = [
            engines.bench.nsrun, "--engine", "auto", "--quiet", "--rootfs", engines.bench.rootfs,
            "--bind", folder.path,
            "/opt/p", "/opt/p/prog",
        ]
        try expect(
            run(command, refusing: refusal.0, environment: engines.tools), exits: 42)
        let none = try run(command, refusing: refusal.0 + " ptrace", environment: engines.tools)
        #expect(none.status == 125 && none.output == "", "\(none)")
        #expect(none.error.contains("\n  ") && none.error.contains("linked statically"), "\(none)")
        #expect(none.error.contains("ptrace(2) must be allowed") || none.error.contains("ptrace"))
    }

    @Test func whereNothingIsLeftAllReasonsAreGiven() throws {
        let seen = try seen(
            refusing: "limit",
            environment: ["NSRUN_FAKECHROOT": "/no/such", "NSRUN_PROOT": "/no/such"])
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        let lines = seen.error.split(separator: "\n")
        #expect(lines.count == 2, "\(seen)")
        for word in ["user.max_user_namespaces", "NSRUN_FAKECHROOT", "NSRUN_PROOT"] {
            #expect(lines.last?.contains(word) == true, "\(seen)")
        }
    }

    /// An option that was asked for is not dropped on the way.
    @Test func aFallbackHonoursWhatWasAskedForOrFails() throws {
        let none = try seen(refusing: "limit", ["--network", "none"])
        #expect(none.status == 125 && none.output == "", "\(none)")
        #expect(none.error.contains("the engine fakechroot cannot honour --network none"))
        #expect(none.error.contains("the engine proot cannot honour --network none"))
        // What one engine cannot do, the other can.
        let root = try seen(refusing: "limit", ["--fake-root", "--quiet"], "id -u")
        expect(root, prints: "0")
    }

    /// What is wrong with the command is said once, and as always.
    @Test(arguments: refusals) func aCommandThatIsMissingIs127(refusal: (String, String)) throws {
        let engines = try EngineBench.current()
        let seen = try run(
            [
                engines.bench.nsrun, "--engine", "auto", "--rootfs", engines.bench.rootfs,
                "no-such-program",
            ],
            refusing: refusal.0, environment: engines.tools)
        #expect(seen.status == 127, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot run no-such-program: not found in the rootfs"))
    }

    /// Nothing that the first attempt needed is missing in the second: descriptors, content, signals, time.
    @Test(arguments: refusals) func theSecondAttemptStartsLikeTheFirst(refusal: (String, String))
        throws
    {
        let script = """
            cat <&5; cat /opt/file; ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status
            """
        for fakechroot in [nil, "/no/such"] {
            var environment: [String: String?] = [:]
            if let fakechroot { environment["NSRUN_FAKECHROOT"] = fakechroot }
            let seen = try seen(
                refusing: refusal.0, ["--quiet", "--file", "6", "/opt/file"], script,
                environment: environment, descriptors: [5: "five\n", 6: "six\n"])
            let plain = try run(["grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"])
            expect(seen, prints: "five\nsix\n0 1 2 3 5 \(plain.output)")
        }
        try expect(
            seen(refusing: refusal.0, ["--quiet", "--timeout", "0.5"], "exec sleep 100"), exits: 124
        )
    }

    /// A process that has become something else on the way cannot go back.
    @Test func aLateRefusalInPlaceIsAnErrorWithARemedy() throws {
        let seen = try seen(refusing: "mounts", ["--share-pid"])
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.contains("mounting is refused"), "\(seen)")
        #expect(seen.error.contains("\n  ") && seen.error.contains("--engine fakechroot or proot"))
    }

    @Test(arguments: ["limit", "namespaces"])
    func anEarlyRefusalInPlaceFallsBack(refusal: String) throws {
        try expect(
            seen(refusing: refusal, ["--share-pid", "--quiet"]), prints: "ran\n\(name())")
    }

    /// A /proc that takes no id map, after the namespaces were made.
    @Test func aRefusedIDMapFallsBack() throws {
        let engines = try EngineBench.current()
        let script = "mount -o remount,bind,ro /proc && exec \"$@\""
        let seen = try run(
            [
                "unshare", "-Urm", "sh", "-c", script, "sh", engines.bench.nsrun, "--engine",
                "auto", "--rootfs", engines.bench.rootfs, "echo", "ran",
            ], environment: engines.tools)
        #expect(seen.status == 0 && seen.output == "ran", "\(seen)")
        #expect(seen.error.hasPrefix("nsrun: cannot write /proc/"), "\(seen)")
        #expect(seen.error.contains(": running with fakechroot instead"), "\(seen)")
    }

    /// What is wanting here is wanting to every engine.
    @Test(arguments: [("EAGAIN", "raise the limit on processes"), ("ENOMEM", "out of memory")])
    func aWantIsNoRefusal(want: (String, String)) throws {
        let seen = try seen(refusing: "namespaces=\(want.0)")
        #expect(seen.status == 125 && seen.output == "", "\(seen)")
        #expect(seen.error.contains(want.1) && !seen.error.contains("instead"), "\(seen)")
    }

    /// Nothing but a refusal of the kernel's is a reason: other mistakes stay mistakes.
    @Test func mistakesDoNotFallBack() throws {
        let engines = try EngineBench.current()
        let seen = try nsrun(
            ["--rootfs", engines.bench.rootfs, "--bind", "/no/such", "/x", "true"],
            environment: engines.tools)
        #expect(seen.status == 125 && seen.error.contains("/no/such does not exist"), "\(seen)")
        #expect(!seen.error.contains("instead"), "\(seen)")
    }
}
