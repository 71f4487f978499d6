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
    }

    var mediaType: String?
    var digest: String
    var platform: Target?
}

/// OCI image manifest
struct Manifest: Decodable {
    var config: ContentDescriptor
    var layers: [ContentDescriptor]
}

/// One image in docker's `manifest.json`.
struct DockerImage: Decodable {
    var config: String
    var layers: [String]

    enum CodingKeys: String, CodingKey {
        case config = "Config"
        case layers = "Layers"
    }
}

/// OCI image configuration
struct ImageConfiguration: Decodable {
    struct Execution: Decodable {
        var environment: [String]?
        var workingDirectory: String?
        var entryPoint: [String]?
        var command: [String]?
        var user: String?

        enum CodingKeys: String, CodingKey {
            case environment = "Env"
            case workingDirectory = "WorkingDir"
            case entryPoint = "Entrypoint"
            case command = "Cmd"
            case user = "User"
        }
    }

    struct Layers: Decodable {
        var diffIDs: [String]

        enum CodingKeys: String, CodingKey {
            case diffIDs = "diff_ids"
        }
    }

    var architecture: String?
    var config: Execution?
    var rootfs: Layers?

    var record: ImageRecord {
        var record = ImageRecord()
        record.architecture = architecture.map { Platform(architecture: $0).debianName }
        record.environment = config?.environment ?? []
        record.workingDirectory = config?.workingDirectory.flatMap { $0.isEmpty ? nil : $0 }
        record.entryPoint = config?.entryPoint ?? []
        record.command = config?.command ?? []
        record.user = config?.user.flatMap { $0.isEmpty ? nil : $0 }
        return record
    }
}
