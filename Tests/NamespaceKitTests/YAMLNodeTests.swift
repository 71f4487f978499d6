// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Specifications are YAML or JSON, written by others.
@Suite struct YAMLNodeTests {
    private func parse(_ text: String) throws -> YAMLNode { try YAMLNode.parse(Array(text.utf8)) }

    private func complaint(_ text: String) -> YAMLError? {
        do throws(YAMLError) {
            _ = try YAMLNode.parse(Array(text.utf8))
            return nil
        } catch {
            return error
        }
    }

    private func scalar(_ text: ByteString, _ line: Int, isPlain: Bool = true) -> YAMLNode {
        YAMLNode(line: line, content: .scalar(text, isPlain: isPlain))
    }

    @Test func linesAreRemembered() throws {
        let node = try parse("---\n# first\nname: a b\nlist:\n- 1\n- \"2\"\n")
        let list = YAMLNode(
            line: 5, content: .list([scalar("1", 5), scalar("2", 6, isPlain: false)]))
        let wanted = YAMLNode(
            line: 3,
            content: .map([
                .init(key: "name", line: 3, value: scalar("a b", 3)),
                .init(key: "list", line: 4, value: list),
            ]))
        #expect(node == wanted)
    }

    /// As encoders write it, with tabs too.
    @Test(arguments: [
        "{\"a\": [1, \"x\\u00e4\\/y\"]}", "{\n\t\"a\": [\n\t\t1,\n\t\t\"xä/y\"\n\t]\n}\n",
    ])
    func jsonIsRead(text: String) throws {
        let items = try #require(try parse(text).entries().first).value.items()
        #expect(try items.map { try $0.text() } == ["1", ByteString("xä/y")])
        #expect(try items[0].number() == 1)
    }

    @Test(arguments: [
        ("a: &x 1", "anchors are not taken"), ("a: *x", "aliases are not taken"),
        ("a: &x [1]\nb: *x", "anchors are not taken"), ("a: !!str 1", "tags are not taken"),
        ("a: 1\n---\nb: 2", "there is a second document"), ("", "it is empty"),
        ("# nothing", "it is empty"), ("a: 1\na: 2", "a is given twice"),
        ("[1]: 2", "a name is not a text"),
    ])
    func hostileFilesAreRefused(text: String, reason: String) {
        #expect(complaint(text)?.reason == reason)
    }

    @Test func theLineOfADefectIsTold() {
        #expect(complaint("a: 1\nb: [1, 2\nc: 3\n")?.line == 3)
        #expect(complaint("{\"a\": 1,\n\"b\" 2}")?.line == 2)
        #expect(complaint("a: \"unfinished")?.line == 1)
    }

    @Test func depthHasALimit() {
        let deep = String(repeating: "[", count: 500) + String(repeating: "]", count: 500)
        #expect(complaint(deep)?.reason == "it is nested too deeply")
        let wide = String(repeating: "{a: ", count: 100_000)
        #expect(complaint(wide) != nil)
    }

    @Test func bytesThatAreNoText() {
        #expect(throws: YAMLError.self) { try YAMLNode.parse([0xff, 0xfe, 0x00]) }
        #expect(throws: YAMLError.self) { try YAMLNode.parse(Array("a: \u{1}".utf8)) }
        #expect(throws: YAMLError.self) { try parse("a: \"\\0\"").entries()[0].value.text() }
    }

    @Test(
        arguments: [
            ("0", 0), ("195", 195), ("0666", 438), ("0o666", 438), ("4294967295", 4_294_967_295),
        ] as [(String, UInt32)])
    func numbers(text: String, wanted: UInt32) throws {
        #expect(try parse(text).number() == wanted)
    }

    @Test(arguments: ["-1", "4294967296", "x", "\"1\"", "1.5", "[1]", "089", "~"])
    func noNumbers(text: String) {
        #expect(throws: YAMLError(line: 1, reason: "a number is wanted here")) {
            try parse(text).number()
        }
    }
}
