// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// Directories of programs and libraries whose links lead where they would inside.
@Suite struct RelinkedDirectoriesTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        for name in ["root/usr/bin", "root/usr/lib", "root/etc/alternatives"] {
            try folder.makeDirectory(name)
        }
        try folder.link("root/bin", to: "usr/bin")
        try folder.write([], to: "root/usr/bin/mawk")
        try folder.write([], to: "root/usr/bin/tool")
        try folder.link("root/usr/bin/relative", to: "../bin/tool")
    }

    private var root: ByteString { folder["root"] }

    private func addAwk() throws {
        try folder.link("root/usr/bin/awk", to: "/etc/alternatives/awk")
        try folder.link("root/etc/alternatives/awk", to: "/usr/bin/mawk")
    }

    private func view(_ places: EngineView.Place...) throws -> ResolvedView {
        var view = EngineView(LaunchPlan.empty)
        view.root = root
        view.places = places
        return try ResolvedView(view)
    }

    /// In a cache of the test's own, or in none.
    private func mirror(
        of view: ResolvedView, libraries: [ByteString] = [], cache: String? = "cache"
    ) -> RelinkedDirectories {
        RelinkedDirectories(
            view, libraries: libraries, cache: cache.map { folder[$0] }, fallback: folder["run"])
    }

    private func made(_ mirror: RelinkedDirectories) throws -> RelinkedDirectories {
        closeDescriptor(try mirror.make())
        return mirror
    }

    @Test func directoriesWhoseLinksStayInsideNeedNone() throws {
        let mirror = try made(mirror(of: view()))
        #expect(mirror.directories == [])
        #expect(mirror.mirror(of: root + "/usr/bin") == root + "/usr/bin")
    }

    @Test func linksLeadWhereTheyWouldInside() throws {
        try addAwk()
        try folder.link("root/usr/bin/gone", to: "/opt/none")
        try folder.link("root/usr/bin/up", to: "../../../../../../../../usr/bin/tool")
        let mirror = try made(mirror(of: view()))
        #expect(mirror.directories.map(\.path) == ["/usr/bin", "/etc/alternatives"])
        let programs = mirror.mirror(of: root + "/usr/bin")
        func text(_ name: ByteString) -> ByteString? {
            HostFile.linkText(programs.appending(path: name))
        }
        #expect(text("awk") == root + "/usr/bin/mawk")
        #expect(text("mawk") == root + "/usr/bin/mawk")
        #expect(text("up") == root + "/usr/bin/tool")
        #expect(text("relative") == root + "/usr/bin/tool")
        #expect(text("gone") == nil)
        let alternatives = mirror.mirror(of: root + "/etc/alternatives")
        #expect(
            HostFile.linkText(alternatives.appending(path: "awk")) == root + "/usr/bin/mawk")
    }

    @Test func theNextRunFindsItMade() throws {
        try addAwk()
        let first = try made(mirror(of: view()))
        let second = mirror(of: try view())
        #expect(second.path == first.path)
        #expect(second.directories == first.directories)
        #expect(try made(second).directories == first.directories)
    }

    @Test func aChangedRootGetsAnotherAndTheOldOneGoes() throws {
        try addAwk()
        let first = try made(mirror(of: view()))
        let other = try made(mirror(of: view(), cache: "other"))
        try folder.write([], to: "root/usr/bin/new")
        let second = try made(mirror(of: view()))
        #expect(second.path != first.path)
        #expect(!HostFile.exists(try #require(first.path)))
        #expect(HostFile.exists(try #require(second.path)))
        #expect(HostFile.exists(try #require(other.path)))
        #expect(HostFile.names(in: folder["cache"]).count == 1)
    }

    @Test func oneThatIsInUseStays() throws {
        try addAwk()
        let first = mirror(of: try view())
        let lock = try first.make()
        #expect(lock >= 0)
        try folder.write([], to: "root/usr/bin/new")
        _ = try made(mirror(of: view()))
        #expect(HostFile.exists(try #require(first.path)))
        closeDescriptor(lock)
        try folder.write([], to: "root/usr/bin/newer")
        _ = try made(mirror(of: view()))
        #expect(!HostFile.exists(try #require(first.path)))
    }

    @Test func manyAtATimeMakeOne() async throws {
        try addAwk()
        let mirrors = try (0..<8).map { _ in mirror(of: try view()) }
        await withTaskGroup(of: Bool.self) { group in
            for mirror in mirrors {
                let path = mirror.path
                group.addTask {
                    guard let lock = try? mirror.make(), let path else { return false }
                    defer { closeDescriptor(lock) }
                    return HostFile.exists(path)
                }
            }
            for await isFine in group { #expect(isFine) }
        }
        #expect(HostFile.names(in: folder["cache"]).count == 1)
    }

    @Test func withoutACacheItIsTheRunsOwn() throws {
        try addAwk()
        try folder.makeDirectory("run")
        let mirror = try made(mirror(of: view(), cache: nil))
        #expect(mirror.path == folder["run/links"])
        #expect(HostFile.isDirectory(mirror.mirror(of: root + "/usr/bin")))
    }

    /// A library directory in another one: each link leads on to what stands for the inner one.
    @Test func oneDirectoryInAnother() throws {
        try folder.link("root/usr/lib/a.so", to: "/usr/lib/x86/b.so.1")
        try folder.link("root/usr/lib/x86/b.so", to: "/usr/lib/x86/b.so.1")
        try folder.write([], to: "root/usr/lib/x86/b.so.1")
        let libraries = [root + "/usr/lib", root + "/usr/lib/x86"]
        let mirror = try made(mirror(of: view(), libraries: libraries))
        #expect(mirror.directories.map(\.path) == ["/usr/lib", "/usr/lib/x86"])
        #expect(mirror.outermost.map(\.path) == ["/usr/lib"])
        let outer = mirror.mirror(of: libraries[0])
        let inner = mirror.mirror(of: libraries[1])
        #expect(HostFile.linkText(outer.appending(path: "x86")) == inner)
        #expect(
            HostFile.canonicalPath(outer.appending(path: "x86/b.so"))
                == root + "/usr/lib/x86/b.so.1")
    }

    @Test func whereTheRunHasItsOwnThereIsNone() throws {
        try addAwk()
        let places: [EngineView.Place] = [
            .init(path: "/usr/bin/x", content: .directory(mode: 0o755)),
            .init(path: "/usr", content: .directory(mode: 0o755)),
        ]
        for place in places {
            let mirror = mirror(of: try view(place))
            #expect(!mirror.directories.contains { $0.path == "/usr/bin" })
        }
        var host = EngineView(LaunchPlan.empty)
        host.root = "/"
        #expect(mirror(of: try ResolvedView(host)).path == nil)
    }
}
