// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What is found on `/sys`: its mounts, and the caller's control groups.
@Suite struct SystemFilesTests {
    private func mounts(_ lines: String) -> [ByteString]? {
        SystemFiles.mounts(among: MountPoint.parse(Array(lines.utf8)))
    }

    @Test func theTopmostMountsAreKept() {
        let table = """
            1 0 0:1 / / rw - ext4 /dev/x rw
            2 1 0:2 / /sys rw - sysfs sysfs rw
            3 2 0:3 / /sys/fs/cgroup/memory rw - cgroup c rw,memory
            4 2 0:4 / /sys/fs/cgroup rw - tmpfs t rw
            5 2 0:5 / /sys/kernel/debug rw - debugfs d rw
            6 5 0:6 / /sys/kernel/debug/tracing rw - tracefs t rw
            7 1 0:7 / /system rw - tmpfs t rw
            """
        #expect(mounts(table) == ["/sys/fs/cgroup", "/sys/kernel/debug"])
    }

    @Test(arguments: [
        "", "1 0 0:1 / / rw - ext4 /dev/x rw", "2 1 0:2 / /sys rw - tmpfs t rw",
        "2 1 0:2 / /sys rw - sysfs s rw\n3 2 0:3 / /sys rw - tmpfs t rw",
    ])
    func withoutASysfsThereIsNone(table: String) {
        #expect(mounts(table) == nil)
    }

    @Test func theNetworksOwnIsMountedWhereItStands() throws {
        var facts = HostFacts.alice
        facts.system = SystemFiles(mounts: ["/sys/fs/cgroup"], devices: ["/sys/class/net"])
        func steps(_ change: (inout LaunchRequest) -> Void) throws -> [Step.System] {
            let request = LaunchRequest.rootfs().with {
                $0.network = .none
                change(&$0)
            }
            return try plan(request, on: facts).actions.compactMap {
                if case .system(let system) = $0 { system } else { nil }
            }
        }
        #expect(try steps { _ in }.map(\.isBelow) == [false])
        #expect(try steps { _ in }.map(\.isReadOnly) == [true])
        #expect(try steps { $0.root.view = .host }.map(\.isReadOnly) == [false])
        // Where the command has power over its network that is made later, and so is its sysfs.
        #expect(try steps { $0.identity.user = 0 }.map(\.isBelow) == [false, true])
        let own = FileSystemOperation(.tmpfs(target: "/sys/kernel", mode: 0o755, size: nil))
        #expect(
            try steps {
                $0.identity.user = 0
                $0.files.operations = [own]
            }.map(\.isBelow) == [false])
    }

    // MARK: Control groups

    private func groups(_ mounts: String, _ membership: String) -> [String] {
        ControlGroups(mounts: Array(mounts.utf8), membership: Array(membership.utf8)).groups.map {
            "\($0.directory.text) on \($0.mount.text)"
        }
    }

    @Test func eachHierarchyHasOne() {
        let table = """
            3 2 0:3 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup c rw,cpu,cpuacct
            4 2 0:4 / /sys/fs/cgroup/memory rw - cgroup c rw,memory
            5 2 0:5 / /sys/fs/cgroup/systemd rw - cgroup c rw,xattr,name=systemd
            6 2 0:6 / /sys/fs/cgroup/unified rw - cgroup2 c rw
            7 2 0:7 / /mnt/cpuset rw - cgroup c rw,cpuset
            8 2 0:8 / /sys/fs/cgroup/pids rw - cgroup c rw,pids
            """
        let membership = """
            6:cpuset:/job
            5:pids:/
            4:memory:/job/17
            3:cpu,cpuacct:/job
            1:name=systemd:/user.slice
            0::/user.slice/a:b
            """
        #expect(
            groups(table, membership) == [
                "/sys/fs/cgroup/cpu,cpuacct/job on /sys/fs/cgroup/cpu,cpuacct",
                "/sys/fs/cgroup/memory/job/17 on /sys/fs/cgroup/memory",
                "/sys/fs/cgroup/systemd/user.slice on /sys/fs/cgroup/systemd",
                "/sys/fs/cgroup/unified/user.slice/a:b on /sys/fs/cgroup/unified",
            ])
    }

    /// A container may show a part of the hierarchy, and its path as the host has it.
    @Test(
        arguments: [
            ("/docker/x", "/docker/x", []),
            ("/docker/x", "/docker/x/job", ["/sys/fs/cgroup/job on /sys/fs/cgroup"]),
            ("/docker/x", "/docker/xy", []), ("/docker/x", "/", []), ("/", "/../other", []),
            ("/", "/", []), ("/", "", []),
        ] as [(String, String, [String])])
    func belowWhatIsShown(root: String, path: String, found: [String]) {
        #expect(groups("3 2 0:3 \(root) /sys/fs/cgroup rw - cgroup2 c rw", "0::\(path)") == found)
    }
}
