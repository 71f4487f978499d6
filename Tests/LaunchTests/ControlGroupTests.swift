// SPDX-License-Identifier: Apache-2.0

import Testing

/// `--limit` on whatever host this is: it holds, or it is refused with a way out. `Scripts/matrix/limits.sh` tries what it
/// does where all of it can be had.
@Suite struct ControlGroupTests {
    @Test(arguments: ["memory=1G", "cpu=1.5", "pids=50", "io=50M", "memory=50%,cpu=50%,pids=9"])
    func aLimitHoldsOrIsRefused(limit: String) throws {
        let seen = try nsrun(["--limit", limit, "--", "cat", "/proc/self/cgroup"])
        if seen.status == 0 {
            #expect(seen.output.contains("/nsrun-"))
        } else {
            #expect(seen.status == 125)
            #expect(seen.output.isEmpty)
            #expect(seen.error.hasPrefix("nsrun: cannot limit "))
            #expect(seen.error.contains("\n  "))
        }
    }

    @Test func enginesWithoutNamespacesRefuse() throws {
        for engine in ["fakechroot", "proot"] {
            let seen = try nsrun(["--engine", engine, "--limit", "pids=9", "--", "true"])
            expect(
                seen, refuses: "the engine \(engine) cannot honour --limit",
                remedy: "--engine userns")
        }
    }

    @Test func itIsExplained() throws {
        let seen = try nsrun(["--limit", "pids=9", "--explain", "true"])
        #expect(seen.output.contains("make a control group that may have 9 processes"))
    }
}
