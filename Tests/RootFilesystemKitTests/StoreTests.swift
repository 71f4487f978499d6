// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

@Suite struct StoreTests {
    let workspace: Workspace
    let store: RootFilesystemStore

    init() throws {
        workspace = try Workspace()
        store = workspace.store
    }

    private func make(_ name: String) throws -> Destination {
        let destination = try Destination(name, store: store)
        let source = try workspace.write("a.tar", tar { $0.file("dir/file", "x", mode: 0o400) })
        try Importer(progress: ProgressReport(quiet: true)).importRoot(source, to: destination)
        return destination
    }

    @Test(arguments: ["", ".", "..", ".hidden", "-x", "a b", "a\n", "x.image", "x.packages", "ü"])
    func badNamesAreRefused(_ name: String) {
        #expect(failure { _ = try store.path(of: name) }?.cause == "it is not a name for a rootfs")
    }

    @Test func aSlashMakesAPath() throws {
        #expect(try Destination("name", store: store).path == store.directory + "/name")
        #expect(try Destination("/a//b/./c/", store: store).path == "/a/b/c")
        #expect(try Destination("./x", store: store).path.hasPrefix("/"))
        #expect(failure { _ = try Destination("a/..", store: store) } != nil)
    }

    @Test func theStoreIsWhereXDGSays() {
        func directory(_ environment: [String: String]) -> String {
            RootFilesystemStore.standard(environment: environment).directory
        }
        #expect(directory(["XDG_DATA_HOME": "/d", "HOME": "/h"]) == "/d/nsrun/rootfs")
        #expect(directory(["XDG_DATA_HOME": "d", "HOME": "/h"]) == "/h/.local/share/nsrun/rootfs")
    }

    @Test func listShowsWhatIsThere() throws {
        #expect(try store.list().isEmpty)
        _ = try make("one")
        _ = try make("two")
        let items = try store.list()
        #expect(items.map(\.name) == ["one", "two"])
        #expect(items.allSatisfy { $0.size > 0 && $0.image.origin == workspace("a.tar") })
    }

    @Test func removeLeavesNothing() throws {
        let destination = try make("one")
        chmod(destination.path + "/dir", 0)
        chmod(destination.path, 0o500)
        try store.remove(destination)
        #expect(try workspace.names("store").isEmpty)
        #expect(
            failure { try store.remove(destination) }?.cause
                == "there is none of that name in the store \(store.directory)")
    }

    @Test func removeRefusesOneThatRuns() throws {
        let destination = try make("one")
        do {
            let launch = try RootDirectory(opening: destination.path)
            try #require(flock(launch.descriptor.number, LOCK_SH) == 0)
            #expect(failure { try store.remove(destination) }?.cause == "it is in use")
        }
        #expect(workspace.read("store/one/dir/file") != nil)
        try store.remove(destination)
    }

    @Test func twoBuildersDoNotClash() throws {
        let destination = try Destination("one", store: store)
        let first = try PartialTree(for: destination)
        let second = try PartialTree(for: destination)
        mkdir(first.path + "/first", 0o755)
        mkdir(second.path + "/second", 0o755)
        var image = ImageRecord()
        image.origin = "the first"
        try first.commit(image)
        image.origin = "the second"
        #expect(failure { try second.commit(image) }?.cause == "it already exists")
        #expect(try workspace.names("store/one") == [".nsrun", "first"])
        #expect(destination.image().origin == "the first")
        #expect(failure { _ = try PartialTree(for: destination) }?.cause == "it already exists")
    }

    @Test func onlyAnEmptyDirectoryIsReplaced() throws {
        let destination = try workspace.destination("root")
        mkdir(destination.path, 0o755)
        try PartialTree(for: destination).commit(ImageRecord())
        try workspace.write("root/file", "x")
        #expect(failure { _ = try PartialTree(for: destination) } != nil)
        try workspace.write("plain", "x")
        #expect(failure { _ = try PartialTree(for: workspace.destination("plain")) } != nil)
    }

    @Test func theNextRunSweepsWhatAKilledOneLeft() throws {
        try workspace.write("store/.one.partial-123-abcdef/deep/file", "debris")
        try workspace.write("store/.two.tar.partial-123-abcdef", "debris")
        try workspace.write("store/.partial", "somebody else's")
        let alive = try PartialTree(for: Destination("alive", store: store))
        _ = try PartialTree(for: Destination("next", store: store))
        let kept = (alive.path as NSString).lastPathComponent
        #expect(try workspace.names("store") == [kept, ".partial"].sorted())
    }

    @Test func recordsSurviveTheirFile() {
        var image = ImageRecord()
        image.origin = "a\\b\nc\\n"
        image.environment = ["A=", "B= x ", "C=\\"]
        image.entryPoint = ["", "-c"]
        image.command = ["line\nline", "return\r\ncmd evil"]
        #expect(ImageRecord(decoding: Array(image.encoded.utf8)) == image)
        #expect(image.encoded.utf8.split(separator: UInt8(ascii: "\n")).count == 8)
        #expect(ImageRecord(decoding: Array("nonsense\nfuture key\nuser x\n".utf8)).user == "x")
    }

    @Test func mountTablesAreRead() {
        let table = """
            36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
            37 35 0:21 /a\\040b\\134 /c\\011d rw - tmpfs tmpfs rw
            broken
            """
        let mounts = MountUse.parse(Array(table.utf8))
        #expect(mounts.map(\.device) == ["98:0", "0:21"])
        #expect(mounts.map(\.root) == ["/mnt1", "/a b\\"])
        #expect(mounts.map(\.point) == ["/mnt2", "/c\td"])
    }

    /// What is mounted somewhere must not hide what is mounted elsewhere, whatever it is called.
    @Test(
        arguments: [
            [0xff], Array("\r".utf8), Array("\u{301}".utf8), Array("\u{2028}".utf8), [0xc3], [0x85],
        ] as [[UInt8]])
    func noNameInAMountTableHidesAnotherMount(name: [UInt8]) {
        let start = Array("37 35 0:21 / /mnt/".utf8)
        let end = Array(" rw - overlay x rw,workdir=/".utf8)
        let line = start + name + end + name + [UInt8(ascii: "\n")]
        let mounts = MountUse.parse(line + line + Array("36 35 98:0 / /last rw - x x x\n".utf8))
        let place = ByteString(Array("/mnt/".utf8) + name)
        #expect(mounts.map(\.point) == [place, place, "/last"])
    }
}
