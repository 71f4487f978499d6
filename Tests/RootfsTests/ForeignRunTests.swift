// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension ForeignTests {
    /// Programs of other architectures run as those of the host's do.
    @Suite struct RunTests {
        // MARK: Programs

        @Test(arguments: ForeignRoot.emulated)
        func theRootIsAllThatIsNeeded(root: ForeignRoot) throws {
            let seen = try nsrun(["--rootfs", root.path, "--", "uname", "-m"])
            expect(seen, prints: root.machine)
        }

        /// Children, pipelines, subshells, programs that start programs, and what runs behind.
        @Test(arguments: ForeignRoot.emulated)
        func soDoesAllThatItStarts(root: ForeignRoot) throws {
            let script = """
                uname -m | cat
                sh -c 'uname -m'
                echo $(uname -m; (uname -m))
                env nice timeout 30 /bin/uname -m
                uname -m >/tmp/out & wait; cat /tmp/out
                """
            let name = root.machine
            expect(
                try inRoot(root, script),
                prints: [name, name, "\(name) \(name)", name, name].joined(separator: "\n"))
        }

        @Test(arguments: ForeignRoot.emulated)
        func scriptsRun(root: ForeignRoot) throws {
            let folder = try TemporaryDirectory()
            let script = try folder.write(
                "#!/bin/sh\necho \"$0:\" \"$@\"; uname -m\n", to: "script", mode: 0o755)
            let options = ["--rootfs", try root.path, "--ro-bind", script, "/tmp/script"]
            let said = "/tmp/script: a b  c\n\(root.machine)"
            expect(try nsrun(options + ["/tmp/script", "a", "b  c"]), prints: said)
            expect(
                try nsrun(options + ["sh", "-c", "cd /tmp; /tmp/script a 'b  c' | cat"]),
                prints: said)
            let byEnv = "printf '#!/usr/bin/env sh\\nuname -m' >/tmp/e; chmod +x /tmp/e; /tmp/e"
            expect(try inRoot(root, byEnv), prints: root.machine)
        }

        /// F: it was opened at registration.
        @Test func noEmulatorIsNeededInside() throws {
            let seen = try CleanHost().inRoot(.armhf, "cat \(Record.path("arm"))")
            let emulator = Record(seen).interpreter
            #expect(access(emulator, X_OK) == 0, "\(seen)")
            expect(try CleanHost().inRoot(.armhf, "test -e \(emulator)"), exits: 1)
        }

        /// P: programs of many names go by it, such as busybox.
        @Test(arguments: ForeignRoot.emulated)
        func argumentsAreKept(root: ForeignRoot) throws {
            let seen = try nsrun(
                ["--rootfs", root.path, "--argv0", "frob", "--", "cat", "--nosuch"])
            #expect(seen.status == 1)
            #expect(
                seen.error.hasPrefix("frob: unrecognized option '--nosuch'\n"), "\(seen)")
            expect(
                try inRoot(root, "printf '<%s>' \"$@\" '' ' a' '*' -x --", []),
                prints: "<>< a><*><-x><-->")
            expect(
                try nsrun(["--rootfs", root.path, "readlink", "/proc/self/exe"]),
                prints: "\(root == .riscv64 ? "/usr" : "")/bin/readlink")
        }

        /// Not a directory beyond bin and lib, and a shell that is an absolute link, as busybox's are.
        @Test func theRootMayBeBare() throws {
            let folder = try TemporaryDirectory()
            let script = """
                set -eu
                mkdir bin lib
                cp "$R"/bin/dash "$R"/bin/uname bin/
                ln -s /bin/dash bin/sh
                cp -L "$R"/lib/ld-linux-armhf.so.3 "$R"/lib/arm-linux-gnueabihf/libc.so.6 lib/
                """
            let made = try run(
                ["sh", "-c", script], environment: ["R": ForeignRoot.armhf.path],
                directory: folder.path)
            expect(made, exits: 0)
            expect(try inRoot("uname -m", root: folder.path), prints: "armv7l")
        }

        // MARK: Ways to run

        @Test(arguments: MountPath.allCases, [.armhf, .riscv64] as [ForeignRoot])
        func everyWayToMount(path: MountPath, root: ForeignRoot) throws {
            let seen = try inRoot(root, "uname -m; id -u | cat", path.options)
            expect(seen, prints: "\(root.machine)\n\(getuid())")
            let inPlace = try inRoot(root, "uname -m", path.options + ["--share-pid"])
            expect(inPlace, prints: root.machine)
        }

        /// The identity is the one asked for, whoever registered the emulator.
        @Test(
            arguments: [
                ([], getuid(), getgid()), (["--uid", "0"], 0, getgid()),
                (["--uid", "0", "--gid", "0"], 0, 0), (["--uid", "5", "--gid", "6"], 5, 6),
                (["--gid", "7"], getuid(), 7), (["--fake-root"], 0, 0),
                (["--map-auto"], getuid(), getgid()), (["--map-auto", "--uid=0", "--gid=0"], 0, 0),
                (["--disable-userns"], getuid(), getgid()), (["--share-pid"], getuid(), getgid()),
                (["--fake-root", "--disable-userns"], 0, 0),
                (["--share-pid", "--fake-root"], 0, 0),
                (["--network", "none"], getuid(), getgid()),
                (["--unshare-all"], getuid(), getgid()),
                (["--uid=0", "--gid=0", "--network=none"], 0, 0),
                (["--as-pid-1"], getuid(), getgid()),
                (["--new-session", "--die-with-parent"], getuid(), getgid()),
                (["--ephemeral"], getuid(), getgid()), (["--writable"], getuid(), getgid()),
                (["--timeout", "20"], getuid(), getgid()), (["--clean-env"], getuid(), getgid()),
                (["--tmpfs", "/proc/sys"], getuid(), getgid()),
            ] as [([String], uid_t, gid_t)])
        func theIdentityIsKept(options: [String], user: uid_t, group: gid_t) throws {
            let seen = try inRoot(.armhf, "uname -m; (id -u; id -g) | cat", options)
            expect(seen, prints: "armv7l\n\(user)\n\(group)")
        }

        /// Name, files, groups and powers are those of a run that needs no emulator.
        @Test(arguments: ForeignRoot.emulated)
        func soIsAllThatBelongsToIt(root: ForeignRoot) throws {
            let folder = try TemporaryDirectory()
            let script = """
                id -un; id -gn; id -G; cd /tmp/x; echo mine >file-$1; stat -c '%u %g' . file-$1
                while read -r key values; do
                    case $key in Cap*|NoNewPrivs*|Groups*) echo $key $values ;; esac
                done </proc/self/status
                """
            let options = ["--bind", folder.path, "/tmp/x", "--", "sh", "-c", script, "sh"]
            let native = try nsrun(["--rootfs", Bench.current().rootfs] + options + ["native"])
            #expect(native.status == 0 && native.lines.count > 10, "\(native)")
            expect(try nsrun(["--rootfs", root.path] + options + ["foreign"]), native)
            let owner = try run(["stat", "-c", "%u %g", folder / "file-foreign"])
            expect(owner, prints: "\(getuid()) \(getgid())")
        }

        @Test func rangesOfIDsAreReal() throws {
            _ = try SubordinateRange.first()
            let seen = try inRoot(
                .armhf, "cd /tmp; touch f; chown 33:44 f; stat -c '%u %g' f",
                ["--map-auto", "--uid", "0", "--gid", "0"])
            expect(seen, prints: "33 44")
        }

        @Test func rootIsFaked() throws {
            let script = "cd /tmp; touch f; chown 33:44 f && mknod n c 1 3 && stat -c '%u %g' f"
            expect(try inRoot(.armhf, script, ["--fake-root"]), prints: "0 0")
        }

        /// Without an id 0 there is nobody who may write records.
        @Test func rangesByHandMustHaveRoot() throws {
            let (users, groups) = (
                try SubordinateRange.first(), try SubordinateRange.first("/etc/subgid")
            )
            let (user, group) = ("--map-users=0:\(users):10", "--map-groups=0:\(groups):10")
            expect(
                try inRoot(.armhf, "id -u; uname -m", [user, group] + ForeignRoot.registering),
                prints: "\(getuid())\narmv7l")
            let rest = "--map-users=5000:\(users):10"
            for options in [[user], [group], [rest], [rest, group]] {
                expect(
                    try inRoot(.armhf, "true", options + ForeignRoot.registering),
                    refuses: "an emulator can be registered only where the ids 0 are mapped",
                    remedy: "to user and group 0")
            }
        }

        /// Also where the mounts were made by somebody else, who registered the emulator.
        @Test(arguments: [["--uid", "0"], ["--uid", "0", "--gid", "0"], ["--cap-add", "ALL"]])
        func powerOverMountsIsKept(options: [String]) throws {
            let words = [
                "--", "sh", "-c", "mount -t tmpfs none /mnt && grep -c ' /mnt ' /proc/mounts",
            ]
            expect(try nsrun(options + words), prints: "1")
            expect(try nsrun(options + ForeignRoot.registering + words), prints: "1")
        }

        @Test func noFurtherUserNamespace() throws {
            let bench = try Bench.current()
            let seen = try nsrun(
                [
                    "--rootfs", ForeignRoot.armhf.path, "--disable-userns", "--ro-bind",
                    bench.nsrun, "/tmp/nsrun", "--", "/tmp/nsrun", "true",
                ])
            #expect(seen.status == 125, "\(seen)")
            let message = "nsrun: cannot create user, mount, pid namespaces: "
            #expect(seen.error.hasPrefix(message), "\(seen)")
        }

        @Test func changesAreKeptInALayer() throws {
            let folder = try TemporaryDirectory()
            let options = ["--overlay-dir", folder / "layer"]
            expect(try inRoot(.armhf, "uname -m >/srv-note", options), exits: 0)
            expect(try inRoot(.armhf, "cat /srv-note", options), prints: "armv7l")
            expect(try inRoot(.armhf, "test -e /srv-note"), exits: 1)
            expect(try inRoot(.armhf, "uname -m >/n; cat /n", ["--ephemeral"]), prints: "armv7l")
        }

        // MARK: How it ends

        @Test(arguments: ForeignRoot.emulated)
        func statusesAreTheCommands(root: ForeignRoot) throws {
            expect(try inRoot(root, "exit 3"), exits: 3)
            expect(try inRoot(root, "kill -TERM $$"), exits: 143)
            expect(try inRoot(root, "sleep 30", ["--timeout", "0.3"]), exits: 124)
            let lost = ["--rootfs", try root.path, "nosuch"]
            expect(
                try nsrun(lost, environment: ["PATH": "/usr/bin:/bin"]),
                refuses: "cannot run nosuch: not found in the rootfs",
                remedy: "looked in /usr/bin:/bin", status: 127)
        }

        @Test func signalsReachTheCommand() throws {
            let script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.1; done"
            let talk = try Conversation(
                [
                    Bench.current().nsrun, "--rootfs", ForeignRoot.armhf.path, "--", "sh", "-c",
                    script,
                ])
            #expect(talk.line() == "ready")
            talk.child.send(SIGTERM)
            #expect(talk.rest() == ["caught"])
            #expect(talk.child.wait() == 5)
        }

        /// A program of yet another architecture is told from one that is broken.
        @Test func aProgramOfAThirdArchitecture() throws {
            let program = try ForeignRoot.riscv64.path + "/usr/bin/true"
            let options = ["--ro-bind", program, "/tmp/other", "--chdir", "/tmp"]
            let bare = try nsrun(
                ["--rootfs", ForeignRoot.armhf.path] + options + ["--", "./other"])
            expect(
                bare,
                refuses: "cannot run ./other: it is built for riscv64, and this machine is x86_64",
                remedy: "--arch riscv64", status: 126)
            // With one for it, it starts, and misses the libraries that this root does not have.
            let seen = try nsrun(
                ["--rootfs", ForeignRoot.armhf.path, "--arch", "riscv64"] + options + ["./other"])
            #expect(seen.error.contains("ld-linux-riscv64-lp64d.so.1"), "\(seen)")
        }

        /// A classic chroot has an emulator of the host's kind in it, and starts that.
        @Test func aNativeProgramStartsForeignOnes() throws {
            let emulator = "/usr/bin/qemu-arm-static"
            let options = ["--ro-bind", emulator, "/tmp/qemu"]
            let words = ["/tmp/qemu", "/bin/sh", "-c", "uname -m; uname -m | cat"]
            let root = try ForeignRoot.armhf.path
            let seen = try nsrun(["--rootfs", root] + options + words)
            expect(seen, prints: "armv7l\narmv7l")

            let copy = try TemporaryDirectory()
            // A proot that runs this root for another test has a directory of its own in it meanwhile.
            let script =
                "tar -C \"$0\" --exclude ./host-rootfs -cf - . | tar -xf - && cp \(emulator) bin/qemu"
            expect(try run(["sh", "-c", script, root], directory: copy.path), exits: 0)
            expect(
                try nsrun(["--rootfs", copy.path, "/bin/qemu"] + words.dropFirst()),
                prints: "armv7l\narmv7l")
        }

        // MARK: With others

        @Test func aHostProgramStartsForeignOnes() throws {
            let root = try ForeignRoot.armhf.path
            let host = try run(["uname", "-m"])
            expect(try nsrun(["--rootfs", root, "--host-exec", "--", "uname", "-m"]), host)
            let children = ["env", "sh", "-c", "uname -m"]
            expect(
                try nsrun(["--rootfs", root, "--host-exec", "--"] + children), prints: "armv7l")
        }

        /// The host's nsrun in the foreign root starts that root again, or another one.
        @Test func nsrunRunsInside() throws {
            let bench = try Bench.current()
            let folder = try ForeignRoot.folder
            let outer = [
                "--rootfs", try ForeignRoot.armhf.path, "--ro-bind", bench.nsrun, "/tmp/nsrun",
                "--ro-bind", folder, folder,
            ]
            let inner = ["--", "sh", "-c", "uname -m | cat"]
            for root in [ForeignRoot.armhf, .riscv64] {
                let seen = try nsrun(
                    outer + [
                        "--arch", "riscv64", "--", "/tmp/nsrun", "--rootfs", root.path,
                    ] + inner)
                expect(seen, prints: root.machine)
            }
        }

        /// Bubblewrap has no view that tells what the root is: there the option says it.
        @Test func underBubblewrapsName() throws {
            let bench = try Bench.current()
            let folder = try TemporaryDirectory()
            try folder.link("bwrap", to: bench.nsrun)
            let start = [folder / "bwrap", "--ro-bind", try ForeignRoot.armhf.path, "/"]
            let proc = ["--proc", "/proc", "--arch", "armhf"]
            for more in [
                [], ["--unshare-all"], ["--unshare-pid"], ["--unshare-user", "--uid", "0"],
            ] {
                let seen = try run(start + more + proc + ["sh", "-c", "uname -m | cat; id -u"])
                expect(seen, prints: "armv7l\n\(more.contains("0") ? 0 : getuid())")
            }
            expect(
                try run(start + ["--unshare-all"] + ForeignRoot.registering + ["true"]),
                Outcome(
                    status: 1, output: "",
                    error: """
                        bwrap: an emulator can be registered only where a proc is mounted
                          mount one on /proc
                        """))
        }

        /// What one sends to a colleague.
        @Test func itIsExportedAndImportedAgain() throws {
            let folder = try TemporaryDirectory()
            let root = ForeignRoot.riscv64
            let file = folder / "root.tar.zst"
            expect(try rootfsTool(["export", "--quiet", root.path, file]), exits: 0)
            expect(try rootfsTool(["import", "--quiet", file, folder / "other"]), exits: 0)
            expect(try inRoot("uname -m | cat", root: folder / "other"), prints: root.machine)
            let shown = try rootfsTool(["show", folder / "other"])
            #expect(shown.lines.contains { $0.hasSuffix("riscv64") }, "\(shown)")
        }
    }
}
