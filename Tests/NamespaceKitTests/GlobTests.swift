// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Testing

/// Patterns of what is hidden.
@Suite struct GlobTests {
    @Test(
        arguments: [
            ("**/.env", ".env"), ("**/.env", "a/b/.env"), ("*.pem", "a.pem"), ("a/**", "a/b/c"),
            ("a/**/c", "a/c"), ("a/**/c", "a/x/y/c"), ("**", "x/y"), ("?x", "ax"), ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"), ("[]x]", "]"), ("[x", "[x"), ("\\*", "*"), ("*", ""),
            ("a*b*c", "aXbYc"),
            ("**/a/**/b", "x/a/b"), ("**/a/**/b", "a/q/w/b"), ("*a", "ba"), (".*", ".git"),
            ("*", ".git"),
            ("a[", "a["), ("a\\", "a\\"), ("a/b", "a/b"), ("**/*", "a/b/c"),
        ])
    func whatFits(pattern: String, path: String) { #expect(nsrun_fits(pattern, path)) }

    @Test(
        arguments: [
            ("**/.env", "a/.envx"), ("**/.env", ".env/x"), ("*.pem", "d/a.pem"), ("a/**", "a"),
            ("?x", "/x"),
            ("?", ""), ("[!a-c]x", "bx"), ("\\*", "a"), ("a*b*c", "aXb/Yc"), ("[a", "b"),
            ("[/]", "/"), ("a", ""),
            ("", "a"), ("a/b", "a"), ("**/a/b", "b"), ("a**", "ab/c"),
        ])
    func whatDoesNot(pattern: String, path: String) { #expect(!nsrun_fits(pattern, path)) }
}
