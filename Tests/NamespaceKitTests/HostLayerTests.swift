// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// A writable layer over the host view: an overlay for each directory that holds no mounts.
@Suite struct HostLayerTests {
    private var facts: HostFacts {
        var facts = HostFacts.alice
        facts.hostTree = [
            .init(path: "/bin", kind: .symlink("usr/bin")), .init(path: "/dev", kind: .kernel),
            .init(path: "/etc", kind: .plain), .init(path: "/home", kind: .branch),
            .init(path: "/home/alice", kind: .plain), .init(path: "/home/bob", kind: .plain),
            .init(path: "/home/notes", kind: .file), .init(path: "/home/own", kind: .ownFile),
            .init(path: "/mnt/disk", kind: .unlayered("vfat")),
            .init(path: "/proc", kind: .processes),
            .init(path: "/run/netns/box", kind: .leftOut("no layer")),
            .init(path: "/tmp", kind: .plain),
        ]
        return facts
    }

    private func request(_ layer: LaunchRequest.Layer) -> LaunchRequest {
        LaunchRequest(command: ["true"]).with { $0.root.layer = layer }
    }

    @Test func inMemory() throws {
        #expect(
            try sees(request(.memory), on: facts) == [
                "/: tmpfs private", "/dev: /dev ro", "/dev/shm: tmpfs private",
                "/etc: overlay of /etc private", "/home/alice: overlay of /home/alice private",
                "/home/bob: overlay of /home/bob private", "/home/notes: /home/notes ro",
                "/home/own: /home/own ro", "/mnt/disk: /mnt/disk ro", "/proc: proc private",
                "/tmp: tmpfs private",
                "/var/tmp: tmpfs private",
            ])
        let plan = try plan(request(.memory), on: facts)
        #expect(!plan.sparesHost)
        #expect(plan.isHostView)
        #expect(plan.rootfs == nil)
        // What is not as was asked for is said.
        #expect(
            plan.omissions == [
                .init(
                    what: "/home/own",
                    reason: "it is read-only, for something is mounted beside it"),
                .init(
                    what: "/mnt/disk",
                    reason: "it is read-only, for no layer can lie over a vfat"),
                .init(what: "/run/netns/box", reason: "no layer"),
            ])
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
                        source: .path("/dev"), target: "/dev",
                        options: [.readOnly, .devices, .optional]))))
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

    // MARK: The host's tree

    /// Of a host with these mounts, `PATH TYPE` each, and these files besides: directories, or files with a type.
    private func tree(_ mounts: [String], _ files: [String: String] = [:]) -> [String] {
        let table = mounts.map { line in
            let parts = line.split(separator: " ").map(String.init)
            return MountPoint(path: ByteString(parts[0]), type: ByteString(parts[1]))
        }
        var kinds = files
        for mount in table where mount.type != "nsfs" {
            var path = mount.path
            while let parent = path.parent {
                kinds[path.text] = kinds[path.text] ?? "directory"
                path = parent
            }
        }
        for mount in table where mount.type == "nsfs" { kinds[mount.path.text] = "file" }
        let all = kinds
        return HostTree.read(
            table,
            names: { directory in
                // To look into a place where mounts come by themselves would bring them.
                #expect(!table.contains { $0.path == directory && $0.type == "autofs" })
                return all.keys.filter { ByteString($0).parent == directory }.sorted()
                    .map { ByteString($0).lastComponent }
            },
            kind: {
                switch all[$0.text] {
                case nil: nil
                case "file": .file
                case "own": .ownFile
                default: .directory
                }
            }
        ).map { entry in
            let kind =
                switch entry.kind {
                case .plain: "plain"
                case .branch: "branch"
                case .processes: "processes"
                case .kernel: "kernel"
                case .unlayered(let type): "unlayered \(type.text)"
                case .file: "file"
                case .ownFile: "own file"
                case .symlink(let text): "link to \(text.text)"
                case .leftOut(let reason): "left out: \(reason)"
                }
            return "\(entry.path.text) \(kind)"
        }
    }

    /// What is mounted below is somebody's files, and is layered as if it were anywhere.
    @Test func mountsThatComeByThemselvesAreGoneAround() {
        let seen = tree(
            [
                "/ ext4", "/home autofs", "/home/alice nfs4", "/net autofs",
                "/net/server/export/data nfs4", "/data autofs",
            ], ["/etc": "directory", "/home/alice/x": "directory"])
        #expect(
            seen == [
                "/data branch", "/etc plain", "/home branch", "/home/alice plain", "/net branch",
                "/net/server branch", "/net/server/export branch",
                "/net/server/export/data plain",
            ])
    }

    /// They are the host's, whatever the caller may write to, and so is what lies below.
    @Test func whatTheKernelMakesIsReadOnly() {
        let seen = tree([
            "/ ext4", "/dev devtmpfs", "/dev/hugepages hugetlbfs", "/dev/shm tmpfs",
            "/huge hugetlbfs",
            "/proc proc", "/proc/sys/fs/binfmt_misc autofs", "/sys sysfs", "/sys/fs/bpf bpf",
            "/sys/fs/cgroup cgroup2",
        ])
        #expect(
            seen == [
                "/dev kernel", "/huge kernel", "/proc processes", "/sys kernel",
            ])
    }

    @Test func whatCannotBeLayeredIsSaidToBeReadOnlyOrLeftOut() {
        let seen = tree([
            "/ ext4", "/boot ext4", "/boot/efi vfat", "/run tmpfs", "/run/netns tmpfs",
            "/run/netns/box nsfs",
        ])
        #expect(
            seen == [
                "/boot branch", "/boot/efi unlayered vfat", "/run branch", "/run/netns branch",
                "/run/netns/box left out: a namespace cannot be layered",
            ])
    }

    /// No layer lies over a single file, and what the caller may write is not to be lost in silence.
    @Test func ownFilesBesideAMountAreTold() {
        let seen = tree(
            ["/ ext4", "/home/alice/mnt tmpfs"],
            [
                "/home/alice/own": "own", "/home/alice/others": "file", "/etc": "directory",
                "/etc/x": "own",
            ])
        #expect(
            seen == [
                "/etc plain", "/home branch", "/home/alice branch", "/home/alice/mnt plain",
                "/home/alice/others file", "/home/alice/own own file",
            ])
    }

    /// Only the last of several mounts on one place is seen.
    @Test func aMountMayLieOverAnother() {
        #expect(tree(["/ ext4", "/data vfat", "/data ext4"]) == ["/data plain"])
        #expect(tree(["/ ext4", "/data autofs", "/data nfs4"]) == ["/data plain"])
    }
}
