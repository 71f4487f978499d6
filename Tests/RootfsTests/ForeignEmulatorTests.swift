// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension ForeignTests {
    /// Which emulator is taken, and what is said of one that cannot be.
    @Suite struct EmulatorTests {
        private let folder: TemporaryDirectory
        /// Says which emulator runs it.
        private static let script = "uname -m; cat \(Record.path("arm"))"
        /// A host that has none for ARM.
        private var host: CleanHost {
            var host = CleanHost.without(emulator: "arm")
            host.mounts += ["--bind", folder.path, folder.path]
            return host
        }

        init() throws { folder = try TemporaryDirectory() }

        /// Debian's emulator, as if it had been unpacked here.
        private func put(_ name: String, mode: Int = 0o755) throws -> String {
            let file = folder / name
            let files = FileManager.default
            try files.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent,
                withIntermediateDirectories: true)
            try files.copyItem(atPath: "/usr/bin/qemu-arm-static", toPath: file)
            try files.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            return file
        }

        private func expect(
            _ seen: Outcome, runsBy emulator: String,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(seen.status == 0, "\(seen)", sourceLocation: sourceLocation)
            #expect(seen.lines.first == "armv7l", "\(seen)", sourceLocation: sourceLocation)
            let found = Record(seen)
            #expect(found.interpreter == emulator, "\(seen)", sourceLocation: sourceLocation)
            #expect(found.flags.contains("F"), "\(seen)", sourceLocation: sourceLocation)
        }

        private func run(_ emulators: String..., on host: CleanHost? = nil) throws -> Outcome {
            try (host ?? self.host).inRoot(
                .armhf, EmulatorTests.script, emulators.flatMap { ["--emulator", $0] },
                directory: folder.path)
        }

        // MARK: Where it is

        @Test(arguments: [
            "qemu-arm-static", "my qemu", "a:b/qemu", "a:b|c,d;e#f/qemu", #"back\x41slash"#, "ä",
        ])
        func oneThatIsNamed(name: String) throws {
            let emulator = try put(name)
            expect(try run("arm=\(emulator)"), runsBy: emulator)
            expect(try run("armhf=\(name)"), runsBy: name)
            expect(try run("armv7l=./\(name)"), runsBy: "./\(name)")
        }

        @Test func aLinkToOne() throws {
            _ = try put("real/qemu")
            try folder.link("link", to: "real/qemu")
            expect(try run("arm=link"), runsBy: "link")
        }

        /// The last word counts, and one that is named counts more than what is found.
        @Test func theLastOneThatIsNamed() throws {
            let (first, second) = (try put("first"), try put("second"))
            expect(try run("arm=\(first)", "armhf=\(second)"), runsBy: second)
            expect(try run("arm=\(first)", on: CleanHost(mounts: host.mounts)), runsBy: first)
            let options = ["--emulator", "arm=\(first)", "--arch", "armhf"]
            expect(try host.inRoot(.armhf, EmulatorTests.script, options), runsBy: first)
            let early = ["--arch", "armhf"] + options
            expect(try host.inRoot(.armhf, EmulatorTests.script, early), runsBy: first)
        }

        @Test func anotherArchitecturesEmulatorChangesNothing() throws {
            let options = ["--emulator", "arm64=/usr/bin/qemu-aarch64-static"]
            let seen = try CleanHost().inRoot(
                .armhf, "uname -m; ls \(Record.path("arm")) \(Record.path("aarch64"))", options)
            RootfsTests.expect(
                seen, prints: "armv7l\n\(Record.path("aarch64"))\n\(Record.path("arm"))")
        }

        @Test func oneFoundByName() throws {
            let emulator = try put("bin/qemu-arm-static")
            var host = host
            host.environment["PATH"] = "\(folder.path)/bin:/usr/bin:/bin"
            expect(try run(on: host), runsBy: emulator)
        }

        /// Static ones only, by absolute paths only, and what PATH does not say is looked for as well.
        @Test func whatIsPassedOver() throws {
            let emulator = try put("last/qemu-arm")
            try folder.write("#!/bin/sh\n", to: "script/qemu-arm-static", mode: 0o755)
            _ = try put("forbidden/qemu-arm-static", mode: 0o644)
            _ = try put("relative/qemu-arm-static")
            try folder.makeDirectory("directory/qemu-arm-static")
            try folder.makeDirectory("dynamic")
            try FileManager.default.copyItem(
                atPath: "/bin/cat", toPath: folder / "dynamic/qemu-arm-static")
            let names = ["script", "forbidden", "directory", "dynamic", "last"]
            var host = host
            let path = "relative:" + names.map { folder / $0 }.joined(separator: ":")
            host.environment["PATH"] = path + ":/usr/bin:/bin"
            expect(try run(on: host), runsBy: emulator)

            var debian = CleanHost.withoutFiles
            debian.environment["PATH"] = folder / "script"
            let words = ["/bin/sh", "-c", "read -r line <\(Record.path("arm")); echo $line"]
            let found = try debian.nsrun(["--rootfs", ForeignRoot.armhf.path] + words)
            RootfsTests.expect(found, prints: "enabled")
        }

        // MARK: None

        /// The kernel has the last word on what a root needs, but not on what was asked for.
        @Test(arguments: ForeignRoot.emulated)
        func withoutOneTheErrorSaysWhatToDo(root: ForeignRoot) throws {
            let name = root.emulated
            let host = CleanHost.without(emulator: name)
            let words = [
                "install qemu-user-static", "--emulator \(name)=/path/qemu-\(name)-static",
            ]
            RootfsTests.expect(
                try host.nsrun(["--rootfs", root.path, "/bin/true"]),
                refuses:
                    "cannot run /bin/true: it is built for \(root.machine), and this machine is "
                    + "x86_64", remedy: words[0], words[1], status: 126)
            RootfsTests.expect(
                try host.nsrun(["--rootfs", root.path, "--arch", root.rawValue, "true"]),
                refuses: "cannot run programs for \(root): no static QEMU for them was found",
                remedy: words[0], words[1])
        }

        @Test func oneThatIsNotThere() throws {
            for path in ["/nope", "nope/qemu", "qemu-arm-static"] {
                RootfsTests.expect(
                    try run("arm=\(path)"),
                    refuses: "cannot use the emulator \(path) for arm: no such file",
                    remedy: "qemu-user-static")
            }
            try folder.link("dangling", to: "nowhere")
            RootfsTests.expect(
                try run("armhf=dangling"),
                refuses: "cannot use the emulator dangling for armhf: no such file",
                remedy: "qemu-user-static")
        }

        @Test func oneThatMayNotBeExecuted() throws {
            let emulator = try put("qemu", mode: 0o644)
            RootfsTests.expect(
                try run("arm=\(emulator)"),
                refuses: "cannot use the emulator \(emulator) for arm: it is not executable",
                remedy: "execute permission", "noexec")
        }

        @Test func oneThatNeedsLibraries() throws {
            RootfsTests.expect(
                try run("arm=/bin/cat"),
                refuses: "cannot use the emulator /bin/cat for arm: it is linked dynamically",
                remedy: "give a static one", "qemu-user-static")
        }

        @Test func whatIsNoProgram() throws {
            try folder.write("#!/bin/sh\nexec qemu-arm \"$@\"\n", to: "script", mode: 0o755)
            try folder.write("", to: "empty", mode: 0o755)
            try folder.makeDirectory("directory")
            for name in ["script", "empty", "directory"] {
                RootfsTests.expect(
                    try run("arm=\(name)"),
                    refuses: "cannot use the emulator \(name) for arm: it is not a program",
                    remedy: "give a static one")
            }
        }

        @Test func oneWhosePathIsTooLong() throws {
            _ = try put("qemu")
            let path = String(repeating: "./", count: 1000) + "qemu"
            RootfsTests.expect(
                try run("arm=\(path)"),
                refuses: "cannot use the emulator \(path) for arm: its path is too long",
                remedy: "link to it")
            try folder.link("short", to: path)
            expect(try run("arm=short"), runsBy: "short")
        }

        @Test func oneForThisMachine() throws {
            let machine = try RootfsTests.run(["uname", "-m"]).output
            RootfsTests.expect(
                try nsrun(["--emulator", "\(machine)=/usr/bin/qemu-arm-static", "true"]),
                refuses: "cannot emulate \(machine) on \(machine): the emulator would have to run "
                    + "itself", remedy: "leave the emulator out")
        }

        /// What the wrong emulator says is its own.
        @Test func oneForSomethingElse() throws {
            let seen = try run("arm=/usr/bin/qemu-aarch64-static")
            #expect(seen.status != 0)
            #expect(seen.error.contains("Invalid ELF image for this architecture"), "\(seen)")
        }

        @Test func wordsThatAreNone() throws {
            for text in ["arm", "arm=", "=/usr/bin/qemu-arm-static", ""] {
                RootfsTests.expect(
                    try run(text), refuses: "--emulator: \"\(text)\" is not A=PATH",
                    remedy: "arm=/opt/qemu-arm-static")
            }
            for options in [["--arch", "vax"], ["--emulator", "vax=/usr/bin/qemu-arm-static"]] {
                RootfsTests.expect(
                    try nsrun(options + ["true"]), refuses: "unknown architecture \"vax\"",
                    remedy: "armhf")
            }
        }

        // MARK: The administrator's files

        private static let magic =
            #"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00"#
        private static let mask =
            #"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"#

        private func line(_ name: String, _ interpreter: String, flags: String = "F") -> String {
            ":\(name):M::\(EmulatorTests.magic):\(EmulatorTests.mask):\(interpreter):\(flags)"
        }

        private static let debian = "/usr/bin/qemu-arm-static"

        /// A host whose administrator has said this about ARM.
        private func host(_ lines: String...) throws -> CleanHost {
            try folder.write(lines.joined(separator: "\n") + "\n", to: "qemu-arm.conf")
            return .with(files: folder)
        }

        /// Those in /etc come before those of packages, and each lacks F at the most.
        @Test(arguments: [("", "F"), ("P", "PF"), ("F", "F"), ("OCF", "OCF"), ("C", "OCF")])
        func theirRecordServes(flags: String, wanted: String) throws {
            let host = try host(line("mine", EmulatorTests.debian, flags: flags))
            let seen = try host.inRoot(.armhf, "cat \(Record.path("arm"))")
            let found = Record(seen)
            #expect(found.interpreter == EmulatorTests.debian, "\(seen)")
            #expect(Set(found.flags) == Set(wanted), "\(seen)")
        }

        @Test func recordsThatDoNotServeArePassedOver() throws {
            let other = line("other", EmulatorTests.debian).replacing(#"\x28"#, with: #"\x29"#)
            for text in [
                "# nothing", "garbage", ":x:E::txt::/bin/sh:", other, line("lost", "/nope"),
                line("dynamic", "/bin/cat"),
            ] {
                let seen = try host(text).inRoot(.armhf, "uname -m; ls /proc/sys/fs/binfmt_misc")
                RootfsTests.expect(seen, prints: "armv7l\nqemu-arm\nregister\nstatus")
            }
        }

        @Test func theFirstThatServesDoes() throws {
            let own = try put("own")
            var host = try host(
                "# comment", line("lost", "/nope"), line("mine", own),
                line("late", EmulatorTests.debian))
            host.mounts += ["--bind", folder.path, folder.path]
            expect(try host.inRoot(.armhf, EmulatorTests.script), runsBy: own)
        }

        /// Not even one that the kernel would refuse, or that is used for something else already.
        @Test(arguments: ["a/b", "..", "status", "qemu-aarch64"])
        func theirNamesDoNotCount(name: String) throws {
            let host = try host(line(name, EmulatorTests.debian))
            let words = "uname -m; ls /proc/sys/fs/binfmt_misc"
            let seen = try host.inRoot(.armhf, words, ["--arch", "arm64"])
            RootfsTests.expect(seen, prints: "armv7l\nqemu-aarch64\nqemu-arm\nregister\nstatus")
        }

        /// A file system that forbids execution is the cause, not the file's mode.
        @Test func oneWhereNothingMayBeExecuted() throws {
            let script = """
                mount -t tmpfs -o noexec none /mnt && cp \(EmulatorTests.debian) /mnt/qemu &&
                    exec "$0" --emulator arm=/mnt/qemu true
                """
            let seen = try RootfsTests.run(
                ["unshare", "-Urm", "sh", "-c", script, Bench.current().nsrun])
            RootfsTests.expect(
                seen, refuses: "cannot use the emulator /mnt/qemu for arm: it is not executable",
                remedy: "noexec")
        }
    }
}
