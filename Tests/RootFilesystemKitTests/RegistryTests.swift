// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Images that are elsewhere, fetched by skopeo.
@Suite struct RegistryTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
        mkdir(workspace("home"), 0o700)
    }

    /// Nobody's settings but those that a test writes.
    private var environment: [String: String] {
        ["HOME": workspace("home"), "REGISTRY_AUTH_FILE": workspace("home/auth.json")]
    }

    private func run(
        _ arguments: [String], _ more: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        try command.run(arguments, environment: environment.merging(more) { $1 })
    }

    private func skopeo(_ arguments: [String]) throws {
        try ExternalTool(name: "skopeo", package: "skopeo", environment: environment)
            .run(arguments, cannot: "run", "skopeo")
    }

    /// An image for two machines, as a layout with the name `app`.
    private func save() throws {
        let image = SavedImage(workspace: workspace)
        var other = image
        other.architecture = "arm64"
        other.layers = [tar { $0.file("etc/other", "x") }]
        let list = SavedImage.index([
            try image.described(platform: true), try other.described(platform: true),
        ])
        let named = #","annotations":{"org.opencontainers.image.ref.name":"app"}"#
        try image.layout([
            try image.blob(Array(list.utf8), SavedImage.indexType, more: named)
        ])
    }

    private func push(to registry: Registry, _ options: [String]) throws {
        try save()
        try skopeo(
            ["copy", "--quiet", "--all"] + options
                + ["oci:\(workspace("image")):app", "docker://\(registry.address)/app:1"])
    }

    private func allowPlain(_ registry: Registry) throws {
        try workspace.write(
            "home/.config/containers/registries.conf",
            "[[registry]]\nlocation = \"\(registry.address)\"\ninsecure = true\n")
    }

    private func expectNothing(_ seen: (status: Int32, output: String), _ words: String...) throws {
        #expect(seen.status == 125)
        for word in words { #expect(seen.output.contains(word), "\(seen.output)") }
        #expect(try workspace.names().filter { $0.contains("root") } == [])
    }

    @Test func oneWithoutTLS() throws {
        let registry = try Registry(in: workspace)
        try push(to: registry, ["--dest-tls-verify=false"])
        let source = "docker://\(registry.address)/app:1"
        try expectNothing(
            try run(["import", source, "./root"]), "cannot fetch \(source): skopeo says:",
            "HTTP response to HTTPS", "\n  a registry without TLS has insecure = true")
        try allowPlain(registry)
        let seen = try run(["import", source, "./root"])
        #expect(seen.status == 0, "\(seen.output)")
        #expect(seen.output.contains("fetching \(source)"), "\(seen.output)")
        #expect(try workspace.names("root/etc") == ["base", "top"])
        #expect(try workspace.names("root") == [".nsrun", "etc"])
        let record = try workspace.destination("root").image()
        #expect(record.user == "nobody" && record.command == ["sh"] && record.origin == source)
        // No more than the root is left.
        #expect(try workspace.names().filter { $0.hasPrefix(".") } == [])
        let absent = try run(["import", "docker://\(registry.address)/app:2", "./none"])
        #expect(absent.status == 125 && absent.output.contains("manifest unknown"))
        #expect(try workspace.names().filter { $0.contains("none") } == [])
    }

    @Test func byDigestAndForAnotherMachine() throws {
        let registry = try Registry(in: workspace)
        try push(to: registry, ["--dest-tls-verify=false"])
        try allowPlain(registry)
        let name = "docker://\(registry.address)/app"
        let raw = try ExternalTool(name: "skopeo", package: "skopeo", environment: environment)
            .run(["inspect", "--raw", "\(name):1"], cannot: "inspect", name)
        // Without the newline that a line has.
        let digest = "sha256:" + SavedImage.hex(Array(raw.dropLast()))
        let seen = try run([
            "import", "--quiet", "--arch", "arm64", "\(name):1@\(digest)", "./root",
        ])
        #expect(seen.status == 0 && seen.output == "", "\(seen.output)")
        #expect(try workspace.names("root/etc") == ["other"])
        #expect(try workspace.destination("root").image().architecture == "arm64")
        try TreeRemoval.remove(workspace("root"))
        let wrong = "sha256:" + String(repeating: "0", count: 64)
        try expectNothing(
            try run(["import", "\(name):1@\(wrong)", "./root"]), "manifest unknown",
            "skopeo list-tags \(name)")
    }

    @Test func oneWithTLSAndALogin() throws {
        let registry = try Registry(in: workspace, hasLogin: true, hasTLS: true)
        let certificates = "home/.config/containers/certs.d/\(registry.address)"
        let source = "docker://\(registry.address)/app:1"
        try expectNothing(
            try run(["import", source, "./root"]), "x509",
            "certs.d/\(registry.address)/ca.crt")
        try workspace.write("\(certificates)/ca.crt", workspace.read("ca.crt") ?? "")
        try expectNothing(
            try run(["import", source, "./root"]), "skopeo login \(registry.address)")
        try skopeo(["login", "--username", "alice", "--password", "secret", registry.address])
        try push(to: registry, [])
        let seen = try run(["import", source, "./root"])
        #expect(seen.status == 0, "\(seen.output)")
        #expect(!seen.output.contains("secret"))
        #expect(try workspace.names("root/etc") == ["base", "top"])
    }

    /// What may be fetched is the policy's to say.
    @Test func thePolicyHolds() throws {
        try save()
        try workspace.write(
            "home/.config/containers/policy.json", #"{"default":[{"type":"reject"}]}"#)
        try expectNothing(
            try run(["import", "oci:\(workspace("image")):app", "./root"]), "rejected",
            "containers-policy.json(5)")
        try workspace.write(
            "home/.config/containers/policy.json",
            #"{"default":[{"type":"insecureAcceptAnything"}]}"#)
        let seen = try run(["import", "oci:\(workspace("image")):app", "./root"])
        #expect(seen.status == 0, "\(seen.output)")
        #expect(try workspace.names("root/etc") == ["base", "top"])
    }

    @Test func withoutSkopeoWhatToInstallIsSaid() throws {
        mkdir(workspace("none"), 0o755)
        try expectNothing(
            try run(["import", "docker://example.org/app", "./root"], ["PATH": workspace("none")]),
            "cannot run skopeo: it is not installed", "\n  install it: apt install skopeo")
    }

    @Test(arguments: [
        ("docker://a/b:1", "docker://a/b:1"), ("docker://a:5000/b", "docker://a:5000/b"),
        ("docker://a:5000/b:1@sha256:0", "docker://a:5000/b@sha256:0"),
        ("docker://a:5000/b@sha256:0", "docker://a:5000/b@sha256:0"),
        ("oci:./x:1@y", "oci:./x:1@y"),
    ])
    func aTagBesideADigestMeansNothing(_ written: String, _ taken: String) {
        #expect(RemoteImage(written)?.reference == taken)
    }

    @Test(arguments: ["a.tar", "./docker:x", "-", "/x", "name", "dockerfile"])
    func pathsAreNoReferences(_ word: String) {
        #expect(RemoteImage(word) == nil)
    }

    // MARK: - A registry, or a skopeo, that means harm

    private func pretend(_ script: String) throws {
        try workspace.script(
            "bin/skopeo", "#!/bin/sh\nfor word; do :; done\nfolder=${word#dir:}\n\(script)\n")
    }

    @Test func whatItSaysCannotPoseAsSomethingElse() throws {
        try pretend(#"printf 'time="x" level=fatal msg="a \\"b\033[2J\\"\\nc"\n' >&2; exit 1"#)
        let seen = try run(["import", "docker://example.org/a", "./root"])
        try expectNothing(seen, #"skopeo says: a "b\x1b[2J""#)
        #expect(!seen.output.contains("\u{1b}"))
    }

    /// A layer without end, of which no more is kept than is to be had.
    @Test func aLayerWithoutEndIsCutOff() throws {
        try pretend("mkdir \"$folder\"; yes >\"$folder/layer\"")
        try expectNothing(
            try run(["import", "--max-size", "4M", "docker://example.org/a", "./root"]),
            "it has more bytes than the limit of 4194304", "--max-size")
    }

    @Test(arguments: [SIGTERM, SIGINT, SIGHUP]) func aSignalLeavesNothing(_ signal: Int32) throws {
        try pretend("mkdir \"$folder\"; touch \"$folder/x\" \(workspace("here")); sleep 60")
        let (process, output) = try command.start(
            ["import", "docker://example.org/a", "./root"], environment: environment)
        while workspace.read("here") == nil, process.isRunning { usleep(10_000) }
        kill(process.processIdentifier, signal)
        _ = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
        #expect(try workspace.names().filter { $0.contains("root") } == [])
    }

    /// What was fetched is looked at as hostile as ever: a digest that does not fit is one of many.
    @Test func whatWasFetchedIsChecked() throws {
        try save()
        try pretend(
            """
            PATH=/usr/bin:/bin; skopeo "$@" || exit
            for file in "$folder"/*; do case $(head -c 1 "$file") in '{') ;; *) echo >>"$file"; esac; done
            """)
        try expectNothing(
            try run(["import", "oci:\(workspace("image")):app", "./root"]), "its digest is")
    }
}
