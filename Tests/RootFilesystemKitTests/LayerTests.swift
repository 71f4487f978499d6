// SPDX-License-Identifier: Apache-2.0

import CRootFilesystem
import Foundation
import Testing

@testable import RootFilesystemKit

/// A rootfs copied, and copied with what an overlay has kept over it.
@Suite struct LayerTests {
    let workspace: Workspace

    init() throws {
        workspace = try Workspace()
        for name in ["etc/kept", "etc/gone", "dir/a", "dir/b/c", "old/x", "becomes/x", "plain"] {
            try workspace.write("from/\(name)", "below")
        }
        symlink("dir", workspace("from/link"))
        link(workspace("from/etc/gone"), workspace("from/etc/other-name"))
        mkdir(workspace("layer"), 0o700)
        mkdir(workspace("layer/upper"), 0o755)
    }

    private func removed(_ name: String) throws {
        try makeDirectories(
            (workspace("layer/upper/\(name)") as NSString).deletingLastPathComponent)
        #expect(mknod(workspace("layer/upper/\(name)"), S_IFCHR, 0) == 0)
    }

    private func mark(_ name: String, _ attribute: String, _ value: String) {
        #expect(
            setxattr(workspace("layer/upper/\(name)"), attribute, value, value.utf8.count, 0) == 0)
    }

    private func commit(_ name: String = "root") throws {
        var importer = Importer(progress: ProgressReport(quiet: true))
        importer.layer = workspace("layer")
        try importer.importRoot(workspace("from"), to: workspace.destination(name))
    }

    private func files() throws -> [String] {
        let reader = try TreeReader(path: workspace("root"))
        var names: [String] = []
        while let entry = try reader.next() {
            if entry.kind != .directory { names.append(entry.path.printable) }
        }
        return names
    }

    @Test func whatWasRemovedIsGone() throws {
        try removed("etc/gone")
        try removed("old")
        try removed("never/was")
        // overlayfs gives several of them one inode.
        #expect(link(workspace("layer/upper/old"), workspace("layer/upper/link")) == 0)
        try commit()
        #expect(
            try files() == [
                "becomes/x", "dir/a", "dir/b/c", "etc/kept", "etc/other-name", "plain",
            ])
        // The original is as it was.
        #expect(workspace.read("from/etc/gone") == "below")
    }

    @Test func whatWasMadeAnewHidesWhatWasThere() throws {
        for name in ["dir", "link"] {
            try workspace.write("layer/upper/\(name)/new", "above")
            mark(name, "user.overlay.opaque", "y")
        }
        try workspace.write("layer/upper/becomes", "a file")
        try workspace.write("layer/upper/plain/is", "a directory")
        try workspace.write("layer/upper/etc/kept", "above")
        try commit()
        #expect(
            try files() == [
                "becomes", "dir/new", "etc/gone", "etc/kept", "etc/other-name", "link/new", "old/x",
                "plain/is",
            ])
        #expect(workspace.read("root/etc/kept") == "above")
        #expect(workspace.read("root/etc/gone") == "below")
    }

    /// Newer kernels keep whiteouts in this form, too: "x" says that there may be some.
    @Test func whiteoutsMayBeFiles() throws {
        try workspace.write("layer/upper/dir/a", "")
        mark("dir", "user.overlay.opaque", "x")
        mark("dir/a", "user.overlay.whiteout", "y")
        try commit()
        #expect(try files().filter { $0.hasPrefix("dir") } == ["dir/b/c"])
    }

    /// What overlayfs notes for itself is not the image's; what an overlay inside has noted is.
    @Test func marksDoNotComeAlong() throws {
        try workspace.write("layer/upper/file", "x")
        for name in ["origin", "impure", "nlink", "overlay.opaque", "upper"] {
            mark("file", "user.overlay.\(name)", "y")
        }
        mark("file", "user.mine", "y")
        try commit()
        let reader = try TreeReader(path: workspace("root"))
        while let entry = try reader.next() {
            guard entry.path == EntryPath("file") else { continue }
            #expect(
                entry.attributes.extended.map(\.name) == ["user.mine", "user.overlay.opaque"])
        }
    }

    @Test(arguments: ["redirect", "metacopy"]) func whatRefersElsewhereIsRefused(_ name: String)
        throws
    {
        try workspace.write("layer/upper/dir/a", "x")
        mark("dir/a", "user.overlay.\(name)", "/etc/passwd")
        let error = try #require(failure { try commit() })
        #expect(error.cause.contains("refers to what lies elsewhere"))
        #expect(try workspace.names().filter { $0.contains("root") } == [])
    }

    @Test func aLayerInUseIsRefused() throws {
        let held = try Descriptor.open(workspace("layer"), O_RDONLY | O_DIRECTORY, cannot: "open")
        #expect(flock(held.number, LOCK_EX) == 0)
        let error = try #require(failure { try commit() })
        #expect(error.cause == "something runs with it")
    }

    @Test func aLayerIsForARootfs() throws {
        try workspace.write("a.tar", tar { $0.file("etc/x", "x") })
        var importer = Importer(progress: ProgressReport(quiet: true))
        importer.layer = workspace("layer")
        let error = failure {
            try importer.importRoot(workspace("a.tar"), to: workspace.destination("root"))
        }
        #expect(error?.cause.contains("it is no rootfs") == true)
        importer.layer = workspace("from")
        let wrong = failure {
            try importer.importRoot(workspace("from"), to: workspace.destination("root"))
        }
        #expect(wrong?.object.hasSuffix("from/upper") == true)
        #expect(try workspace.names().filter { $0.contains("root") } == [])
    }

    // MARK: - Names

    @Test func aNameIsCopied() throws {
        let command = Command(in: workspace)
        let store = "data/nsrun/rootfs"
        try workspace.write("\(store)/mine/etc/x", "x")
        try workspace.write("\(store)/mine/.nsrun/image", "env A=1\norigin a test\n")
        let seen = try command.run(["import", "--quiet", "mine", "copy"])
        #expect(seen.status == 0 && seen.output == "", "\(seen.output)")
        #expect(workspace.read("\(store)/copy/etc/x") == "x")
        #expect(workspace.read("\(store)/copy/.nsrun/image")?.contains("env A=1\n") == true)
        let absent = try command.run(["import", "other", "copy2"])
        #expect(absent.output.contains("no rootfs of that name in the store"))
        // One is never taken for the other.
        try workspace.write("mine/etc/x", "another")
        let both = try command.run(["import", "mine", "copy2"])
        #expect(
            both.status == 125 && both.output.contains("./mine for the other"), "\(both.output)")
        #expect(try workspace.names(store) == ["copy", "mine"])
    }

    /// One that is being removed is not copied.
    @Test func oneThatIsBeingRemovedIsRefused() throws {
        let held = try Descriptor.open(workspace("from"), O_RDONLY | O_DIRECTORY, cannot: "open")
        #expect(flock(held.number, LOCK_EX) == 0)
        let error = failure { try workspace.importRoot(workspace("from")) }
        #expect(error?.cause == "it is being made or removed")
    }
}
