// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Input whose structure is meant to take for ever: each of these takes moments, and took minutes or all memory.
@Suite struct HostileInputTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func unpack(_ fields: String) throws {
        let package = try workspace.package("a", fields: fields) { $0.file("etc/x", "x") }
        try PackageUnpacker(progress: ProgressReport(quiet: true))
            .unpack([package], to: workspace.destination("root"))
    }

    static let fields = [
        "Replaces: a\(String(repeating: " ", count: 100_000))b\n",
        "Replaces: \(String(repeating: " ", count: 100_000))\n",
        "Replaces: a (\(String(repeating: " ", count: 50_000))<<\(String(repeating: " ", count: 50_000))x\n",
        "Replaces: \(String(repeating: "a,", count: 50_000))b\n",
        "Replaces: a (<< \(String(repeating: "1", count: 100_000)))\n",
        "Replaces: a (<< \(String(repeating: "1a~", count: 40_000)))\n",
        "Replaces:\n\(String(repeating: " x\n", count: 40_000))",
        "\(String(repeating: "A: x\n", count: 20_000))",
        "X: \(String(repeating: ":", count: 100_000))\n",
    ]

    @Test(arguments: fields.indices) func controlFiles(_ index: Int) throws {
        let start = ContinuousClock.now
        try unpack(Self.fields[index])
        try unpack(Self.fields[index].replacingOccurrences(of: "<<", with: ">>"))
        // What it was for 32,000 blanks; a debug build on a busy machine has room enough.
        #expect(ContinuousClock.now - start < .seconds(50))
        #expect(workspace.read("root/etc/x") == "x")
    }

    @Test func relationsAreReadAsBefore() {
        func read(_ text: String) -> String? {
            PackageRelation(Array(text.utf8)[...])?.description
        }
        #expect(read("  a  ") == "a")
        #expect(read("a:any") == "a")
        #expect(read(" lib2.0+x-y:amd64 ( >=  1:2.0~rc1-1 ) ") == "lib2.0+x-y (>= 1:2.0~rc1-1)")
        #expect(read("a(<<2)") == "a (<< 2)")
        for text in [
            "", " ", "A", "a b", "a:", "a (", "a ()", "a (<<)", "a (<< 1", "a (<< 1) x", "+a",
        ] {
            #expect(read(text) == nil, "\(text)")
        }
    }

    /// One that says it has as many releases as there are names for architectures.
    @Test func aRecordOfPackagesHasAnEnd() throws {
        try unpack("")
        let paragraph = { (index: Int) in
            "Package: lib\nVersion: 1\nArchitecture: a\(index)\nMulti-Arch: same\nFile: etc/x\n\n"
        }
        try workspace.write("root/.nsrun/packages", (0..<100).map(paragraph).joined())
        let error = failure { try unpack("") }
        #expect(error?.cause == "64 others have that name")
        #expect(workspace.read("root/etc/x") == "x")
    }

    @Test func aControlFileUnfoldsToSoMuch() throws {
        let zeros = String(repeating: "\u{0}", count: 4 << 20)
        let control = tar { for index in 0..<20 { $0.file("f\(index)", zeros) } }
        let plain = try workspace.write("control.tar", control)
        try ExternalTool(name: "gzip", package: "gzip").run([plain], cannot: "compress", plain)
        let packed = Array(try Data(contentsOf: URL(fileURLWithPath: plain + ".gz")))
        let size = String(packed.count).padding(toLength: 10, withPad: " ", startingAt: 0)
        let header = "control.tar.gz  0           0     0     100644  \(size)`\n"
        let bytes = Array("!<arch>\n\(header)".utf8) + packed
        let package = try workspace.write("evil.deb", bytes)
        let error = failure {
            try PackageUnpacker(progress: ProgressReport(quiet: true))
                .unpack([package], to: workspace.destination("root"))
        }
        #expect(error?.cause == "a part of it unfolds into more than it should")
    }

    static let documents = [
        String(repeating: "[", count: 1_000_000),
        String(repeating: #"{"manifests":"#, count: 200_000),
        "{\"manifests\":[\(String(repeating: "{},", count: 200_000)){}]}",
        "{\"manifests\":[\(String(repeating: "[[[[[[", count: 1000))",
    ]

    @Test(arguments: documents.indices) func imageDocuments(_ index: Int) throws {
        try workspace.write("image/oci-layout", #"{"imageLayoutVersion":"1.0.0"}"#)
        try workspace.write("image/index.json", Self.documents[index])
        #expect(failure { try workspace.importRoot(workspace("image")) } != nil)
        #expect(try workspace.names() == ["image"])
    }

    /// Each may be the same small blob again.
    @Test func layersHaveAnEnd() throws {
        let layer = tar { $0.file("x", "x") }
        let configuration = #"{"architecture":"amd64","os":"linux","config":{}}"#
        func blob(_ bytes: [UInt8], _ type: String) throws -> String {
            var hash = SHA256()
            bytes.withUnsafeBytes { hash.update($0) }
            let digest = hash.finish()
            try workspace.write("image/blobs/sha256/\(digest)", bytes)
            return #"{"mediaType":"\#(type)","digest":"sha256:\#(digest)","size":1}"#
        }
        let one = try blob(layer, "layer")
        let layers = [String](repeating: one, count: 501).joined(separator: ",")
        let config = try blob(Array(configuration.utf8), "config")
        let manifest = #"{"schemaVersion":2,"config":\#(config),"layers":[\#(layers)]}"#
        let top = try blob(Array(manifest.utf8), "manifest")
        try workspace.write("image/oci-layout", "{}")
        try workspace.write("image/index.json", #"{"manifests":[\#(top)]}"#)
        let error = failure { try workspace.importRoot(workspace("image")) }
        #expect(error?.cause == "it has 501 layers, and an image has at most 500")
    }

    /// A tool may be made to print without end, or one line without end.
    @Test func whatToolsPrintHasAnEnd() throws {
        try workspace.write("image.squashfs", "hsqs")
        for script in [
            "exec yes '-rw------- 0/0 100000 2000-01-01 00:00 squashfs-root/x'",
            "exec tr '\\0' x </dev/zero",
        ] {
            try workspace.script("bin/unsquashfs", "#!/bin/sh\n\(script)\n")
            let seen = try Command(in: workspace).run(
                ["import", "--max-size", "1M", workspace("image.squashfs"), "x"])
            #expect(seen.status == 125, "\(seen.output.prefix(2000))")
            #expect(seen.output.utf8.count < 20_000)
        }
        #expect(try workspace.names("data/nsrun/rootfs") == [])
    }

    @Test(arguments: [
        (".a.partial-1-f", true), (".a.partial-12-0af", true), ("..partial-1-f", false),
        ("a.partial-1-f", false), (".a.partial-1-", false), (".a.partial--f", false),
        (".a.partial-1-F", false), (".a.partial-1-f.x", false), (".a.partial-1f", false),
        (".a.partial-x.partial-1-f", true), ("", false), (".", false), ("-f", false),
    ])
    func namesInTheMaking(_ name: String, _ holds: Bool) {
        #expect(PartialName.holds(ByteString(name)) == holds)
    }
}
