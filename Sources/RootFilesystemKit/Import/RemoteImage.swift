// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc

/// An image that is elsewhere, in a registry for one: fetched by skopeo(1), which brings its own policy
/// (containers-policy.json(5)), settings (containers-registries.conf(5)) and logins (skopeo-login(1)).
struct RemoteImage {
    /// `TRANSPORT:DETAILS` as skopeo takes it. containers-transports(5)
    let reference: String
    /// The registry has to show who it is.
    var verifiesTLS = true

    private static let transports = [
        "docker:", "docker-daemon:", "containers-storage:", "docker-archive:", "oci:",
        "oci-archive:", "dir:", "ostree:", "sif:", "atomic:", "tarball:",
    ]

    /// Nil for what is no such reference: a path, then.
    init?(_ source: String) {
        guard Self.transports.contains(where: { source.hasPrefix($0) }) else { return nil }
        reference = Self.withoutTag(source)
    }

    /// Where there is a digest, a tag besides means nothing; skopeo refuses both.
    static func withoutTag(_ reference: String) -> String {
        guard reference.hasPrefix("docker://"), let at = reference.lastIndex(of: "@") else {
            return reference
        }
        let name = reference[..<at]
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else {
            return reference
        }
        return String(name[..<colon] + reference[at...])
    }

    /// Fetches it into a directory below `tree`, in the form of skopeo's transport "dir", and gives that opened.
    /// More than `largest` bytes are refused: they would unfold into more still.
    func fetch(
        into tree: PartialTree, architecture: String, largest: Int64, _ progress: ProgressReport
    ) throws -> Descriptor {
        let folder = "\(tree.path)/image"
        let temporary = "\(tree.path)/tmp"
        try makeDirectories(temporary, mode: 0o700)
        var tool = ExternalTool(
            name: "skopeo", package: "skopeo", environment: ["TMPDIR": temporary],
            inherited: [tree.lock])
        tool.whileWaiting = {
            let bytes = try DiskUsage.bytes(below: tree.path)
            guard bytes <= largest else {
                throw RootFilesystemError(
                    cannot: "fetch", reference,
                    because: "it has more bytes than the limit of \(largest)",
                    remedy: "raise the limit with --max-size if you trust the source")
            }
            progress.advance(to: bytes)
        }
        let platform = Platform(debian: architecture)
        var arguments = [
            "copy", "--override-os", "linux", "--override-arch", platform.architecture,
        ]
        if let variant = platform.variant { arguments += ["--override-variant", variant] }
        if !verifiesTLS { arguments.append("--src-tls-verify=false") }
        arguments += ["--", reference, "dir:\(folder)"]
        try run(tool, arguments) { _ in }
        return try Descriptor.open(folder, O_RDONLY | O_DIRECTORY, cannot: "read")
    }

    /// What says which image it is at this moment, and has the digests of all of it.
    func manifest() throws -> [UInt8] {
        var arguments = ["inspect", "--raw"]
        if !verifiesTLS { arguments.append("--tls-verify=false") }
        var manifest: [UInt8] = []
        try run(ExternalTool(name: "skopeo", package: "skopeo"), arguments + ["--", reference]) {
            // What it warns of is not the image's.
            if !$0.starts(with: Array("time=".utf8)) { manifest += $0 + [UInt8(ascii: "\n")] }
        }
        return manifest
    }

    private func run(
        _ tool: ExternalTool, _ arguments: [String], line: (ArraySlice<UInt8>) -> Void
    ) throws {
        var said = ""
        do {
            try tool.run(arguments, cannot: "fetch", reference) { bytes in
                line(bytes)
                let text = String(decoding: bytes, as: UTF8.self)
                if text.contains("level=fatal") { said = Self.message(of: text) ?? said }
            }
        } catch let error as RootFilesystemError where !said.isEmpty {
            throw RootFilesystemError(
                cannot: error.operation, error.object, because: "skopeo says: \(said.harmlessLine)",
                remedy: remedy(for: said))
        }
    }

    /// The text in `time="..." level=fatal msg="..."`.
    static func message(of line: String) -> String? {
        guard let start = line.firstRange(of: "msg=\"") else { return nil }
        var message = ""
        var isEscaped = false
        for character in line[start.upperBound...] {
            if isEscaped || (character != "\\" && character != "\"") {
                message.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                break
            }
        }
        return message
    }

    private func remedy(for message: String) -> String? {
        let message = message.lowercased()
        func says(_ words: String...) -> Bool {
            words.contains { message.contains($0.lowercased()) }
        }
        let own = "~/.config/containers"
        if says("server gave HTTP response") {
            return "a registry without TLS has insecure = true in \(own)/registries.conf, "
                + "see containers-registries.conf(5)"
        }
        if says("x509:", "certificate") {
            return "put its authority's certificate into \(own)/certs.d/\(registry)/ca.crt"
        }
        if says("unauthorized", "authentication required", "denied", "invalid username") {
            return "log in: skopeo login \(registry)"
        }
        if says("manifest unknown", "name unknown", "not found") {
            return "see which there are: skopeo list-tags \(nameAlone)"
        }
        if says("policy", "signature") {
            return "what may be fetched is said by containers-policy.json(5)"
        }
        return nil
    }

    /// `HOST[:PORT]` of a reference to a registry.
    private var registry: String {
        let rest = reference.drop { $0 != "/" }.drop { $0 == "/" }
        return String(rest.prefix { $0 != "/" })
    }

    private var nameAlone: String {
        let name = reference.prefix { $0 != "@" }
        guard let colon = name.lastIndex(of: ":"), !name[colon...].contains("/") else {
            return String(name)
        }
        return String(name[..<colon])
    }
}
