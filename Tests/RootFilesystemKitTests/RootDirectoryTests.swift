// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// The kernel's resolution and our own must agree, and neither may leave the root.
@Suite struct RootDirectoryTests {
    let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        try workspace.write("secret", "outside")
        try workspace.write("root/a/b/file", "inside")
        try workspace.write("root/secret", "inside")
        for (name, target) in [
            ("relative", "a/b"), ("absolute", "/a/b"), ("up", "../../../.."), ("loop", "loop"),
            ("a/back", "../a/./b"), ("escape", "../secret"), ("direct", workspace.path + "/secret"),
            ("file", "a/b/file"),
        ] {
            symlink(target, workspace("root/\(name)"))
        }
    }

    static let cases: [(StaticString, String?)] = [
        ("a/b/file", "inside"), ("relative/file", "inside"), ("absolute/file", "inside"),
        ("a/back/file", "inside"), ("up/secret", "inside"), ("escape", "inside"), ("direct", nil),
        ("loop/x", nil), ("file", "inside"), ("file/x", nil), ("none", nil), ("a/none/x", nil),
    ]

    @Test(arguments: [true, false]) func pathsStayInside(kernelResolves: Bool) throws {
        let root = try RootDirectory(opening: workspace("root"), kernelResolves: kernelResolves)
        for (path, contents) in Self.cases {
            #expect(read(root, EntryPath(path)) == contents, "\(path)")
        }
    }

    @Test(arguments: [true, false]) func directoriesOpenAsDirectoriesOnly(
        kernelResolves: Bool
    ) throws {
        let root = try RootDirectory(opening: workspace("root"), kernelResolves: kernelResolves)
        let directory = try root.openDirectory(EntryPath("absolute"), cannot: "open")
        #expect(try listNames(directory, "absolute") == [ByteString("file")])
        #expect(failure { _ = try root.openDirectory(EntryPath("secret"), cannot: "open") } != nil)
    }

    @Test func pathsLongerThanTheKernelTakesAreWalked() throws {
        let writer = TreeWriter(
            root: try RootDirectory(opening: workspace("root")), budget: ExtractionBudget())
        let name = [UInt8](repeating: UInt8(ascii: "d"), count: 200)
        var path = EntryPath.root
        for _ in 0..<30 { path = path.appending(ByteString(name)) }
        _ = try writer.slot(for: path.appending(ByteString("file")))
        #expect(writer.root.open(path, O_RDONLY | O_DIRECTORY) >= 0)
    }

    private func read(_ root: RootDirectory, _ path: EntryPath) -> String? {
        guard let file = try? Descriptor(root.open(path, O_RDONLY), cannot: "open", path.printable)
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = Foundation.read(file.number, &bytes, bytes.count)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
    }
}
