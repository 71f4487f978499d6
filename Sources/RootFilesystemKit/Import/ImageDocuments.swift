// SPDX-License-Identifier: Apache-2.0

/// The JSON documents of container images, as far as they matter here.

/// An `index.json`, or an index in a blob. OCI image index
struct Index: Decodable {
    var manifests: [ContentDescriptor]
}

/// A reference to a blob. OCI content descriptor
struct ContentDescriptor: Decodable {
    struct Target: Decodable {
        var architecture: String
        var os: String
        var variant: String?

        /// For messages.
        var text: String {
            ([os, architecture] + [variant].compactMap { $0 }).joined(separator: "/")
        }
    }

    var mediaType: String?
    var digest: String
    var platform: Target?
    var artifactType: String?
    var annotations: [String: String]?

    var isIndex: Bool {
        mediaType?.contains("index") == true || mediaType?.contains("manifest.list") == true
    }

    /// What the image is called, as far as that is said here.
    var names: [String] {
        ["io.containerd.image.name", "org.opencontainers.image.ref.name"]
            .compactMap { annotations?[$0] }.filter { !$0.isEmpty }
    }

    /// Something about an image, and none: an attestation of BuildKit's, a signature or list of parts of cosign's.
    var isAside: Bool {
        if annotations?["vnd.docker.reference.type"] != nil { return true }
        if platform?.os == "unknown" && platform?.architecture == "unknown" { return true }
        return names.contains { $0.contains(/sha256-[0-9a-f]{64}(\.(sig|att|sbom))?$/) }
    }
}

/// OCI image manifest, or docker's of schema 2; or, where it has `manifests` instead, an index.
struct Manifest: Decodable {
    var config: ContentDescriptor?
    var layers: [ContentDescriptor]?
    var manifests: [ContentDescriptor]?
    var artifactType: String?
    /// Of docker's schema 1.
    var fsLayers: [Ignored]?

    struct Ignored: Decodable {}

    /// What it is of, where that is no image: a type of its configuration or of a layer.
    var foreignType: String? {
        if let artifactType, !artifactType.contains("image") { return artifactType }
        if let type = config?.mediaType, type.hasPrefix("application/"),
            !type.contains("image"), type != "application/octet-stream"
        {
            return type
        }
        return layers?.compactMap(\.mediaType).first { type in
            type.hasPrefix("application/")
                && (type.hasSuffix("json")
                    || !["tar", "layer", "diff", "octet-stream"].contains { type.contains($0) })
        }
    }
}

/// One image in docker's `manifest.json`.
struct DockerImage: Decodable {
    var config: String
    var names: [String]?
    var layers: [String]?

    enum CodingKeys: String, CodingKey {
        case config = "Config"
        case names = "RepoTags"
        case layers = "Layers"
    }
}

/// A layer's `json` in what docker saved before 1.10: also that of the image whose last layer it is.
struct LegacyLayer: Decodable {
    var parent: String?
    var architecture: String?
    var os: String?
    var config: ImageConfiguration.Execution?
}

/// OCI image configuration
struct ImageConfiguration: Codable {
    struct Execution: Codable {
        var environment: [String]?
        var workingDirectory: String?
        var entryPoint: [String]?
        var command: [String]?
        var user: String?
        var labels: [String: String]?

        enum CodingKeys: String, CodingKey {
            case labels = "Labels"
            case environment = "Env"
            case workingDirectory = "WorkingDir"
            case entryPoint = "Entrypoint"
            case command = "Cmd"
            case user = "User"
        }
    }

    struct Layers: Codable {
        var type: String?
        var diffIDs: [String]?

        enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }
    }

    var architecture: String?
    var os: String?
    var variant: String?
    var config: Execution?
    var rootfs: Layers?

    /// The machine it is for, where it says so.
    var target: ContentDescriptor.Target? {
        guard let architecture, !architecture.isEmpty else { return nil }
        let named = variant.flatMap { $0.isEmpty ? nil : $0 }
        return .init(
            architecture: architecture, os: os.flatMap { $0.isEmpty ? nil : $0 } ?? "linux",
            variant: named)
    }

    var record: ImageRecord {
        var record = ImageRecord()
        record.architecture = architecture.map { Platform(architecture: $0).debianName }
        record.environment = config?.environment ?? []
        record.workingDirectory = config?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
        record.entryPoint = config?.entryPoint ?? []
        record.command = config?.command ?? []
        record.user = config?.user.flatMap { $0.isEmpty ? nil : $0 }
        record.labels = (config?.labels ?? [:]).map { "\($0.key)=\($0.value)" }.sorted()
        return record
    }
}

/// The `config.json` of a bundle. OCI runtime specification
struct BundleConfiguration: Decodable {
    struct Root: Decodable { var path: String }
    struct User: Decodable {
        var uid: UInt32?
        var gid: UInt32?
    }
    struct Process: Decodable {
        var args: [String]?
        var env: [String]?
        var cwd: String?
        var user: User?
    }

    var ociVersion: String
    var root: Root
    var process: Process?

    var record: ImageRecord {
        var record = ImageRecord()
        record.environment = process?.env ?? []
        record.workingDirectory = process?.cwd.flatMap { $0.isEmpty ? nil : $0 }
        record.entryPoint = process?.args ?? []
        if let user = process?.user, user.uid ?? 0 != 0 || user.gid ?? 0 != 0 {
            record.user = "\(user.uid ?? 0):\(user.gid ?? 0)"
        }
        return record
    }
}

extension ImageConfiguration {
    /// That of an image of one layer, whose digest is of its contents when they are not compressed.
    init(_ record: ImageRecord, diffID: String) {
        let platform = Platform(debian: record.architecture ?? Platform.host)
        architecture = platform.architecture
        os = "linux"
        variant = platform.variant
        config = Execution(record)
        rootfs = Layers(type: "layers", diffIDs: [diffID])
    }
}

extension ImageConfiguration.Execution {
    /// What is not known is left out.
    init(_ record: ImageRecord) {
        func listed(_ words: [String]) -> [String]? { words.isEmpty ? nil : words }
        environment = listed(record.environment)
        workingDirectory = record.workingDirectory
        entryPoint = listed(record.entryPoint)
        command = listed(record.command)
        user = record.user
        labels = record.labels.isEmpty ? nil : record.labelPairs
    }
}
