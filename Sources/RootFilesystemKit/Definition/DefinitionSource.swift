// SPDX-License-Identifier: Apache-2.0

/// What a stage begins with, as its header says.
enum DefinitionSource: Equatable {
    /// What skopeo fetches.
    case remote(String)
    /// A file or directory of this host's; `image` is the name of one of several in it.
    case local(String, image: String?)
    case debian(suite: String, mirror: String?, include: [String])
    case nothing

    private static let agents = [
        "docker", "docker-archive", "docker-daemon", "oci", "oci-archive", "localimage",
        "debootstrap", "scratch",
    ]

    init(_ stage: DefinitionFile.Stage) throws(ContainerfileError) {
        guard let agent = stage.header["bootstrap"] else {
            throw ContainerfileError(stage.line, "its Bootstrap: is missing")
        }
        func value(_ key: String) throws(ContainerfileError) -> String {
            guard let field = stage.header[key], !field.value.isEmpty else {
                throw ContainerfileError(
                    agent.line, "Bootstrap: \(agent.value) takes \(Self.written(key))")
            }
            return field.value
        }
        let known: [String]
        switch agent.value {
        case "docker":
            known = ["from", "registry", "namespace", "includecmd"]
            let parts = [stage.header["registry"]?.value, stage.header["namespace"]?.value]
            let name = parts.compactMap { $0 } + [try value("from")]
            self = .remote(
                "docker://"
                    + name.filter { !$0.isEmpty }.map(Self.withoutSlashes)
                    .joined(separator: "/"))
        case "docker-daemon":
            known = ["from"]
            self = .remote("docker-daemon:" + Self.withoutSlashes(try value("from")))
        case "docker-archive", "oci-archive", "localimage":
            known = ["from"]
            self = .local(Self.path(try value("from")), image: nil)
        case "oci":
            known = ["from"]
            let from = Self.path(try value("from"))
            // DIRECTORY:TAG
            if let colon = from.lastIndex(of: ":"), !from[colon...].contains("/") {
                self = .local(
                    String(from[..<colon]), image: String(from[from.index(after: colon)...]))
            } else {
                self = .local(from, image: nil)
            }
        case "debootstrap":
            known = ["osversion", "mirrorurl", "include"]
            let include = stage.header["include"]?.value ?? ""
            self = .debian(
                suite: try value("osversion"), mirror: stage.header["mirrorurl"]?.value,
                include: include.split { $0 == " " || $0 == "\t" || $0 == "," }.map(String.init))
        case "scratch":
            known = []
            self = .nothing
        default:
            throw ContainerfileError(
                agent.line, "nsrun does not build with Bootstrap: \(agent.value.prefix(40))",
                remedy: "it does with " + Self.agents.joined(separator: ", "))
        }
        for (key, field) in stage.header.sorted(by: { $0.value.line < $1.value.line })
        where !known.contains(key) && key != "bootstrap" && key != "stage" {
            throw ContainerfileError(
                field.line,
                "\(Self.written(key)) means nothing to nsrun with Bootstrap: \(agent.value)",
                remedy: key == "fingerprints"
                    ? "signatures are not verified: leave it out where you trust the image" : nil)
        }
    }

    private static func withoutSlashes(_ text: String) -> String {
        var rest = text.drop { $0 == "/" }
        while rest.last == "/" { rest.removeLast() }
        return String(rest)
    }

    /// Whatever it looks like.
    private static func path(_ text: String) -> String {
        text.contains("/") ? text : "./" + text
    }

    private static func written(_ key: String) -> String {
        switch key {
        case "mirrorurl": "MirrorURL:"
        case "osversion": "OSVersion:"
        default: key.prefix(1).uppercased() + key.dropFirst() + ":"
        }
    }
}
