// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// Root in appearance: the identity, what apt is told, and the filter's own logic.
@Suite struct FakeRootTests {
    private let request = LaunchRequest.rootfs().with { $0.identity.fakesRoot = true }

    @Test func theCallerIsRootInside() throws {
        let actions = try plan(request).actions
        #expect(actions.contains(.write(text: "0 1000 1\n", file: "/proc/self/uid_map")))
        #expect(actions.contains(.write(text: "0 1000 1\n", file: "/proc/self/gid_map")))
        #expect(!(try sees(request).contains { $0.hasPrefix("/etc/passwd") }))
    }

    @Test func anotherIdentityCanBeAskedFor() throws {
        let actions = try plan(request.with { $0.identity = Identity(user: 7, group: 8) }).actions
        #expect(actions.contains(.write(text: "7 1000 1\n", file: "/proc/self/uid_map")))
        #expect(actions.contains(.write(text: "8 1000 1\n", file: "/proc/self/gid_map")))
    }

    // MARK: apt

    @Test func aptIsToldToStayRoot() throws {
        let plan = try plan(request)
        #expect(plan.environment.contains("APT_CONFIG=/run/nsrun-apt.conf"))
        let text = ByteString("APT::Sandbox::User \"root\";\n")
        #expect(
            plan.actions.contains(
                .file(.bytes(text.bytes), target: "/run/nsrun-apt.conf", mode: 0o644)))
    }

    @Test func aptsSettingsOfTheUserStay() throws {
        let own = request.with {
            $0.program.environment.changes = [.set(name: "APT_CONFIG", value: "/mine")]
        }
        #expect(
            try plan(own).environment.filter { $0.hasPrefix("APT_CONFIG=") }
                == ["APT_CONFIG=/mine"])
    }

    @Test func aptIsToldNothingElsewhere() throws {
        let host = LaunchRequest(command: ["true"]).with { $0.identity.fakesRoot = true }
        for request in [host, .rootfs()] {
            #expect(!(try plan(request).environment.contains { $0.hasPrefix("APT_CONFIG=") }))
            #expect(!(try plan(request).transcript.contains("nsrun-apt.conf")))
        }
    }

    // MARK: The filter

    private func filters(_ request: LaunchRequest) throws -> [[UInt8]] {
        try plan(request).actions.compactMap {
            if case .filter(let program) = $0 { program } else { nil }
        }
    }

    @Test func itComesAfterTheUsersOwn() throws {
        let programs = try filters(request.with { $0.program.filters = [[1, 2]] })
        #expect(programs == [[1, 2], try SystemCallFilter.fakeRoot(onlyDevices: false)])
        #expect(
            try filters(.rootfs().with { $0.identity.fakesDeviceNodes = true })
                == [try SystemCallFilter.fakeRoot(onlyDevices: true)])
        #expect(try filters(.rootfs()) == [])
    }

    #if arch(x86_64)
        private static let native: UInt32 = 0xc000_003e
        private static let i386: UInt32 = 0x4000_0003
        private static let x32: UInt32 = 0x4000_0000

        /// By number: chown, fchown, lchown, fchownat; setuid, setgid, setreuid, setregid, setgroups,
        /// setresuid, setresgid, setfsuid, setfsgid; capset.
        private static let calls: [UInt32] = [
            92, 93, 94, 260, 105, 106, 113, 114, 116, 117, 119, 122, 123, 126,
        ]
        /// The same in the 32-bit table, in both sizes of an id.
        private static let calls32: [UInt32] = [
            182, 95, 16, 298, 212, 207, 198, 23, 46, 70, 71, 81, 164, 170, 138, 139, 213, 214, 203,
            204, 206, 208, 210, 215, 216, 185,
        ]
        /// read, getuid, fchmod, setpgid, execve, setxattr.
        private static let others: [UInt32] = [0, 102, 91, 109, 59, 188]

        @Test(arguments: calls) func callsOfRootAppearToSucceed(number: UInt32) throws {
            let filter = BPF(try SystemCallFilter.fakeRoot(onlyDevices: false))
            #expect(filter.result(of: number, arch: FakeRootTests.native) == BPF.succeed)
            #expect(
                filter.result(of: number | FakeRootTests.x32, arch: FakeRootTests.native)
                    == BPF.succeed)
            let devices = BPF(try SystemCallFilter.fakeRoot(onlyDevices: true))
            #expect(devices.result(of: number, arch: FakeRootTests.native) == BPF.allow)
        }

        @Test(arguments: calls32) func soDoThoseOf32Bits(number: UInt32) throws {
            let filter = BPF(try SystemCallFilter.fakeRoot(onlyDevices: false))
            #expect(filter.result(of: number, arch: FakeRootTests.i386) == BPF.succeed)
        }

        @Test(arguments: others) func othersAreMadeForReal(number: UInt32) throws {
            let filter = BPF(try SystemCallFilter.fakeRoot(onlyDevices: false))
            #expect(filter.result(of: number, arch: FakeRootTests.native) == BPF.allow)
            #expect(
                filter.result(of: number | FakeRootTests.x32, arch: FakeRootTests.native)
                    == BPF.allow)
        }

        /// mknod and mknodat in the three tables; fifos, sockets and files are made.
        @Test(arguments: [true, false]) func onlyDeviceNodesAreMadeUp(onlyDevices: Bool) throws {
            let filter = BPF(try SystemCallFilter.fakeRoot(onlyDevices: onlyDevices))
            let calls: [(UInt32, UInt32, Int)] = [
                (133, FakeRootTests.native, 1), (259, FakeRootTests.native, 2),
                (133 | FakeRootTests.x32, FakeRootTests.native, 1),
                (259 | FakeRootTests.x32, FakeRootTests.native, 2),
                (14, FakeRootTests.i386, 1), (297, FakeRootTests.i386, 2),
            ]
            for (number, arch, place) in calls {
                for (mode, result) in [
                    (0o020666, BPF.succeed), (0o060600, BPF.succeed), (0o010644, BPF.allow),
                    (0o140755, BPF.allow), (0o100644, BPF.allow), (0o644, BPF.allow),
                ] as [(UInt64, UInt32)] {
                    var arguments: [UInt64] = [0, 0, 0, 0, 0, 0]
                    arguments[place] = mode
                    #expect(
                        filter.result(of: number, arch: arch, arguments) == result,
                        "call \(number) with mode \(String(mode, radix: 8))")
                }
            }
        }
    #endif
}
