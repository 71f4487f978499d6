// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// Trees deeper than a process may have descriptors, and than the kernel takes paths.
@Suite struct DeepTreeTests {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// Directories in each other, each with a file, of which only the innermost counts.
    private func makeTree(_ name: String, depth: Int, of part: String) throws {
        let script = """
            for my $name ("\(name)", map { "\(part)" } 1 .. \(depth)) {
                mkdir $name, 0755 and chdir $name or die;
                open my $file, ">", "f" or die;
            }
            """
        try ExternalTool(name: "perl", package: "perl").run(
            ["-e", "chdir '\(workspace.path)' or die; \(script)"], cannot: "make", name)
    }

    private static let long = String(repeating: "d", count: 100)

    @Test func theyAreWalked() throws {
        try makeTree("tree", depth: 1200, of: Self.long)
        var count = 0
        var most = 0
        try TreeWalk.visit(workspace("tree")) { place in
            count += 1
            most = max(most, Int(place.parent.number))
            return true
        }
        #expect(count == 2401)
        // Tests beside this one have some open, too.
        #expect(most < 700, "descriptors up to \(most)")
        #expect(try DiskUsage.bytes(below: workspace("tree")) > 1200 * 512)
    }

    /// As deep as a path may be, with the descriptors that a shell gives.
    @Test func theyAreReadAndWritten() throws {
        try makeTree("tree", depth: 300, of: "d")
        try workspace.importRoot(workspace("tree"))
        #expect(try workspace.describe("root") == workspace.describe("tree"))
        try Exporter(progress: ProgressReport(quiet: true))
            .export(workspace.destination("root"), to: workspace("x.tar"))
        try workspace.importRoot(workspace("x.tar"), "again")
        #expect(try workspace.describe("again") == workspace.describe("tree"))
    }

    @Test func whatNoPathCanSayIsRefusedByName() throws {
        try makeTree("tree", depth: 60, of: Self.long)
        let error = failure { try workspace.importRoot(workspace("tree")) }
        #expect(error?.description.hasPrefix("cannot read ddd") == true, "\(error as Any)")
        #expect(error?.cause.contains("more than the 4095") == true)
        #expect(try workspace.names() == ["tree"])
        try makeTree("deep", depth: 1100, of: "d")
        let deep = failure {
            try Exporter(progress: ProgressReport(quiet: true))
                .export(workspace.destination("deep"), to: workspace("x.tar"))
        }
        #expect(deep?.cause.contains("directories deep") == true)
        #expect(try workspace.names() == ["deep", "tree"])
    }

    @Test func theyAreRemoved() throws {
        try workspace.write("store/tree/.nsrun/image", "origin a test\n")
        try makeTree("store/tree/x", depth: 1200, of: Self.long)
        chmod(workspace("store/tree/x/\(Self.long)"), 0)
        try workspace.store.remove(Destination("tree", store: workspace.store))
        #expect(try workspace.names("store") == [])
    }

    /// Layers take away what is deep, too.
    @Test func theyAreWhitedOut() throws {
        let root = try RootDirectory(opening: workspace.path)
        let writer = TreeWriter(root: root, budget: ExtractionBudget())
        try makeTree("tree", depth: 990, of: "d")
        writer.beginLayer()
        try writer.whiteOut(EntryPath("tree"))
        #expect(try workspace.names() == [])
    }

    /// The walk of kernels without openat2(2) needs few descriptors as well.
    @Test func pathsAreResolvedByHand() throws {
        try makeTree("tree", depth: 990, of: "d")
        let path = (0..<990).map { _ in "d" }.joined(separator: "/")
        let names = try EntryPath(archived: ByteString("tree/\(path)/f"))
        let root = try RootDirectory(opening: workspace.path, kernelResolves: false)
        let file = try Descriptor(root.open(names, O_RDONLY), cannot: "open", "f")
        #expect(file.number < 700)
        symlink(String(repeating: "../", count: 1200) + "tree/d/f", workspace("tree/up"))
        let up = try Descriptor(
            root.open(EntryPath("tree/up"), O_RDONLY), cannot: "open", "up")
        #expect(try up.status(cannot: "examine", "up").isRegularFile)
    }

    /// Whoever moves a directory out of a tree that is being read does not lead the reader astray.
    @Test func aDirectoryThatMovesIsAnError() throws {
        try makeTree("tree", depth: 100, of: "d")
        mkdir(workspace("elsewhere"), 0o755)
        let top = try RootDirectory(opening: workspace("tree")).descriptor
        let descent = try DirectoryDescent(top, path: "tree")
        for _ in 0..<80 {
            try descent.enter(try #require(descent.current.openDirectory(ByteString("d"))))
        }
        #expect(rename(workspace("tree/d/d/d"), workspace("elsewhere/d")) == 0)
        let error = failure { while descent.depth > 0 { try descent.leave() } }
        #expect(error?.cause == "it changes while it is read")
    }
}
