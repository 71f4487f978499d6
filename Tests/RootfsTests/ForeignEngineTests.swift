import Foundation
import Testing

extension ForeignTests {
    /// Where the kernel has neither a table of the run's own nor a record of the host's: proot with a QEMU.
    @Suite struct EngineTests {
        private static let older = ["--engine", "auto", "--debug-opt=force-no-own-binfmt"]

        private func seen(
            _ root: ForeignRoot, _ command: [String], _ options: [String] = older,
            environment: [String: String?] = [:]
        ) throws -> Outcome {
            try nsrun(
                ["--rootfs", root.path] + options + ["--"] + command,
                environment: EngineBench.current().tools.merging(environment) { $1 })
        }

        private func isAnnounced(_ seen: Outcome, because reason: String) -> Bool {
            seen.error.hasPrefix("nsrun: \(reason)")
                && seen.error.contains(": running with proot instead, which does not isolate")
                && seen.error.split(separator: "\n").count == 1
        }

        /// Found out only when the kernel will not start the program.
        @Test(arguments: ForeignRoot.emulated)
        func prootRunsTheRoot(root: ForeignRoot) throws {
            let seen = try seen(root, ["/bin/uname", "-m"])
            #expect(seen.status == 0 && seen.output == root.machine, "\(seen)")
            let reason =
                "cannot run /bin/uname: it is built for \(root.machine), and this machine is x86_64"
            #expect(isAnnounced(seen, because: reason), "\(seen)")
        }

        /// What was asked for is known before anything is started.
        @Test(arguments: ForeignRoot.emulated)
        func whatIsAskedForIsRunToo(root: ForeignRoot) throws {
            let seen = try seen(root, ["uname", "-m"], Self.older + ["--arch", root.rawValue])
            #expect(seen.status == 0 && seen.output == root.machine, "\(seen)")
            #expect(isAnnounced(seen, because: "cannot run programs for \(root): "), "\(seen)")
        }

        @Test(arguments: ForeignRoot.emulated)
        func soDoChildrenScriptsAndPipelines(root: ForeignRoot) throws {
            let script =
                "printf '#!/bin/sh\\necho \"$1\" $(uname -m)\\n' >/tmp/run; chmod +x /tmp/run; "
                + "/tmp/run 'a b' | cat; cat /etc/debian_version; exit 7"
            let seen = try seen(root, ["sh", "-c", script], Self.older + ["--quiet"])
            #expect(seen.status == 7 && seen.error == "", "\(seen)")
            #expect(seen.lines.first == "a b \(root.machine)" && seen.lines.count == 2, "\(seen)")
            let version = try String(
                contentsOfFile: root.path + "/etc/debian_version", encoding: .utf8)
            #expect(seen.lines.last.map { $0 + "\n" } == version)
        }

        /// A script's interpreter is what the kernel does not start then.
        @Test func theCommandMayBeAScript() throws {
            let folder = try TemporaryDirectory()
            try folder.write("#!/bin/sh\nuname -m\n", to: "run")
            chmod((folder / "run"), 0o755)
            let options = Self.older + ["--bind", folder.path, "/opt"]
            let seen = try seen(.armhf, ["/opt/run"], options)
            #expect(seen.status == 0 && seen.output == "armv7l", "\(seen)")
            let reason =
                "cannot run /opt/run: /bin/sh, its interpreter, is not built for this machine"
            #expect(isAnnounced(seen, because: reason), "\(seen)")
        }

        /// A process that would become the command in place is not given up for an attempt.
        @Test func inPlaceToo() throws {
            let seen = try seen(.armhf, ["uname", "-m"], Self.older + ["--share-pid", "--quiet"])
            expect(seen, prints: "armv7l")
        }

        /// It needs nothing of the kernel: no namespaces either.
        @Test(arguments: ["limit", "namespaces", "mounts"])
        func whereNamespacesAreRefused(refusal: String) throws {
            let engines = try EngineBench.current()
            let seen = try run(
                [
                    engines.bench.nsrun, "--engine", "auto", "--quiet", "--rootfs",
                    ForeignRoot.armhf.path, "uname",
                    "-m",
                ],
                refusing: refusal, environment: engines.tools)
            expect(seen, prints: "armv7l")
        }

        @Test func fakechrootRefusesThemByName() throws {
            let seen = try seen(.armhf, ["uname"], ["--engine", "fakechroot"])
            #expect(seen.status == 125 && seen.output == "", "\(seen)")
            #expect(
                seen.error.hasPrefix("nsrun: the engine fakechroot cannot run ")
                    && seen.error.contains("it is built for armv7l\n  --engine proot"), "\(seen)")
        }

        @Test func whoNamesTheEngineGetsIt() throws {
            let named = try seen(.riscv64, ["uname", "-m"], ["--engine", "proot"])
            expect(named, prints: "riscv64")
            let own = try seen(
                .riscv64, ["uname", "-m"], Self.older + ["--engine", "userns"])
            #expect(own.status == 126 && own.output == "", "\(own)")
            let isolated = try seen(
                .riscv64, ["uname", "-m"], ["--require", "isolation"] + Self.older)
            #expect(isolated.status != 0 && isolated.output == "", "\(isolated)")
        }

        /// What a root holds does not choose what isolates it.
        @Test func nobodyElseChoosesTheEngine() throws {
            for options in [[], ["--arch", "armhf"], ["--share-pid"]] {
                let seen = try seen(
                    .armhf, ["uname", "-m"], ["--debug-opt=force-no-own-binfmt"] + options)
                #expect([125, 126].contains(seen.status) && seen.output == "", "\(seen)")
            }
        }

        /// The error names all three ways, and why the last was not taken.
        @Test func whereNothingHelps() throws {
            let seen = try seen(
                .armhf, ["/bin/true"], environment: ["NSRUN_PROOT": "/no/such"])
            expect(
                seen,
                refuses:
                    "cannot run /bin/true: it is built for armv7l, and this machine is x86_64",
                remedy: "Linux 6.7", "administrator", "install proot 5.4 or newer",
                "; the engine proot cannot be used: NSRUN_PROOT names /no/such", status: 126)
            let without = try CleanHost.without(emulator: "arm").nsrun(
                ["--engine", "proot", "--rootfs", ForeignRoot.armhf.path, "true"])
            expect(
                without,
                refuses: "cannot run programs for armhf: no static QEMU for them was found",
                remedy: "install qemu-user-static")
        }
    }
}
