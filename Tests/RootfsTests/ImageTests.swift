// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `nsrun --rootfs image.squashfs`: served through FUSE, without privilege.
@Suite(TestImage.Making()) enum ImageTests {}

extension ImageTests {
    /// What the command finds.
    @Suite struct Views {
        static let shapes: [[String]] = [[], ["--share-pid"], ["--as-pid-1"]]

        @Test(arguments: shapes) func itIsARootLikeAnyOther(shape: [String]) throws {
            let script = """
                . /etc/os-release; echo $VERSION_CODENAME; id -u; id -un; stat -c '%U %a' /root /usr
                grep ' / / ' /proc/self/mountinfo | cut -d' ' -f6,8,9
                """
            let image = try TestImage.debian
            let own = try run(["id", "-un"]).output
            expect(
                try inRoot(script, shape, root: image),
                prints: """
                    bookworm
                    \(getuid())
                    \(own)
                    \(own) 700
                    \(own) 755
                    ro,nosuid,nodev,relatime fuse.squashfuse \(image)
                    """)
            #expect(try ImageServer.isGone(from: image))
        }

        @Test(arguments: MountPath.allCases) func byEveryMountCall(path: MountPath) throws {
            let image = try TestImage.small("zstd")
            expect(
                try inRoot(
                    "ls /; (: >/x) 2>&1 | cat >/dev/null; ls /x 2>/dev/null || echo none",
                    path.options, root: image),
                prints: "bin\ndev\netc\nhome\nlib\nlib64\nproc\nrun\nsys\ntmp\nvar\nnone")
            expect(
                try inRoot(
                    "echo new >/x; cat /x /bin/sh >/dev/null; cat /x",
                    path.options + ["--ephemeral"], root: image),
                prints: "new")
        }

        @Test(arguments: TestImage.compressions) func byEveryCompressor(name: String) throws {
            expect(try inRoot("echo $0 from", root: TestImage.small(name)), prints: "sh from")
        }

        /// Without the slash it would be a name in the store, see StoreNameTests.
        @Test func aFileHereIsMeantByItsPath() throws {
            let own = try OwnImage()
            let seen = try nsrun(
                ["--rootfs", "./own.squashfs", "--", "sh", "-c", "echo here"],
                directory: own.folder.path)
            expect(seen, prints: "here")
        }

        /// What lies beside a file may be anybody's.
        @Test func nothingBesideItCounts() throws {
            let own = try OwnImage()
            try own.folder.write(
                "entrypoint /bin/sh\nentrypoint -c\ncmd echo evil\n", to: "own.squashfs.image")
            expect(
                try nsrun(["--rootfs", own.path]), refuses: "there is no command",
                remedy: "name one")
        }

        @Test func theServerIsNotInThePidNamespace() throws {
            let own = try OwnImage()
            let script =
                "for p in /proc/[0-9]*; do cat $p/comm; done; ls -l /proc/self/fd | cat >/dev/null"
            let seen = try inRoot(script, root: own.path)
            #expect(seen.status == 0)
            #expect(!seen.output.contains("squashfuse"), "\(seen)")
        }

        @Test func presetsAndPlacesGoOverIt() throws {
            let folder = try TemporaryDirectory()
            try folder.write("mine\n", to: "file")
            let image = try TestImage.small("lz4")
            expect(
                try inRoot("cat file; touch more", ["--cwd"], root: image, directory: folder.path),
                prints: "mine")
            #expect(try folder.names() == ["file", "more"])
            expect(
                try inRoot(
                    "cat \(folder.path)/file; ls /dev/shm >/dev/null", ["--preset", "hpc"],
                    root: image),
                prints: "mine")
            expect(
                try inRoot("cat /tmp/x", ["--ro-bind", folder / "file", "/tmp/x"], root: image),
                prints: "mine")
        }

        @Test func explainAndTheDoctorNameIt() throws {
            let image = try TestImage.small("lz4")
            let seen = try nsrun(["--rootfs", image, "--explain", "true"])
            #expect(
                seen.output.contains(
                    "mount the squashfs \(image) on / through FUSE, served by /usr/bin/squashfuse_ll  "
                        + "[--rootfs]\n"), "\(seen)")
            #expect(try nsrun(["--doctor"]).lines.contains("ok      squashfs files"))
        }
    }

    /// Whose the files are, and what can be done to them.
    @Suite struct Changes {
        @Test func inMemoryTheyVanish() throws {
            let own = try OwnImage()
            let before = try run(["sha256sum", own.path])
            let script = "touch /new; echo x >>/bin/ls; ls -l /new >/dev/null; stat -c %u /new"
            expect(try inRoot(script, ["--ephemeral"], root: own.path), prints: "\(getuid())")
            expect(try inRoot("ls /new 2>/dev/null", root: own.path), exits: 2)
            expect(try run(["sha256sum", own.path]), before)
        }

        @Test func inADirectoryTheyStay() throws {
            let own = try OwnImage()
            let options = ["--overlay-dir", own.folder / "layer"]
            expect(
                try inRoot("echo kept >/note; cat /bin/ls >/copy", options, root: own.path),
                exits: 0)
            expect(
                try inRoot("cat /note; [ -s /copy ] && echo full", options, root: own.path),
                prints: "kept\nfull")
            expect(try inRoot("ls /note 2>/dev/null", root: own.path), exits: 2)
        }

        @Test func asRootInside() throws {
            let image = try TestImage.debian
            expect(
                try inRoot(
                    "id -u; stat -c %u /etc/passwd; chown 5:5 /etc/passwd; rm /etc/motd; [ ! -e /etc/motd ]",
                    ["--ephemeral", "--fake-root"], root: image),
                prints: "0\n0")
        }

        @Test func withARangeTheIdsAreTheImages() throws {
            _ = try SubordinateRange.first()
            let folder = try TemporaryDirectory()
            let bare = try BareRoot(with: ["stat"])
            try bare.directory.record(".")
            let give = "umask 022; mkdir /tmp/x/etc; : >/tmp/x/etc/hers; chown 5:7 /tmp/x/etc/hers"
            expect(
                try inRoot(
                    give, ["--map-auto", "--uid", "0", "--gid", "0", "--bind", bare.path, "/tmp/x"]),
                exits: 0)
            expect(
                try rootfsTool(["export", "--quiet", bare.path, folder / "x.squashfs"]), exits: 0)
            let show = "stat -c '%u %g' /bin/sh /etc/hers"
            expect(
                try inRoot(show, ["--map-auto"], root: folder / "x.squashfs"), prints: "0 0\n5 7")
            expect(
                try rootfsTool(["remove", bare.path]), exits: 0)
        }

        @Test func writableIsRefused() throws {
            let image = try TestImage.small("lz4")
            expect(
                try inRoot("true", ["--writable"], root: image),
                refuses: "the rootfs \(image) cannot be writable: it is a squashfs",
                remedy: "--ephemeral", "nsrun-rootfs import")
        }
    }
}
