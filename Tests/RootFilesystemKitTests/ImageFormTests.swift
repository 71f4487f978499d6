// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// The forms that programs save images in: each is recognised by what its documents say, in an archive and in a
/// directory.
@Suite struct ImageFormTests {
    struct Form: CustomTestStringConvertible {
        let testDescription: String
        let save: @Sendable (SavedImage) throws -> Void

        init(_ description: String, _ save: @escaping @Sendable (SavedImage) throws -> Void) {
            testDescription = description
            self.save = save
        }

        static func docker(
            _ description: String, config: @escaping @Sendable (String) -> String,
            layer: @escaping @Sendable (Int, String) -> String, isPacked: Bool = false
        ) -> Form {
            Form(description) { image in
                let contents = try image.layers.map {
                    isPacked ? try image.packed($0, "gzip", ["-c"]) : $0
                }
                let entry = try image.docker(
                    config: config(SavedImage.hex(image.configuration)),
                    layers: contents.enumerated().map { layer($0, SavedImage.hex($1)) },
                    contents: contents)
                try image.write("manifest.json", "[\(entry)]")
            }
        }

        static let all = [
            docker(
                "docker save before 25", config: { $0 + ".json" },
                layer: { _, hex in hex + "/layer.tar" }),
            docker(
                "docker save since 25", config: { "blobs/sha256/" + $0 },
                layer: { _, hex in "blobs/sha256/" + hex }),
            docker(
                "podman save", config: { $0 + ".json" }, layer: { _, hex in hex + ".tar" }),
            docker(
                "crane pull, ko, kaniko", config: { "sha256:" + $0 },
                layer: { _, hex in hex + ".tar.gz" }, isPacked: true),
            docker(
                "jib", config: { _ in "config.json" },
                layer: { index, _ in "layer-\(index).tar.gz" }, isPacked: true),
            docker(
                "names of all kinds", config: { _ in "the configuration" },
                layer: { index, _ in "layers/of the image/\(index)" }),
            Form("crane pull --format=legacy, podman: layers that are links") { image in
                let hexes = image.layers.map { SavedImage.hex($0) }
                for (hex, layer) in zip(hexes, image.layers) {
                    try image.write(hex + ".tar", layer)
                    try image.write(hex + "/VERSION", "1.0")
                    symlink("../\(hex).tar", image.workspace("\(image.folder)/\(hex)/layer.tar"))
                }
                let entry = try image.docker(
                    config: "c.json", layers: hexes.map { $0 + "/layer.tar" }, contents: [])
                try image.write("manifest.json", "[\(entry)]")
                try image.write("repositories", #"{"app":{"1":"\#(hexes[1])"}}"#)
            },
            Form("docker save before 1.10") { image in
                try image.write("repositories", #"{"app":{"1":"topmost"}}"#)
                for (name, parent, layer) in [
                    ("lowest", "", image.layers[0]),
                    ("topmost", #","parent":"lowest""#, image.layers[1]),
                ] {
                    try image.write("\(name)/VERSION", "1.0")
                    try image.write("\(name)/layer.tar", layer)
                    try image.write(
                        "\(name)/json",
                        #"{"id":"\#(name)","os":"linux","architecture":"amd64","config":{"User":"nobody"}\#(parent)}"#
                    )
                }
            },
            Form("an OCI layout") { try $0.layout([$0.described()]) },
            Form("an OCI layout without oci-layout") { image in
                try image.write("index.json", SavedImage.index([image.described()]))
            },
            Form("an OCI layout with docker's manifest beside it") { image in
                try image.layout([image.described(named: "1")])
                try image.write(
                    "manifest.json", #"[{"Config":"missing","RepoTags":null,"Layers":null}]"#)
            },
            Form("an index in an index, without types") { image in
                let inner = try image.blob(
                    Array(SavedImage.index([image.described(platform: true)]).utf8), "x")
                let untyped = inner.replacing(#""mediaType":"x","#, with: "")
                try image.layout([untyped])
            },
            flat("skopeo copy dir:", ""), flat("skopeo copy dir:, version 1.0", ".tar"),
        ]

        static func flat(_ description: String, _ suffix: String) -> Form {
            Form(description) { image in
                func store(_ bytes: [UInt8], _ type: String) throws -> String {
                    let hex = SavedImage.hex(bytes)
                    try image.write(hex + suffix, bytes)
                    return #"{"mediaType":"\#(type)","digest":"sha256:\#(hex)"}"#
                }
                let config = try store(image.configuration, SavedImage.configType)
                let layers = try image.layers.map { try store($0, SavedImage.layerType) }
                try image.write("version", "Directory Transport Version: 1.1\n")
                try image.write(
                    "manifest.json",
                    #"{"schemaVersion":2,"config":\#(config),"layers":[\#(layers.joined(separator: ","))]}"#
                )
            }
        }
    }

    let workspace: Workspace
    let image: SavedImage

    init() throws {
        workspace = try Workspace()
        image = SavedImage(workspace: workspace)
    }

    private func expectImage(_ root: String = "root") throws {
        #expect(try workspace.names(root) == [".nsrun", "etc"])
        #expect(try workspace.names("\(root)/etc") == ["base", "top"])
        #expect(try workspace.destination(root).image().user == "nobody")
    }

    @Test(arguments: Form.all) func isReadFromADirectory(_ form: Form) throws {
        try form.save(image)
        try workspace.importRoot(workspace("image"))
        try expectImage()
        #expect(try workspace.names() == ["image", "root"])
    }

    @Test(arguments: Form.all) func isReadFromAnArchive(_ form: Form) throws {
        try form.save(image)
        try workspace.importRoot(image.archive())
        try expectImage()
        #expect(try workspace.names() == ["image.tar", "root"])
    }

    @Test(arguments: Form.all) func isReadFromAFolderInAnArchive(_ form: Form) throws {
        var inner = image
        inner.folder = "image/app"
        try form.save(inner)
        try workspace.importRoot(image.archive())
        try expectImage()
    }

    /// The manifest, or the documents, may come before or after everything else.
    @Test(arguments: [false, true]) func theOrderDoesNotMatter(isReversed: Bool) throws {
        try Form.all[3].save(image)
        var archive = TarBuilder()
        let names = try workspace.names("image")
        for name in isReversed ? names.reversed() : names {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: workspace("image/\(name)")))
            archive.add(name, type: "0", contents: Array(bytes))
        }
        try workspace.importRoot(workspace.write("image.tar", archive.finished))
        try expectImage()
    }

    @Test(arguments: ContentDigest.Algorithm.allCases)
    func digestsOfEveryAlgorithmCount(_ algorithm: ContentDigest.Algorithm) throws {
        try image.layout([image.described(algorithm: algorithm)])
        try workspace.importRoot(workspace("image"))
        try expectImage()
        let layer = "image/blobs/\(algorithm)/\(SavedImage.hex(image.layers[0], algorithm))"
        var changed = image.layers[0]
        changed[512 * 2] ^= 1
        try workspace.write(layer, changed)
        let error = failure { try workspace.importRoot(workspace("image"), "other") }
        #expect(error?.cause.contains("its digest is \(algorithm):") == true, "\(error as Any)")
        #expect(try workspace.names() == ["image", "root"])
    }

    @Test func digestsAreThoseOfTheStandard() {
        #expect(
            SavedImage.hex(Array("abc".utf8), .sha512)
                == "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")
        #expect(
            SavedImage.hex(Array("abc".utf8), .sha384)
                == "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                + "8086072ba1e7cc2358baeca134c825a7")
        #expect(
            SavedImage.hex([UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000), .sha512)
                == "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
                + "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b")
        #expect(ContentDigest("blake3:" + String(repeating: "0", count: 64)) == nil)
    }

    /// umoci's, or runc's: the root beside its description.
    @Test(arguments: [false, true]) func aBundleIsItsRoot(isArchive: Bool) throws {
        try image.write("rootfs/etc/base", "1")
        try image.write("umoci.json", "{}")
        try image.write("sha256_0123.mtree", "#mtree")
        try image.write(
            "config.json",
            """
            {"ociVersion":"1.0.0","root":{"path":"rootfs"},"process":{"args":["run","it"],"env":["A=1"],\
            "cwd":"/srv","user":{"uid":7,"gid":8}}}
            """)
        try workspace.importRoot(isArchive ? image.archive() : workspace("image"))
        #expect(try workspace.names("root") == [".nsrun", "etc"])
        let record = try workspace.destination("root").image()
        #expect(record.entryPoint == ["run", "it"])
        #expect(record.environment == ["A=1"])
        #expect(record.workingDirectory == "/srv")
        #expect(record.user == "7:8")
    }

    @Test func anImageOfLXCIsItsRoot() throws {
        try image.write("rootfs/etc/base", "1")
        try image.write("metadata.yaml", "architecture: amd64\n")
        try workspace.importRoot(image.archive())
        #expect(try workspace.names("root") == [".nsrun", "etc"])
    }

    /// Documents of a root that are about something else.
    @Test(arguments: [
        ("manifest.json", #"{"name":"a web application","icons":[]}"#), ("manifest.json", "[]"),
        ("manifest.json", #"[{"Config":"c.json","RepoTags":null,"Layers":["l.tar"]}]"#),
        ("manifest.json", "not JSON"), ("index.json", #"{"manifests":[]}"#),
        ("repositories", "http://example.org"), ("config.json", "{}"), ("blobs/x", "x"),
    ])
    func aRootMayHaveFilesOfThoseNames(_ name: String, _ text: String) throws {
        for directory in ["etc", "usr"] { try image.write("\(directory)/x", "1") }
        try image.write(name, text)
        try workspace.importRoot(workspace("image"), "one")
        try workspace.importRoot(image.archive(), "two")
        for root in ["one", "two"] { #expect(workspace.read("\(root)/\(name)") == text) }
    }
}
