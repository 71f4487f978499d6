// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RootFilesystemKit

/// A Containerfile as text: what it says, and in which line it says something wrong.
@Suite struct ContainerfileTests {
    private func instructions(_ text: String) throws -> [Containerfile.Instruction] {
        try Containerfile(text).instructions
    }

    private func action(_ line: String) throws -> Containerfile.Action? {
        try instructions(line).first?.action
    }

    private func refusal(_ text: String, _ arguments: [String: String] = [:]) -> ContainerfileError?
    {
        do throws(ContainerfileError) {
            _ = try BuildPlan(Containerfile(text), arguments: arguments, architecture: "amd64")
            return nil
        } catch {
            return error
        }
    }

    // MARK: - Lines

    @Test func linesThatGoOnAreOne() throws {
        let found = try instructions(
            "# first\nFROM a\n\nRUN b \\\n  # amid\n\n  c  \\  \n d\n  ENV e=\\\n#\nf\nCMD g\\\n")
        #expect(found.map(\.line) == [2, 4, 9, 12])
        #expect(found.map(\.text) == ["FROM a", "RUN b   c   d", "ENV e=f", "CMD g"])
    }

    /// Made on Windows, without a newline at its end, or with a mark of its encoding at its beginning.
    @Test func otherEditorsDoNotMatter() throws {
        let found = try instructions("FROM a\r\nRUN b \\\r\n c\r\nCMD d")
        #expect(found.map(\.text) == ["FROM a", "RUN b  c", "CMD d"])
        #expect(try instructions("\u{feff}FROM a\n").map(\.text) == ["FROM a"])
        #expect(try instructions("FROM\ta\nrun b").map(\.line) == [1, 2])
    }

    @Test func theEscapeCanBeAnother() throws {
        let file = try Containerfile(
            "# syntax=docker/dockerfile:1\n# escape=`\nRUN a `\n b\\\nCMD c")
        #expect(file.escape == "`")
        #expect(file.instructions.map(\.text) == ["RUN a  b\\", "CMD c"])
        // Not where it comes later.
        #expect(try Containerfile("FROM a\n# escape=`\n").escape == "\\")
        #expect(try Containerfile("# a comment\n# escape=`\n").escape == "\\")
        #expect(refusal("# escape=x\nFROM a")?.line == 1)
    }

    // MARK: - Instructions

    @Test func formsAreTold() throws {
        #expect(
            try action("FROM --platform=linux/arm64 a:1 as B")
                == .from(image: "a:1", platform: "linux/arm64", name: "b"))
        #expect(try action("RUN a [b]") == .run(.shell("a [b]"), network: nil))
        #expect(
            try action(#"RUN --network=none [ "a", "b c" ]"#)
                == .run(.words(["a", "b c"]), network: "none"))
        // What is no list is the shell's, as others have it.
        #expect(try action("RUN [ -e x ]") == .run(.shell("[ -e x ]"), network: nil))
        #expect(try action("CMD []") == .command(.words([])))
        #expect(try action("ENTRYPOINT a b") == .entryPoint(.shell("a b")))
        #expect(
            try action("COPY --from=x --chmod=755 a b/")
                == .transfer(
                    .init(
                        unpacks: false, from: "x", mode: "755", owner: nil, paths: ["a b/"],
                        isList: false)))
        #expect(
            try action(#"ADD ["a b", "c/"]"#)
                == .transfer(
                    .init(
                        unpacks: true, from: nil, mode: nil, owner: nil, paths: ["a b", "c/"],
                        isList: true)))
        #expect(try action("EXPOSE 80") == .nothing("EXPOSE"))
    }

    static let wrong: [(String, line: Int, says: String)] = [
        ("", 1, "there is no FROM"), ("RUN a", 1, "no FROM before it"),
        ("ARG a\n\nRUN b", 3, "no FROM before it"), ("FROM", 1, "takes something"),
        ("FROM a\n\nHUP b", 3, "no instruction HUP"), ("FROM a\nONBUILD RUN b", 2, "ONBUILD"),
        ("FROM a b", 1, "FROM takes"), ("FROM a AS 1x", 1, "1x is no name"),
        ("FROM a AS ../x", 1, "no name"), ("FROM --what=a b", 1, "--what is not known"),
        ("FROM a\nRUN --mount=type=cache,target=/x b", 2, "--mount is not known"),
        ("FROM a\nRUN --network=all b", 2, "no network all"),
        ("FROM a\nRUN <<EOF\nb\nEOF", 2, "here-documents"),
        ("FROM a\nCOPY <<'EOF' /b\nb\nEOF", 2, "here-documents"),
        ("FROM a\nSHELL sh -c", 2, "SHELL takes a list"), ("FROM a\nSHELL []", 2, "SHELL takes"),
        ("FROM a\nARG 1=b", 2, ""), ("ARG a-b\nFROM a", 1, "ARG takes"),
        ("FROM $nothing", 1, "FROM names no image"), ("FROM ${a", 1, "${a is not closed"),
        ("FROM a AS b\nCOPY --from=b c d", 2, "cannot copy from itself"),
        ("FROM a\nCOPY --from b c", 2, "takes one value"),
        ("FROM a\nCOPY --chmod=1 --chmod=2 b c", 2, "once"),
    ]

    @Test(arguments: wrong) func whatIsWrongHasItsLine(_ text: String, line: Int, says: String) {
        // What ARG says in a stage is looked at when the stage is built.
        if says.isEmpty { return #expect(refusal(text) == nil) }
        let error = refusal(text)
        #expect(error?.line == line && error?.cause.contains(says) == true, "\(error as Any)")
    }

    @Test func theNearestInstructionIsNamed() {
        #expect(refusal("FORM a")?.remedy == "did you mean FROM?")
        #expect(refusal("FROM a\nENTRYPIONT b")?.remedy == "did you mean ENTRYPOINT?")
        #expect(refusal("FROM a\nXYZ b")?.remedy?.hasPrefix("known are FROM, RUN") == true)
    }

    /// As many as there are of anything, it ends, and soon.
    @Test func hugeFilesEnd() {
        #expect(refusal("FROM a\n" + String(repeating: "RUN b\n", count: 20_000))?.line == 10_001)
        #expect(refusal("FROM a\nRUN " + String(repeating: "\\\n", count: 300_000)) != nil)
        #expect(refusal("FROM a\nRUN " + String(repeating: "x \\\n", count: 200_000)) == nil)
        #expect(refusal("FROM " + String(repeating: "${a:-", count: 100_000)) != nil)
    }

    // MARK: - Stages

    private func plan(
        _ text: String, _ arguments: [String: String] = [:]
    ) throws -> BuildPlan {
        try BuildPlan(Containerfile(text), arguments: arguments, architecture: "arm64")
    }

    @Test func onlyWhatTheLastStageNeedsIsBuilt() throws {
        let text = """
            FROM a AS one
            FROM b AS two
            FROM one AS three
            FROM c
            COPY --from=three x y
            COPY --from=elsewhere x y
            """
        let plan = try plan(text)
        #expect(plan.needed == [0, 2, 3])
        #expect(plan.origin("one", before: 3, mayBeNumber: true) == .stage(0))
        #expect(plan.origin("1", before: 3, mayBeNumber: true) == .stage(1))
        // One that comes later, or is no number of a stage, is an image.
        #expect(plan.origin("three", before: 2, mayBeNumber: true) == .image("three"))
        #expect(plan.origin("3", before: 3, mayBeNumber: true) == .image("3"))
        #expect(plan.origin("1", before: 3, mayBeNumber: false) == .image("1"))
        #expect(plan.origin("scratch", before: 3, mayBeNumber: false) == .nothing)
    }

    /// The later one of two, and never itself.
    @Test func aNameTwiceIsTheLast() throws {
        let plan = try plan("FROM x AS a\nFROM a AS a\nFROM a")
        #expect(plan.needed == [0, 1, 2])
        #expect(plan.origin("A", before: 2, mayBeNumber: false) == .stage(1))
    }

    @Test func valuesAreReplacedInFrom() throws {
        let text = "ARG name=a\nARG tag=1\nARG unset\nFROM ${name}:${tag}$unset-$TARGETARCH"
        #expect(try plan(text).stages[0].image == "a:1-arm64")
        #expect(try plan(text, ["tag": "2"]).stages[0].image == "a:2-arm64")
        #expect(try plan(text, ["tag": "2", "tga": "x"]).unknownArguments == ["tga"])
        #expect(try plan("FROM a\nARG b=$c", ["b": "x", "http_proxy": "y"]).unknownArguments == [])
    }
}

/// Variables in a text, as a shell has them.
@Suite struct VariableExpansionTests {
    private let expansion = VariableExpansion(line: 7, escape: "\\") {
        ["a": "A", "empty": "", "blank": "x y", "_1": "one"][$0]
    }

    @Test(arguments: [
        ("$a", "A"), ("${a}b$_1", "Abone"), ("$ab|$", "|$"),
        ("${a:-x}${none:-x}${empty:-x}${empty-x}", "Axx"), ("${a:+x}${none:+x}${empty+x}", "xx"),
        ("${none:-$a}${none:-${none:-y}}", "Ay"), (#"\$a '$a' "$a" '"' "\"\x""#, #"$a $a A " "\x"#),
        ("${none:-a b}", "a b"), ("$blank", "x y"), ("${a?gone}", "A"), (#"a\ b"#, "a b"),
    ])
    func textsAreExpanded(_ text: String, _ wanted: String) throws {
        #expect(try expansion.text(text) == wanted)
    }

    @Test func wordsAreSplit() throws {
        #expect(
            try expansion.words(#" a  b\ c "d e"'f g' $blank "" ${none:-h i} "#)
                == ["a", "b c", "d ef g", "x y", "", "h i"])
        #expect(try expansion.words("  ") == [])
    }

    @Test(arguments: [
        ("${a", "is not closed"), ("'a", "a quote (') is not closed"), (#""a"#, "is not closed"),
        ("${}", "no name"), ("${a/b/c}", "is not known"),
        ("${none:?is missing}", "none: is missing"),
        ("${empty:?}", "it is not set"), ("${a:", "is not closed"), ("${a:-x", "is not closed"),
    ])
    func whatIsWrongIsSaid(_ text: String, _ cause: String) {
        do throws(ContainerfileError) {
            _ = try expansion.text(text)
            Issue.record("\(text) is taken")
        } catch {
            #expect(error.line == 7 && error.cause.contains(cause), "\(error)")
        }
    }

    /// A value that has itself twice in it, line after line.
    @Test func nothingGrowsWithoutEnd() throws {
        var state = StageState()
        #expect(throws: ContainerfileError.self) {
            for line in 1...100 {
                let pairs = try StageState.pairs(
                    "a=x${a}${a}", "ENV", state.expansion(line, "\\"))
                try state.setEnvironment(pairs, line: line)
            }
        }
        let size = state.record.environment.reduce(0) { $0 + $1.utf8.count }
        #expect(size <= VariableExpansion.longest + 2)
        #expect(throws: ContainerfileError.self) {
            for line in 1...100 {
                let pairs = [(name: "b\(line)", value: String(repeating: "x", count: 100_000))]
                try state.setEnvironment(pairs, line: line)
            }
        }
        #expect(throws: ContainerfileError.self) {
            try expansion.text(
                String(repeating: "${n:-", count: 50) + String(repeating: "}", count: 50))
        }
    }
}

/// Patterns, and what `.containerignore` makes of them.
@Suite struct GlobPatternTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a", "a/b", false), ("*", "a", true),
        ("*", "a/b", false),
        ("a*c", "abbc", true), ("a*c", "ab", false), ("?", "a", true), ("?", "ab", false),
        ("[a-c]x", "bx", true), ("[^a-c]x", "bx", false), ("[]]", "]", true), ("[a", "a", false),
        (#"\*"#, "*", true), (#"\*"#, "a", false), ("**/a", "a", true), ("**/a", "x/y/a", true),
        ("a/**", "a/b/c", true), ("a/**/b", "a/b", true), ("a/**/b", "a/x/y/b", true),
        ("/a/./b/", "a/b", true), ("*.go", ".go", true), ("a**b", "axxb", true),
    ])
    func namesMatch(_ pattern: String, _ path: String, _ matches: Bool) {
        let names = path.split(separator: "/").map { Array($0.utf8) }
        #expect(GlobPattern(ByteString(pattern)).matches(names) == matches)
    }

    @Test(arguments: [
        ("x", false), ("a", true), ("a/b", true), ("b/a", false), ("keep", false),
        ("c/keep", false),
        ("c/other", true), ("x.o", true), ("d/x.o", true), ("#x", false), ("d/e/x.o", true),
    ])
    func theLastRuleCounts(_ path: String, _ isOut: Bool) throws {
        let list = IgnoreList(Array("# comment\n\n/a\n c \r\n!c/keep\n**/*.o\n.\n/\n".utf8))
        #expect(list.leavesOut(try EntryPath(archived: ByteString(path))) == isOut)
    }

    /// As many stars as fit: each is tried once for each byte, and not in every combination.
    @Test func starsDoNotMultiply() {
        let pattern = GlobPattern(ByteString(String(repeating: "*a", count: 2000) + "b"))
        #expect(!pattern.matches([[UInt8](repeating: 0x61, count: 4000)]))
        let deep = GlobPattern(ByteString(String(repeating: "**/", count: 1000) + "b"))
        #expect(!deep.matches([[UInt8]](repeating: [0x61], count: 1000)))
    }
}
