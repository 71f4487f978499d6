// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--device`: specifications of the tests' own, over devices that every host has.
@Suite struct DeviceTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory(in: NSHomeDirectory()) }

    /// A device `vendor.com/class=x`, and the options that ask for it.
    private func device(_ edits: String) throws -> [String] {
        try folder.write(
            """
            cdiVersion: 0.6.0
            kind: vendor.com/class
            devices:
            - name: x
              containerEdits: {\(edits)}
            """, to: "cdi/vendor.yaml")
        return ["--cdi-spec-dir", folder / "cdi", "--device", "vendor.com/class=x"]
    }

    private func ordinary() throws -> [String] {
        try folder.write("hello", to: "data/file")
        return try device(
            "env: [VENDOR=1, PATHS=/v], deviceNodes: [{path: /dev/vendor/0, hostPath: /dev/zero, "
                + "type: c, major: 1, minor: 5, permissions: rw}], mounts: ["
                + "{hostPath: \(folder.path)/data, containerPath: /opt/vendor, options: [ro, rbind]}, "
                + "{hostPath: \(folder.path)/data/file, containerPath: /usr/lib/vendor-file}]")
    }

    private static let look = """
        head -c 3 /dev/vendor/0 | od -An -tx1; cat /opt/vendor/file /usr/lib/vendor-file; echo
        echo $VENDOR $PATHS; echo x 2>&- >/opt/vendor/new || echo read-only
        """
    private static let seen = " 00 00 00\nhellohello\n1 /v\nread-only"

    // MARK: What the command sees

    @Test(arguments: MountPath.allCases) func inARoot(path: MountPath) throws {
        expect(try inRoot(Self.look, try ordinary() + path.options), prints: Self.seen)
    }

    @Test(arguments: MountPath.allCases) func onTheHost(path: MountPath) throws {
        let before = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib")
        expect(try onHost(Self.look, try ordinary() + path.options), prints: Self.seen)
        #expect(try FileManager.default.contentsOfDirectory(atPath: "/usr/lib") == before)
    }

    @Test(arguments: [
        ["--preset", "hpc"], ["--ephemeral"], ["--fake-root"], ["--share-pid"],
        ["--tmpfs", "/opt"], ["--clearenv"],
    ])
    func besideOtherOptions(options: [String]) throws {
        expect(try inRoot(Self.look, options + (try ordinary())), prints: Self.seen)
    }

    @Test func joined() throws {
        let group = Group()
        let options = try ordinary()
        let first = try group.member("read -r _ || :", options)
        _ = first.line()
        expect(try group.runs(Self.look, options), prints: Self.seen)
        first.hangUp()
        #expect(first.child.wait() == 0)
        #expect(try group.isGone())
    }

    @Test func whatTheUserSetsCounts() throws {
        let options = try ordinary() + ["--setenv", "VENDOR", "mine", "--unsetenv", "PATHS"]
        expect(try inRoot("echo $VENDOR-$PATHS-", options), prints: "mine--")
    }

    @Test func mountsAreNosuidAndWithoutProgramsWhereAsked() throws {
        try folder.write("#!/bin/sh\necho runs\n", to: "bin/run", mode: 0o755)
        let mount = "hostPath: \(folder.path)/bin, containerPath: /opt/bin"
        expect(try inRoot("/opt/bin/run", try device("mounts: [{\(mount)}]")), prints: "runs")
        for path in MountPath.allCases {
            let options = try device("mounts: [{\(mount), options: [noexec]}]") + path.options
            expect(
                try inRoot(
                    "/opt/bin/run 2>&- || grep -c '/opt/bin.*nosuid.*noexec' /proc/mounts", options),
                prints: "1")
        }
    }

    @Test func unknownDevices() throws {
        let options = try ordinary()
        expect(
            try inRoot("true", options + ["--device", "vendor.com/class=y"]),
            refuses: "cannot give the device vendor.com/class=y: no specification in "
                + "\(folder / "cdi") has it", remedy: "vendor.com/class=x")
        let seen = try inRoot("true", ["--device", "vendor.com/nosuch=y"])
        #expect(seen.status == 125)
        #expect(
            seen.error.hasPrefix(
                "nsrun: cannot give the device vendor.com/nosuch=y: no specification in /etc/cdi and "
                    + "/var/run/cdi has it\n  "), "\(seen)")
        expect(
            try inRoot("true", ["--device", "/dev/fuse"]),
            refuses: "cannot give the device /dev/fuse: that is no name of a device",
            remedy: "--dev-bind")
    }

    @Test func othersHooksAreRefused() throws {
        let options = try device(
            "hooks: [{hookName: createRuntime, path: /opt/v/setup, args: [setup, now]}]")
        expect(
            try inRoot("true", options),
            refuses: "cannot give the device vendor.com/class=x: \(folder / "cdi/vendor.yaml"), "
                + "line 5: the hook setup now is not done", remedy: "--cdi-spec-dir")
    }

    @Test func whatIsNotDoneIsTold() throws {
        let options = try device(
            "deviceNodes: [{path: /dev/zero, fileMode: 0600}], hooks: [{hookName: x, path: "
                + "/bin/nvidia-cdi-hook, args: [nvidia-cdi-hook, disable-device-node-modification]}]"
        )
        let note = "the mode 0600 of /dev/zero: the host's node is shown with its own"
        let hook =
            "the hook nvidia-cdi-hook disable-device-node-modification: no device node can be"
        let seen = try inRoot("true", options + ["--verbose"])
        #expect(seen.error.contains("left out " + note), "\(seen)")
        let plan = try inRoot("true", options + ["--explain"])
        #expect(plan.output.contains(note) && plan.output.contains(hook), "\(plan)")
        #expect(plan.output.contains("bind-mount /dev/zero onto /dev/zero (devices)  [--device]"))
        expect(try inRoot("true", options), prints: "")
    }

    // MARK: Libraries

    private static let hook =
        "hooks: [{hookName: createContainer, path: /usr/bin/nvidia-ctk, args: [nvidia-ctk, hook, "
        + "update-ldcache, --folder, /opt/driver]}, {hookName: createContainer, path: "
        + "/usr/bin/nvidia-ctk, args: [nvidia-ctk, hook, create-symlinks, --link, "
        + "libcuda.so.1::/opt/driver/libcuda.so]}]"

    @Test(arguments: MountPath.allCases) func theLinkerFindsLibraries(path: MountPath) throws {
        let driver = try FakeDriver(in: folder)
        let options = try device(
            "mounts: [{hostPath: \(driver.library("libcuda")), "
                + "containerPath: /opt/driver/libcuda.so.999.12.34, options: [ro]}], " + Self.hook)
        let seen = try inRoot(
            "/sbin/ldconfig -p | grep libcuda; /sbin/ldconfig -p | grep -c ' libc.so.6\\|libm.so.6';"
                + " readlink /opt/driver/libcuda.so.1 /opt/driver/libcuda.so; /run/program",
            options + path.options + ["--ro-bind", try driver.program(), "/run/program"])
        expect(
            seen,
            prints: """
                \tlibcuda.so.1 (\(FakeDriver.kind)) => /opt/driver/libcuda.so.1
                1
                libcuda.so.999.12.34
                libcuda.so.1
                42
                """)
    }

    /// In the form that nvidia-ctk 1.17 writes, with each of its hooks.
    @Test func aSpecificationOfTheNVIDIAToolkit() throws {
        let driver = try FakeDriver(in: folder)
        func hook(_ words: String) -> String {
            """
              - args: [nvidia-cdi-hook, \(words)]
                env: [NVIDIA_CTK_DEBUG=false]
                hookName: createContainer
                path: /usr/bin/nvidia-cdi-hook

            """
        }
        try folder.write(
            """
            ---
            cdiVersion: 0.5.0
            containerEdits:
              deviceNodes:
              - path: /dev/nvidiactl
                hostPath: \(driver.path)/dev/nvidiactl
              env:
              - NVIDIA_VISIBLE_DEVICES=void
              hooks:
            \(hook("create-symlinks, --link, libcuda.so.1::/usr/lib/driver/libcuda.so"))\
            \(hook("enable-cuda-compat, --host-driver-version=999.12.34"))\
            \(hook("update-ldcache, --folder, /usr/lib/driver"))\
            \(hook("disable-device-node-modification"))\
              mounts:
              - containerPath: /usr/lib/driver/libcuda.so.999.12.34
                hostPath: \(driver.library("libcuda"))
                options:
                - ro
                - nosuid
                - nodev
                - rbind
                - rprivate
            devices:
            - containerEdits:
                deviceNodes:
                - hostPath: \(driver.path)/dev/nvidia0
                  path: /dev/nvidia0
                hooks:
                - args: [nvidia-cdi-hook, chmod, --mode, "755", --path, /dev/dri]
                  hookName: createContainer
                  path: /usr/bin/nvidia-cdi-hook
              name: "0"
            kind: nvidia.com/gpu
            """, to: "toolkit/nvidia.yaml")
        let seen = try inRoot(
            "/run/program; ls /usr/lib/driver; ls /dev/nvidia*; echo $NVIDIA_VISIBLE_DEVICES",
            [
                "--cdi-spec-dir", folder / "toolkit", "--device", "nvidia.com/gpu=0", "--ro-bind",
                try driver.program(), "/run/program",
            ])
        expect(
            seen,
            prints: """
                42
                libcuda.so
                libcuda.so.1
                libcuda.so.999.12.34
                /dev/nvidia0
                /dev/nvidiactl
                void
                """)
    }

    /// A root's own driver gives way, and what its cache had stays.
    @Test func theRootsCacheIsKept() throws {
        let driver = try FakeDriver(in: folder)
        let options = try device(
            "mounts: [{hostPath: \(driver.library("libcuda")), "
                + "containerPath: /opt/driver/libcuda.so.1}], " + Self.hook)
        let names = "/sbin/ldconfig -p | tail -n +2 | grep -v libcuda"
        let before = try inRoot(names)
        #expect(before.lines.count > 10)
        expect(try inRoot(names, options), prints: before.output)
    }

    /// Whatever the root's cache is, the launch does not suffer, and the library is there.
    @Test(arguments: [
        "rm $C", ": >$C", "head -c 40 $C >c", "head -c 1000 $C >c", "yes | head -c 100000 >c",
        "(printf 'glibc-ld.so.cache1.1'; head -c 200 /dev/zero | tr '\\0' '\\377') >c",
        "(printf 'ld.so-1.7.0'; head -c 200 /dev/zero | tr '\\0' '\\377') >c",
        "rm $C; mkdir $C", "rm $C; ln -s /dev/zero $C", "rm $C; mkfifo $C",
    ])
    func damagedCaches(damage: String) throws {
        let driver = try FakeDriver(in: folder)
        let root = try BareRoot(with: ["cat"])
        let prepared = try run(
            [
                "sh", "-c",
                "mkdir etc; C=etc/ld.so.cache; cp /etc/ld.so.cache $C; \(damage); [ ! -e c ] || mv c $C",
            ],
            directory: root.path)
        #expect(prepared.status == 0, "\(prepared)")
        let options = try device(
            "mounts: [{hostPath: \(driver.library("libcuda")), "
                + "containerPath: /opt/driver/libcuda.so.1}], " + Self.hook)
        let seen = try inRoot(
            "/run/program", options + ["--ro-bind", try driver.program(), "/run/program"],
            root: root.path)
        if damage.contains("mkdir") {
            #expect(seen.status == 125 && seen.error.contains("/etc/ld.so.cache is a directory"))
        } else if damage.contains("mkfifo") || damage.contains("ln -s") {
            #expect(seen.status == 0 && seen.output == "42", "\(seen)")
        } else {
            expect(seen, prints: "42")
        }
    }
}
