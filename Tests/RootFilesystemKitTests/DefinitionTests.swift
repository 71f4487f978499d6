// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RootFilesystemKit

/// Definition files of Apptainer's as they are read, before anything is built.
@Suite struct DefinitionTests {
    private func parse(
        _ text: String, _ arguments: [String: String] = [:]
    ) throws -> DefinitionFile {
        var used: Set<String> = []
        return try DefinitionFile(text, arguments: arguments, used: &used)
    }

    /// Line and cause of what is wrong.
    private func fault(_ text: String, _ arguments: [String: String] = [:]) -> String {
        do {
            for stage in try parse(text, arguments).stages {
                _ = try DefinitionSource(stage)
                _ = try DefinitionTransfer.all(in: stage)
                for section in stage.sections { _ = try DefinitionStage.words(section) }
            }
            return "nothing"
        } catch let error as ContainerfileError {
            return "\(error.line): \(error.cause)"
        } catch {
            return "\(error)"
        }
    }

    private func source(_ header: String) throws -> DefinitionSource {
        try DefinitionSource(parse(header).stages[0])
    }

    private func script(_ text: String) throws -> String {
        let stage = try parse("Bootstrap: scratch\n" + text).stages[0]
        return try DefinitionMetadata.script(#require(stage.sections.first))
    }

    @Test func aHeaderIsKeysAndValues() throws {
        let file = try parse(
            "\u{feff}# before\n\n BootStrap: docker # why\r\nfrom:  a:1 \n# more\nStage: x\\\ny\n\n%post\nls\n"
        )
        #expect(file.stages.count == 1)
        let stage = file.stages[0]
        #expect(stage.line == 3)
        #expect(stage.header["bootstrap"]?.value == "docker")
        #expect(stage.header["from"] == .init(line: 4, value: "a:1"))
        #expect(stage.name == "xy")
        #expect(stage.sections.map(\.name) == [.post])
    }

    @Test func stagesBeginWithBootstrap() throws {
        let file = try parse(
            "Bootstrap: scratch\nStage: one\n%post\n  Bootstrap: no\n  x\nbootstrap: scratch\n%test\n  y\n"
        )
        #expect(file.stages.map(\.line) == [1, 6])
        #expect(file.stages[0].section(.post)?.text == "  Bootstrap: no\n  x\n")
        #expect(file.stages[1].section(.test)?.lines == [.init(number: 8, text: "  y")])
        #expect(
            fault("Bootstrap: scratch\nStage: a\nBootstrap: scratch\nStage: a\n")
                == "4: there are two stages a")
    }

    @Test func sectionsOfOneNameAreOne() throws {
        let stage = try parse(
            "Bootstrap: scratch\n%POST -c /bin/bash # so\n  a\n%labels\nX y\n%post\n  b\n"
        ).stages[0]
        let post = try #require(stage.section(.post))
        #expect(post.text == "  a\n  b\n")
        #expect(post.arguments == "-c /bin/bash")
        #expect(
            try DefinitionStage.words(post)
                == ["/bin/sh", "-ex", "-c", "/bin/bash \(TreeRun.scriptPlace)"])
        #expect(stage.section(.test) == nil)
    }

    @Test func whatItBeginsWith() throws {
        #expect(
            try source("Bootstrap: docker\nFrom: //debian:12\n") == .remote("docker://debian:12"))
        #expect(
            try source("Bootstrap: docker\nRegistry: h:5000/\nNamespace: n\nFrom: d\n")
                == .remote("docker://h:5000/n/d"))
        #expect(
            try source("Bootstrap: localimage\nFrom: a.sif\n") == .local("./a.sif", image: nil))
        #expect(
            try source("Bootstrap: docker-archive\nFrom: /x/a.tar\n")
                == .local("/x/a.tar", image: nil))
        #expect(try source("Bootstrap: oci\nFrom: d:t\n") == .local("./d", image: "t"))
        #expect(try source("Bootstrap: oci\nFrom: /a:b/d\n") == .local("/a:b/d", image: nil))
        #expect(
            try source("Bootstrap: debootstrap\nOSVersion: sid\nInclude: a b,c\n")
                == .debian(suite: "sid", mirror: nil, include: ["a", "b", "c"]))
        #expect(try source("Bootstrap: scratch\n") == .nothing)
    }

    @Test func whatIsWrongIsSaidWithItsLine() {
        for (text, wanted) in [
            ("", "1: there is no Bootstrap: in it"),
            ("%post\n", "1: there is no Bootstrap: before it"),
            ("From: x\nBootstrap: docker\n", "1: there is no Bootstrap: before it"),
            ("Bootstrap: docker\n", "1: Bootstrap: docker takes From:"),
            ("Bootstrap: debootstrap\n", "1: Bootstrap: debootstrap takes OSVersion:"),
            ("Bootstrap: yum\n", "1: nsrun does not build with Bootstrap: yum"),
            ("Bootstrap: scratch\nNope: x\n", "2: a header has no nope:"),
            ("Bootstrap: scratch\nnope\n", "2: nope is no line of a header"),
            (
                "Bootstrap: docker\nFrom: x\nInclude: y\n",
                "3: Include: means nothing to nsrun with Bootstrap: docker"
            ),
            (
                "Bootstrap: localimage\nFrom: x\nFingerprints: y\n",
                "3: Fingerprints: means nothing to nsrun with Bootstrap: localimage"
            ),
            ("Bootstrap: scratch\n%nope\n", "2: there is no section %nope"),
            ("Bootstrap: scratch\n%appinstall x\n", "2: there is no section %appinstall"),
            (
                "Bootstrap: scratch\n%post\n  %test\n",
                "3: %test does not stand at the beginning of its line"
            ),
            (
                "Bootstrap: scratch\n%post -c\n",
                "2: there is no program behind the -c of %post"
            ),
            ("Bootstrap: scratch\n%files to x\n", "2: %files to x is not known"),
            (
                "Bootstrap: scratch\n%files\na b c\n",
                "3: %files has a file and its place in each line"
            ),
            ("Bootstrap: scratch\n%files\n\"a b\n", "3: a quote (\") is not closed"),
            ("Bootstrap: scratch\n%arguments\nx\n", "3: x is not NAME=VALUE"),
        ] {
            #expect(fault(text) == wanted)
        }
    }

    @Test func filesAreSourceAndPlace() throws {
        let stage = try parse(
            "Bootstrap: scratch\n%files\n a\n\n # no\n \"b c\" 'd e' # yes\n%files from one\n x y\n"
        ).stages[0]
        #expect(
            try DefinitionTransfer.all(in: stage) == [
                .init(line: 8, source: "x", target: "y", stage: "one"),
                .init(line: 3, source: "a", target: nil, stage: nil),
                .init(line: 6, source: "b c", target: "d e", stage: nil),
            ])
    }

    @Test func argumentsStandForNames() throws {
        let text =
            "Bootstrap: scratch\n%arguments\n A=1\n B = x{{ A }}\n%post\n echo {{A}} {{ B }} {{ C }}\n # {{ D }}\n echo '#!'{{ A }}\n"
        var used: Set<String> = []
        let file = try DefinitionFile(text, arguments: ["C": "3\n4"], used: &used)
        #expect(
            file.stages[0].section(.post)?.lines == [
                .init(number: 6, text: " echo 1 x1 3"), .init(number: 6, text: "4"),
                .init(number: 7, text: " # {{ D }}"), .init(number: 8, text: " echo '#!'1"),
            ])
        #expect(used == ["A", "B", "C"])
        #expect(file.text == text)
        #expect(
            try parse(text, ["C": "", "A": "9"]).stages[0].section(.post)?.lines[0].text
                == " echo 9 x9 ")
        #expect(
            fault(text)
                == "6: build var C is not defined through either --build-arg (--build-arg-file) or 'arguments' section"
        )
        // What names itself stays a text.
        #expect(
            try parse("Bootstrap: scratch\n%post\n{{ A }}\n", ["A": "{{ A }}{{ A }}"]).stages[0]
                .section(.post)?.text == "{{ A }}{{ A }}{{ A }}{{ A }}\n")
    }

    @Test func scriptsHaveAFirstLine() throws {
        #expect(try script("%runscript\n  echo\n") == "#!/bin/sh\n\n  echo\n\n")
        #expect(
            try script("%runscript -e\n\n #!/bin/bash\necho\n") == "#!/bin/bash -e\n\necho\n\n")
        #expect(
            DefinitionMetadata.labels(["", " # no", " A b  c ", "D"]).map { "\($0)|\($1)" }
                == ["A|b  c", "D|"])
    }

    @Test func itIsToldFromOtherFiles() {
        #expect(DefinitionFile.looksLike("# x\n\n  BOOTSTRAP: docker"))
        #expect(!DefinitionFile.looksLike("FROM x\nRUN echo bootstrap: docker"))
    }

    /// Whatever it is made of, reading ends.
    @Test func longInputsAreRead() throws {
        let many = String(repeating: "Bootstrap: scratch\n", count: 1000)
        #expect(fault(many) == "101: there are more than 100 stages")
        let deep = "Bootstrap: scratch\n%post\n" + String(repeating: "{{ A }}", count: 50_000)
        #expect(fault(deep, ["A": String(repeating: "x", count: 1000)]).hasPrefix("3: more than"))
        #expect(
            fault("Bootstrap: scratch\n%post\n" + String(repeating: "{", count: 100_000))
                == "nothing")
    }
}
