// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// What import does not understand it refuses by name, with something that helps; and nothing of it stays.
@Suite struct ImportRefusalTests {
    struct Foreign: CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]

        /// What it is, in the words of the error, and a file that begins with `marks` at those places.
        init(_ name: String, size: Int = 128 << 10, _ marks: [Int: [UInt8]]) {
            testDescription = name
            var bytes = [UInt8](repeating: 0, count: size)
            for (offset, mark) in marks {
                bytes.replaceSubrange(offset..<(offset + mark.count), with: mark)
            }
            self.bytes = bytes
        }

        init(_ name: String, _ mark: String, at offset: Int = 0) {
            self.init(name, [offset: Array(mark.utf8)])
        }

        static let all = [
            Foreign("ext4", [1080: [0x53, 0xef]]), Foreign("XFS", "XFSB"),
            Foreign("btrfs", "_BHRfS_M", at: 65600),
            Foreign("EROFS", [1024: [0xe2, 0xe1, 0xf5, 0xe0]]),
            Foreign("F2FS", [1024: [0x10, 0x20, 0xf5, 0xf2]]),
            Foreign("qcow", [0: [0x51, 0x46, 0x49, 0xfb]]), Foreign("VMDK", "KDMV"),
            Foreign("VHDX", "vhdxfile"), Foreign("VDI", [64: [0x7f, 0x10, 0xda, 0xbe]]),
            Foreign("encrypted", [0: Array("LUKS".utf8) + [0xba, 0xbe]]),
            Foreign("partitions", [510: [0x55, 0xaa], 512: Array("EFI PART".utf8)]),
            Foreign("partitions", [510: [0x55, 0xaa]]), Foreign("ISO 9660", "CD001", at: 32769),
            Foreign(
                "SIF",
                [0: Array("#!/usr/bin/env run-singularity\n".utf8), 32: Array("SIF_MAGIC".utf8)]),
            Foreign("zip", "PK\u{3}\u{4}"),
            Foreign("7z", [0: [0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]]),
            Foreign("cpio", "070701000"), Foreign("RPM", [0: [0xed, 0xab, 0xee, 0xdb]]),
            Foreign("Debian package", "!<arch>\ndebian-binary   "),
            Foreign("a program", "\u{7f}ELF"),
            Foreign("a program", "#!/bin/sh\nexec tail\n"), Foreign("a document", #"{"a":1}"#),
            Foreign("nothing that is known", "just a text\n"),
            Foreign("nothing that is known", size: 100, [0: Array("short".utf8)]),
            Foreign("empty", size: 0, [:]), Foreign("nothing in it", size: 1 << 20, [:]),
        ]
    }

    let workspace: Workspace
    let image: SavedImage

    init() throws {
        workspace = try Workspace()
        image = SavedImage(workspace: workspace)
    }

    private func expectRefusal(_ source: String, _ cause: String) throws {
        let before = try workspace.names()
        let error = failure { try workspace.importRoot(source) }
        #expect(error?.cause.contains(cause) == true, "\(error as Any)")
        #expect(error?.remedy != nil, "\(error as Any)")
        #expect(try workspace.names() == before)
    }

    @Test(arguments: Foreign.all) func aFileOfAnotherKind(_ foreign: Foreign) throws {
        let file = try workspace.write("file", foreign.bytes)
        try expectRefusal(file, foreign.testDescription)
    }

    /// As it is often handed out.
    @Test(arguments: Foreign.all) func theSameCompressed(_ foreign: Foreign) throws {
        let packed = try image.packed(foreign.bytes, "gzip", ["-c"])
        try expectRefusal(workspace.write("file.gz", packed), foreign.testDescription)
    }

    @Test func aFileThatIsCompressedTwice() throws {
        let once = try image.packed(tar { $0.file("x") }, "gzip", ["-c"])
        let twice = try image.packed(once, "xz", ["-c"])
        try expectRefusal(workspace.write("x.tar.gz.xz", twice), "compressed twice")
    }

    @Test func rootsWithoutAnything() throws {
        let nothing = "there is nothing in it"
        try expectRefusal(workspace.write("a.tar", tar { _ in }), nothing)
        try expectRefusal(
            workspace.write("a.tar", tar { $0.file(".nsrun/image", "user evil\n") }), nothing)
        try makeDirectories(workspace("empty"))
        try expectRefusal(workspace("empty"), nothing)
        try ExternalTool(name: "mksquashfs", package: "squashfs-tools").run(
            [workspace("empty"), workspace("x.squashfs"), "-quiet", "-no-progress"],
            cannot: "make", "x.squashfs")
        try expectRefusal(workspace("x.squashfs"), nothing)
        var image = image
        image.layers = [tar { _ in }]
        try image.layout([image.described()])
        try expectRefusal(workspace("image"), nothing)
        image.layers = []
        try image.layout([image.described()])
        let error = failure { try workspace.importRoot(workspace("image")) }
        #expect(error?.cause == "its image has no layers")
    }

    /// A second archive behind the first one, say.
    @Test func whatFollowsTheEndOfATar() throws {
        let two = tar { $0.file("a", "1") } + tar { $0.file("b", "2") }
        try expectRefusal(workspace.write("two.tar", two), "something follows the end")
        let packed = try image.packed(two, "zstd", ["-c"])
        try expectRefusal(workspace.write("two.tar.zst", packed), "something follows the end")
        // Zeros are padding, however many there are.
        let padded = tar { $0.file("a", "1") } + [UInt8](repeating: 0, count: 300 << 10)
        try workspace.importRoot(workspace.write("a.tar", padded))
    }

    // MARK: - Images that are not whole

    private func saveDocker() throws {
        let entry = try image.docker(config: "c.json", layers: ["one.tar", "two.tar"])
        try image.write("manifest.json", "[\(entry)]")
    }

    @Test(arguments: ["c.json", "two.tar"]) func aDockerArchiveWithoutAPart(_ part: String) throws {
        try saveDocker()
        unlink(workspace("image/\(part)"))
        try expectRefusal(workspace("image"), "its part \(part) is missing")
        try expectRefusal(image.archive(), "its part \(part) is missing")
    }

    @Test func aLayoutWithoutAPart() throws {
        try image.layout([image.described()])
        let part = "blobs/sha256/" + SavedImage.hex(image.layers[1])
        unlink(workspace("image/\(part)"))
        try expectRefusal(workspace("image"), "its part \(part) is missing")
        unlink(workspace("image/index.json"))
        try expectRefusal(workspace("image"), "its part index.json is missing")
        unlink(workspace("image/oci-layout"))
        try expectRefusal(workspace("image"), "parts of a container image")
        try expectRefusal(image.archive(), "parts of a container image")
    }

    @Test func aLayoutOfTheFuture() throws {
        try image.layout([image.described()])
        try image.write("oci-layout", #"{"imageLayoutVersion":"2.0.0"}"#)
        let error = failure { try workspace.importRoot(workspace("image")) }
        #expect(error?.cause.contains("version 2.0.0") == true)
    }

    @Test(arguments: [#"{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:0"}]}"#])
    func docker1Manifests(_ manifest: String) throws {
        try image.write("version", "Directory Transport Version: 1.1\n")
        try image.write("manifest.json", manifest)
        try expectRefusal(workspace("image"), "schema 1")
    }

    @Test func encryptedLayers() throws {
        let type = SavedImage.layerType + "+gzip+encrypted"
        try image.layout([
            image.blob(image.manifest(layerType: type), SavedImage.manifestType)
        ])
        try expectRefusal(workspace("image"), "encrypted")
    }

    @Test(arguments: [
        ("/srv/somewhere", "whose root is elsewhere"), ("rootfs", "without its root, rootfs"),
        ("../../outside", ".."),
    ])
    func aBundleWithoutItsRoot(_ path: String, _ cause: String) throws {
        try workspace.write("outside/etc/x", "x")
        try image.write("config.json", #"{"ociVersion":"1.0.0","root":{"path":"\#(path)"}}"#)
        try image.write("umoci.json", "{}")
        let error = failure { try workspace.importRoot(workspace("image")) }
        #expect(error?.cause.contains(cause) == true, "\(error as Any)")
        #expect(try workspace.names() == ["image", "outside"])
    }

    /// `tar -cf x.tar root`, where `tar -C root -cf x.tar .` was meant.
    @Test func aRootOneLevelDown() throws {
        for name in ["etc/hosts", "usr/bin/env"] { try image.write("root.d/\(name)", "x") }
        try expectRefusal(workspace("image"), "one level down, in root.d")
        try expectRefusal(image.archive(), "one level down, in root.d")
    }

    /// Of a virtual machine.
    @Test(arguments: ["disk.raw", "box.img", "machine.ovf", "machine.VMDK"])
    func anArchiveOfADisk(_ name: String) throws {
        try image.write(name, "x")
        try image.write("metadata.json", "{}")
        try expectRefusal(image.archive(), "image of a disk, \(name)")
    }

    @Test(arguments: ["image.tar", "rootfs.tar.xz", "box.squashfs"])
    func anArchiveOfAnArchive(_ name: String) throws {
        try image.write(name, "x")
        try image.write("README", "x")
        try expectRefusal(workspace("image"), "another archive, \(name)")
        try expectRefusal(image.archive(), "another archive, \(name)")
    }

    /// What containerd keeps, say.
    @Test func aStoreOfBlobs() throws {
        _ = try image.described()
        try image.write("ingest/x", "x")
        try expectRefusal(workspace("image"), "parts of a container image")
    }
}
