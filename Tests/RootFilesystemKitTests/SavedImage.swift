// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import RootFilesystemKit

/// A container image, and every way that some program saves one in, a file at a time below a folder of a workspace.
struct SavedImage {
    /// The root of it after both layers: `etc/base` and `etc/top`, and no `gone`.
    static let layers = [
        tar {
            $0.directory("etc")
            $0.file("etc/base", "1")
            $0.file("gone", "1")
        },
        tar {
            $0.file("etc/top", "2")
            $0.file(".wh.gone")
        },
    ]

    let workspace: Workspace
    var folder = "image"
    var layers = SavedImage.layers
    var architecture = "amd64"
    var os = "linux"
    var user = "nobody"

    static func hex(_ bytes: [UInt8], _ algorithm: ContentDigest.Algorithm = .sha256) -> String {
        var hash = ContentDigest.Computation(algorithm)
        bytes.withUnsafeBytes { hash.update($0) }
        return hash.finish()
    }

    static func quoted(_ words: [String]) -> String {
        words.map { "\"\($0)\"" }.joined(separator: ",")
    }

    var configuration: [UInt8] {
        let digests = Self.quoted(layers.map { "sha256:" + Self.hex($0) })
        return Array(
            """
            {"architecture":"\(architecture)","os":"\(os)","config":{"User":"\(user)","Cmd":["sh"]},\
            "rootfs":{"type":"layers","diff_ids":[\(digests)]}}
            """.utf8)
    }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        try workspace.write("\(folder)/\(name)", bytes)
    }

    func write(_ name: String, _ text: String) throws { try write(name, Array(text.utf8)) }

    /// By a program of the host.
    func packed(_ bytes: [UInt8], _ program: String, _ options: [String] = []) throws -> [UInt8] {
        let plain = try workspace.write("packing", bytes)
        defer { unlink(plain) }
        try ExternalTool(name: "sh", package: "dash").run(
            ["-c", "exec \"$0\" \"$@\" <\(plain) >\(plain).packed", program] + options,
            cannot: "pack", program)
        defer { unlink(plain + ".packed") }
        return Array(try Data(contentsOf: URL(fileURLWithPath: plain + ".packed")))
    }

    /// The folder as an archive.
    func archive(_ name: String = "image.tar") throws -> String {
        let parts = try workspace.names(folder)
        try ExternalTool(name: "tar", package: "tar").run(
            ["-C", workspace(folder), "-cf", workspace(name)] + parts, cannot: "pack", folder)
        try TreeRemoval.remove(workspace(folder))
        return workspace(name)
    }

    // MARK: - docker's manifest.json

    /// With whatever names for the configuration and the layers.
    func docker(
        config: String, layers paths: [String], tags: [String] = ["app:1"],
        contents: [[UInt8]]? = nil
    ) throws -> String {
        try write(config, configuration)
        for (path, content) in zip(paths, contents ?? layers) { try write(path, content) }
        return
            #"{"Config":"\#(config)","RepoTags":[\#(Self.quoted(tags))],"Layers":[\#(Self.quoted(paths))]}"#
    }

    // MARK: - OCI

    /// Stores a blob of a layout; gives a descriptor of it.
    func blob(
        _ bytes: [UInt8], _ type: String, more: String = "",
        algorithm: ContentDigest.Algorithm = .sha256
    ) throws -> String {
        let hex = Self.hex(bytes, algorithm)
        try write("blobs/\(algorithm.rawValue)/\(hex)", bytes)
        return
            #"{"mediaType":"\#(type)","digest":"\#(algorithm.rawValue):\#(hex)","size":\#(bytes.count)\#(more)}"#
    }

    static let configType = "application/vnd.oci.image.config.v1+json"
    static let layerType = "application/vnd.oci.image.layer.v1.tar"
    static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    static let indexType = "application/vnd.oci.image.index.v1+json"

    func manifest(
        configType: String = configType, layerType: String = layerType,
        algorithm: ContentDigest.Algorithm = .sha256
    ) throws -> [UInt8] {
        let config = try blob(configuration, configType, algorithm: algorithm)
        let layers = try layers.map { try blob($0, layerType, algorithm: algorithm) }
        return Array(
            #"{"schemaVersion":2,"config":\#(config),"layers":[\#(layers.joined(separator: ","))]}"#
                .utf8)
    }

    /// A descriptor of the image, with a name if it has one.
    func described(
        named name: String? = nil, platform: Bool = false,
        algorithm: ContentDigest.Algorithm = .sha256
    ) throws -> String {
        var more = ""
        if let name {
            more += #","annotations":{"org.opencontainers.image.ref.name":"\#(name)"}"#
        }
        if platform { more += #","platform":{"os":"\#(os)","architecture":"\#(architecture)"}"# }
        return try blob(
            manifest(algorithm: algorithm), Self.manifestType, more: more, algorithm: algorithm)
    }

    static func index(_ descriptors: [String]) -> String {
        #"{"schemaVersion":2,"manifests":[\#(descriptors.joined(separator: ","))]}"#
    }

    func layout(_ descriptors: [String]) throws {
        try write("oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        try write("index.json", Self.index(descriptors))
    }
}
