// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `--nvidia`, with a driver that the tests make: libraries that the linker finds, nodes that lead to `/dev/zero`.
@Suite struct NVIDIATests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory(in: NSHomeDirectory()) }

    @Test(arguments: MountPath.allCases) func theDriverIsThere(path: MountPath) throws {
        let driver = try FakeDriver(in: folder)
        let seen = try inRoot(
            """
            /run/program; nvidia-smi; head -c 2 /dev/nvidia0 | od -An -tx1
            ls /dev/nvidia* -d; ls /dev/nvidia-caps; ls /usr/lib/nsrun-nvidia
            /sbin/ldconfig -p | grep nsrun-nvidia | sort
            """,
            driver.options + path.options
                + ["--ro-bind", try driver.program(), "/run/program"])
        let places = ["libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"].map {
            "\t\($0).so.1 (\(FakeDriver.kind)) => /usr/lib/nsrun-nvidia/\($0).so.1"
        }
        expect(
            seen,
            prints: """
                42
                NVIDIA-SMI 999.12.34
                 00 00
                /dev/nvidia-caps
                /dev/nvidia-uvm
                /dev/nvidia0
                /dev/nvidiactl
                nvidia-cap1
                libcuda.so
                libcuda.so.1
                libnvidia-ml.so.1
                libnvidia-ptxjitcompiler.so.1
                \(places.joined(separator: "\n"))
                """)
    }

    @Test(arguments: [
        ["--preset", "hpc"], ["--ephemeral"], ["--preset", "hpc", "--join", "auto"],
    ])
    func besideOtherOptions(options: [String]) throws {
        let driver = try FakeDriver(in: folder)
        let seen = try inRoot(
            "/run/program",
            driver.options + options
                + ["--ro-bind", try driver.program(), "/run/program"])
        expect(seen, prints: "42")
    }

    /// What a squashfs holds is seen only once it is mounted.
    @Test func inAnImage() throws {
        let root = try BareRoot()
        let image = folder / "root.squashfs"
        let made = try run(["mksquashfs", root.path, image, "-all-root", "-quiet", "-no-progress"])
        #expect(made.status == 0, "\(made)")
        var driver = try FakeDriver(in: folder)
        let program = ["--ro-bind", try driver.program(), "/run/program"]
        expect(
            try inRoot("exec /run/program", driver.options + program, root: image), prints: "42")
        driver = try FakeDriver(in: folder, glibc: "9.99")
        let seen = try inRoot("true", driver.options, root: image)
        #expect(seen.error.contains("needs glibc 9.99, and the rootfs has 2."), "\(seen)")
    }

    /// What is not there is said where one asks.
    @Test func whatIsMissingIsTold() throws {
        let driver = try FakeDriver(in: folder)
        try FileManager.default.removeItem(atPath: "\(driver.path)/usr/bin/nvidia-smi")
        try FileManager.default.removeItem(atPath: "\(driver.path)/dev/nvidia-uvm")
        let plan = try inRoot("true", driver.options + ["--explain"])
        #expect(plan.output.contains("/usr/bin/nvidia-smi: there is none on this host"), "\(plan)")
        #expect(plan.output.contains("/dev/nvidia-uvm: there is none on this host"), "\(plan)")
        #expect(plan.output.contains("[--nvidia]"), "\(plan)")
        let seen = try inRoot("true", driver.options + ["--verbose"])
        #expect(seen.error.contains("left out /usr/bin/nvidia-smi"), "\(seen)")
    }

    // MARK: Refusals

    /// This machine has no such GPU, or its driver is whole.
    @Test func noModule() throws {
        let driver = try FakeDriver(in: folder)
        try FileManager.default.removeItem(atPath: "\(driver.path)/proc")
        expect(
            try inRoot("true", driver.options),
            refuses: "cannot show the NVIDIA driver: its kernel module is not loaded",
            remedy: "modprobe nvidia")
    }

    @Test func noNodes() throws {
        let driver = try FakeDriver(in: folder)
        try FileManager.default.removeItem(atPath: "\(driver.path)/dev")
        expect(
            try inRoot("true", driver.options),
            refuses: "cannot show the NVIDIA driver: there is no /dev/nvidiactl",
            remedy: "nvidia-modprobe")
    }

    @Test func librariesOfAnotherVersion() throws {
        let driver = try FakeDriver(in: folder)
        try folder.write(
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  998.0  x\n",
            to: "driver/proc/driver/nvidia/version")
        let seen = try inRoot("true", driver.options)
        let home = try #require(URL(filePath: driver.path).resolvingSymlinksInPath().path)
        #expect(seen.status == 125, "\(seen)")
        #expect(
            seen.error.hasPrefix("nsrun: cannot show the NVIDIA driver: \(home)/usr/lib/lib"),
            "\(seen)")
        #expect(
            seen.error.contains(
                ".so.999.12.34 is not of the version 998.0, which its kernel module has"),
            "\(seen)")
    }

    @Test func noLibraries() throws {
        let driver = try FakeDriver(in: folder)
        try FileManager.default.removeItem(atPath: driver.library("libcuda"))
        expect(
            try inRoot("true", driver.options),
            refuses:
                "cannot show the NVIDIA driver: this host's linker cache has no libcuda.so.1 of "
                + "the version 999.12.34, which its kernel module has", remedy: "ldconfig")
    }

    @Test(arguments: MountPath.allCases) func aRootWithAnOlderCLibrary(path: MountPath) throws {
        let driver = try FakeDriver(in: folder, glibc: "9.99")
        let seen = try inRoot("true", driver.options + path.options)
        let start =
            "nsrun: cannot show the NVIDIA driver: libnvidia-ml.so.1 of this host needs glibc 9.99, "
            + "and the rootfs has 2."
        #expect(seen.status == 125 && seen.error.hasPrefix(start), "\(seen)")
        #expect(seen.error.hasSuffix("\n  take a rootfs of a newer release"), "\(seen)")
    }

    @Test func aRootWithoutGlibc() throws {
        let driver = try FakeDriver(in: folder, glibc: "2.2")
        let root = try TemporaryDirectory()
        try root.makeDirectory("bin")
        expect(
            try inRoot("true", driver.options, root: root.path),
            refuses: "cannot show the NVIDIA driver: the rootfs has no GNU C library",
            remedy: "Debian")
    }
}
