// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import RootFilesystemKit

/// A registry on a port of the loopback interface that was free: docker-registry(1), gone with the object.
final class Registry {
    /// As images in it are named.
    let address: String
    private let process = Process()

    /// What bcrypt makes of `secret`, for a user `alice`.
    private static let login =
        "alice:$2y$04$y0FABCFZqlGHZaAm3agxlOKkUmJ3p22j/wjGKjHL57KhhkTRE9EYy\n"

    /// With TLS it has a certificate of its own, `ca.crt` in the workspace.
    init(in workspace: Workspace, hasLogin: Bool = false, hasTLS: Bool = false) throws {
        var configuration = """
            version: 0.1
            log: {accesslog: {disabled: true}}
            storage: {filesystem: {rootdirectory: "\(workspace("registry"))"}}
            http:
              addr: 127.0.0.1:0

            """
        if hasTLS {
            try ExternalTool(name: "openssl", package: "openssl").run(
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-days", "2", "-subj", "/CN=test", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", workspace("key.pem"), "-out",
                    workspace("ca.crt"),
                ], cannot: "make", "a certificate")
            configuration += """
                  tls: {certificate: "\(workspace("ca.crt"))", key: "\(workspace("key.pem"))"}

                """
        }
        if hasLogin {
            let file = try workspace.write("htpasswd", Self.login)
            configuration += "auth: {htpasswd: {realm: test, path: \"\(file)\"}}\n"
        }
        process.executableURL = URL(fileURLWithPath: "/usr/bin/docker-registry")
        process.arguments = ["serve", try workspace.write("registry.yml", configuration)]
        process.environment = ["PATH": "/usr/bin:/bin"]
        let output = Pipe()
        process.standardError = output
        process.standardOutput = output
        try process.run()
        var said = ""
        while true {
            let bytes = output.fileHandleForReading.availableData
            said += String(decoding: bytes, as: UTF8.self)
            if let found = said.firstMatch(of: /listening on (127\.0\.0\.1:[0-9]+)/) {
                address = String(found.1)
                break
            }
            guard !bytes.isEmpty else {
                throw RootFilesystemError(cannot: "start", "docker-registry", because: said)
            }
        }
        // What it says later is nobody's concern, and must not fill the pipe.
        output.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }
}
