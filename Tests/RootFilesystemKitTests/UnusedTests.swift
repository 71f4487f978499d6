// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import RootFilesystemKit

/// `remove --unused`: what can be made again, and is not in use.
@Suite struct UnusedTests {
    let workspace: Workspace

    private static let layer = String(repeating: "0a", count: 32)
    private static let pack = String(repeating: "1b", count: 16)
    private var layers: String { "cache/nsrun/build" }
    private var packs: String { "cache/nsrun/packs" }
    private var staged: String { "node/nsrun-\(geteuid())" }

    init() throws {
        workspace = try Workspace()
        try workspace.write("\(layers)/\(Self.layer)/upper/etc/x", "a layer")
        try workspace.write("\(packs)/\(Self.pack)/root/etc/x", "a pack")
        try workspace.write("\(packs)/\(Self.pack).lock", "")
        try workspace.write("\(staged)/site-0123456789abcdef/root/x", "an image")
        try workspace.write("store/.one.partial-123-abcdef/deep/file", "debris")
        try workspace.write("store/mine/etc/x", "a rootfs")
    }

    private func remove(_ directories: String...) throws -> [String] {
        let files = UnusedFiles(
            store: workspace.store, environment: ["XDG_CACHE_HOME": workspace("cache")])
        var found: [String] = []
        try files.remove(stagedIn: directories.map { workspace($0) }) {
            #expect($0.size > 0)
            let place = $0.path.dropFirst(workspace.path.utf8.count + 1)
            found.append("\($0.kind.rawValue): \(place)")
        }
        return found
    }

    private func lock(_ name: String, _ operation: Int32 = LOCK_SH) throws -> Descriptor {
        let file = try Descriptor.open(workspace(name), O_RDONLY, cannot: "open")
        #expect(flock(file.number, operation) == 0)
        return file
    }

    @Test func whatNobodyUsesGoes() throws {
        #expect(
            try remove("node") == [
                "left by a run that was killed: store/.one.partial-123-abcdef",
                "layer of a build: \(layers)/\(Self.layer)", "unfolded pack: \(packs)/\(Self.pack)",
                "staged image: \(staged)/site-0123456789abcdef",
            ])
        #expect(try workspace.names("store") == ["mine"])
        #expect(workspace.read("store/mine/etc/x") == "a rootfs")
        for folder in [layers, staged] { #expect(try workspace.names(folder) == []) }
        #expect(try remove("node") == [])
    }

    /// Those of a directory only where it is named.
    @Test func stagedImagesHaveToBeNamed() throws {
        #expect(try remove().count == 3)
        #expect(try workspace.names(staged) == ["site-0123456789abcdef"])
        mkdir(workspace("empty"), 0o755)
        let error = failure { _ = try remove("empty") }
        #expect(error?.cause == "you have staged nothing there")
    }

    @Test func whatIsUsedStays() throws {
        let alive = try PartialTree(for: Destination("alive", store: workspace.store))
        let locks = try [
            lock("\(layers)/\(Self.layer)"), lock("\(packs)/\(Self.pack)/root"),
            lock("\(staged)/site-0123456789abcdef"),
        ]
        // What was killed the tree in the making has swept away.
        #expect(try remove("node") == [])
        #expect(access(alive.path, F_OK) == 0)
        #expect(try workspace.names(packs).count == 2)
        withExtendedLifetime((alive, locks)) {}
    }

    /// Somebody is unfolding it, or what is there is no pack at all.
    @Test func aPackInTheMakingStays() throws {
        let unfolding = try lock("\(packs)/\(Self.pack).lock", LOCK_EX)
        try workspace.write("\(packs)/0123/root/x", "without a lock")
        #expect(try remove().filter { $0.contains("pack") } == [])
        withExtendedLifetime(unfolding) {}
    }

    @Test func whatIsCalledOtherwiseStays() throws {
        for name in [
            "\(layers)/mine/x", "\(packs)/mine/x", "\(staged)/site/x", "\(staged)/x-0123/y",
        ] {
            try workspace.write(name, "mine")
        }
        _ = try remove("node")
        #expect(try workspace.names(layers) == ["mine"])
        #expect(try workspace.names(staged) == ["site", "x-0123"])
    }

    /// Links are not followed, and directories that others can write to are not looked at.
    @Test func nobodyElsesFilesAreReached() throws {
        try workspace.write("victim/etc/x", "x")
        let name = String(repeating: "2c", count: 32)
        symlink(workspace("victim"), workspace("\(layers)/\(name)"))
        symlink(workspace("victim"), workspace("store/.two.partial-123-abcdef"))
        symlink(workspace("victim"), workspace("\(layers)/\(Self.layer)/upper/link"))
        #expect(try remove().count == 3)
        #expect(workspace.read("victim/etc/x") == "x")
        try workspace.write("\(layers)/\(Self.layer)/upper/etc/x", "a layer")
        chmod(workspace(layers), 0o777)
        #expect(try remove() == [])
    }

    // MARK: - The command

    private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        try Command(in: workspace).run(
            arguments, environment: ["XDG_CACHE_HOME": workspace("cache")])
    }

    @Test func whatWasRemovedIsSaid() throws {
        let seen = try run(["remove", "--unused", workspace("node")])
        #expect(seen.status == 0)
        let lines = seen.output.split(separator: "\n").map(String.init)
        #expect(lines.count == 4, "\(seen.output)")
        #expect(
            lines.contains {
                $0.hasPrefix("layer of a build: \(workspace(layers))/\(Self.layer) (")
            })
        #expect(lines.last?.hasSuffix(" freed") == true)
        #expect(try run(["remove", "--unused", "--quiet"]).output == "")
        #expect(try run(["remove"]).output.contains("name what is to be removed"))
    }

    @Test func severalAreRemovedAtOnce() throws {
        for name in ["a", "b"] {
            try workspace.write("data/nsrun/rootfs/\(name)/.nsrun/image", "origin a test\n")
            chmod(workspace("data/nsrun/rootfs/\(name)/.nsrun"), 0o755)
        }
        let seen = try run(["remove", "a", "b"])
        #expect(seen.status == 0 && seen.output == "", "\(seen.output)")
        #expect(try workspace.names("data/nsrun/rootfs") == [])
    }
}
