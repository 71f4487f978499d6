// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What proot is told to show, so that it makes nothing in the rootfs.
@Suite struct ProotRootTests {
    private let folder: Folder
    private let tree = ScratchRoot(path: "/dev/shm/nsrun-0-0-x")

    init() throws {
        folder = try Folder()
        for name in ["root/etc", "root/tmp", "root/home/other", "root/usr/share", "host"] {
            try folder.makeDirectory(name)
        }
        try folder.write([1], to: "root/etc/passwd")
        try folder.write([], to: "host/file")
        try folder.link("root/bin", to: "usr/bin")
        try folder.link("root/etc/mtab", to: "/proc/mounts")
    }

    private var root: ByteString { folder["root"] }
    private var own: ByteString { tree.path + "/root" }

    private func shown(
        _ places: EngineView.Place..., at root: ByteString? = nil
    ) throws -> ProotRoot {
        var view = EngineView(LaunchPlan.empty)
        view.root = root ?? self.root
        view.places = places
        return try ProotRoot(ResolvedView(view), helper: "/opt/nsrun", in: tree)
    }

    private func binds(_ root: ProotRoot) -> [String] {
        root.binds.map { "\($0.source.text) \($0.target.text)" }
    }

    @Test func whatTheRootfsHasIsBoundThere() throws {
        let seen = try shown(
            .init(path: "/tmp", content: .directory(mode: 0o1777)),
            .init(path: "/usr/share", content: .host(folder["host"])),
            .init(path: "/etc/passwd", content: .prepended("x")))
        #expect(seen.path == root)
        #expect(
            binds(seen) == [
                "\(own.text)/tmp /tmp", "\(folder["host"].text) /usr/share",
                "\(own.text)/etc/passwd /etc/passwd", "/opt/nsrun /tmp/.nsrun",
            ])
    }

    /// `/home` becomes the run's own, and what the rootfs has in it is bound.
    @Test func whatTheRootfsLacksIsMadeElsewhere() throws {
        let seen = try shown(
            .init(path: "/tmp", content: .directory(mode: 0o1777)),
            .init(path: "/home/alice/sub", content: .directory(mode: 0o700)),
            .init(path: "/etc/x", content: .host(folder["host/file"])))
        #expect(seen.path == root)
        #expect(
            binds(seen) == [
                "\(own.text)/home /home", "\(root.text)/home/other /home/other",
                "\(own.text)/etc /etc", "\(root.text)/etc/passwd /etc/passwd",
                "\(own.text)/tmp /tmp", "\(folder["host/file"].text) /etc/x",
                "/opt/nsrun /tmp/.nsrun",
            ])
        let entries = seen.tree.entries
        #expect(entries.contains { $0.path == "/home/alice/sub" })
        #expect(entries.contains { $0.path == "/etc/mtab" && $0.entry == .link("/proc/mounts") })
    }

    @Test func theRootItselfBecomesTheRunsOwn() throws {
        let seen = try shown(
            .init(path: "/data", content: .host(folder["host"])),
            .init(path: "/dev/shm", content: .directory(mode: 0o1777)))
        #expect(seen.path == own)
        #expect(seen.helper == "/dev/shm/.nsrun")
        let binds = binds(seen)
        #expect(binds.contains("\(root.text)/usr /usr"))
        #expect(!binds.contains { $0.hasSuffix(" /bin") })
        #expect(binds.contains("\(folder["host"].text) /data"))
        #expect(seen.tree.entries.contains { $0.path == "/bin" && $0.entry == .link("usr/bin") })
    }

    /// Without a directory of its own, the helper lies next to the root's.
    @Test func theHelperLeavesNothingInTheRootfsEither() throws {
        let seen = try shown()
        #expect(seen.helper == "/.nsrun" && seen.path == own)
        let host = try shown(at: "/")
        #expect(host.path == "/" && binds(host) == ["/opt/nsrun /.nsrun"])
    }

    @Test func whatLiesInAHostsDirectoryIsTheHosts() throws {
        let seen = try shown(
            .init(path: "/tmp", content: .host(folder["host"])),
            .init(path: "/tmp/new", content: .directory(mode: 0o755)))
        #expect(
            binds(seen).prefix(2) == [
                "\(folder["host"].text) /tmp", "\(own.text)/tmp/new /tmp/new",
            ])
    }

    @Test func colonsAreRefused() throws {
        try folder.makeDirectory("a:b")
        #expect(throws: LaunchError.self) {
            _ = try shown(.init(path: "/x", content: .host(folder["a:b"])))
        }
        #expect(throws: LaunchError.self) {
            _ = try shown(.init(path: "/tmp/x:y", content: .host(folder["host"])))
        }
    }
}
