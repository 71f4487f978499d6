// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension ForeignTests {
    /// What a run registers, where, and for how long; and when it registers nothing.
    @Suite struct RecordTests {
        private static let table = "/proc/sys/fs/binfmt_misc"

        /// What this process sees of the host's table: names and what each says.
        private func hostTable() throws -> Outcome {
            try run(["sh", "-c", "cd \(Self.table) && ls -l && for f in *; do cat $f; done 2>&1"])
        }

        // MARK: Every architecture

        /// As QEMU names them: class, byte order and machine, elf(5).
        static let architectures: [(name: String, bits: Int, little: Bool, machine: String)] = [
            ("aarch64", 64, true, "b7"), ("aarch64_be", 64, false, "b7"),
            ("alpha", 64, true, "9026"),
            ("arm", 32, true, "28"), ("armeb", 32, false, "28"), ("hexagon", 32, true, "a4"),
            ("hppa", 32, false, "0f"), ("loongarch64", 64, true, "0102"), ("m68k", 32, false, "04"),
            ("microblaze", 32, false, "bd"), ("microblazeel", 32, true, "bd"),
            ("mips", 32, false, "08"), ("mips64", 64, false, "08"), ("mips64el", 64, true, "08"),
            ("mipsel", 32, true, "08"), ("mipsn32", 32, false, "08"), ("mipsn32el", 32, true, "08"),
            ("or1k", 32, false, "5c"), ("ppc", 32, false, "14"), ("ppc64", 64, false, "15"),
            ("ppc64le", 64, true, "15"), ("riscv32", 32, true, "f3"), ("riscv64", 64, true, "f3"),
            ("s390x", 64, false, "16"), ("sh4", 32, true, "2a"), ("sh4eb", 32, false, "2a"),
            ("sparc", 32, false, "02"), ("sparc32plus", 32, false, "12"),
            ("sparc64", 64, false, "2b"), ("xtensa", 32, true, "5e"), ("xtensaeb", 32, false, "5e"),
        ]

        private func record(_ name: String, on host: CleanHost) throws -> Record {
            let seen = try host.nsrun(["--arch", name, "--", "cat", Record.path(name)])
            #expect(seen.status == 0 && seen.lines.first == "enabled", "\(name): \(seen)")
            return Record(seen)
        }

        /// Read back from the kernel: what QEMU's own files say where there are such, and the same without.
        @Test(arguments: architectures)
        func theRecordIsQEMUsOwn(
            name: String, bits: Int, little: Bool, machine: String
        ) throws {
            let own = try record(name, on: .withoutFiles)
            #expect(own.interpreter == "/usr/bin/qemu-\(name)-static")
            #expect(Set(own.flags) == ["P", "F"])
            let wide = String(repeating: "0", count: 4 - machine.count) + machine
            let number = little ? String(wide.suffix(2) + wide.prefix(2)) : wide
            let head = "7f454c460\(bits / 32)0\(little ? 1 : 2)01"
            let zeros = String(repeating: "0", count: 18)
            #expect(own.magic.hasPrefix(head + zeros + (little ? "0200" : "0002") + number))
            // Any ABI and any version of it is the one that there is, and so is any kind of program.
            let exact = "ffffffffffffff0000ffffffffffffff"
            #expect(own.mask.hasPrefix(exact + (little ? "feffffff" : "fffeffff")))

            // QEMU's file is for the number that was used before one was given out.
            guard name != "microblaze", let file = Record(packaged: name) else { return }
            #expect(file.isMet(by: own))
            let configured = try record(name, on: CleanHost())
            #expect(configured.magic == file.magic)
            #expect(configured.mask == file.mask)
            #expect(configured.interpreter == file.interpreter)
            #expect(Set(configured.flags) == Set(file.flags + "F"))
        }

        /// None is lost for another's sake.
        @Test(arguments: [CleanHost(), .withoutFiles])
        func allOfThemAtOnce(host: CleanHost) throws {
            let names = Self.architectures.map(\.name)
            let seen = try host.nsrun(
                names.flatMap { ["--arch", $0] } + ["--", "sh", "-c", "ls \(Self.table)"])
            let wanted = names.map { "qemu-\($0)" } + ["register", "status"]
            #expect(seen.status == 0 && Set(seen.lines) == Set(wanted), "\(seen)")
        }

        @Test(arguments: [
            ("armhf", "arm"), ("armel", "arm"), ("armv7l", "arm"), ("arm64", "aarch64"),
            ("ppc64el", "ppc64le"), ("loong64", "loongarch64"), ("parisc", "hppa"),
        ])
        func debiansNamesAndUnamesServe(name: String, record: String) throws {
            let seen = try CleanHost().nsrun(["--arch", name, "--", "ls", Self.table])
            expect(seen, prints: "qemu-\(record)\nregister\nstatus")
        }

        /// On a machine that runs its programs itself, an emulator that is named is still used.
        @Test func anEmulatorForWhatRunsAnyway() throws {
            let options = ["--emulator", "i386=/usr/bin/qemu-i386-static"]
            let script = "uname -m; cat \(Record.path("i386"))"
            let seen = try CleanHost().inRoot(.i386, script, options)
            #expect(seen.lines.first == "i686", "\(seen)")
            #expect(Record(seen).interpreter == "/usr/bin/qemu-i386-static", "\(seen)")
            #expect(Record(seen).magic == "7f454c46010101000000000000000000" + "02000300")
        }

        // MARK: Where and how long

        /// Records go with the last mount of the table: it stays mounted as long as the run.
        @Test func theTableStaysMounted() throws {
            let seen = try CleanHost().inRoot(.armhf, "cat /proc/self/mounts")
            let mounts = seen.lines.filter { $0.contains("binfmt_misc") }
            let own = "none \(Self.table) binfmt_misc rw,nosuid,nodev,noexec"
            #expect(mounts.contains { $0.hasPrefix(own) }, "\(seen)")
            // Root of the run cannot take it away.
            let program = try ForeignRoot.armhf.path + "/lib/ld-linux-armhf.so.3"
            let script =
                "umount \(Self.table) || umount -l \(Self.table); $0 --version | grep -o 'GLIBC 2.36'"
            let kept = try CleanHost().nsrun([
                "--bind", program, "/tmp/program", "--arch", "armhf", "--uid", "0", "--gid", "0",
                "--", "bash", "-c", script, "/tmp/program",
            ])
            #expect(kept.status == 0 && kept.output == "GLIBC 2.36", "\(kept)")
            #expect(kept.error.contains("umount: "), "\(kept)")
        }

        /// Not even for a moment is the host's table, or another run's, touched.
        @Test func eachRunHasItsOwn() throws {
            let before = (try hostTable(), try HostState.mounts())
            let bench = try Bench.current()
            let outer = ["--bind", try ForeignRoot.folder, try ForeignRoot.folder]
            let wait = ["--", "sh", "-c", "ls \(Self.table); uname -m; read -r line"]
            let talk = try Conversation(
                [bench.nsrun] + outer + ["--", bench.nsrun, "--rootfs", ForeignRoot.armhf.path]
                    + wait)
            for line in ["qemu-arm", "register", "status", "armv7l"] {
                #expect(talk.line() == line)
            }

            let other = try CleanHost().inRoot(.riscv64, "ls \(Self.table); uname -m")
            expect(other, prints: "qemu-riscv64\nregister\nstatus\nriscv64")
            #expect(try hostTable() == before.0)
            #expect(try HostState.mounts() == before.1)

            talk.hangUp()
            #expect(talk.rest() == [])
            #expect(talk.child.wait() == 1)
            #expect(try hostTable() == before.0)
            #expect(try HostState.mounts() == before.1)
        }

        // MARK: Nothing to register

        private func explanation(
            _ words: [String], on host: CleanHost = CleanHost()
        ) throws -> [String] {
            let seen = try host.nsrun(words + ["--explain", "true"])
            #expect(seen.status == 0 && seen.error == "", "\(seen)")
            return seen.lines
        }

        @Test func aNativeRootPaysNothing() throws {
            let bench = try Bench.current()
            let host = CleanHost()
            let machine = try run(["uname", "-m"]).output
            let seen = try host.nsrun(
                ["--rootfs", bench.rootfs, "--", "sh", "-c", "uname -m; ls \(Self.table)"])
            expect(seen, prints: machine)
            let steps = try explanation(["--rootfs", bench.rootfs])
            #expect(!steps.contains { $0.contains("binfmt") || $0.contains("32-bit") })
            #expect(steps.count { $0.contains("user") && $0.contains("namespace") } == 1)
            // Nor where an architecture is asked for that the machine has itself.
            #expect(try explanation(["--rootfs", bench.rootfs, "--arch", "amd64"]) == steps)
        }

        @Test(arguments: MountPath.allCases)
        func thirtyTwoBitsAreNamedSo(path: MountPath) throws {
            let script = "uname -m; sh -c 'uname -m | cat'; ls \(Self.table)"
            let seen = try CleanHost().inRoot(.i386, script, path.options)
            expect(seen, prints: "i686\ni686")
        }

        /// What counts is the root, not the program that is started in it. Here the root is the host's.
        @Test func aProgramOf32BitsAloneIsNot() throws {
            let folder = try ForeignRoot.folder
            let root = try ForeignRoot.i386.path
            let words = ["--library-path", root + "/lib/i386-linux-gnu", root + "/bin/uname", "-m"]
            let seen = try nsrun(
                ["--bind", folder, folder, "--", root + "/lib/ld-linux.so.2"] + words)
            expect(seen, try run(["uname", "-m"]))
        }

        @Test func soTheyAreInTheHostView() throws {
            expect(try nsrun(["--arch", "i386", "--", "uname", "-m"]), prints: "i686")
            expect(try nsrun(["--arch", "i386", "--share-pid", "uname", "-m"]), prints: "i686")
            expect(
                try inRoot(.i386, "uname -m; id -u", ["--fake-root", "--share-pid"]),
                prints: "i686\n0")
            expect(try nsrun(["--", "uname", "-m"]), try run(["uname", "-m"]))
        }

        // MARK: Hosts with records

        /// nsrun on a host that is made by hand, in namespaces: its table has a record for ARM with these
        /// flags, or what its root has made of it. The user is who they were.
        private func onHost(
            flags: String, change: String = ":", _ words: [String]
        ) throws -> Outcome {
            let file = try #require(Record(packaged: "arm"))
            func escaped(_ text: String) -> String {
                text.enumerated().map { $0.offset % 2 == 0 ? "\\x\($0.element)" : "\($0.element)" }
                    .joined()
            }
            let line =
                ":the-hosts:M::\(escaped(file.magic)):\(escaped(file.mask)):"
                + "/usr/bin/qemu-arm-static:\(flags)"
            let script = """
                mount -t binfmt_misc none \(Self.table) && cd \(Self.table) &&
                printf %s '\(line)' >register && { \(change); } && cd / &&
                exec unshare -U --map-user=\(getuid()) --map-group=\(getgid()) "$@"
                """
            return try run(
                ["unshare", "-Urmpf", "--mount-proc", "bash", "-c", script, "bash"]
                    + [Bench.current().nsrun, "--rootfs", ForeignRoot.armhf.path] + words)
        }

        private static let look = ["--", "sh", "-c", "uname -m; ls \(table)"]
        /// Nothing of the run's own.
        private static let kept = "armv7l"
        private static let registered = "armv7l\nqemu-arm\nregister\nstatus"

        /// A table of the run's own would hide it.
        @Test(arguments: ["F", "PF", "OCF"])
        func theHostsRecordIsKept(flags: String) throws {
            expect(try onHost(flags: flags, Self.look), prints: Self.kept)
            let steps = try onHost(flags: flags, ["--explain", "true"])
            #expect(steps.status == 0 && !steps.output.contains("binfmt"), "\(steps)")
            // As on a kernel that knows no other.
            expect(
                try onHost(flags: flags, ["--debug-opt=force-no-own-binfmt"] + Self.look),
                prints: Self.kept)
        }

        @Test func unlessAnotherEmulatorIsNamed() throws {
            let seen = try onHost(flags: "F", ForeignRoot.registering + Self.look)
            expect(seen, prints: Self.registered)
        }

        /// Without F its emulator would be looked for in the root; and one that is disabled does nothing.
        @Test(arguments: [
            ("", ":"), ("OCP", ":"), ("F", "echo 0 >the-hosts"), ("F", "cd / && umount $OLDPWD"),
        ])
        func recordsOfNoUseAreNot(flags: String, change: String) throws {
            expect(try onHost(flags: flags, change: change, Self.look), prints: Self.registered)
        }

        @Test func aTableThatIsSwitchedOff() throws {
            expect(
                try onHost(flags: "F", change: "echo 0 >status", Self.look), prints: Self.registered
            )
        }

        /// The run's own table would hide what the host has: it gets that, too, with the host's emulator.
        @Test func whatTheHostLacksIsRegisteredBesideIt() throws {
            let words = ["--arch", "riscv64", "--", "sh", "-c"]
            let script = "uname -m; ls \(Self.table); cat \(Record.path("arm"))"
            let seen = try onHost(flags: "F", words + [script])
            #expect(
                seen.lines.prefix(5) == [
                    "armv7l", "qemu-arm", "qemu-riscv64", "register", "status",
                ],
                "\(seen)")
            #expect(Record(seen).interpreter == "/usr/bin/qemu-arm-static", "\(seen)")
        }

        /// The same with nsrun as the host.
        @Test func oneRunIsAHostToAnother() throws {
            let host = CleanHost(mounts: ["--arch", "armhf"])
            expect(
                try host.nsrun(["--rootfs", ForeignRoot.armhf.path] + Self.look),
                prints: Self.kept)
            let steps = try explanation(["--rootfs", ForeignRoot.armhf.path], on: host)
            #expect(!steps.contains { $0.contains("binfmt") || $0.contains("qemu") })
            let other = try host.inRoot(.riscv64, "uname -m; ls \(Self.table)")
            expect(other, prints: "riscv64\nqemu-riscv64\nregister\nstatus")
            let hidden = try explanation(["--rootfs", ForeignRoot.armhf.path])
            #expect(hidden.contains { $0.contains("register qemu-arm") })
        }

        // MARK: Kernels without a table for each namespace

        private static let older = ["--debug-opt=force-no-own-binfmt"]

        @Test(arguments: ForeignRoot.emulated)
        func withoutARecordTheErrorSaysWhatWouldHelp(root: ForeignRoot) throws {
            let help = ["Linux 6.7", "qemu-user-static", "administrator"]
            let words = ["--rootfs", try root.path] + Self.older
            expect(
                try CleanHost().nsrun(words + ["/bin/true"]),
                refuses:
                    "cannot run /bin/true: it is built for \(root.machine), and this machine is "
                    + "x86_64", remedy: help[0], help[1], help[2], status: 126)
            expect(
                try CleanHost().nsrun(words + ["--arch", root.rawValue, "true"]),
                refuses:
                    "cannot run programs for \(root): this kernel has no binfmt_misc of a run's "
                    + "own, and the host has no record for them", remedy: help[0], help[1], help[2])
        }

        @Test func whatNeedsNoRecordRuns() throws {
            let bench = try Bench.current()
            expect(try nsrun(["--rootfs", bench.rootfs] + Self.older + ["true"]), exits: 0)
            expect(try inRoot(.i386, "uname -m", Self.older), prints: "i686")
            expect(try nsrun(Self.older + ["--arch", "amd64", "true"]), exits: 0)
        }

        /// In a fresh proc nobody sees the host's table, which holds all the same.
        @Test func recordsThatCannotBeSeenHold() throws {
            let folder = try ForeignRoot.folder
            let again = ["--bind", folder, folder, "--", try Bench.current().nsrun]
            let words = ["--rootfs", try ForeignRoot.armhf.path] + Self.older + ["uname", "-m"]
            let host = CleanHost(mounts: ["--arch", "armhf"])
            expect(try host.nsrun(again + words), prints: "armv7l")
        }

        // MARK: What is shown

        @Test func theRecordIsExplained() throws {
            let steps = try explanation(
                ["--rootfs", ForeignRoot.armhf.path], on: .withoutFiles)
            let step =
                "mount a binfmt_misc of its own on \(Self.table) and register qemu-arm "
                + "(/usr/bin/qemu-arm-static, PF)  [--arch]"
            #expect(steps.contains { $0.hasSuffix("  " + step) }, "\(steps)")
            #expect(
                steps.contains { $0.hasSuffix("/binfmt_misc  private binfmt_misc") }, "\(steps)")
            let words = ["--rootfs", try ForeignRoot.i386.path]
            #expect(
                try explanation(words).contains {
                    $0.hasSuffix("  let uname(2) name the 32-bit architecture")
                })
        }

        @Test func theDoctorLooksForIt() throws {
            let seen = try nsrun(["--doctor"])
            #expect(
                seen.lines.contains("ok      binfmt_misc of a run's own (Linux 6.7)"), "\(seen)")
        }

        @Test func onlyInANamespaceOfTheRunsOwn() throws {
            let root = try ForeignRoot.armhf.path
            let own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)
            defer { close(own) }
            let output = try Scratch.openFile()
            defer { close(output) }
            let child = try Child(
                [Bench.current().nsrun, "--rootfs", root, "--userns", "9"]
                    + ForeignRoot.registering + ["true"],
                descriptors: [1: output, 2: output, 9: own])
            #expect(child.wait() == 125)
            #expect(
                Scratch.content(output) == """
                    nsrun: an emulator can be registered only in a user namespace of the run's own
                      leave out the options that enter or prepare another one
                    """)
        }
    }
}
