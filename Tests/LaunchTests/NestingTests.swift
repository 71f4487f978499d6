// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// nsrun in nsrun, two runs at once, and what is left after a run: nothing.
@Suite struct NestingTests {
    @Test(arguments: MountPath.allCases)
    func runInsideARun(path: MountPath) throws {
        let bench = try Bench.current()
        let options = ["--tmpfs", "/mnt", "--ro-bind", bench.nsrun, "/mnt/nsrun"] + path.options
        let inner = path.options.joined(separator: " ")
        let script =
            "/mnt/nsrun \(inner) --rootfs / sh -c 'echo $$; ls -A /tmp; id -un; stat -f -c %T /proc'"
        let user = try run(["id", "-un"]).output
        try expect(inRoot(script, options), prints: "2\n\(user)\nproc")
    }

    @Test(arguments: MountPath.allCases)
    func hostViewInsideARun(path: MountPath) throws {
        let bench = try Bench.current()
        let options = ["--tmpfs", "/mnt", "--ro-bind", bench.nsrun, "/mnt/nsrun"] + path.options
        let script = "/mnt/nsrun /mnt/nsrun /mnt/nsrun sh -c 'echo x >/tmp/x; cat /tmp/x; echo $$'"
        try expect(inRoot(script, options), prints: "x\n2")
    }

    @Test(arguments: ["/tmp", "/var/tmp", "/dev/shm", "/run", "$HOME"])
    func runsAtTheSameTimeShareNoScratch(place: String) throws {
        let script =
            "[ -e \(place)/mark ] && echo shared; : >\(place)/mark; echo made; read -r x; ls \(place) | grep -v '^host$'"
        let first = try Conversation(inRoot: script)
        #expect(first.line() == "made")
        let second = try Conversation(inRoot: script)
        #expect(second.line() == "made")
        for run in [first, second] {
            run.say("go")
            #expect(run.rest() == ["mark"])
        }
    }

    @Test(arguments: MountPath.allCases)
    func nothingIsLeftBehind(path: MountPath) throws {
        let marker = "nsrun-left-\(UInt32.random(in: 0...UInt32.max))"
        let mounts = try HostState.mounts()
        let script =
            "for p in /tmp /var/tmp /dev/shm $HOME; do : >$p/\(marker); done; sleep 86404 & :"
        for options in [[], ["--ephemeral"], ["--unshare-all"]] {
            let seen = try inRoot(script, options + path.options)
            expect(seen, exits: 0)
        }
        for place in ["/tmp", "/var/tmp", "/dev/shm", NSHomeDirectory()] {
            #expect(!FileManager.default.fileExists(atPath: "\(place)/\(marker)"), "\(place)")
        }
        #expect(try HostState.mounts() == mounts)
    }

    @Test func manyRunsAtOnce() throws {
        let runs = try (0..<12).map {
            try Conversation(inRoot: "echo \($0) >/tmp/x; cat /tmp/x; read -r x")
        }
        for (number, run) in runs.enumerated() { #expect(run.line() == "\(number)") }
        for run in runs { run.hangUp() }
    }

    @Test func callersDirectoryAndUmaskAreUntouched() throws {
        let bench = try Bench.current()
        let script =
            "cd /usr; \(bench.nsrun) --rootfs \(bench.rootfs) --chdir /tmp true; pwd; umask"
        try expect(run(["sh", "-c", script]), run(["sh", "-c", "cd /usr; pwd; umask"]))
    }
}
