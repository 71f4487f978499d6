// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What definition files have run: %post, %test, and mmdebstrap(1).
@Suite struct DefinitionTests {
    private let folder: TemporaryDirectory
    private let bare: BareRoot

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("bin")
        try folder.link("bin/apptainer", to: Bench.current().nsrun)
        try folder.link("bin/nsrun-rootfs", to: RootfsTool.path())
        bare = try BareRoot(with: ["cat", "chown", "id", "ls", "rm", "stat"])
    }

    private func apptainer(_ arguments: String...) throws -> Outcome {
        try run(
            [folder / "bin/apptainer"] + arguments,
            environment: ["PATH": "\(folder.path)/bin:/usr/bin:/bin", "SECRET": "of-the-host"],
            directory: folder.path)
    }

    private func build(_ text: String, _ options: String...) throws -> Outcome {
        try folder.write("Bootstrap: localimage\nFrom: \(bare.path)\n" + text, to: "x.def")
        let words = ["--quiet", "build", "--force"] + options + ["x.sif", "x.def"]
        return try run(
            [folder / "bin/apptainer"] + words,
            environment: ["PATH": "\(folder.path)/bin:/usr/bin:/bin", "SECRET": "of-the-host"],
            directory: folder.path)
    }

    @Test func postIsRootAndChangesTheImage() throws {
        expect(
            try build(
                """
                %environment
                  export A=1 PATH=/opt/bin:$PATH
                %post
                  id -u >/seen; pwd >>/seen
                  echo "${HOME} ${SECRET-none} $LANG" >>/seen
                  for file in \(folder.path)/* /home/*; do [ ! -e $file ] || echo $file; done >>/seen
                  : >/etc/made; chown 5:6 /etc/made
                  echo "export B=$((1 + 1))" >>$APPTAINER_ENVIRONMENT
                  echo "Made by post" >>"$SINGULARITY_LABELS"
                %files
                  x.def /etc/
                %runscript
                  echo "$A $B $1 ${PATH%%:*}"
                """), exits: 0)
        expect(
            try apptainer("exec", "x.sif", "cat", "/seen"), prints: "0\n/\n/root none C")
        expect(try apptainer("run", "x.sif", "word"), prints: "1 2 word /opt/bin")
        #expect(try apptainer("inspect", "x.sif").output.contains("Made: by post\n"))
        #expect(try apptainer("exec", "x.sif", "cat", "/.build.labels").status == 1)
    }

    @Test func aScriptMayBeForAnotherProgram() throws {
        try bare.directory.write(
            "#!/bin/sh\necho by $0; exec sh \"$@\"\n", to: "bin/other", mode: 0o755)
        let seen = try build("%post -c /bin/other -u\n  echo $nothing\n")
        #expect(seen.status == 255)
        #expect(seen.error.contains("x.def: line 3: cannot run %post: /bin/sh failed"), "\(seen)")
        #expect(seen.error.contains("by /bin/other"), "\(seen)")
        #expect(try folder.names() == ["bin", "x.def"])
    }

    /// It is part of the build, and changes nothing.
    @Test func theTestIsRun() throws {
        let text =
            "%environment\n export A=1\n%test\n echo x >/made\n [ $A = 1 ] || exit 1\n exit 7\n"
        let seen = try build(text)
        #expect(seen.status == 255)
        #expect(
            seen.error.contains("line 5: cannot run %test: /bin/sh failed with status 7"),
            "\(seen)")
        #expect(try folder.names() == ["bin", "x.def"])
        expect(try build(text, "--notest"), exits: 0)
        expect(
            try build(text.replacingOccurrences(of: "exit 7", with: "exit 0")), exits: 0)
        #expect(try apptainer("exec", "x.sif", "cat", "/made").status != 0)
    }

    /// Debian itself, by what stands in for mmdebstrap here.
    @Test func debootstrapIsMmdebstrap() throws {
        try folder.write(
            """
            #!/bin/sh
            set -e
            for word; do case $word in */.root.partial-*) root=$word ;; esac; done
            cp -r \(bare.path)/. "$root"; cd "$root"; mkdir -p var/lib/dpkg usr/bin
            seq 1000 >var/lib/dpkg/status; : >usr/bin/dpkg; : >usr/bin/su; chmod 4755 usr/bin/su
            echo "$@" >words

            """, to: "bin/mmdebstrap", mode: 0o755)
        try folder.write(
            "Bootstrap: debootstrap\nOSVersion: bookworm\nMirrorURL: http://mirror.invalid/x\n"
                + "Include: a b\n%post\n id -u >/id\n", to: "d.def")
        expect(try apptainer("--quiet", "build", "d.sif", "d.def"), exits: 0)
        let words = try apptainer("exec", "d.sif", "cat", "/words").output
        #expect(words.contains("--include=a,b bookworm "), "\(words)")
        #expect(words.hasSuffix(" http://mirror.invalid/x"), "\(words)")
        expect(try apptainer("exec", "d.sif", "cat", "/id"), prints: "0")
        expect(try apptainer("exec", "d.sif", "stat", "-c", "%a", "/usr/bin/su"), prints: "755")
    }
}
