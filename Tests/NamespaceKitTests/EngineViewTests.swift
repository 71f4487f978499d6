// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// A plan read as a description of what is to be seen where.
@Suite struct EngineViewTests {
    private let folder: Folder

    init() throws {
        folder = try Folder()
        for name in ["root/usr/bin", "root/etc", "root/tmp", "root/home", "host/sub"] {
            try folder.makeDirectory(name)
        }
        try folder.link("root/bin", to: "usr/bin")
        try folder.link("root/var", to: "/usr")
        try folder.write(Array("root".utf8), to: "root/etc/passwd")
        try folder.write([], to: "root/usr/bin/tool")
        try folder.write([], to: "host/file")
    }

    private var root: ByteString { folder["root"] }

    private func view(_ actions: Step.Action...) -> EngineView {
        var plan = LaunchPlan(
            shape: .child, namespaces: [], mounting: .classic, usesOpenat2: true,
            sparesHost: false, mirrors: true, isHostView: false, lifecycle: Lifecycle())
        let bind = Step.Bind(
            source: .path(root), target: "/", options: .readOnly, directoryOnly: true)
        plan.steps = ([.bind(bind)] + actions).map { Step(action: $0) }
        return EngineView(plan)
    }

    private func bind(
        _ source: ByteString, _ target: ByteString, _ options: BindOptions = []
    ) -> Step.Action {
        .bind(.init(source: .path(source), target: target, options: options))
    }

    private func tmpfs(_ target: ByteString) -> Step.Action {
        .tmpfs(target: target, mode: 0o755, size: nil, replacesLink: false)
    }

    @Test func stepsAreReadAsPlaces() {
        let seen = view(
            bind("/a", "/b/"), bind("/c", "/d", .optional), tmpfs("/t/./u"),
            .fileSystem(.proc, target: "/proc"), .fileSystem(.devpts, target: "/dev/pts"),
            .file(.bytes([1]), target: "/f", mode: 0o600),
            .bindData(.bytes([2]), target: "/g", mode: 0o400, readOnly: true),
            .prepend(text: "x", target: "/etc/passwd"), .symlink(text: "a", target: "/l"),
            .bindLink(text: "/h", target: "/m"), .directory(target: "/n", mode: 0o700), .enterRoot)
        #expect(seen.root == root)
        let wanted: [EngineView.Place] = [
            .init(path: "/b", content: .host("/a")),
            .init(path: "/d", content: .host("/c"), isOptional: true),
            .init(path: "/t/u", content: .directory(mode: 0o755)),
            .init(path: "/proc", content: .host("/proc")),
            .init(path: "/dev/pts", content: .host("/dev/pts"), isOptional: true),
            .init(path: "/f", content: .file(.bytes([1]), mode: 0o600)),
            .init(path: "/g", content: .file(.bytes([2]), mode: 0o400)),
            .init(path: "/etc/passwd", content: .prepended("x")),
            .init(path: "/l", content: .link("a")), .init(path: "/m", content: .link("/h")),
            .init(path: "/n", content: .directory(mode: 0o700), isOptional: true),
        ]
        #expect(seen.places == wanted)
    }

    @Test func theHostViewStartsFromTheHost() throws {
        let plan = try plan(LaunchRequest(command: ["true"]), as: .watcher)
        let seen = EngineView(plan)
        #expect(seen.root == "/")
        let paths = seen.places.map(\.path)
        #expect(paths == ["/proc", "/tmp", "/var/tmp", "/dev/shm"])
    }

    // MARK: Looked up on the host

    private func resolved(_ actions: Step.Action...) throws -> ResolvedView {
        var view = view()
        for action in actions { view.places += self.view(action).places }
        return try ResolvedView(view)
    }

    @Test func whatIsNoDirectoryIsNoRoot() throws {
        var view = view()
        for path in [folder["host/file"], folder["none"]] {
            view.root = path
            #expect(throws: LaunchError.self) { _ = try ResolvedView(view) }
        }
    }

    @Test func pathsLeadWhereTheViewHasThem() throws {
        let seen = try resolved(bind(folder["host"], "/opt/h"), tmpfs("/tmp"))
        #expect(seen.hostPath(of: "/usr/bin/tool") == root + "/usr/bin/tool")
        #expect(seen.hostPath(of: "/bin/tool") == root + "/usr/bin/tool")
        #expect(seen.hostPath(of: "/var/bin/tool") == root + "/usr/bin/tool")
        #expect(seen.hostPath(of: "/opt/h") == folder["host"])
        #expect(seen.hostPath(of: "/opt/h/file") == folder["host/file"])
        #expect(seen.hostPath(of: "/opt/h/none") == nil)
        #expect(seen.hostPath(of: "/opt/hidden") == nil)
        #expect(seen.hostPath(of: "/tmp/x") == nil)
        #expect(seen.hasDirectory("/tmp"))
        #expect(seen.hasDirectory("/opt/h/sub/."))
        #expect(!seen.hasDirectory("/opt/h/file"))
        #expect(!seen.hasDirectory("/none"))
    }

    /// The rootfs is hostile: no link of it leads out of it.
    @Test func linksOfTheRootfsStayInside() throws {
        try folder.link("root/out", to: "/etc/hostname")
        try folder.link("root/up", to: "../../../../../../../../../../etc/passwd")
        try folder.link("root/loop", to: "loop")
        try folder.link("root/magic", to: "/proc/self/root/etc/passwd")
        let seen = try resolved()
        #expect(seen.hostPath(of: "/out") == nil)
        #expect(seen.hostPath(of: "/up") == root + "/etc/passwd")
        #expect(seen.hostPath(of: "/loop") == nil)
        #expect(seen.hostPath(of: "/magic") == nil)
        #expect(seen.hostPath(of: "/../../etc/passwd") == root + "/etc/passwd")
    }

    /// What is bound behind a link of the rootfs's appears where that leads.
    @Test func placesBehindLinksAreMeantBehindThem() throws {
        let seen = try resolved(bind(folder["host"], "/var/h"), tmpfs("/bin/t"))
        #expect(seen.places.map(\.path) == ["/usr/h", "/usr/bin/t"])
        #expect(seen.hostPath(of: "/usr/h") == folder["host"])
    }

    @Test func aLaterPlaceHidesWhatWasThere() throws {
        let seen = try resolved(
            bind(folder["host"], "/opt/a"), tmpfs("/opt/a/b"), tmpfs("/opt"),
            bind(folder["host/sub"], "/opt/a"))
        #expect(seen.places.map(\.path) == ["/opt", "/opt/a"])
        #expect(seen.hostPath(of: "/opt/a") == folder["host/sub"])
    }

    @Test func missingSources() throws {
        #expect(throws: LaunchError.self) { _ = try resolved(bind(folder["none"], "/x")) }
        #expect(try resolved(bind(folder["none"], "/x", .optional)).places == [])
        let place = bind(folder["host"], "/not/there", .onlyIfPresent)
        #expect(try resolved(place).places == [])
        #expect(try resolved(bind(folder["host"], "/usr", .onlyIfPresent)).places.count == 1)
    }

    /// As mkdir(1) would: a directory that is there stays with what it holds.
    @Test func directoriesThatAreThereStay() throws {
        let seen = try resolved(
            .directory(target: "/usr/bin", mode: 0o755), .directory(target: "/new", mode: 0o755))
        #expect(seen.places.map(\.path) == ["/new"])
        #expect(seen.hostPath(of: "/usr/bin/tool") != nil)
    }

    @Test func pathsBelow() {
        let path: ByteString = "/a/b"
        #expect(path.below("/a") == "/b")
        #expect(path.below("/a/b") == "/")
        #expect(path.below("/") == "/a/b")
        #expect(path.below("/a/bc") == nil)
        #expect(ByteString("/a/bc").below("/a/b") == nil)
        #expect(ByteString("/").below("/a") == nil)
    }
}
