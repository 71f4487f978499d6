// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// `nsrun-rootfs debian` where it cannot succeed, or is not let finish: nothing is left.
@Suite struct DebianTests {
    private let folder: TemporaryDirectory
    private var root: String { folder / "roots/new" }

    init() throws {
        folder = try TemporaryDirectory()
        try folder.makeDirectory("tmp")
    }

    /// Nothing of the rootfs, and nothing hidden; no temporary file either.
    private func leavesNothing(sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try folder.names(in: "roots") == [], sourceLocation: sourceLocation)
        #expect(try folder.names(in: "tmp") == [], sourceLocation: sourceLocation)
    }

    @Test(arguments: [["no-such-suite"], ["bookworm", "--arch", "m68k"]])
    func whatTheMirrorDoesNotCarryIsAnError(_ wanted: [String]) throws {
        let seen = try rootfsTool(
            ["debian", "--quiet", wanted[0], root] + wanted.dropFirst(),
            environment: ["TMPDIR": folder / "tmp"])
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.output == "")
        let object = wanted.count > 1 ? "bookworm for m68k" : wanted[0]
        #expect(
            seen.error.hasPrefix("nsrun-rootfs: cannot build Debian \(object): "), "\(seen)")
        try leavesNothing()
    }

    /// apt reports success for a mirror without one package.
    @Test func aTreeWithoutPackagesIsAnError() throws {
        let environment = try RootfsTool.environment(mmdebstrap: "exit 0", in: folder)
        let seen = try rootfsTool(
            ["debian", "--quiet", "bookworm", root], environment: environment)
        let message = "cannot build Debian bookworm: the mirror has no packages for it"
        #expect(seen.status == 125, "\(seen)")
        #expect(seen.error.hasPrefix("nsrun-rootfs: \(message)\n  choose a release"), "\(seen)")
        try leavesNothing()
    }

    @Test(arguments: ["running apt-get update", "downloading packages"])
    func anInterruptedBuildLeavesNothing(_ step: String) throws {
        try folder.makeDirectory("roots")
        for signal in [SIGINT, SIGTERM] {
            let talk = try Conversation(
                [
                    "sh", "-c", "TMPDIR=$2 exec \"$0\" debian bookworm \"$1\" 2>&1",
                    RootfsTool.path(), root, folder / "tmp",
                ])
            while let line = talk.line(), !line.contains(step) {}
            #expect(try folder.names(in: "roots").count == 1)
            talk.child.send(signal)
            #expect(talk.child.wait() == 128 + signal)
            try leavesNothing()
            #expect(try HostState.processesGo(root))
        }
    }

    @Test func withoutMmdebstrapTheErrorSaysWhatToDo() throws {
        let empty = try folder.makeDirectory("empty")
        let seen = try rootfsTool(["debian", "bookworm", root], environment: ["PATH": empty])
        #expect(seen.status == 125)
        #expect(seen.error.contains("mmdebstrap is not installed\n"), "\(seen)")
        let remedy = try #require(seen.error.split(separator: "\n").last)
        for word in ["apt install mmdebstrap", "nsrun-rootfs unpack", "nsrun-rootfs import"] {
            #expect(remedy.contains(word), "\(seen)")
        }
        #expect(access(folder / "roots", F_OK) != 0)
    }

    /// A real one, though small: every file of one package, from the mirror, in place.
    @Test func theFilesOfAPackageArriveUnconfigured() throws {
        let seen = try rootfsTool(
            [
                "debian", "--quiet", "--variant", "extract", "--include", "hostname", "bookworm",
                root,
            ], environment: ["TMPDIR": folder / "tmp"])
        expect(seen, exits: 0)
        #expect(try folder.names(in: "tmp") == [])
        #expect(try folder.names(in: "roots") == ["new"])
        #expect(access("\(root)/bin/hostname", X_OK) == 0)
        let record = folder.content("roots/new/.nsrun/image") ?? ""
        #expect(record.contains("origin debian bookworm extract\nsuite bookworm\n"))
    }

    /// A stand-in that makes a small tree at $root, and then what a script says.
    private func build(_ script: String, _ options: [String] = []) throws -> Outcome {
        let environment = try RootfsTool.environment(
            mmdebstrap: """
                set -e
                for word; do case $word in */.new.partial-*) root=$word ;; esac; done
                cd "$root"; mkdir -p var/lib/dpkg usr/bin bin
                seq 1000 >var/lib/dpkg/status; : >usr/bin/dpkg
                \(script)
                """, in: folder)
        return try rootfsTool(
            ["debian", "--quiet", "bookworm", root] + options, environment: environment)
    }

    /// Neither those of the caller's own, nor those of the ids that are subordinate to him.
    @Test func noSetIDBitsStay() throws {
        _ = try SubordinateRange.first()
        let seen = try build(
            """
            for file in bin/su bin/wall hers/at; do mkdir -p hers; : >$file; done
            chown -R 5:7 hers; chmod 4755 bin/su; chmod 2755 bin/wall; chmod 6755 hers/at
            mkdir -p mail; chmod 2775 mail; chmod 700 hers
            """)
        expect(seen, exits: 0)
        let find =
            "cd /tmp/x; find . -perm /6000; stat -c '%a %u:%g %n' bin/su bin/wall hers/at mail"
        expect(
            try inRoot(
                find, ["--map-auto", "--uid", "0", "--gid", "0", "--bind", root, "/tmp/x"]),
            prints: "755 0:0 bin/su\n755 0:0 bin/wall\n755 5:7 hers/at\n775 0:0 mail")
        expect(try rootfsTool(["remove", root]), exits: 0)
        try leavesNothing()
    }

    /// Packages may make links of what is written to at the end.
    @Test func linksOfATreeLeadNowhereElse() throws {
        try folder.makeDirectory("victim")
        expect(try build("ln -s \(folder / "victim") etc; ln -s /none .nsrun"), exits: 0)
        #expect(try folder.names(in: "victim") == [])
        #expect(try folder.names(in: "roots/new/.nsrun") == ["image"])
    }

    /// By what its first line names, or by sh: as root of the root, which has nothing else of the host's.
    @Test(arguments: ["#!/bin/sh -e\n", "#! /bin/sh\n", ""])
    func aScriptIsRunInTheRoot(_ head: String) throws {
        let bare = try BareRoot(with: ["id", "touch"])
        let script = try folder.write(
            "\(head)id -u >/ran; touch /home; [ ! -e \(folder.path) ] && echo alone >>/ran\n",
            to: "script")
        expect(try build("cp -a \(bare.path)/. .", ["--run", script]), exits: 0)
        #expect(folder.content("roots/new/ran") == "0\nalone\n")
        #expect(
            try folder.names(in: "roots/new")
                == [".nsrun", "bin", "home", "lib", "lib64", "ran", "usr", "var"])
    }

    @Test func aScriptThatFailsLeavesNothing() throws {
        let bare = try BareRoot()
        let script = try folder.write("#!/bin/sh\necho words; exit 3\n", to: "script")
        let seen = try build("cp -a \(bare.path)/. .", ["--run", script])
        #expect(seen.status == 125)
        let lines = seen.error.split(separator: "\n")
        #expect(
            lines == [
                "nsrun-rootfs: cannot run \(script): /bin/sh failed with status 3", "  words",
            ], "\(seen)")
        try leavesNothing()
        // And one that is not there is known before anything is built.
        let absent = try build("touch \(folder / "built")", ["--run", folder / "none"])
        #expect(absent.status == 125 && absent.error.contains("no such file"), "\(absent)")
        #expect(folder.content("built") == nil)
        let empty = try build("", ["--run", folder.write("#!\n", to: "script")])
        #expect(empty.error.contains("its first line names no interpreter"), "\(empty)")
    }

    @Test func oneNameIsNotBuiltTwice() throws {
        try folder.write("mine", to: "roots/new/file")
        let seen = try rootfsTool(["debian", "--quiet", "bookworm", root])
        #expect(seen.status == 125)
        #expect(
            seen.error.hasPrefix("nsrun-rootfs: cannot create \(root): it already exists\n"))
        #expect(folder.content("roots/new/file") == "mine")
        #expect(try folder.names(in: "roots") == ["new"])
    }
}
