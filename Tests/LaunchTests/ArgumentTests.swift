// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// The command line: where options end, argument files, reports.
@Suite struct ArgumentTests {
    @Test func optionsEndAtTheFirstOtherWord() throws {
        let bench = try Bench.current()
        try expect(
            nsrun(["--rootfs", bench.rootfs, "echo", "--uid", "x", "@y", "--"]),
            prints: "--uid x @y --")
        try expect(nsrun(["--rootfs", bench.rootfs, "--", "echo", "--", "-n"]), prints: "-- -n")
    }

    @Test func valuesMayFollowAnEqualsSign() throws {
        let bench = try Bench.current()
        try expect(nsrun(["--rootfs=\(bench.rootfs)", "--chdir=/usr", "pwd"]), prints: "/usr")
    }

    @Test func argumentFilesHoldOneArgumentALine() throws {
        let bench = try Bench.current()
        let files = try TemporaryDirectory()
        try files.write("--setenv\nA\n \"quoted\"  x\n--setenv\nB\n\n", to: "inner")
        try files.write("--rootfs\n\(bench.rootfs)\n@\(files / "inner")\n--\nsh", to: "outer")
        let seen = try nsrun(["@" + files / "outer", "-c", "echo \"$A|$B|$1\"", "sh", "@x"])
        expect(seen, prints: " \"quoted\"  x||@x")
    }

    @Test func argumentFileThatIsMissingIsRefused() throws {
        let seen = try nsrun(["@/no/such/file", "true"])
        #expect(
            seen.status == 125 && seen.error.hasPrefix("nsrun: cannot read @/no/such/file: "),
            "\(seen)")
    }

    @Test func argumentFileThatNamesItselfIsRefused() throws {
        let files = try TemporaryDirectory()
        try files.write("@\(files / "loop")\n", to: "loop")
        let seen = try nsrun(["@" + files / "loop", "true"])
        #expect(seen.status == 125 && seen.error.contains("nested"), "\(seen)")
    }

    @Test func argumentsComeFromADescriptor() throws {
        let bench = try Bench.current()
        let arguments = "--rootfs\0\(bench.rootfs)\0--setenv\0A\0a\nb\0"
        try expect(
            nsrun(
                ["--args", "8", "sh", "-c", "echo \"$A\"; [ -e /proc/self/fd/8 ] || echo closed"],
                descriptors: [8: arguments]),
            prints: "a\nb\nclosed")
    }

    @Test func explainRunsNothing() throws {
        let host = try TemporaryDirectory()
        let seen = try inRoot(": >/mnt/x", ["--bind", host.path, "/mnt", "--explain"])
        #expect(seen.status == 0 && seen.error == "", "\(seen)")
        #expect(seen.output.contains("bind-mount \(host.path) onto /mnt"), "\(seen)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: host.path) == [])
    }

    @Test func explainSpeaksJSON() throws {
        let odd = "/a \"b\\c\u{1}é"
        let seen = try inRoot("true", ["--bind-try", odd, "/mnt", "--explain=json"])
        let value = try JSONSerialization.jsonObject(with: Data(seen.output.utf8))
        #expect(value is [String: Any], "\(seen)")
    }

    @Test func verboseTellsEachStepAndItsTime() throws {
        let seen = try inRoot("echo x", ["--verbose"])
        #expect(seen.status == 0 && seen.output == "x", "\(seen)")
        let told = seen.error.split(separator: "\n")
        #expect(
            told.count > 10 && told.allSatisfy { $0.hasPrefix("nsrun: ") && $0.contains("µs") },
            "\(seen)")
    }

    @Test func helpNamesEveryOption() throws {
        let seen = try nsrun(["--help"])
        #expect(seen.status == 0 && seen.error == "")
        for option in [
            "--rootfs", "--ephemeral", "--ro-bind-data", "--unshare-cgroup-try", "--kill-after",
        ] {
            #expect(seen.output.contains(option))
        }
    }

    @Test func versionIsOneLine() throws {
        let seen = try nsrun(["--version"])
        #expect(
            seen.status == 0 && seen.lines.count == 1 && seen.output.hasPrefix("nsrun "), "\(seen)")
    }

    @Test func presetsAreTheViews() throws {
        let bench = try Bench.current()
        try expect(nsrun(["--preset", "host", "sh", "-c", "echo $$; ls -A /tmp"]), prints: "2")
        try expect(
            nsrun(["--preset", "rootfs", "--rootfs", bench.rootfs, "sh", "-c", "echo $$"]),
            prints: "2")
        let seen = try nsrun(["--preset", "magic", "true"])
        #expect(seen.status == 125 && seen.error.contains("rootfs"), "\(seen)")
    }
}
