// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What `nsrun --doctor` says of engines: where their tools are, whether they passed, and what a run would take.
@Suite struct EngineDoctorTests {
    private func seen(
        refusing refusals: String = "", environment: [String: String?] = [:]
    ) throws -> Outcome {
        let engines = try EngineBench.current()
        let variables = engines.tools.merging(environment) { $1 }
        let command = [engines.bench.nsrun, "--doctor"]
        return refusals.isEmpty
            ? try run(command, environment: variables)
            : try run(command, refusing: refusals, environment: variables)
    }

    /// The lines on engines, each with its remedy.
    private func lines(_ seen: Outcome) -> [String] {
        var found: [String] = []
        for line in seen.lines {
            if line.hasPrefix("          ") {
                found[found.count - 1] += "\n" + line.drop { $0 == " " }
            } else {
                found.append(line)
            }
        }
        return found.filter { $0.contains("engine ") || $0.contains(" ptrace") }
    }

    @Test func whatWorksIsNamedWithItsFile() throws {
        let before = try PrivateTrees.abandoned()
        let engines = try EngineBench.current()
        let seen = try seen()
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        let library = try #require(realpath(engines.fakechroot, nil))
        defer { free(library) }
        #expect(
            lines(seen) == [
                "ok      ptrace",
                "ok      engine fakechroot: \(String(cString: library)), which keeps children in the "
                    + "root; each rootfs is tried once more",
                "ok      engine proot: \(engines.proot), which keeps statx(2) and faccessat2(2) in the "
                    + "root",
                "ok      engine auto: takes userns",
            ], "\(seen)")
        #expect(try HostState.eventually { try PrivateTrees.abandoned().isSubset(of: before) })
    }

    @Test func whereNamespacesAreRefusedAnotherIsTaken() throws {
        for refusal in ["limit", "namespaces", "mounts"] {
            let seen = try seen(refusing: refusal)
            #expect(seen.status == 1, "\(seen)")
            #expect(
                lines(seen).last
                    == "ok      engine auto: takes fakechroot, and proot for static programs",
                "\(seen)")
            let alone = try self.seen(refusing: refusal, environment: ["NSRUN_FAKECHROOT": "/none"])
            #expect(lines(alone).last == "ok      engine auto: takes proot", "\(alone)")
        }
    }

    @Test func whatIsInTheWayIsSaid() throws {
        let traced = lines(try seen(refusing: "limit ptrace"))
        #expect(
            traced[0] == "missing ptrace: it is refused here, and the engine proot needs it\n"
                + "a seccomp filter around nsrun must allow it")
        #expect(
            traced[2].hasPrefix(
                "missing engine proot: cannot be used: ptrace(2) is refused here\n"), "\(traced)")
        #expect(traced[3] == "ok      engine auto: takes fakechroot; static programs are refused")
        let none = lines(
            try seen(
                refusing: "limit",
                environment: ["NSRUN_FAKECHROOT": "/none", "NSRUN_PROOT": "/none"]))
        #expect(
            none[1...] == [
                "missing engine fakechroot: cannot be used: NSRUN_FAKECHROOT names /none, which is "
                    + "no file\nunset it, or name a libfakechroot.so",
                "missing engine proot: cannot be used: NSRUN_PROOT names /none, which is no program\n"
                    + "unset it, or name a proot",
                "missing engine auto: no engine is left\none of the above must work",
            ])
    }

    /// What has passed before is tried all the same.
    @Test func anUnsoundProotIsFoundOut() throws {
        let folder = try TemporaryDirectory()
        let script = """
            #!/bin/sh
            while [ "$1" != /.nsrun ]; do shift; done; shift
            exec \(try Bench.current().nsrun) "$@"
            """
        try folder.write(script, to: "proot", mode: 0o755)
        let found = lines(try seen(environment: ["NSRUN_PROOT": folder / "proot"]))
        #expect(
            found[2].hasPrefix(
                "missing engine proot: cannot be trusted: \(folder / "proot") lets statx(2) or "
                    + "faccessat2(2) see the host's root\n"), "\(found)")
    }
}
