// SPDX-License-Identifier: Apache-2.0

import Foundation
import NamespaceKit
import Testing

@testable import RootFilesystemKit

/// Images of Apptainer's, written and read.
@Suite struct SIFTests {
    let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        try workspace.write("from/etc/hosts", "localhost")
        try workspace.write(
            "from/.nsrun/image",
            """
            origin a test
            env GREETING=it's $HOME
            env ACCENT=\u{301}'\u{301}
            env 1BAD;NAME=x
            entrypoint /bin/sh
            entrypoint -c
            cmd echo 'hi'
            label maintainer=me

            """)
        chmod(workspace("from/.nsrun"), 0o755)
    }

    private func export() throws {
        try Exporter(progress: ProgressReport(quiet: true))
            .export(workspace.destination("from"), to: workspace("x.sif"))
    }

    private func read() throws -> (sif: SIFFile, bytes: Data) {
        let bytes = try Data(contentsOf: URL(filePath: workspace("x.sif")))
        let reader = try #require(FileReader(ByteString(workspace("x.sif"))))
        return (try SIFFile(size: reader.size, read: reader.read), bytes)
    }

    private func text(_ part: SIFFile.Part, _ bytes: Data) -> String {
        String(decoding: bytes[Int(part.offset)..<Int(part.offset + part.size)], as: UTF8.self)
    }

    @Test func theFileIsWhatItsReaderWants() throws {
        try export()
        let (sif, bytes) = try read()
        #expect(bytes.starts(with: Array("#!/usr/bin/env run-singularity\n".utf8)))
        #expect(sif.parts.map(\.kind) == [.definition, .document, .document, .partition])
        #expect(sif.parts.map(\.id) == [1, 2, 3, 4])
        let root = try sif.primary()
        #expect(root.offset % 4096 == 0)
        #expect(root.offset + root.size == UInt64(bytes.count))
        #expect(bytes[Int(root.offset)...].starts(with: Array("hsqs".utf8)))
        // None lies over another.
        for (part, next) in zip(sif.parts, sif.parts.dropFirst()) {
            #expect(part.offset + part.size <= next.offset)
        }
        #expect(try workspace.status("x.sif").st_mode & 0o111 == 0o111)
    }

    @Test func itsDocumentsSayHowItIsRun() throws {
        try export()
        let (sif, bytes) = try read()
        let metadata = try #require(sif.parts.first { $0.name == "inspect-metadata.json" })
        let object = try JSONSerialization.jsonObject(with: Data(text(metadata, bytes).utf8))
        let data = (object as? [String: Any])?["data"] as? [String: Any]
        let attributes = try #require(data?["attributes"] as? [String: Any])
        #expect(
            (attributes["runscript"] as? String)?.contains("exec '/bin/sh' '-c' \"$@\"") == true)
        let labels = try #require(attributes["labels"] as? [String: String])
        #expect(labels["maintainer"] == "me")
        #expect(labels["org.label-schema.schema-version"] == "1.0")
        let configuration = try #require(sif.parts.first { $0.name == "oci-config.json" })
        let config =
            try JSONSerialization.jsonObject(with: Data(text(configuration, bytes).utf8))
            as? [String: Any]
        #expect(config?["Entrypoint"] as? [String] == ["/bin/sh", "-c"])
        #expect(config?["Cmd"] as? [String] == ["echo 'hi'"])
    }

    /// What an image says is a value in its scripts and never a part of them.
    @Test func itsScriptsAreQuoted() throws {
        try export()
        try workspace.importRoot(workspace("x.sif"))
        let environment = try #require(
            workspace.read("root/.singularity.d/env/10-docker2singularity.sh"))
        #expect(
            environment
                == "#!/bin/sh\nexport GREETING='it'\\''s $HOME'\nexport ACCENT='\u{301}'\\''\u{301}'\n"
        )
        #expect(workspace.read("root/etc/hosts") == "localhost")
        #expect(
            try workspace.names("root/.singularity.d") == [
                "Singularity", "actions", "env", "labels.json", "libs", "runscript", "startscript",
            ])
    }

    /// A root that has such files already keeps them.
    @Test func whatIsThereStays() throws {
        try workspace.write("from/.singularity.d/runscript", "mine")
        try workspace.write("from/.singularity.d/Singularity", "Bootstrap: mine\n")
        try export()
        let (sif, bytes) = try read()
        #expect(sif.parts.map(\.kind) == [.definition, .document, .partition])
        #expect(text(sif.parts[1], bytes).contains("\"runscript\":\"mine\""))
        #expect(text(sif.parts[0], bytes) == "Bootstrap: mine\n")
        try workspace.importRoot(workspace("x.sif"))
        #expect(workspace.read("root/.singularity.d/runscript") == "mine")
        #expect(try workspace.names("root/.singularity.d") == ["Singularity", "runscript"])
    }

    /// Nothing but the root's own file becomes the definition.
    @Test(arguments: ["Singularity", ""]) func linksOfTheRootLeadNowhereElse(name: String) throws {
        try workspace.write("secret/Singularity", "of the host")
        if name.isEmpty {
            symlink(workspace("secret"), workspace("from/.singularity.d"))
        } else {
            mkdir(workspace("from/.singularity.d"), 0o755)
            symlink(workspace("secret/Singularity"), workspace("from/.singularity.d/Singularity"))
        }
        try export()
        #expect(
            try Data(contentsOf: URL(filePath: workspace("x.sif"))).range(
                of: Data("of the host".utf8)) == nil)
    }

    @Test func aBrokenOneIsRefusedByName() throws {
        try export()
        let whole = try Data(contentsOf: URL(filePath: workspace("x.sif")))
        for (length, cause) in [
            (whole.count - 1, "it may be cut short"), (5000, "does not lie in the file"),
        ] {
            try whole.prefix(length).write(to: URL(filePath: workspace("cut.sif")))
            do {
                try workspace.importRoot(workspace("cut.sif"))
                Issue.record("\(length) bytes are imported")
            } catch let error as RootFilesystemError {
                #expect(error.description.contains(cause))
            }
        }
    }

    // MARK: build

    private func buildFile(_ source: String, _ file: String, replacing: Bool = false) throws {
        var builder = ContainerBuilder(progress: ProgressReport(quiet: true))
        builder.replaces = replacing
        try builder.buildFile(workspace(source), workspace(file))
    }

    private func buildDirectory(_ source: String, _ directory: String) throws {
        try ContainerBuilder(progress: ProgressReport(quiet: true))
            .buildDirectory(workspace(source), workspace(directory))
    }

    /// What is said against it.
    private func complaint(_ source: String, _ file: String, replacing: Bool = false) -> String? {
        do {
            try buildFile(source, file, replacing: replacing)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func aDirectoryIsBuiltOfAFileAndBack() throws {
        try buildFile("from", "a.sif")
        try buildDirectory("a.sif", "box")
        #expect(workspace.read("box/etc/hosts") == "localhost")
        #expect(workspace.read("box/.singularity.d/runscript")?.contains("'/bin/sh'") == true)
        try buildFile("box", "b.sif")
        let reader = try #require(FileReader(ByteString(workspace("b.sif"))))
        #expect(try SIFFile(size: reader.size, read: reader.read).parts.count == 3)
    }

    /// Any image that is no SIF gets the files, too.
    @Test func aDirectoryOfATarHasThem() throws {
        try workspace.write("a.tar", tar { $0.file("etc/debian_version", "12\n") })
        try buildDirectory("a.tar", "box")
        #expect(
            try workspace.names("box") == [
                ".exec", ".nsrun", ".run", ".shell", ".singularity.d", ".test", "environment",
                "etc",
                "singularity",
            ])
    }

    @Test func whatIsThereIsReplacedWhereThatIsSaid() throws {
        try workspace.write("a.sif", "mine")
        #expect(complaint("from", "a.sif")?.contains("will not overwrite") == true)
        #expect(workspace.read("a.sif") == "mine")
        try buildFile("from", "a.sif", replacing: true)
        #expect(workspace.read("a.sif")?.hasPrefix("#!/usr/bin/env run-singularity\n") == true)
        #expect(complaint("from", "from", replacing: true)?.contains("it is a directory") == true)
    }

    @Test func definitionFilesAreNotTakenForSomethingElse() throws {
        try workspace.write("a.def", "# mine\nBootstrap: nothing\nFrom: x\n")
        #expect(
            complaint("a.def", "a.sif")?.contains("line 2: nsrun does not build with Bootstrap")
                == true)
    }
}
