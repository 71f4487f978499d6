// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What ssh_config(5) says of other files.
@Suite struct SecureShellTests {
    @Test(
        arguments: [
            ("Include /etc/ssh/ssh_config.d/*.conf", ["/etc/ssh/ssh_config.d/*.conf"]),
            ("  include\ta b # c", ["/etc/ssh/a", "/etc/ssh/b"]), ("INCLUDE=a", ["/etc/ssh/a"]),
            ("Include = \"two words\" \"/a\"", ["/etc/ssh/two words", "/a"]),
            ("Include ~/x", []), ("#Include a", []), ("Host Include", []), ("Include", []),
            ("", []),
            ("Host *\nInclude a\nPort 7\r\n Include b\r", ["/etc/ssh/a", "/etc/ssh/b"]),
        ] as [(String, [String])])
    func includes(text: String, paths: [String]) {
        #expect(SecureShell.includes(in: ByteString(text)).map(\.text) == paths)
    }

    @Test(arguments: [
        ("a.conf", "*.conf", true), (".conf", "*.conf", true), ("a.conf~", "*.conf", false),
        ("ab", "?b", true), ("b", "?b", false), ("x1", "x[0-9]", true), ("x", "x[0-9]", false),
        ("", "*", true), ("abc", "a*b*c", true), ("acb", "a*b*c", false), ("a[", "a[", false),
    ])
    func patterns(name: String, pattern: String, fits: Bool) {
        #expect(SecureShell.matches(Array(name.utf8)[...], Array(pattern.utf8)[...]) == fits)
    }

    @Test func copiesAreShownInTheHostViewAlone() throws {
        var facts = HostFacts.alice
        facts.shellFiles = [
            .init(path: "/etc/ssh/x", content: [1], mode: 0o644),
            .init(path: "/tmp/hidden", content: [2], mode: 0o644),
        ]
        let copies = try plan(LaunchRequest(command: ["true"]), on: facts).actions.filter {
            if case .ownCopy = $0 { true } else { false }
        }
        #expect(copies == [.ownCopy(content: [1], target: "/etc/ssh/x", mode: 0o644)])
    }
}
