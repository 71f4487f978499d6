// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RootFilesystemKit

@Suite struct PathTextTests {
    @Test(arguments: [
        ("/a/b", "/a", "b"), ("/a/b/", "/a", "b"), ("/a//b//", "/a", "b"), ("/a", "/", "a"),
        ("/", "/", "/"),
        ("//", "/", "/"), ("a", "", "a"), ("a/b", "a", "b"), ("a/", "", "a"), ("", "", ""),
    ])
    func thePartsOfAPath(path: String, parent: String, name: String) {
        #expect(path.parentPath == parent)
        #expect(path.lastName == name)
    }
}
