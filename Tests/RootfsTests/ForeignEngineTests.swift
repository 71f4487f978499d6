// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension ForeignTests {
    /// Where the kernel has neither a table of the run's own nor a record of the host's: proot with a QEMU.
    @Suite struct EngineTests {
        private static let kernel = ["--debug-opt=force-no-own-binfmt"]
        private static let older = ["--engine", "proot"] + kernel

        private func seen(
            _ root: ForeignRoot, _ command: [String], _ options: [String] = older,
            environment: [String: String?] = [:]
        ) throws -> Outcome {
            try nsrun(
                ["--rootfs", root.path] + options + ["--"] + command,
                environment: EngineBench.current().tools.merging(environment) { $1 })
        }

        @Test(arguments: ForeignRoot.emulated)
        func prootRunsTheRoot(root: ForeignRoot) throws {
            for options in [Self.older, Self.older + ["--arch", root.rawValue]] {
                expect(try seen(root, ["/bin/uname", "-m"], options), prints: root.machine)
            }
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
            expect(seen, prints: "armv7l")
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

        /// What a root holds does not choose what isolates it, also where the caller leaves the choice to nsrun. The
        /// error names all three ways.
        @Test(arguments: [[], ["--engine", "auto"]], [[], ["--arch", "armhf"], ["--share-pid"]])
        func noRootChoosesTheEngine(engine: [String], options: [String]) throws {
            let seen = try seen(.armhf, ["/bin/true"], Self.kernel + engine + options)
            #expect([125, 126].contains(seen.status) && seen.output == "", "\(seen)")
            #expect(seen.error.hasPrefix("nsrun: cannot run "), "\(seen)")
            if options.contains("--share-pid") { return }
            for word in ["Linux 6.7", "administrator", "--engine proot"] {
                #expect(seen.error.contains(word), "\(seen)")
            }
        }

        @Test func whereNothingHelps() throws {
            let without = try CleanHost.without(emulator: "arm").nsrun(
                ["--engine", "proot", "--rootfs", ForeignRoot.armhf.path, "true"])
            expect(
                without,
                refuses: "cannot run programs for armhf: no static QEMU for them was found",
                remedy: "install qemu-user-static")
        }
    }
}
