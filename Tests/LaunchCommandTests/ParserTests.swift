// SPDX-License-Identifier: Apache-2.0

import NamespaceKit
import Testing

@testable import LaunchCommand

@Suite struct ParserTests {
    @Test func optionsEndAtTwoDashes() throws {
        let line = try parse("--home", "--", "--cwd", "--", "x")
        #expect(line.typed == ["--home"])
        #expect(line.command == ["--cwd", "--", "x"])
    }

    @Test func optionsEndAtTheFirstWordThatIsNone() throws {
        let line = try parse("--home", "ls", "--cwd", "--no-such", "@none")
        #expect(line.typed == ["--home"])
        #expect(line.command == ["ls", "--cwd", "--no-such", "@none"])
    }

    @Test func aDashOrAnEmptyWordIsNoOption() throws {
        #expect(try parse("-", "--home").command == ["-", "--home"])
        #expect(try parse("", "--home").command == ["", "--home"])
    }

    @Test func withoutCommand() throws {
        #expect(try parse().command == [])
        #expect(try parse("--home").command == [])
        #expect(try parse("--home", "--").command == [])
    }

    @Test func valuesFollowOrAreAttached() throws {
        let line = try parse(
            "--rootfs", "/r", "--chdir=/a=b", "--tmpfs=", "--bind", "--x", "--", "true")
        #expect(
            line.typed == [
                "--rootfs", "/r", "--chdir", "/a=b", "--tmpfs", "", "--bind", "--x", "--",
            ])
        #expect(line.command == ["true"])
    }

    @Test func aValueThatMayBeLeftOutIsOnlyAttached() throws {
        #expect(try parse("--explain", "json").command == ["json"])
        #expect(try parse("--explain=json").typed == ["--explain", "json"])
    }

    @Test func bytesThatAreNotUTF8ArriveUntouched() throws {
        let odd = ByteString(bytes: [0x2f, 0xff, 0xfe])
        let line = try Parser.parse(["--chdir", odd, "--rootfs=" + odd, odd, odd])
        #expect(line.typed == ["--chdir", odd, "--rootfs", odd])
        #expect(line.command == [odd, odd])
    }

    @Test func orderIsKept() throws {
        let line = try parse("--tmpfs", "/a", "--bind", "/b", "/c", "--tmpfs", "/d", "x")
        #expect(line.typed == ["--tmpfs", "/a", "--bind", "/b", "/c", "--tmpfs", "/d"])
    }

    // MARK: Mistakes

    @Test(arguments: [
        (["--rootfs"], "--rootfs needs a value\n  --rootfs R"),
        (["--home", "--bind", "/a"], "--bind needs 2 values\n  --bind SRC DEST"),
        (["--setenv"], "--setenv needs 2 values\n  --setenv NAME VALUE"),
    ])
    func missingValues(texts: [String], wanted: String) {
        #expect(complaint(texts) == wanted)
    }

    @Test func aValueThatIsNotWanted() {
        #expect(complaint("--writable=yes", "x") == "--writable takes no value")
    }

    /// Two values cannot be attached; the option itself is known.
    @Test func oneValueAttachedWhereTwoAreWanted() throws {
        let text = try #require(complaint("--bind=/a", "/b", "x"))
        #expect(text.hasPrefix("--bind "))
        #expect(!text.contains("unknown"))
    }

    @Test(arguments: [
        ("--rotfs", "--rootfs"), ("--rootfs-", "--rootfs"), ("-rootfs", "--rootfs"),
        ("--ro-bnd", "--ro-bind"), ("--Home", "--home"), ("--unshare-network", "--unshare-net"),
        ("--ephemral=1", "--ephemeral"),
    ])
    func unknownOptionsNameTheNearest(typed: String, nearest: String) {
        let name = typed.split(separator: "=")[0]
        #expect(complaint(typed, "x") == "unknown option \(name)\n  did you mean \(nearest)?")
    }

    @Test(arguments: ["-y", "--xyzzy-plugh"])
    func withNothingNearTheListIsNamed(typed: String) {
        #expect(complaint(typed) == "unknown option \(typed)\n  --help lists the options")
    }

    /// An argument file may hold one of megabytes, which is not compared with each option letter by letter.
    @Test func aWordOfAnyLengthIsToldInMoments() {
        let word = "--" + String(repeating: "x", count: 2 << 20)
        let time = ContinuousClock().measure {
            #expect(complaint(word)?.hasSuffix("--help lists the options") == true)
        }
        #expect(time < .seconds(60))
    }

    @Test func hiddenOptionsAreNotSuggested() {
        #expect(complaint("--debug-op")?.contains("--debug-opt") != true)
    }

    @Test func distances() {
        func distance(_ a: String, _ b: String) -> Int {
            ByteString(a).distance(to: ByteString(b))
        }
        #expect(distance("", "") == 0)
        #expect(distance("", "abc") == 3)
        #expect(distance("abc", "") == 3)
        #expect(distance("kitten", "sitting") == 3)
        #expect(distance("abc", "abc") == 0)
    }
}
