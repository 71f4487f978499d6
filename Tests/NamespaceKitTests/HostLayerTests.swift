import Testing

@testable import NamespaceKit

/// A writable layer over the host view: an overlay for each directory that holds no mounts.
@Suite struct HostLayerTests {
    private var facts: HostFacts {
        var facts = HostFacts.alice
        facts.hostTree = [
            .init(path: "/bin", kind: .symlink("usr/bin")), .init(path: "/dev", kind: .special),
            .init(path: "/etc", kind: .plain), .init(path: "/home", kind: .branch),
            .init(path: "/home/alice", kind: .plain), .init(path: "/home/bob", kind: .plain),
            .init(path: "/home/notes", kind: .file), .init(path: "/proc", kind: .special),
            .init(path: "/tmp", kind: .plain),
        ]
        return facts
    }

    private func request(_ layer: LaunchRequest.Layer) -> LaunchRequest {
        LaunchRequest(command: ["true"]).with { $0.layer = layer }
    }

    @Test func inMemory() throws {
        #expect(
            try sees(request(.memory), on: facts) == [
                "/: tmpfs private", "/dev: /dev rw", "/dev/shm: tmpfs private",
                "/etc: overlay of /etc private", "/home/alice: overlay of /home/alice private",
                "/home/bob: overlay of /home/bob private", "/home/notes: /home/notes ro",
                "/proc: proc private", "/tmp: tmpfs private", "/var/tmp: tmpfs private",
            ])
        let plan = try plan(request(.memory), on: facts)
        #expect(!plan.sparesHost)
        #expect(plan.isHostView)
        #expect(plan.rootfs == nil)
    }

    /// Devices work, and what vanishes between the look and the mount is passed over.
    @Test func theRestOfTheRootIsMadeAgain() throws {
        let actions = try plan(request(.memory), on: facts).actions
        #expect(actions.contains(.symlink(text: "usr/bin", target: "/bin")))
        #expect(actions.contains(.directory(target: "/home", mode: 0o755)))
        #expect(
            actions.contains(
                .bind(
                    .init(
                        source: .path("/dev"), target: "/dev", options: [.devices, .optional]))))
        #expect(
            actions.contains(
                .bind(
                    .init(
                        source: .path("/home/notes"), target: "/home/notes",
                        options: [.readOnly, .optional]))))
    }

    @Test func keptEachOverlayHasDirectoriesOfItsOwn() throws {
        let actions = try plan(request(.directory("/data/layer")), on: facts).actions
        #expect(
            actions.contains(
                .overlay(
                    .init(
                        target: "/etc", lower: ["/etc"],
                        upper: .directories(
                            upper: "/data/layer/upper/etc", work: "/data/layer/work/etc")))))
        #expect(
            actions.contains(
                .overlay(
                    .init(
                        target: "/home/alice", lower: ["/home/alice"],
                        upper: .directories(
                            upper: "/data/layer/upper/home-alice",
                            work: "/data/layer/work/home-alice")))))
    }

    /// The kernel refuses an upper directory that is in use, and two lower ones would be mixed up.
    @Test func namesOfDirectoriesDoNotClash() throws {
        var facts = HostFacts.alice
        facts.hostTree = [
            .init(path: "/a", kind: .branch), .init(path: "/a/b", kind: .plain),
            .init(path: "/a-b", kind: .plain), .init(path: "/a--b", kind: .plain),
            .init(path: "/a/-b", kind: .plain), .init(path: "/a-", kind: .branch),
            .init(path: "/a-/b", kind: .plain),
        ]
        let plan = try plan(request(.directory("/data/layer")), on: facts)
        let uppers: [ByteString] = plan.actions.compactMap {
            guard case .overlay(let overlay) = $0, case .directories(let upper, _) = overlay.upper
            else { return nil }
            return upper
        }
        #expect(uppers.count == 5)
        #expect(Set(uppers).count == uppers.count)
    }

    /// Before an overlay, its directories; before those, the ones that hold them.
    @Test func directoriesAreMadeFirst() throws {
        let plan = try plan(request(.directory("/data/layer")), on: facts)
        var made: Set<ByteString> = []
        for action in plan.actions {
            if case .hostDirectory(let path) = action { made.insert(path) }
            if case .overlay(let overlay) = action,
                case .directories(let upper, let work) = overlay.upper
            {
                #expect(made.isSuperset(of: [upper, work]))
            }
        }
        #expect(made.isSuperset(of: ["/data/layer", "/data/layer/upper", "/data/layer/work"]))
    }
}
