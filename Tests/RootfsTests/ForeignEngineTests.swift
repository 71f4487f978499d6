import Foundation
import Testing

extension ForeignTests {
    /// Roots of other architectures without namespaces: by proot, which hands each program to QEMU.
    @Suite struct EngineTests {
        private func tools() throws -> [String: String?] {
            let environment = ProcessInfo.processInfo.environment
            return [
                "NSRUN_PROOT": try #require(environment["NSRUN_TEST_PROOT"]),
                "NSRUN_FAKECHROOT": try #require(environment["NSRUN_TEST_FAKECHROOT"]),
            ]
        }

        @Test(arguments: ForeignRoot.emulated)
        func prootRunsThemAndTheirChildren(root: ForeignRoot) throws {
            let script = "uname -m; sh -c 'uname -m; exit 5'"
            let seen = try nsrun(
                ["--engine", "proot", "--rootfs", root.path, "--", "sh", "-c", script],
                environment: tools())
            #expect(seen.output == "\(root.machine)\n\(root.machine)", "\(seen)")
            #expect(seen.status == 5 && seen.error == "", "\(seen)")
        }

        @Test func fakechrootRefusesThemByName() throws {
            let seen = try nsrun(
                ["--engine", "fakechroot", "--rootfs", ForeignRoot.armhf.path, "--", "uname"],
                environment: tools())
            #expect(seen.status == 125 && seen.output == "", "\(seen)")
            #expect(
                seen.error.hasPrefix("nsrun: the engine fakechroot cannot run ")
                    && seen.error.contains("it is built for armv7l\n  --engine proot"), "\(seen)")
        }

        @Test func prootIsTakenWhereNamespacesAreRefused() throws {
            let script = URL(filePath: #filePath).deletingLastPathComponent()
                .appending(path: "../../Scripts/matrix/refuse.py").standardizedFileURL.path
            let seen = try run(
                [
                    "/usr/bin/python3", script, "namespaces", "--", Bench.current().nsrun,
                    "--rootfs",
                    ForeignRoot.armhf.path, "--", "uname", "-m",
                ], environment: tools())
            #expect(seen.status == 0 && seen.output == "armv7l", "\(seen)")
            #expect(seen.error.contains(": running with proot instead, which"), "\(seen)")
        }
    }
}
