// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

extension ImageTests {
    /// The process behind an image: it ends with the run, and is in nobody's way.
    @Suite struct Servers {
        private static let shapes: [[String]] = [[], ["--share-pid"], ["--preset", "hpc"]]
        private static let waiting =
            "echo ready; read -r line; cat /bin/stat >/dev/null && echo $line"

        private func start(_ own: OwnImage, _ shape: [String], _ script: String = waiting) throws
            -> Conversation
        {
            let bench = try Bench.current()
            let words = [bench.nsrun] + shape + ["--rootfs", own.path, "--", "sh", "-c", script]
            let talk = try Conversation(words)
            #expect(talk.line() == "ready")
            return talk
        }

        @Test(arguments: shapes) func itEndsWithTheCommand(shape: [String]) throws {
            let before = try HostState.mounts()
            let own = try OwnImage()
            let talk = try start(own, shape)
            _ = try ImageServer(of: own.path)
            talk.say("done")
            // It holds nothing of the caller's: the end is seen at once.
            #expect(talk.rest() == ["done"])
            #expect(talk.child.wait() == 0)
            #expect(try ImageServer.isGone(from: own.path))
            #expect(try HostState.mounts() == before)
        }

        @Test(arguments: shapes) func itEndsWithAKilledRun(shape: [String]) throws {
            let before = try HostState.mounts()
            let own = try OwnImage()
            let talk = try start(own, shape)
            talk.child.send(SIGKILL)
            #expect(talk.child.wait() == 128 + SIGKILL)
            talk.hangUp()
            #expect(try ImageServer.isGone(from: own.path))
            #expect(try HostState.mounts() == before)
        }

        /// Kill anybody at any moment: nothing stays.
        @Test(arguments: [[], ["--share-pid"]])
        func itEndsWithARunKilledDuringSetUp(shape: [String]) throws {
            let own = try OwnImage()
            let bench = try Bench.current()
            for delay in stride(from: 0, through: 20_000, by: 1_000) {
                let null = open("/dev/null", O_RDWR)
                let child = try Child(
                    [bench.nsrun] + shape + ["--rootfs", own.path, "--", "sh", "-c", "exit 0"],
                    descriptors: [0: null, 1: null, 2: null])
                usleep(UInt32(delay))
                child.send(SIGKILL)
                child.wait()
                close(null)
            }
            #expect(try ImageServer.isGone(from: own.path))
        }

        /// What a command in place leaves behind still has its root.
        @Test func itLastsAsLongAsAnyProcessOfTheRun() throws {
            let own = try OwnImage()
            let script = """
                echo ready
                { read -r line; cat /bin/stat >/dev/null && echo "still there"; } <&3 &
                """
            let input = try Pipe.make()
            let bench = try Bench.current()
            let talk = try Conversation(
                [bench.nsrun, "--share-pid", "--rootfs", own.path, "--", "sh", "-c", script],
                passing: [3: input.read])
            close(input.read)
            #expect(talk.line() == "ready")
            #expect(talk.child.wait() == 0)
            _ = try ImageServer(of: own.path)
            close(input.write)
            #expect(talk.rest() == ["still there"])
            #expect(try ImageServer.isGone(from: own.path))
        }

        @Test(arguments: shapes) func signalsToTheGroupAreForTheCommand(shape: [String]) throws {
            let own = try OwnImage()
            let script = """
                trap 'cat /bin/touch >/dev/null && echo saved; exit 7' TERM USR1
                echo ready
                while :; do sleep 0.01; done
                """
            for signal in [SIGTERM, SIGUSR1] {
                let talk = try start(own, shape, script)
                kill(-talk.child.pid, signal)
                #expect(talk.rest() == ["saved"])
                #expect(talk.child.wait() == 7)
                #expect(try ImageServer.isGone(from: own.path))
            }
        }

        @Test func itIsAliveUntilItIsKilled() throws {
            let own = try OwnImage()
            let talk = try start(own, ["--share-pid"])
            let server = try ImageServer(of: own.path)
            for signal in [SIGTERM, SIGINT, SIGHUP, SIGUSR1] { kill(server.pid, signal) }
            #expect(try server.status("State")?.hasPrefix("Z") == false)
            kill(server.pid, SIGKILL)
            #expect(try ImageServer.isGone(from: own.path))
            // The command finds no files any more, but nothing hangs.
            talk.say("never")
            #expect(talk.rest() == [])
            #expect(talk.child.wait() != 0)
        }

        @Test func itHoldsNothingOfTheCallersAndCanDoLittle() throws {
            let own = try OwnImage()
            let keep = try Scratch.openFile("kept")
            let bench = try Bench.current()
            let talk = try Conversation(
                [
                    bench.nsrun, "--share-pid", "--rootfs", own.path, "--", "sh", "-c",
                    "cat <&9; echo; read -r line",
                ], passing: [9: keep])
            #expect(talk.line() == "kept", "the command gets what the caller gives")
            let server = try ImageServer(of: own.path)
            var held = try server.descriptors()
            #expect(held.removeValue(forKey: "3")?.hasSuffix("/fuse") == true)
            #expect(held.removeValue(forKey: "2")?.hasPrefix("pipe:") == true)
            #expect(
                held == [
                    "0": "/dev/null", "1": "/dev/null", "4": own.path, "5": own.path,
                ])
            #expect(try server.status("NoNewPrivs") == "1")
            #expect(try server.status("Seccomp") == "2")
            #expect(try server.status("SigBlk") == "fffffffffffbfeff", "all but KILL and STOP")
            #expect(
                try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(server.pid)/cwd")
                    == "/")
            let here = try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/ns/mnt")
            #expect(
                try FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/\(server.pid)/ns/mnt") == here, "it keeps no namespace alive")
            // Nobody's child: the command waits for its own alone.
            #expect(try server.status("PPid") != String(talk.child.pid))
            talk.hangUp()
            talk.child.wait()
            close(keep)
        }

        @Test func aCommandInPlaceHasNoChildren() throws {
            let own = try OwnImage()
            let script =
                "cat /proc/self/task/*/children; wait; cat /proc/$$/task/$$/children; echo none"
            let seen = try inRoot(script, ["--share-pid"], root: own.path)
            #expect(seen.status == 0)
            #expect(seen.lines.last?.hasSuffix("none") == true, "\(seen)")
        }

        @Test func aHundredAndTwentyEightAtOnce() throws {
            let own = try OwnImage()
            let bench = try Bench.current()
            let outputs = try (0..<128).map { _ in try Scratch.openFile() }
            let input = open("/dev/null", O_RDONLY)
            let children = try outputs.map { output in
                try Child(
                    [
                        bench.nsrun, "--rootfs", own.path, "--", "sh", "-c",
                        "cat /bin/ls >/dev/null; echo done",
                    ],
                    descriptors: [0: input, 1: output, 2: output])
            }
            for (child, output) in zip(children, outputs) {
                let status = child.wait()
                #expect(
                    status == 0 && Scratch.content(output) == "done", "\(Scratch.content(output))")
                close(output)
            }
            close(input)
            #expect(try ImageServer.isGone(from: own.path))
        }
    }

    /// What is said where it does not work.
    @Suite struct Refusals {
        /// nsrun on a host that differs from this one by some mounts.
        private func elsewhere(_ mounts: [String], _ image: String) throws -> Outcome {
            let bench = try Bench.current()
            let folder = (image as NSString).deletingLastPathComponent
            return try nsrun(
                ["--ro-bind", folder, folder] + mounts + [
                    "--", bench.nsrun, "--rootfs", image, "true",
                ])
        }

        @Test func withoutTheServerItsPackageIsNamed() throws {
            let own = try OwnImage()
            expect(
                try elsewhere(["--ro-bind", "/dev/null", "/usr/bin/squashfuse_ll"], own.path),
                refuses:
                    "cannot use the rootfs \(own.path): squashfuse_ll, which serves it, is not "
                    + "installed", remedy: "install the package squashfuse", "nsrun-rootfs import")
        }

        @Test func withoutTheDeviceTheAdministratorIs() throws {
            let own = try OwnImage()
            expect(
                try elsewhere(["--dev", "/dev"], own.path),
                refuses: "cannot use the rootfs \(own.path): there is no /dev/fuse here",
                remedy: "modprobe fuse", "nsrun-rootfs import")
            try own.folder.write("", to: "closed", mode: 0)
            expect(
                try elsewhere(["--ro-bind", own.folder / "closed", "/dev/fuse"], own.path),
                refuses: "cannot use the rootfs \(own.path): you may not use /dev/fuse",
                remedy: "chmod 666 /dev/fuse", "nsrun-rootfs import")
        }

        @Test(arguments: [[], ["--share-pid"]]) func damageIsNoticed(shape: [String]) throws {
            let own = try OwnImage()
            let size = try run(["stat", "-c", "%s", own.path]).output
            // The table of inodes begins where no file can be named any more.
            let breaking = "dd if=/dev/zero of=own.squashfs bs=1 seek=64 count=16 conv=notrunc"
            #expect(try run(["sh", "-c", breaking], directory: own.folder.path).status == 0)
            #expect(try run(["stat", "-c", "%s", own.path]).output == size)
            let seen = try inRoot("true", shape, root: own.path)
            #expect(seen.status == 125)
            #expect(
                seen.error.hasPrefix(
                    "nsrun: cannot use the rootfs \(own.path): squashfuse_ll does not serve it: "),
                "\(seen)")
            #expect(seen.error.contains("\n  copy or make it again"), "\(seen)")
            #expect(try ImageServer.isGone(from: own.path))
        }

        @Test func aCutFileAndWhatIsNoneAreTold() throws {
            let own = try OwnImage()
            #expect(truncate(own.path, 5000) == 0)
            let cut = try inRoot("true", root: own.path)
            #expect(
                cut.error.hasPrefix(
                    "nsrun: cannot use the rootfs \(own.path): the squashfs is cut short: 5000 bytes of "
                ),
                "\(cut)")
            try own.folder.write("text", to: "text")
            let text = own.folder / "text"
            expect(
                try inRoot("true", root: text),
                refuses: "cannot use the rootfs \(text): it is neither a directory nor a squashfs",
                remedy: "nsrun-rootfs import")
            try own.folder.write("", to: "closed", mode: 0)
            let closed = own.folder / "closed"
            expect(
                try inRoot("true", root: closed),
                refuses: "cannot use the rootfs \(closed): it cannot be read", remedy: "readable")
        }

        @Test func aMissingProgramIsToldAsInADirectory() throws {
            let image = try TestImage.small("lz4")
            let seen = try nsrun(["--rootfs", image, "nosuch"])
            #expect(seen.status == 127)
            #expect(seen.error.hasPrefix("nsrun: cannot run nosuch: not found in the rootfs\n"))
        }

        @Test(arguments: ["fakechroot", "proot"]) func otherEnginesHaveNone(engine: String) throws {
            let image = try TestImage.small("lz4")
            let seen = try nsrun(["--engine", engine, "--rootfs", image, "true"])
            #expect(seen.status == 125)
            #expect(
                seen.error.hasPrefix(
                    "nsrun: the engine \(engine) cannot honour a squashfs file as the rootfs\n"),
                "\(seen)")
        }
    }
}
