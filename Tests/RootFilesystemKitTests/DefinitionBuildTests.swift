// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Images built as a definition file says, as far as nothing is run in them.
@Suite struct DefinitionBuildTests {
    let workspace: Workspace
    let command: Command

    init() throws {
        workspace = try Workspace()
        command = Command(in: workspace)
        for name in ["a", "dir/b", "dir/sub/c"] { try workspace.write(name, name) }
        symlink("sub/c", workspace("dir/link"))
        symlink("sub", workspace("dir/directory"))
        try workspace.write("base/etc/os-release", "ID=base\n")
    }

    private func build(
        _ text: String, _ options: [String] = [], to name: String = "box"
    ) throws -> (status: Int32, output: String) {
        try workspace.write("x.def", text)
        return try command.run(
            ["apptainer", "--quiet", "--sandbox"] + options + ["--", "x.def", name],
            environment: ["HOME": workspace.path])
    }

    private func builds(_ text: String, _ options: [String] = []) throws {
        let seen = try build(text, ["--force"] + options)
        #expect(seen.status == 0 && seen.output == "", "\(seen.output)")
    }

    private func fails(
        _ text: String, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let seen = try build(text, to: "none")
        #expect(seen.status == 255, "\(seen.output)", sourceLocation: sourceLocation)
        for word in words {
            #expect(seen.output.contains(word), "\(seen.output)", sourceLocation: sourceLocation)
        }
        #expect(
            try workspace.names().filter { $0.contains("none") } == [],
            sourceLocation: sourceLocation)
    }

    /// As `cp -fLr` would have it.
    @Test func filesGoWhereCpPutsThem() throws {
        try builds(
            "Bootstrap: scratch\n%files\na\na /x\na /new/\ndir /copy\ndir /new\ndi? /all/\n./dir/../a /y\n"
        )
        for place in ["a", "x", "new/a", "y"] { #expect(workspace.read("box/\(place)") == "a") }
        for top in ["copy", "new/dir", "all/dir"] {
            #expect(workspace.read("box/\(top)/sub/c") == "dir/sub/c")
            // What a link leads to is there, and no link.
            for place in ["link", "directory/c"] {
                #expect(workspace.read("box/\(top)/\(place)") == "dir/sub/c")
            }
            for place in ["link", "directory"] {
                var status = stat()
                #expect(lstat(workspace("box/\(top)/\(place)"), &status) == 0)
                #expect(!status.isSymbolicLink)
            }
        }
        try fails("Bootstrap: scratch\n%files\nnope /x\n", "x.def: line 3: there is no nope")
        symlink(".", workspace("dir/circle"))
        try fails("Bootstrap: scratch\n%files\ndir /x\n", "x.def: line 3: cannot copy")
    }

    /// Nothing is reached but what is in the stage, and links are kept.
    @Test func filesOfAStageAreThose() throws {
        symlink("/etc/os-release", workspace("base/etc/absolute"))
        symlink("../../../../../../../../../etc/passwd", workspace("base/out"))
        try builds(
            """
            Bootstrap: localimage
            From: base
            Stage: one
            %files
              a /etc/a
            Bootstrap: scratch
            %files from one
              /etc /copied
              /etc/absolute /followed
              /etc/a
            """)
        #expect(workspace.read("box/copied/a") == "a")
        #expect(workspace.read("box/etc/a") == "a")
        #expect(workspace.read("box/followed") == "ID=base\n")
        #expect(
            try FileManager.default.destinationOfSymbolicLink(
                atPath: workspace("box/copied/absolute")) == "/etc/os-release")
        try fails(
            "Bootstrap: localimage\nFrom: base\nStage: one\nBootstrap: scratch\n%files from one\n/out /x\n",
            "line 6: there is no /out")
        try fails(
            "Bootstrap: scratch\n%files from two\n/x\nBootstrap: scratch\nStage: two\n",
            "line 3: there is no stage two before it")
    }

    @Test func theImageSaysWhatTheFileSays() throws {
        try builds(
            """
            Bootstrap: localimage
            From: base
            %help
              Help
            %labels
              Author me you
            %environment
              export A={{ A }}
            %runscript
              #!/bin/bash
              run
            %startscript
              start
            %setup
              touch \(workspace("never"))
            """, ["--build-arg", "A=1"])
        let top = "box/.singularity.d"
        #expect(workspace.read("\(top)/runscript.help") == "  Help\n\n")
        #expect(
            workspace.read("\(top)/env/90-environment.sh") == "#!/bin/sh\n\n  export A=1\n\n")
        #expect(workspace.read("\(top)/runscript") == "#!/bin/bash\n\n  run\n\n")
        #expect(workspace.read("\(top)/startscript")?.hasSuffix("\n  start\n\n") == true)
        #expect(workspace.read("\(top)/Singularity")?.contains("{{ A }}") == true)
        let labels = try JSONDecoder().decode(
            [String: String].self, from: Data((workspace.read("\(top)/labels.json") ?? "").utf8))
        #expect(labels["Author"] == "me you")
        #expect(labels["org.label-schema.usage.singularity.deffile.from"] == "base")
        #expect(
            workspace.read("box/.nsrun/image")?.contains("/.singularity.d/runscript") == true)
        #expect(access(workspace("never"), F_OK) != 0)
        for place in ["proc", "dev", "tmp", "home"] {
            #expect(access(workspace("box/\(place)"), F_OK) == 0)
        }
    }

    /// What the image that it begins with says stays, but for --force; and what it was made of is history.
    @Test func whatTheBaseSaysStays() throws {
        try workspace.write("base/.singularity.d/runscript.help", "old")
        try workspace.write("base/.singularity.d/labels.json", "{\"A\":\"old\"}")
        try workspace.write("base/.singularity.d/Singularity", "before")
        let text = "Bootstrap: localimage\nFrom: base\n%help\nnew\n%labels\nA new\nB new\n"
        #expect(try build(text).status == 0)
        let top = "box/.singularity.d"
        #expect(workspace.read("\(top)/runscript.help") == "old")
        #expect(workspace.read("\(top)/labels.json")?.contains("\"A\":\"old\"") == true)
        #expect(workspace.read("\(top)/labels.json")?.contains("\"B\":\"new\"") == true)
        #expect(workspace.read("\(top)/bootstrap_history/Apptainer0") == "before")
        #expect(workspace.read("\(top)/Singularity") == text)
        try builds(text)
        #expect(workspace.read("\(top)/runscript.help") == "new\n\n")
        #expect(workspace.read("\(top)/labels.json")?.contains("\"A\":\"new\"") == true)
    }

    /// Links of the image's lead to nothing of the host's.
    @Test func nothingIsWrittenThroughLinks() throws {
        try workspace.write("secret/labels.json", "{\"S\":\"of the host\"}")
        try workspace.write("base/.singularity.d/env/x", "")
        for name in ["labels.json", "runscript", "env/90-environment.sh", "Singularity"] {
            symlink(
                workspace("secret/" + name.lastName), workspace("base/.singularity.d/\(name)"))
        }
        let before = try workspace.names("secret")
        try builds(
            "Bootstrap: localimage\nFrom: base\n%labels\nA b\n%environment\nx\n%runscript\nx\n")
        #expect(try workspace.names("secret") == before)
        #expect(workspace.read("secret/labels.json") == "{\"S\":\"of the host\"}")
        #expect(
            workspace.read("box/.singularity.d/labels.json")?.contains("of the host") == false)
    }

    @Test func argumentsThatNobodyAsksForAreAnError() throws {
        let text = "Bootstrap: scratch\n"
        let seen = try build(text, ["--build-arg", "A=1"])
        #expect(seen.status == 255 && seen.output.contains("unused build args: A"))
        try builds(text, ["--build-arg", "A=1", "--warn-unused-build-args"])
        try workspace.write("values", "A=7\nnothing\n")
        try builds(
            "Bootstrap: scratch\n%help\n{{ A }}{{ B }}\n",
            ["--build-arg-file", "values", "--build-arg", "B=8"])
        #expect(workspace.read("box/.singularity.d/runscript.help") == "78\n\n")
    }

    /// The archive that docker saves, without a registry.
    @Test func anArchiveIsABase() throws {
        let image = SavedImage(workspace: workspace)
        let entry = try image.docker(config: "c.json", layers: ["l.tar", "m.tar"])
        try image.write("manifest.json", "[\(entry)]")
        _ = try image.archive("saved.tar")
        try builds("Bootstrap: docker-archive\nFrom: saved.tar\n%files\na /a\n")
        #expect(workspace.read("box/a") == "a")
        #expect(workspace.read("box/.singularity.d/runscript")?.contains("'sh'") == true)
        #expect(try workspace.names().filter { $0.contains("partial") } == [])
    }
}
