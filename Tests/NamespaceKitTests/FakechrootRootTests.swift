// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// The directory of links that fakechroot is shown as its root.
@Suite struct FakechrootRootTests {
    private let folder: Folder
    private let tree = ScratchRoot(path: "/dev/shm/nsrun-0-0-x")

    init() throws {
        folder = try Folder()
        for name in ["root/usr/bin", "root/usr/lib", "root/etc", "root/tmp", "root/home", "host"] {
            try folder.makeDirectory(name)
        }
        try folder.link("root/bin", to: "usr/bin")
        try folder.write(Array("root:0\n".utf8), to: "root/etc/passwd")
        try folder.write([], to: "root/etc/group")
        try folder.write([], to: "root/tmp/old")
        try folder.write([], to: "host/file")
    }

    private var root: ByteString { folder["root"] }

    private func chroot(_ places: EngineView.Place...) throws -> FakechrootRoot {
        var view = EngineView(LaunchPlan.empty)
        view.root = root
        view.places = places
        let resolved = try ResolvedView(view)
        let mirror = RelinkedDirectories(resolved, libraries: [], fallback: folder["none"])
        return try FakechrootRoot(resolved, mirror, in: tree)
    }

    private func entry(_ path: ByteString, of chroot: FakechrootRoot) -> ScratchRoot.Entry? {
        chroot.tree.entries.first { $0.path == path }?.entry
    }

    private func refusal(_ places: EngineView.Place...) -> String? {
        do throws(LaunchError) {
            var view = EngineView(LaunchPlan.empty)
            view.root = root
            view.places = places
            let resolved = try ResolvedView(view)
            let mirror = RelinkedDirectories(resolved, libraries: [], fallback: folder["none"])
            _ = try FakechrootRoot(resolved, mirror, in: tree)
            return nil
        } catch {
            return error.message
        }
    }

    @Test func whatTheRunHasNothingOfIsALink() throws {
        let chroot = try chroot(.init(path: "/tmp", content: .directory(mode: 0o1777)))
        #expect(entry("/tmp", of: chroot) == .directory(mode: 0o1777))
        #expect(entry("/usr", of: chroot) == .link(root + "/usr"))
        #expect(entry("/bin", of: chroot) == .link("usr/bin"))
        #expect(entry("/tmp/old", of: chroot) == nil)
        #expect(chroot.excluded.contains(root))
        // The way to the rootfs is there, for programs that resolve links.
        #expect(entry(ByteString(folder.path), of: chroot) == .directory(mode: 0o755))
    }

    @Test func aDirectoryWithSomethingOfTheRunsOwnIsMade() throws {
        let chroot = try chroot(
            .init(path: "/etc/passwd", content: .prepended("alice:1\n")),
            .init(path: "/opt/a/b", content: .host(folder["host"])),
            .init(path: "/srv", content: .link("/usr/lib")),
            .init(path: "/f", content: .file(.bytes([7]), mode: 0o600)))
        #expect(entry("/etc", of: chroot) == .directory(mode: 0o755))
        #expect(
            entry("/etc/passwd", of: chroot)
                == .file(Array("alice:1\nroot:0\n".utf8), mode: 0o644))
        #expect(entry("/etc/group", of: chroot) == .link(root + "/etc/group"))
        #expect(entry("/opt", of: chroot) == .directory(mode: 0o755))
        #expect(entry("/opt/a/b", of: chroot) == .link(folder["host"]))
        #expect(entry("/srv", of: chroot) == .link(tree.path + "/root/usr/lib"))
        #expect(entry("/f", of: chroot) == .file([7], mode: 0o600))
        #expect(chroot.excluded.contains(folder["host"]))
    }

    /// Links of a hostile rootfs: none leads to the host.
    @Test func linksStayInside() throws {
        try folder.link("root/etc/shadow", to: "/etc/shadow")
        try folder.link("root/etc/up", to: "../../../../etc/shadow")
        try folder.link("root/etc/over", to: "../usr/../../../etc/shadow")
        try folder.link("root/etc/fine", to: "../usr/bin/x")
        try folder.link("root/etc/here", to: "./passwd")
        let chroot = try chroot(.init(path: "/etc/passwd", content: .prepended("x")))
        let inside = tree.path + "/root"
        #expect(entry("/etc/shadow", of: chroot) == .link(inside + "/etc/shadow"))
        #expect(entry("/etc/up", of: chroot) == .link(inside + "/etc/shadow"))
        #expect(entry("/etc/over", of: chroot) == .link(inside + "/etc/shadow"))
        #expect(entry("/etc/fine", of: chroot) == .link("../usr/bin/x"))
        #expect(entry("/etc/here", of: chroot) == .link("./passwd"))
    }

    @Test func entriesComeAfterWhatHoldsThem() throws {
        let chroot = try chroot(
            .init(path: "/a/b/c", content: .directory(mode: 0o700)),
            .init(path: "/a/x", content: .host(folder["host"])))
        var seen: Set<ByteString> = ["/"]
        for (path, _) in chroot.tree.entries {
            #expect(seen.contains(path.parent ?? "/"), "\(path)")
            #expect(seen.insert(path).inserted, "\(path)")
        }
    }

    // MARK: What cannot be shown

    @Test func nothingIsMadeInADirectoryOfTheHosts() {
        #expect(
            refusal(
                .init(path: "/opt", content: .host(folder["host"])),
                .init(path: "/opt/x", content: .directory(mode: 0o755)))
                == "fakechroot cannot show /opt/x inside of /opt, which is the host's")
    }

    @Test func noMoreThanLibfakechrootTakes() throws {
        func places(_ count: Int) throws -> [EngineView.Place] {
            try (0..<count).map {
                try folder.makeDirectory("many/\($0)")
                return .init(path: ByteString("/m/\($0)"), content: .host(folder["many/\($0)"]))
            }
        }
        func refusal(_ count: Int) throws -> String? {
            var view = EngineView(LaunchPlan.empty)
            view.root = root
            view.places = try places(count)
            let resolved = try ResolvedView(view)
            do throws(LaunchError) {
                let mirror = RelinkedDirectories(resolved, libraries: [], fallback: folder["none"])
                _ = try FakechrootRoot(resolved, mirror, in: tree)
                return nil
            } catch {
                return error.message
            }
        }
        // The rootfs itself and its mirror are two of them.
        #expect(try refusal(98) == nil)
        #expect(
            try refusal(99) == "fakechroot cannot show more than 100 places of the host")
    }

    /// A path that is left alone is the host's everywhere: the root must have nothing of its own there.
    @Test func aPathOfTheRootsOwnIsNotTheHosts() {
        let wanted =
            "fakechroot cannot show /usr of the host elsewhere: the root has a /usr of its own"
        #expect(refusal(.init(path: "/opt/usr", content: .host("/usr"))) == wanted)
        #expect(refusal(.init(path: "/usr", content: .host("/usr"))) == nil)
        #expect(
            refusal(
                .init(path: "/tmp", content: .directory(mode: 0o1777)),
                .init(path: "/opt/tmp", content: .host("/tmp")))
                == "fakechroot cannot show /tmp of the host elsewhere: the root has a /tmp of its own"
        )
    }

    @Test func colonsAreRefused() throws {
        try folder.makeDirectory("a:b")
        #expect(
            refusal(.init(path: "/x", content: .host(folder["a:b"])))
                == "fakechroot cannot show \(folder["a:b"].text): it knows no paths with a colon")
    }
}

extension LaunchPlan {
    static var empty: LaunchPlan {
        LaunchPlan(
            shape: .child, namespaces: [], mounting: .classic, usesOpenat2: true,
            sparesHost: false, mirrors: true, isHostView: false, lifecycle: Lifecycle())
    }
}
