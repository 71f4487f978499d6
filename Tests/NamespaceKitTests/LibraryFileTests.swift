// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// What is read of libraries, and of the NVIDIA driver's places.
@Suite struct LibraryFileTests {
    @Test func aRealLibrary() throws {
        let library = try #require(LibraryFile(path: ByteString(DeviceFinderTests.math)))
        #expect(library.name == "libm.so.6")
        #expect(library.machineName == HostFacts.read(for: LaunchRequest()).machine.text)
        #expect(try #require(library.glibc) >= GlibcVersion(major: 2, minor: 2))
        #if arch(x86_64)
            #expect(library.flags == 0x0303)
        #endif
    }

    @Test func whatIsNone() throws {
        let folder = try Folder()
        try folder.write(Array("text".utf8), to: "text")
        try folder.write(ELFImage().bytes, to: "program")
        for path in [folder["text"], folder["program"], folder["none"], "/dev/zero", "/tmp"] {
            #expect(LibraryFile(path: path) == nil, "\(path.text)")
        }
    }

    /// Every offset may lie: a library cut off anywhere, or with bytes of it overwritten, is read to an end.
    @Test func damagedLibraries() throws {
        let folder = try Folder()
        let whole = Array(try Data(contentsOf: URL(filePath: DeviceFinderTests.math)))
        for length in stride(from: 0, to: 4096, by: 61) {
            try folder.write(Array(whole.prefix(length)), to: "cut")
            _ = LibraryFile(path: folder["cut"])
        }
        for offset in stride(from: 16, to: 1024, by: 20) {
            var bytes = whole
            for index in offset..<offset + 8 { bytes[index] = 0xff }
            try folder.write(bytes, to: "spoilt")
            _ = LibraryFile(path: folder["spoilt"])
        }
    }

    // MARK: The NVIDIA driver

    @Test(
        arguments: [
            (
                "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\nGCC version:",
                "535.104.05"
            ),
            (
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build",
                "560.35.03"
            ),
            ("535.54\n", "535.54"), ("GCC version: gcc version 12.2.0", nil), ("", nil),
        ] as [(String, ByteString?)])
    func moduleVersions(text: String, version: ByteString?) {
        #expect(NVIDIADriver.version(in: Array(text.utf8)) == version)
    }

    @Test(
        arguments: [
            ("libcuda.so.535.104.05", "535.104.05"), ("libnvidia-tls.so.390.157", "390.157"),
            ("libnvidia-egl-wayland.so.1.1.11", nil), ("libcuda.so.1", nil), ("libcuda.so", nil),
        ] as [(ByteString, ByteString?)])
    func versionsOfFiles(name: ByteString, version: ByteString?) {
        #expect(NVIDIADriver.version(ofFile: name) == version)
    }

    @Test func linesOfTheCache() throws {
        let line = try #require(
            NVIDIADriver.cacheLine("\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/a b/libcuda.so.1"))
        #expect(line == ("libcuda.so.1", "/usr/lib/a b/libcuda.so.1"))
        for other: ByteString in [
            "", "\tlibc.so.6 (libc6,x86-64) => /lib/libc.so.6", "libcuda.so.1", "libcuda.so.1 =>",
            "549 libs found in cache `/etc/ld.so.cache'",
            "\tlibcuda.so.1 (libc6) => rel/libcuda.so.1",
        ] {
            #expect(NVIDIADriver.cacheLine(other) == nil, "\(other.text)")
        }
    }

    @Test func namesOfNodes() {
        for name: ByteString in [
            "nvidiactl", "nvidia0", "nvidia15", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset",
            "nvidia-nvswitch0",
        ] {
            #expect(NVIDIADriver.isNode(name), "\(name.text)")
        }
        for name: ByteString in ["nvidia", "nvidia-caps", "nvme0", "null", "nvidia0x"] {
            #expect(!NVIDIADriver.isNode(name), "\(name.text)")
        }
    }
}
