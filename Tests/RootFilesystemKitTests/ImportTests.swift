// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

@Suite struct ImportTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    @Test func everyKindOfEntryArrives() throws {
        let archive = tar {
            $0.directory("./")
            $0.directory("./etc")
            $0.file("./etc/issue", "hello\n", mode: 0o640)
            $0.hardLink("./etc/issue.net", to: "./etc/issue")
            $0.symlink("./motd", to: "/etc/issue")
            $0.file("./usr/bin/su", "x", mode: 0o4755)
            $0.directory("./tmp", mode: 0o1777)
            $0.directory("./closed", mode: 0o500)
            $0.file("./closed/inside", "y")
            $0.add("./pipe", type: "6")
            $0.device("./dev/null")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        #expect(workspace.read("root/etc/issue") == "hello\n")
        #expect(try workspace.status("root/etc/issue").st_mode & 0o7777 == 0o640)
        #expect(try workspace.status("root/etc/issue").st_nlink == 2)
        #expect(
            try FileManager.default.destinationOfSymbolicLink(
                atPath: workspace("root/motd")) == "/etc/issue")
        #expect(try workspace.status("root/usr/bin/su").st_mode & 0o777 == 0o755)
        #expect(try workspace.status("root/tmp").st_mode & 0o7777 == 0o1777)
        #expect(try workspace.status("root/closed").st_mode & 0o7777 == 0o500)
        #expect(workspace.read("root/closed/inside") == "y")
        #expect(try workspace.status("root/pipe").type == S_IFIFO)
        #expect(try workspace.status("root/dev/null").isRegularFile)
        #expect(try workspace.status("root/dev/null").st_size == 0)
        #expect(try workspace.status("root/tmp").st_mtim.tv_sec == 1_500_000_000)
        #expect(try workspace.names() == ["a.tar", "root"])
    }

    @Test func namesAreBytes() throws {
        let decomposed = Array("./e\u{301}".utf8)
        let long = [UInt8](repeating: UInt8(ascii: "n"), count: 200)
        let archive = tar {
            $0.add([0x2e, 0x2f, 0xff, 0xfe], type: "0")
            $0.add(decomposed, type: "0")
            $0.extended("path", decomposed + [0x32])
            $0.file("short")
            $0.extended("path", Array("./".utf8) + long + [UInt8(ascii: "/")] + long)
            $0.file("short")
            $0.extended("path", [0xc3, 0x28])
            $0.file("short")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        let root = try RootDirectory(opening: workspace("root"))
        let names = try listNames(root.descriptor, "root").filter { $0 != RecordFile.directory }
            .map(\.bytes)
        let bare = Array(decomposed.dropFirst(2))
        let expected: [[UInt8]] = [[0xff, 0xfe], bare, bare + [0x32], long, [0xc3, 0x28]]
        #expect(Set(names) == Set(expected))
    }

    @Test func entriesMayComeThroughLinksInsideTheTree() throws {
        let archive = tar {
            $0.directory("usr/lib")
            $0.symlink("lib", to: "usr/lib")
            $0.symlink("abs", to: "/usr/lib")
            $0.symlink("up", to: "../../../usr/lib")
            $0.file("lib/a", "a")
            $0.file("abs/b", "b")
            $0.file("up/c", "c")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        #expect(try workspace.names("root/usr/lib") == ["a", "b", "c"])
    }

    @Test func laterDuplicatesWin() throws {
        let archive = tar {
            $0.file("a", "first and longer")
            $0.hardLink("b", to: "a")
            $0.file("a", "second")
            $0.symlink("c", to: "b")
            $0.file("c", "no link any more")
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        #expect(workspace.read("root/a") == "second")
        #expect(workspace.read("root/b") == "first and longer")
        #expect(workspace.read("root/c") == "no link any more")
    }

    @Test func aDirectoryIsCopied() throws {
        try workspace.write("from/etc/hosts", "localhost")
        symlink("etc/hosts", workspace("from/link"))
        link(workspace("from/etc/hosts"), workspace("from/again"))
        chmod(workspace("from/etc"), 0o555)
        try workspace.importRoot(workspace("from"))
        #expect(try workspace.describe("root") == workspace.describe("from"))
    }

    @Test func aDirectoryIsNotCopiedIntoItself() throws {
        try workspace.write("from/file", "x")
        let error = failure { try workspace.importRoot(workspace("from"), "from/inside") }
        #expect(error?.cause.contains("lies inside it") == true)
        #expect(try workspace.names("from") == ["file"])
    }

    @Test func suiteAndArchitectureAreRecorded() throws {
        var elf = [UInt8](repeating: 0, count: 64)
        elf.replaceSubrange(0..<6, with: [0x7f, 0x45, 0x4c, 0x46, 2, 1])
        elf[18] = 183
        let archive = tar {
            $0.file("etc/os-release", "ID=debian\nVERSION_CODENAME=trixie\n")
            $0.add("usr/bin/env", type: "0", contents: elf, mode: 0o755)
        }
        try workspace.importRoot(workspace.write("a.tar", archive))
        let image = try workspace.destination("root").image()
        #expect(image.suite == "trixie")
        #expect(image.architecture == "arm64")
        #expect(image.origin == workspace("a.tar"))
    }

    @Test func ownersAreKeptByRootAndFlattenedOtherwise() throws {
        var builder = TarBuilder()
        builder.extended("uid", Array("4321".utf8))
        builder.file("a", "x", mode: 0o4711)
        try workspace.importRoot(workspace.write("a.tar", builder.finished))
        let status = try workspace.status("root/a")
        #expect(status.st_uid == (geteuid() == 0 ? 4321 : geteuid()))
        // Of set-id bits see SetIDTests.
        #expect(status.st_mode & 0o777 == 0o711)
    }
}
