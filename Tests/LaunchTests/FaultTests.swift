// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What goes wrong around a launch is an error that fits it: never a hang, a crash, a silence or a weaker world.
@Suite struct FaultTests {
    /// With too few descriptors a launch fails and says so, or is the same as ever.
    @Test(
        arguments: [
            [], ["--ephemeral"], ["--share-pid"], ["--preset", "test"], ["--network", "none"],
            ["--uid", "0"],
        ])
    func aWantOfDescriptorsIsNamed(options: [String]) throws {
        let bench = try Bench.current()
        let root = options.contains("test") ? [] : ["--rootfs", bench.rootfs]
        let world =
            "id -u; grep -c . /proc/self/mountinfo; [ -w /etc ] && echo writable; pwd; env | sort"
        let script = "ulimit -n $1 && shift && exec \"$@\""
        func start(_ descriptors: Int) throws -> Outcome {
            try run(
                ["sh", "-c", script, "sh", "\(descriptors)", bench.nsrun] + root + options
                    + ["--", "sh", "-c", "ulimit -n 1024 2>/dev/null; " + world],
                environment: ["NSRUN_ENGINE": "userns"])
        }
        let whole = try start(200)
        #expect(whole.status == 0, "\(whole)")
        for descriptors in 4...40 {
            let seen = try start(descriptors)
            if seen.status == 0, seen.error.isEmpty {
                #expect(seen.output == whole.output, "\(descriptors): \(seen)")
            } else if seen.status == 125 {
                let lines = seen.error.split(separator: "\n").map(String.init)
                #expect(
                    lines.last == "  raise the limit on open files (ulimit -n)",
                    "\(descriptors): \(seen)")
                #expect(seen.output == "", "\(descriptors): \(seen)")
            } else {
                // The command's own words: it has started, with fewer than it needs.
                #expect(!seen.error.contains("nsrun:"), "\(descriptors): \(seen)")
            }
        }
    }

    /// The queue of signals is the user's, so that anybody of that user can fill it.
    @Test func aFullQueueOfSignalsLosesNone() throws {
        let bench = try Bench.current()
        let limited = [
            "bash", "-c", "ulimit -i 0 && exec \"$@\"", "sh", bench.nsrun, "--rootfs", bench.rootfs,
        ]
        let late = try run(limited + ["--timeout", "0.3", "--", "sleep", "1000"])
        expect(late, exits: 124)
        let directory = try TemporaryDirectory()
        let told = try run(
            [
                "bash", "-c",
                "ulimit -i 0; \"$@\" >out.$$ & until [ -s out.$$ ]; do sleep 0.01; done; kill $!; wait $!",
            ]
                + [
                    "sh", bench.nsrun, "--rootfs", bench.rootfs, "--", "sh", "-c",
                    "echo up; exec sleep 1000",
                ],
            directory: directory.path)
        withExtendedLifetime(directory) {}
        #expect(told.status == 143, "\(told)")
    }

    // MARK: What is told goes somewhere

    @Test(arguments: [
        ["--help"], ["--version"], ["--doctor"], ["--explain", "true"], ["--generate", "man"],
    ])
    func wordsThatDoNotArriveAreAnError(arguments: [String]) throws {
        let bench = try Bench.current()
        let seen = try run(["sh", "-c", "exec \"$@\" >/dev/full", "sh", bench.nsrun] + arguments)
        expect(seen, refuses: "cannot write to standard output: no space left", remedy: "make room")
    }

    @Test(arguments: ["--info-fd", "--json-status-fd"])
    func reportsThatDoNotArriveAreAnError(option: String) throws {
        let bench = try Bench.current()
        let seen = try run(
            ["sh", "-c", "exec \"$@\" 3>/dev/full", "sh", bench.nsrun, option, "3"]
                + ["--rootfs", bench.rootfs, "--", "echo", "ran"])
        expect(
            seen, refuses: "cannot tell of the run to descriptor 3: no space left",
            remedy: "whoever gave it")
    }

    // MARK: A network that does not come up

    /// A pasta that starts and never is ready.
    private func waiting(_ options: String, _ rest: String) throws -> Outcome {
        let bench = try Bench.current()
        let directory = try TemporaryDirectory()
        _ = try directory.write(
            "#!/bin/sh\n: >\(directory.path)/started\nexec sleep 1000\n", to: "pasta", mode: 0o755)
        defer { withExtendedLifetime(directory) {} }
        let script = """
            PATH=\(directory.path):$PATH "$1" --network pasta \(options) -- echo ran & run=$!
            until [ -e \(directory.path)/started ]; do sleep 0.01; done
            \(rest)
            wait $run
            """
        return try run(["bash", "-c", script, "bash", bench.nsrun])
    }

    @Test func itsTimeIsThatOfTheRun() throws {
        let seen = try waiting("--timeout 0.5", "")
        expect(seen, exits: 124)
    }

    @Test(arguments: [("TERM", 143), ("HUP", 129), ("KILL", 137)])
    func aSignalEndsTheWaiting(signal: String, status: Int32) throws {
        let seen = try waiting("", "kill -\(signal) $run")
        #expect(seen.status == status, "\(seen)")
        #expect(seen.output == "")
    }

    // MARK: Little memory

    @Test(arguments: [
        ("-v 6600", "an address space of 6600 KiB is too small", "--rlimit as="),
        ("-s 64", "a stack of 64 KiB is too small", "--rlimit stack="),
    ])
    func tooLittleMemoryIsNamed(limit: String, cause: String, remedy: String) throws {
        let bench = try Bench.current()
        let seen = try run(["sh", "-c", "ulimit \(limit) && exec \(bench.nsrun) true"])
        expect(seen, refuses: "cannot start: \(cause)", remedy: remedy)
    }
}
