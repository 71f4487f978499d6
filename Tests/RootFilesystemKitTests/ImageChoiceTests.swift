// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Which image is taken where there are several, or other things beside one.
@Suite struct ImageChoiceTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// An image whose root has one file of that name.
    private func image(_ name: String, architecture: String = "amd64") -> SavedImage {
        SavedImage(
            workspace: workspace, layers: [tar { $0.file(name, "x") }], architecture: architecture)
    }

    private func take(_ name: String?, architecture: String = "amd64") throws {
        var importer = Importer(progress: ProgressReport(quiet: true))
        importer.architecture = architecture
        importer.image = name
        try importer.importRoot(workspace("image"), to: workspace.destination("root"))
    }

    private func taken() throws -> String? {
        let names = try workspace.names("root").filter { $0 != ".nsrun" }
        try TreeRemoval.remove(workspace("root"))
        return names.count == 1 ? names[0] : nil
    }

    private func saveInDocker() throws {
        let entries = try ["app:1", "app:2", "example.org/team/tool:latest"].map { name in
            let image = image(name.replacing("/", with: "_"))
            let hex = SavedImage.hex(image.configuration)
            return try image.docker(
                config: hex + ".json", layers: [hex + "/layer.tar"],
                tags: [name] + (name == "app:2" ? ["app:new"] : []))
        }
        try image("").write("manifest.json", "[\(entries.joined(separator: ","))]")
    }

    private func saveInLayout() throws {
        try image("").layout(
            ["docker.io/library/app:1", "localhost/app:2", "example.org/team/tool:latest"].map {
                let short = $0.replacing("docker.io/library/", with: "")
                    .replacing("localhost/", with: "").replacing("/", with: "_")
                return try image(short).described(named: $0)
            })
    }

    @Test(arguments: [true, false]) func severalAreChosenByName(isDocker: Bool) throws {
        try isDocker ? saveInDocker() : saveInLayout()
        for (name, expected) in [
            ("app:1", "app:1"), ("docker.io/library/app:2", "app:2"),
            ("example.org/team/tool", "example.org_team_tool:latest"),
            ("example.org/team/tool:latest", "example.org_team_tool:latest"),
        ] {
            try take(name)
            #expect(try taken() == expected)
        }
        for name in [nil, "app"] {
            let error = failure { try take(name) }
            #expect(error?.cause.contains("images") == true, "\(error as Any)")
            #expect(error?.remedy?.contains("--image") == true)
            for part in ["app:1", "app:2"] { #expect(error?.remedy?.contains(part) == true) }
        }
        let error = failure { try take("app:3") }
        #expect(error?.cause == "it has no image app:3")
        #expect(error?.remedy?.contains("example.org/team/tool:latest") == true)
        #expect(try workspace.names() == ["image"])
    }

    /// The very same image under two names is one.
    @Test func twoNamesOfOneAreOne() throws {
        let one = image("one")
        try one.layout([one.described(named: "a"), one.described(named: "b")])
        try take(nil)
        #expect(try taken() == "one")
    }

    @Test func withoutNamesTheDigestChooses() throws {
        let (one, two) = (image("one"), image("two"))
        try one.layout([one.described(), two.described()])
        let error = failure { try take(nil) }
        let digest = "sha256:" + SavedImage.hex(try two.manifest())
        #expect(error?.remedy?.contains(digest.prefix(19)) == true, "\(error as Any)")
        for name in [digest, String(digest.prefix(19)), String(digest.dropFirst(7).prefix(12))] {
            try take(name)
            #expect(try taken() == "two")
        }
    }

    /// Images of one name for several machines, said beside them or in their configurations.
    @Test(arguments: [true, false]) func theMachineChooses(isSaid: Bool) throws {
        let images = ["arm64", "amd64"].map { image($0, architecture: $0) }
        try images[0].layout(images.map { try $0.described(named: "app:1", platform: isSaid) })
        for architecture in ["amd64", "arm64"] {
            try take(nil, architecture: architecture)
            #expect(try taken() == architecture)
        }
        let error = failure { try take("app:1", architecture: "riscv64") }
        #expect(error?.cause == "it has no image for linux/riscv64")
        #expect(error?.remedy == "it is for linux/arm64, linux/amd64: choose one with --arch")
    }

    @Test func anImageForWindowsIsRefused() throws {
        var image = image("x")
        image.os = "windows"
        try image.layout([image.described()])
        let error = failure { try take(nil) }
        #expect(error?.remedy?.contains("windows/amd64") == true, "\(error as Any)")
    }

    // MARK: - What is no image

    static let aside: [String] = [
        #""annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#,
        #""platform":{"os":"unknown","architecture":"unknown"}"#,
        #""annotations":{"org.opencontainers.image.ref.name":"sha256-\#(String(repeating: "0", count: 64)).sig"}"#,
        "",
    ]

    /// Attestations and signatures, told by what stands beside them or, with nothing there, by what they hold.
    @Test(arguments: aside) func whatIsAboutTheImageIsPassedOver(_ mark: String) throws {
        let image = image("one")
        var about = image
        about.layers = [Array(#"{"payload":"x"}"#.utf8)]
        let manifest = try about.manifest(layerType: "application/vnd.in-toto+json")
        let descriptor = try image.blob(
            manifest, SavedImage.manifestType, more: mark.isEmpty ? "" : "," + mark)
        try image.layout([descriptor, image.described(named: "app:1"), descriptor])
        try take(nil)
        #expect(try taken() == "one")
        try image.layout([descriptor])
        let error = failure { try take(nil) }
        #expect(
            error?.cause.contains("no container image") == true
                || error?.cause == "it lists no image", "\(error as Any)")
    }

    @Test(arguments: [
        "application/vnd.cncf.helm.config.v1+json", "application/vnd.oci.empty.v1+json",
        "application/vnd.wasm.config.v1+json",
    ])
    func whatOnlyLiesInARegistryIsRefused(_ type: String) throws {
        let image = image("one")
        try image.layout([
            image.blob(image.manifest(configType: type), SavedImage.manifestType)
        ])
        let error = failure { try take(nil) }
        #expect(error?.cause == "it is no container image: it is of the type \(type)")
        #expect(try workspace.names() == ["image"])
    }

    @Test func aChoiceAmongNoneIsRefused() throws {
        try workspace.write("image/etc/x", "x")
        #expect(failure { try take("app:1") }?.cause == "it is no container image")
        #expect(try workspace.names() == ["image"])
    }

    @Test func indexesWithoutEndAreRefused() throws {
        let image = image("one")
        var inner = try image.described()
        for _ in 0..<8 {
            inner = try image.blob(Array(SavedImage.index([inner]).utf8), SavedImage.indexType)
        }
        try image.layout([inner])
        #expect(failure { try take(nil) }?.cause.contains("without end") == true)
    }

    @Test func listsWithoutEndAreRefused() throws {
        let image = image("one")
        let one = try image.described()
        try image.layout([String](repeating: one, count: 1001))
        #expect(failure { try take(nil) }?.cause == "it lists more than 1000 images")
    }
}
