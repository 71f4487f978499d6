// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Builds an OCI layout or a docker archive's directory, a file at a time.
private struct ImageBuilder {
    let workspace: Workspace

    static func digest(_ bytes: [UInt8]) -> String {
        var hash = SHA256()
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    /// Stores a blob and gives a descriptor of it.
    func blob(_ bytes: [UInt8], type: String = "layer") throws -> String {
        let digest = Self.digest(bytes)
        try workspace.write("image/blobs/sha256/\(digest)", bytes)
        return #"{"mediaType":"\#(type)","digest":"sha256:\#(digest)","size":\#(bytes.count)}"#
    }

    static let configuration = """
        {"architecture":"amd64","os":"linux","config":{"Env":["A=1","B=two words"],\
        "WorkingDir":"/srv","Entrypoint":["/bin/sh","-c"],"Cmd":["echo\\nhi"],"User":"nobody:users"},\
        "rootfs":{"type":"layers","diff_ids":[DIFF_IDS]}}
        """

    func manifest(_ layers: [[UInt8]], configuration: String = configuration) throws -> String {
        let configuration = try blob(
            Array(configuration.replacingOccurrences(of: "DIFF_IDS", with: "").utf8))
        let layers = try layers.map { try blob($0) }.joined(separator: ",")
        return #"{"schemaVersion":2,"config":\#(configuration),"layers":[\#(layers)]}"#
    }

    /// A layout with one image that does not name its platform.
    func layout(_ layers: [[UInt8]]) throws -> String {
        let manifest = try blob(Array(try manifest(layers).utf8), type: "manifest.v1")
        return try index([manifest])
    }

    func index(_ manifests: [String]) throws -> String {
        try workspace.write("image/oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        let list = manifests.joined(separator: ",")
        try workspace.write("image/index.json", #"{"schemaVersion":2,"manifests":[\#(list)]}"#)
        return workspace("image")
    }

    /// Packs what has been built.
    func archive() throws -> String {
        let tool = ExternalTool(name: "tar", package: "tar")
        try tool.run(
            ["-C", workspace("image"), "-cf", workspace("image.tar"), "."], cannot: "pack", "image")
        try TreeRemoval.remove(workspace("image"))
        return workspace("image.tar")
    }
}

@Suite struct ContainerImageTests {
    let workspace: Workspace
    private let builder: ImageBuilder

    init() throws {
        workspace = try Workspace()
        builder = ImageBuilder(workspace: workspace)
    }

    private static let base = tar {
        $0.directory("etc")
        $0.file("etc/old", "1")
        $0.file("etc/changed", "1")
        $0.file("dir/a", "1")
        $0.file("dir/deep/b", "1")
        $0.file("opaque/below", "1")
        $0.file("opaque/deep/below", "1")
        $0.file("becomes-dir", "1")
        $0.directory("becomes-file")
        $0.file("becomes-file/x", "1")
        $0.symlink("lib", to: "usr/lib")
        $0.directory("usr/lib")
    }

    private static let change = tar {
        $0.file("etc/.wh.old")
        $0.file("etc/changed", "2")
        $0.file(".wh.dir")
        $0.file("opaque/first", "2")
        $0.file("opaque/.wh..wh..opq")
        $0.file("opaque/deep/second", "2")
        $0.file("becomes-dir/x", "2")
        $0.file("becomes-file", "2")
        $0.file("lib/so", "2")
        $0.file(".wh..wh.plnk")
        $0.file(".wh.never-was")
        $0.file("again", "2")
        $0.file(".wh.again")
    }

    private func expectChangedTree() throws {
        #expect(
            try workspace.names("root") == [
                ".nsrun", "again", "becomes-dir", "becomes-file", "etc", "lib", "opaque", "usr",
            ])
        #expect(try workspace.names("root/etc") == ["changed"])
        #expect(workspace.read("root/etc/changed") == "2")
        #expect(try workspace.names("root/opaque") == ["deep", "first"])
        #expect(try workspace.names("root/opaque/deep") == ["second"])
        #expect(workspace.read("root/becomes-dir/x") == "2")
        #expect(workspace.read("root/becomes-file") == "2")
        #expect(workspace.read("root/usr/lib/so") == "2")
    }

    @Test func layersWhiteoutsAndOpaqueDirectories() throws {
        let gzipped = try workspace.write("layer", Self.change)
        try ExternalTool(name: "gzip", package: "gzip").run([gzipped], cannot: "compress", gzipped)
        // A directory made in this layer takes the place of a file below, as in `becomes-dir`: a file
        // entry in the middle of a path is refused, so the directory is named.
        let packed = Array(try Data(contentsOf: URL(fileURLWithPath: gzipped + ".gz")))
        unlink(gzipped + ".gz")
        let middle = tar { $0.directory("becomes-dir") }
        try workspace.importRoot(builder.layout([Self.base, middle, packed]))
        try expectChangedTree()
        #expect(try workspace.names() == ["image", "root"])
    }

    /// What one layer prepares the next may use: the image's configuration is recorded all the same, and nothing else.
    @Test func layersPlaceNoRecord() throws {
        let layers = [
            Self.base,
            tar {
                $0.symlink("way", to: "/")
                $0.symlink("up", to: "usr/lib/../..")
                $0.file(".nsrun/image", "user evil\n")
            },
            tar {
                $0.file("way/.nsrun/image", "user evil\n")
                $0.file("up/.nsrun/image", "user evil\n")
                $0.file(".wh..nsrun")
                $0.file(".nsrun/.wh..wh..opq")
                $0.hardLink(".nsrun/packages", to: "etc/old")
            },
        ]
        try workspace.importRoot(builder.layout(layers))
        #expect(try workspace.names("root/.nsrun") == ["image"])
        #expect(try workspace.destination("root").image().user == "nobody:users")
    }

    @Test func theConfigurationIsRecorded() throws {
        try workspace.importRoot(builder.layout([Self.base]))
        let text = try #require(workspace.read("root/.nsrun/image"))
        #expect(
            text == """
                origin \(workspace("image"))
                architecture amd64
                env A=1
                env B=two words
                workdir /srv
                entrypoint /bin/sh
                entrypoint -c
                cmd echo\\nhi
                user nobody:users

                """)
    }

    @Test func anArchiveOfALayout() throws {
        let middle = tar { $0.directory("becomes-dir") }
        _ = try builder.layout([Self.base, middle, Self.change])
        try workspace.importRoot(builder.archive())
        try expectChangedTree()
        #expect(try workspace.names() == ["image.tar", "root"])
    }

    @Test func aDockerArchive() throws {
        let middle = tar { $0.directory("becomes-dir") }
        let layers = [Self.base, middle, Self.change]
        let digests = layers.map { #""sha256:\#(ImageBuilder.digest($0))""# }
        let configuration = Array(
            ImageBuilder.configuration
                .replacingOccurrences(of: "DIFF_IDS", with: digests.joined(separator: ",")).utf8)
        let name = ImageBuilder.digest(configuration) + ".json"
        try workspace.write("image/\(name)", configuration)
        var paths: [String] = []
        for (index, layer) in layers.enumerated() {
            let directory = String(repeating: String(index), count: 64)
            paths.append(#""\#(directory)/layer.tar""#)
            try workspace.write("image/\(directory)/layer.tar", layer)
        }
        try workspace.write(
            "image/manifest.json",
            #"[{"Config":"\#(name)","Layers":[\#(paths.joined(separator: ","))]}]"#)
        try workspace.importRoot(builder.archive())
        try expectChangedTree()
        #expect(try workspace.destination("root").image().user == "nobody:users")
    }

    @Test func theRightPlatformIsPicked() throws {
        var manifests: [String] = []
        for architecture in ["arm64", "amd64", "unknown"] {
            let layer = tar { $0.file("arch", architecture) }
            let descriptor = try builder.blob(Array(try builder.manifest([layer]).utf8))
            let os = architecture == "unknown" ? "unknown" : "linux"
            manifests.append(
                descriptor.dropLast()
                    + #","platform":{"architecture":"\#(architecture)","os":"\#(os)"}}"#)
        }
        let inner = #"{"schemaVersion":2,"manifests":[\#(manifests.joined(separator: ","))]}"#
        let nested = try builder.blob(Array(inner.utf8), type: "application/x.image.index.v1+json")
        try workspace.importRoot(builder.index([nested]))
        #expect(workspace.read("root/arch") == "amd64")

        var importer = Importer(progress: ProgressReport(quiet: true))
        importer.architecture = "riscv64"
        let error = failure {
            try importer.importRoot(workspace("image"), to: workspace.destination("other"))
        }
        #expect(error?.cause == "it has no image for linux/riscv64")
        #expect(error?.remedy?.contains("linux/arm64, linux/amd64") == true)
    }

    @Test func aChangedLayerIsRefused() throws {
        _ = try builder.layout([Self.base])
        var changed = Self.base
        changed[512 * 2] ^= 1  // the contents of etc/old
        try workspace.write("image/blobs/sha256/\(ImageBuilder.digest(Self.base))", changed)
        let error = failure { try workspace.importRoot(workspace("image")) }
        #expect(error?.cause.contains("digest") == true)
        #expect(try workspace.names() == ["image"])
    }

    @Test func aChangedManifestIsRefused() throws {
        _ = try builder.layout([Self.base])
        let index = try #require(workspace.read("image/index.json"))
        let digest = try #require(index.firstMatch(of: /sha256:([0-9a-f]{64})/)).1
        let path = "image/blobs/sha256/\(digest)"
        try workspace.write(path, try #require(workspace.read(path)) + " ")
        #expect(
            failure { try workspace.importRoot(workspace("image")) }?.cause.contains("digest")
                == true)
    }

    @Test(arguments: [
        ("a whiteout of the parent", ".wh..."), ("a whiteout of itself", "etc/.wh.."),
        ("a whiteout of nothing", "etc/.wh."), ("a whiteout outside", "../.wh.outside"),
        ("a whiteout outside, long way", "etc/../../.wh.outside"),
    ])
    func escapingWhiteoutsAreRefused(_ description: String, _ name: String) throws {
        try workspace.write("outside", "innocent")
        let layer = tar { $0.file(name) }
        let error = failure { try workspace.importRoot(builder.layout([Self.base, layer])) }
        #expect(error != nil, "\(description)")
        #expect(try workspace.names() == ["image", "outside"])
    }

    /// A whiteout through a symbolic link reaches what a chroot would see, no more.
    @Test func whiteoutsThroughLinksStayInside() throws {
        try workspace.write("victims/file", "innocent")
        let layers = [
            tar { $0.symlink("out", to: workspace("victims")) }, tar { $0.file("out/.wh.file") },
            tar { $0.file("out/.wh..wh..opq") },
        ]
        try workspace.importRoot(builder.layout(layers))
        #expect(workspace.read("victims/file") == "innocent")
    }

    @Test func aBlobThatIsALinkOutsideIsRefused() throws {
        _ = try builder.layout([Self.base])
        let path = workspace("image/blobs/sha256/\(ImageBuilder.digest(Self.base))")
        rename(path, workspace("elsewhere"))
        symlink(workspace("elsewhere"), path)
        #expect(failure { try workspace.importRoot(workspace("image")) } != nil)
    }

    @Test func digestsAreThoseOfTheStandard() {
        #expect(
            ImageBuilder.digest([])
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            ImageBuilder.digest(Array("abc".utf8))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            ImageBuilder.digest([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000))
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }
}
