// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

/// The command lines of Apptainer: how they are split, and what is refused by name.
@Suite struct ApptainerParserTests {
    /// Verb, options as `name=value`, and what is left.
    private func read(_ texts: String...) throws -> [String] {
        let line = try ApptainerParser.parse(words(texts))
        return [line.verb?.name.text ?? ""]
            + line.options.map { "\($0.option.name.text)=\($0.value.text)" }
            + line.words.map(\.text)
    }

    private func fault(_ texts: [String]) -> ApptainerError? {
        do throws(ApptainerError) {
            let line = try ApptainerParser.parse(words(texts))
            _ = try ApptainerSettings(line.options)
            return nil
        } catch {
            return error
        }
    }

    private func fault(_ texts: String...) -> ApptainerError? { fault(texts) }

    @Test func optionsAreSplitAsGoSplitsThem() throws {
        #expect(
            try read("exec", "-eCB", "d:/mnt", "i", "x")
                == ["exec", "cleanenv=true", "containall=true", "bind=d:/mnt", "i", "x"])
        #expect(try read("exec", "-Bd:/mnt", "i", "x") == ["exec", "bind=d:/mnt", "i", "x"])
        #expect(try read("exec", "-B=d", "i", "x") == ["exec", "bind=d", "i", "x"])
        #expect(try read("run", "--pid=false", "i") == ["run", "pid=false", "i"])
        #expect(try read("run", "-p=0", "i") == ["run", "pid=false", "i"])
        #expect(try read("run", "--pwd=", "i") == ["run", "pwd=", "i"])
        #expect(try read("run", "--pwd", "--pid", "i") == ["run", "pwd=--pid", "i"])
        #expect(try read("-q", "exec", "i", "x") == ["exec", "quiet=true", "i", "x"])
        #expect(try read("exec", "--", "i", "x") == ["exec", "i", "x"])
    }

    @Test func behindTheImageAllIsTheCommands() throws {
        #expect(
            try read("exec", "i", "ls", "-l", "--pid", "-B") == [
                "exec", "i", "ls", "-l", "--pid", "-B",
            ])
        #expect(try read("exec", "i", "--", "echo") == ["exec", "i", "--", "echo"])
        #expect(try read("run", "i", "--help") == ["run", "i", "--help"])
    }

    /// The same letter means what it does for the verb.
    @Test func aVerbsLettersComeBeforeThoseOfAll() throws {
        #expect(try read("shell", "-s", "zsh", "i") == ["shell", "shell=zsh", "i"])
        #expect(try read("-s", "shell", "i") == ["shell", "silent=true", "i"])
        #expect(try read("build", "-s", "d", "i") == ["build", "sandbox=true", "d", "i"])
        #expect(try read("inspect", "-d", "i") == ["inspect", "deffile=true", "i"])
    }

    @Test func whatMakesNoSenseIsUsage() {
        for (line, message) in [
            (["exec", "--nope", "i"], "Error for command \"exec\": unknown flag: --nope\n"),
            (["exec", "--bi", "i"], "Error for command \"exec\": unknown flag: --bi\n"),
            (["exec", "-X"], "Error for command \"exec\": unknown shorthand flag: 'X' in -X\n"),
            (["exec", "-B"], "Error for command \"exec\": flag needs an argument: 'B' in -B\n"),
            (["exec", "--pwd"], "Error for command \"exec\": flag needs an argument: --pwd\n"),
            (["nope"], "Error: unknown command \"nope\" for \"apptainer\"\n"),
            (["--pid", "exec"], "Error: unknown flag: --pid\n"),
            (
                ["exec", "--pid=maybe"],
                "Error for command \"exec\": invalid argument \"maybe\" for \"--pid\" flag: not true or false\n"
            ),
        ] {
            #expect(fault(line)?.text == message)
            #expect(fault(line)?.status == 1)
        }
    }

    /// No verb of Apptainer's is taken for something that it is not.
    @Test(arguments: ApptainerVerb.unknown.map(\.text))
    func verbsThatAreNotThereAreNamed(verb: String) {
        let error = fault(verb, "--whatever", "x")
        #expect(error?.message == "apptainer \(verb) is not among what nsrun does")
        #expect(error?.status == 255)
    }

    @Test func optionsThatAreNotThereAreNamed() {
        let refused = ApptainerOptions.all.filter {
            $0.id == .action(.refused) && $0.verbs.contains(.action)
        }
        #expect(refused.count > 15)
        for option in refused {
            let name = "--" + option.name.text
            let error = fault(["exec", name] + (option.isFlag ? [] : ["1"]) + ["i", "true"])
            #expect(error?.message.hasPrefix("\(name) is not among") == true)
            #expect(error?.status == 255)
        }
        #expect(fault("exec", "--nvccli=false", "i", "x") == nil)
    }

    @Test func someVerbsHaveTwoWords() throws {
        #expect(
            try read("instance", "start", "-B", "/a", "i", "n", "-B") == [
                "start", "bind=/a", "i", "n", "-B",
            ])
        #expect(
            try read("-q", "instance", "stop", "-a", "-t", "3") == [
                "stop", "quiet=true", "all=true", "timeout=3",
            ])
        #expect(try read("cache", "clean", "-fD", "3") == ["clean", "force=true", "days=3"])
        #expect(
            try ApptainerParser.parse(words(["instance", "run", "i", "n"])).verb == .instanceRun)
        #expect(try ApptainerParser.parse(words(["run", "i"])).verb == .run)
        for line in [["instance"], ["instance", "nope"], ["cache"], ["cache", "exec"]] {
            #expect(
                fault(line)?.text == "Error for command \"\(line[0])\": invalid command\n")
        }
        #expect(fault("instance", "stats", "x")?.status == 255)
        #expect(fault("start", "i", "n")?.status == 1)
    }

    /// Whoever looks for an option finds one at most.
    @Test func noTwoOptionsOfAVerbHaveOneName() {
        for verb in ApptainerVerb.allCases {
            let options = ApptainerOptions.all.filter { !$0.verbs.isDisjoint(with: verb.options) }
            let names = options.map(\.name.text)
            #expect(Set(names).count == names.count, "\(verb)")
            let own = options.filter { !$0.verbs.contains(.general) && $0.letter > 0 }
            #expect(Set(own.map(\.letter)).count == own.count, "\(verb)")
        }
    }

    @Test func helpHasWhatThereIsAndNothingElse() {
        for option in ApptainerOptions.all {
            let isShown = ApptainerHelp.text.contains("--\(option.name.text) ")
            let isRefused = ApptainerOptions.all.allSatisfy {
                $0.name.text != option.name.text || $0.help.utf8CodeUnitCount == 0
            }
            #expect(isShown != isRefused, "\(option.name.text)")
        }
    }
}

/// What the options come to.
@Suite struct ApptainerSettingsTests {
    private func settings(_ texts: String...) throws -> ApptainerSettings {
        try ApptainerSettings(ApptainerParser.parse(words(["exec"] + texts)).options)
    }

    private func complaint(_ texts: String...) -> String? {
        do throws(ApptainerError) {
            _ = try ApptainerSettings(ApptainerParser.parse(words(["exec"] + texts)).options)
            return nil
        } catch {
            return error.message
        }
    }

    private func binds(_ text: String) throws -> [String] {
        try settings("-B", text).binds.map {
            "\($0.source.text) \($0.target.text)\($0.isReadOnly ? " ro" : "")"
        }
    }

    @Test func bindsHaveThreeParts() throws {
        #expect(try binds("/a") == ["/a /a"])
        #expect(try binds("/a:/b") == ["/a /b"])
        #expect(try binds("/a:/b:ro") == ["/a /b ro"])
        #expect(try binds("/a:/b:rw,/c,/d:/e:ro") == ["/a /b", "/c /c", "/d /e ro"])
        #expect(try binds("/a::ro") == ["/a /a ro"])
        #expect(try binds("/a\\:b:/c\\,d") == ["/a:b /c,d"])
        #expect(complaint("-B", "/a:/b:ro:x")?.hasSuffix("is not SRC[:DEST[:OPTS]]") == true)
        #expect(complaint("-B", ":/b")?.hasSuffix("is not SRC[:DEST[:OPTS]]") == true)
        #expect(
            complaint("-B", "/a:/b:z") == "cannot use -B /a:/b:z: z is not a valid bind option")
        #expect(complaint("-B", "/a:/b:image-src=/x")?.contains("inside of an image") == true)
    }

    @Test func mountsAreFieldsOfALine() throws {
        func bind(_ text: String) throws -> ApptainerBind? {
            try settings("--mount", text).binds.first
        }
        for text in [
            "type=bind,source=/a,destination=/b,ro", "type=bind,src=/a,dst=/b,readonly",
            "source=/a,target=/b,type=bind,ro=true",
        ] {
            #expect(try bind(text) == ApptainerBind(source: "/a", target: "/b", isReadOnly: true))
        }
        #expect(
            try bind("type=bind,\"source=/a,b\",dst=/b")
                == ApptainerBind(source: "/a,b", target: "/b"))
        for (text, cause) in [
            ("type=tmpfs,dst=/b", "the type is not bind"),
            ("src=/a,dst=/b", "the type is not bind"),
            ("type=bind,dst=/b", "there is no source"), ("type=bind,src=/b", "no destination"),
            ("type=bind,src=/a,dst=/b,nope", "nope is not known"),
            ("type=bind,src=/a,dst=/b,ro=maybe", "ro is true or false, and not maybe"),
            ("type=bind,src=/a,dst=/b,bind-propagation=shared", "no propagation of its own"),
        ] {
            #expect(complaint("--mount", text)?.contains(cause) == true)
        }
    }

    @Test func variablesAreSeparatedWhereThereAreSeveral() throws {
        func variables(_ text: String) throws -> [String] {
            try settings("--env", text).variables.map { "\($0.name.text)|\($0.value.text)" }
        }
        #expect(try variables("A=1") == ["A|1"])
        #expect(try variables("A=1,B=2") == ["A|1", "B|2"])
        #expect(try variables("C=x,y") == ["C|x,y"])
        #expect(try variables("A=") == ["A|"])
        #expect(complaint("--env", "A")?.contains("must be formatted as key=value") == true)
        #expect(complaint("--env", "=A")?.contains("must be formatted as key=value") == true)
    }

    @Test func containmentIsASum() throws {
        let all = try settings("-C")
        #expect(all.isContained && all.isClean)
        #expect(all.namespaces == [.user, .mount, .pid, .ipc])
        let compatible = try settings("--compat")
        #expect(compatible.layer == .memory)
        #expect(!compatible.hasInit && !compatible.evaluates && !compatible.keepsUmask)
        #expect(try settings("-c").namespaces == [.user, .mount])
        #expect(try settings("-c").isClean == false)
        #expect(try settings("-piu", "--uts").namespaces == [.user, .mount, .pid, .ipc, .uts])
    }

    @Test func layersExcludeEachOther() throws {
        #expect(try settings("-w").layer == .writable)
        #expect(try settings("--writable-tmpfs").layer == .memory)
        #expect(try settings("-o", "d").layer == .directory("d"))
        #expect(complaint("-w", "--writable-tmpfs")?.contains("contradicts") == true)
        #expect(complaint("-o", "d", "-o", "e")?.contains("contradicts") == true)
        #expect(complaint("-o", "d:ro")?.contains("read-only overlays") == true)
    }

    /// What cannot be had is said, and never left out.
    @Test func whatCannotBeHadIsSaid() {
        #expect(complaint("--net")?.contains("network of the kind bridge") == true)
        #expect(complaint("--net", "--network", "fakeroot")?.contains("kind fakeroot") == true)
        #expect(complaint("--net", "--network", "none") == nil)
        #expect(complaint("--no-mount", "tmp,proc")?.contains("--no-mount proc") == true)
        #expect(complaint("--no-mount", "tmp,home,cwd,hostfs") == nil)
        #expect(complaint("--add-caps", "CAP_NOPE")?.contains("no such capability") == true)
    }
}
