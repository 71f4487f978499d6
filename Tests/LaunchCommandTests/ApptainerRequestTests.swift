// SPDX-License-Identifier: Apache-2.0

import Glibc
import NamespaceKit
import Testing

@testable import LaunchCommand

/// What a command line of Apptainer's, the caller's variables and the host come to, before anything is started.
@Suite struct ApptainerRequestTests {
    private var host: ApptainerHost {
        var host = ApptainerHost()
        host.environment = ["HOME=/elsewhere", "PATH=/usr/bin", "LANG=de_DE", "TERM=dumb"]
        host.home = "/home/alice"
        host.currentDirectory = "/home/alice/work"
        host.namedDirectory = "/home/alice/work"
        return host
    }

    private func make(
        _ texts: [String], on host: ApptainerHost? = nil, notes: inout ApptainerNotes
    ) throws -> ApptainerRequest {
        let line = try ApptainerParser.parse(words(["exec"] + texts))
        let host = host ?? self.host
        let variables = ApptainerVariables(host.environment)
        let options = try variables.options(beside: line, of: .exec, &notes) + line.options
        return try ApptainerRequest.make(
            ApptainerSettings(options), of: ApptainerImage(path: "/srv/a.sif"), for: .exec,
            on: host, &notes)
    }

    private func make(_ texts: String..., on host: ApptainerHost? = nil) throws -> ApptainerRequest
    {
        var notes = ApptainerNotes()
        return try make(texts, on: host, notes: &notes)
    }

    private func places(_ request: ApptainerRequest) -> [String] {
        request.request.files.operations.map { operation in
            switch operation.action {
            case .bind(.path(let source), let target, let options):
                "\(source.text) \(target.text)" + (options.contains(.readOnly) ? " ro" : "")
            case .tmpfs(let target, _, _): "tmpfs \(target.text)"
            default: "something else"
            }
        }
    }

    private func complaint(_ texts: String...) -> String? {
        do throws(ApptainerError) {
            var notes = ApptainerNotes()
            let line = try ApptainerParser.parse(words(["exec"] + texts))
            _ = try ApptainerRequest.make(
                ApptainerSettings(line.options), of: ApptainerImage(path: "/srv/a.sif"),
                for: .exec, on: host, &notes)
            return nil
        } catch {
            return error.message
        }
    }

    @Test func asItIsByDefault() throws {
        let made = try make().request
        #expect(made.root.view == .rootfs("/srv/a.sif"))
        #expect(made.root.layer == .readOnly)
        #expect(made.namespaces.new == [.user, .mount])
        #expect(made.files.hostParts == [.timeZone, .groups, .devices, .temporary])
        #expect(made.files.keepsRootPlaces)
        #expect(made.identity.user == nil)
        #expect(made.identity.capabilities.isEmpty)
        #expect(made.lifecycle.keyring == .callers)
        #expect(made.program.environment.start == .empty)
    }

    /// Whatever `$HOME` says, and with it the current directory below it.
    @Test func theHomeIsTheUserDatabases() throws {
        #expect(places(try make()) == ["/home/alice /home/alice"])
        #expect(try make().request.files.homePath == "/home/alice")
        #expect(places(try make("--no-home")) == ["/home/alice/work /home/alice/work"])
        #expect(
            places(try make("--home", "/data:/home/bob"))
                == ["/data /home/bob", "/home/alice/work /home/alice/work"])
        #expect(try make("--home", "/data:/home/bob").request.files.homePath == "/home/bob")
        #expect(places(try make("--home", "/data")).first == "/data /data")
        #expect(places(try make("--fakeroot")).first == "/home/alice /root")
        #expect(complaint("--home", "/data:bob")?.contains("not an absolute path") == true)
    }

    @Test func whoIsContainedStartsFromNothing() throws {
        let made = try make("-c")
        #expect(places(made) == ["tmpfs /home/alice"])
        #expect(made.request.files.hostParts == [.timeZone, .groups])
        #expect(made.request.program.workingDirectory == "/home/alice")
        #expect(places(try make("-c", "--no-home")).isEmpty)
        #expect(places(try make("-c", "--home", "/d:/h")) == ["/d /h"])
        #expect(try make("-c", "--pwd", "/opt").request.program.workingDirectory == "/opt")
    }

    @Test func theCurrentDirectoryIsShownUnlessItIsTheSystems() throws {
        for (here, isBound) in [
            ("/data/x", true), ("/etc", false), ("/usr", false), ("/proc/self", false),
            ("/dev/shm", false), ("/tmp/x", false), ("/", false), ("/usr/share/x", true),
            ("/home/alice", false),
        ] {
            var host = host
            host.currentDirectory = ByteString(here)
            host.namedDirectory = ByteString(here)
            #expect(
                places(try make(on: host)).contains("\(here) \(here)")
                    == (isBound || here == "/home/alice"), "\(here)")
        }
        var linked = host
        linked.namedDirectory = "/scratch/me"
        let made = try make(on: linked)
        #expect(places(made).last == "/home/alice/work /scratch/me")
        #expect(made.request.program.workingDirectory == "/scratch/me")
        #expect(places(try make("--no-mount", "cwd", "--no-home")).isEmpty)
    }

    @Test func bindsAreTheCallersOwn() throws {
        #expect(
            places(try make("-B", "data:/d:ro,/x"))
                == ["/home/alice /home/alice", "/home/alice/work/data /d ro", "/x /x"])
        #expect(complaint("-B", "/x:y")?.contains("not an absolute path") == true)
        var notes = ApptainerNotes()
        let made = try make(["-B", "/a:/d", "-B", "/b:/d/"], notes: &notes)
        #expect(places(made) == ["/home/alice /home/alice", "/a /d"])
        #expect(notes.text.contains("WARNING: destination is already in the mount point list"))
    }

    @Test func variablesAreOptionsToo() throws {
        var host = host
        host.environment += [
            "APPTAINER_BIND=/a", "SINGULARITY_BINDPATH=/b:/c", "APPTAINER_CONTAINALL=1",
            "SINGULARITY_NO_HOME=true",
        ]
        var notes = ApptainerNotes()
        let made = try make([], on: host, notes: &notes)
        #expect(places(made) == ["/a /a", "/b /c"])
        #expect(made.request.namespaces.new == [.user, .mount, .pid, .ipc])
        #expect(
            notes.text.contains(
                "INFO:    Environment variable SINGULARITY_NO_HOME is set, but APPTAINER_NO_HOME is preferred"
            ))
        host.environment = ["APPTAINER_PID=perhaps"]
        #expect(throws: ApptainerError.self) { try make(on: host) }
        // What nsrun has not is not had by a variable either.
        host.environment = ["SINGULARITY_APP=x"]
        #expect(throws: ApptainerError.self) { try make(on: host) }
    }

    @Test func theNewerNameWins() throws {
        var host = host
        host.environment = ["SINGULARITY_BIND=/old", "APPTAINER_BIND=/new"]
        var notes = ApptainerNotes()
        #expect(places(try make(["--no-home"], on: host, notes: &notes)).first == "/new /new")
        #expect(notes.text.contains("have different values"))
    }

    @Test func rootTakesWhatIdsThereAre() throws {
        var host = host
        #expect(try make("-f", on: host).request.identity.fakesRoot)
        host.hasSubordinateIDs = true
        let made = try make("-f", on: host).request.identity
        #expect(made.user == 0 && made.group == 0)
        #expect(made.mapsSubordinates && !made.fakesRoot)
    }

    @Test func aFileIsNotWritable() {
        #expect(complaint("--writable") == "no SIF writable overlay partition found in /srv/a.sif")
    }

    @Test func pidOneIsNsrunsUnlessToldOtherwise() throws {
        #expect(try make("-p").request.lifecycle.commandIsPidOne == false)
        #expect(try make("-p", "--no-init").request.lifecycle.commandIsPidOne)
        #expect(try make("--no-init").request.lifecycle.commandIsPidOne == false)
    }

    // MARK: The environment

    private func environment(_ texts: String..., host: [String] = []) throws -> [String: String] {
        var caller = self.host
        caller.environment += words(host)
        var notes = ApptainerNotes()
        let made = try make(texts, on: caller, notes: &notes)
        var found: [String: String] = [:]
        for entry in made.environment.entries {
            let parts = entry.text.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            #expect(found[String(parts[0])] == nil, "\(parts[0]) is there twice")
            found[String(parts[0])] = String(parts[1])
        }
        return found
    }

    @Test func theHostsVariablesPassButForThoseThatMislead() throws {
        let seen = try environment(host: ["LD_LIBRARY_PATH=/evil", "X=1"])
        #expect(seen["X"] == "1")
        #expect(seen["LANG"] == "de_DE")
        #expect(seen["HOME"] == "/home/alice")
        #expect(seen["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        #expect(seen["USER_PATH"] == "/usr/bin")
        #expect(seen["LD_LIBRARY_PATH"] == nil)
        #expect(seen["PS1"] == "Apptainer> ")
        #expect(seen["APPTAINER_CONTAINER"] == "/srv/a.sif")
        #expect(seen["SINGULARITY_NAME"] == "a.sif")
        #expect(seen["APPTAINER_COMMAND"] == "exec")
    }

    @Test func aCleanOneHasLittle() throws {
        let seen = try environment("-e", host: ["X=1", "USER=alice", "https_proxy=p"])
        #expect(seen["X"] == nil && seen["USER"] == nil)
        #expect(seen["LANG"] == "C")
        #expect(seen["TERM"] == "dumb")
        #expect(seen["https_proxy"] == "p")
    }

    @Test func theCallersWordIsTheLast() throws {
        let seen = try environment(
            "-e", "--env", "A=option,PATH=/only",
            host: ["APPTAINERENV_A=variable", "SINGULARITYENV_B=old", "APPTAINERENV_HOME=/h"])
        #expect(seen["A"] == "option")
        #expect(seen["B"] == "old")
        #expect(seen["PATH"] == "/only")
        #expect(seen["HOME"] == "/home/alice")
        let places = try environment(
            host: ["APPTAINERENV_PREPEND_PATH=/first", "SINGULARITYENV_APPEND_PATH=/last"])
        #expect(places["PATH"]?.hasPrefix("/first:/usr/local/sbin:") == true)
        #expect(places["PATH"]?.hasSuffix(":/bin:/last") == true)
        #expect(places["PREPEND_PATH"] == nil)
        let libraries = try environment("--env", "LD_LIBRARY_PATH=/x")
        #expect(libraries["LD_LIBRARY_PATH"] == "/x:/.singularity.d/libs")
    }

    // MARK: The script

    @Test func whatIsQuotedMeansNothing() {
        #expect(ShellText.quote("a'b$c\n") == "'a'\\''b$c\n'")
        #expect(ApptainerScript.quoteForExpansion("a\"b") == "\"a\\\"b\"")
        #expect(ApptainerScript.quoteForExpansion("$x`y`") == "\"$x`y`\"")
        #expect(ApptainerScript.quoteForExpansion("\\$x") == "\"\\$x\"")
        #expect(ApptainerScript.quoteForExpansion("c:\\dir\\") == "\"c:\\\\dir\\\\\"")
        #expect(ApptainerScript.quoteForExpansion("\\\"") == "\"\\\\\\\"\"")
    }

    /// A name that is none never becomes part of a statement.
    @Test func onlyNamesAreSet() throws {
        var caller = host
        caller.environment += ["APPTAINERENV_A;touch /x=1", "B-C=2", "1D=3"]
        let made = try make(on: caller)
        let command = ApptainerScript.command(
            .exec, ["true"], in: made.environment, shell: nil, isQuiet: true)
        #expect(command.last == "true")
        #expect(!command[3...].contains { $0.text.contains("touch") || $0.text.contains("1D") })
        #expect(!command[3...].contains { $0.text.hasPrefix("B-C") })
    }
}

/// Images, by the words that name them.
@Suite struct ApptainerImageTests {
    @Test func pathsMayHaveColons() {
        #expect(ApptainerImage.scheme(of: "docker://busybox")?.text == "docker")
        #expect(ApptainerImage.scheme(of: "oci:dir")?.text == "oci")
        #expect(ApptainerImage.scheme(of: "docker-archive:a.tar")?.text == "docker-archive")
        for path in ["a:b.sif", "/x/docker:1", "docker:1", "C:/a", "library", "./oci:x"] {
            #expect(ApptainerImage.scheme(of: ByteString(path)) == nil, "\(path)")
        }
    }

    @Test func whatIsNotHereIsNotFetchedInSilence() {
        for word in ["docker://x", "library://x", "oras://x", "instance://x", "shub://x"] {
            do throws(ApptainerError) {
                _ = try ApptainerImage.find(ByteString(word))
                Issue.record("\(word) was found")
            } catch {
                #expect(error.message.contains(word))
                #expect(error.status == 255)
            }
        }
    }

    @Test func pulledFilesAreNamedAsApptainerNamesThem() {
        #expect(ApptainerMaking.fileName(of: "docker://registry:5000/a/bb:1") == "bb_1.sif")
        #expect(ApptainerMaking.fileName(of: "docker://busybox") == "busybox_latest.sif")
        #expect(ApptainerMaking.fileName(of: "docker://bb@sha256:00") == "bb_latest.sif")
    }
}

/// What an image says of itself, which may be anything.
@Suite struct ApptainerInspectionTests {
    @Test func asJSON() {
        var found = ApptainerInspection()
        found.labels = [("a\"b", "c\nd\u{1}<")]
        found.runScript = "#!/bin/sh\n"
        #expect(
            found.json == """
                {
                \t"data": {
                \t\t"attributes": {
                \t\t\t"labels": {
                \t\t\t\t"a\\"b": "c\\nd\\u0001\\u003c"
                \t\t\t},
                \t\t\t"runscript": "#!/bin/sh\\n"
                \t\t}
                \t},
                \t"type": "container"
                }

                """)
    }

    @Test func labelsAreWhatIsMeantWhereNothingIsAskedFor() {
        var found = ApptainerInspection()
        found.labels = [("a", "b")]
        found.runScript = "run"
        var asked = found
        asked.keep([.runScript])
        #expect(asked.plain == "run\n")
        found.keep([])
        #expect(found.plain == "a: b\n")
    }

    @Test func aPipeIsNoImage() throws {
        let path = "/tmp/nsrun-test-\(UInt64.random(in: .min ... .max))"
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        #expect(throws: ApptainerError.self) {
            try ApptainerInspection.read(ApptainerImage(path: ByteString(path)))
        }
    }
}
