// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Testing

@testable import NamespaceKit

/// How devices that were found come into a plan.
@Suite struct PlannerDevicesTests {
    private static let gpu: HostFacts = {
        var facts = HostFacts.alice
        facts.environment.append("GPU=host")
        facts.devices.directories = ["/usr/lib/v"]
        facts.devices.places = [
            .init("/dev/zero", "/dev/v", .devices),
            .init("/lib/v.so.1", "/usr/lib/v/v.so.1", .readOnly, .nvidia),
        ]
        facts.devices.links = [.init(text: "v.so.1", target: "/usr/lib/v/v.so")]
        facts.devices.libraries = [
            .init(name: "liba.so.2", path: "/l/a2", flags: 3),
            .init(name: "liba.so.10", path: "/l/a10", flags: 3),
            .init(name: "libb.so", path: "/l/b", flags: 3),
        ]
        facts.devices.environment = ["GPU=1", "MORE=2"]
        facts.devices.omissions = [.init(what: "x", reason: "y")]
        return facts
    }()

    private let command = LaunchRequest.rootfs().with { $0.devices.names = ["v.com/c=0"] }

    private func steps(_ request: LaunchRequest, on facts: HostFacts = gpu) throws -> [String] {
        let own = try plan(request, on: facts).steps.map(\.description)
        let others = try plan(request.with { $0.devices.names = [] }, on: .alice).steps.map(
            \.description)
        return own.filter { !others.contains($0) }
    }

    @Test func inOrder() throws {
        #expect(
            try steps(command) == [
                "mount a tmpfs on /usr/lib/v (mode 0755)",
                "bind-mount /dev/zero onto /dev/v (devices)",
                "bind-mount /lib/v.so.1 onto /usr/lib/v/v.so.1 (read-only)",
                "show /usr/lib/v/v.so as a symlink to v.so.1",
                "show /etc/ld.so.cache with 3 libraries more",
            ])
        #expect(try plan(command, on: Self.gpu).omissions == [.init(what: "x", reason: "y")])
    }

    @Test func afterTheUsersOwnAndBeforeTheRootIsEntered() throws {
        var request = command
        request.files.operations = [.init(.tmpfs(target: "/opt", mode: 0o755, size: nil))]
        request.namespaces.join = .named("ranks")
        let actions = try plan(request, on: Self.gpu).actions
        let own = try #require(
            actions.firstIndex(
                of: .tmpfs(target: "/opt", mode: 0o755, size: nil, replacesLink: false)))
        let device = try #require(
            actions.firstIndex {
                if case .linkerCache = $0 { true } else { false }
            })
        let enter = try #require(actions.firstIndex(of: .enterRoot))
        let share = try #require(
            actions.firstIndex {
                if case .share = $0 { true } else { false }
            })
        #expect(own < device && device < enter && enter < share)
    }

    /// As glibc looks it up: numbers count as numbers, and the last comes first.
    @Test func theCacheIsInItsOwnOrder() throws {
        let names = try plan(command, on: Self.gpu).actions.compactMap { action in
            if case .linkerCache(let libraries, _) = action { libraries.map(\.name) } else { nil }
        }
        #expect(names == [["libb.so", "liba.so.10", "liba.so.2"]])
    }

    @Test(arguments: [
        ("a", "b", -1), ("a", "a", 0), ("a9", "a10", -1), ("a010", "a10", 0), ("a1", "ab", 1),
        ("lib.so.1", "lib.so", 1), ("", "a", -1), ("libstdc++.so.6", "libstdc++.so.5", 1),
    ])
    func theOrderOfNames(left: String, right: String, wanted: Int) {
        #expect(nsrun_compare_libraries(left, right).signum() == Int32(wanted))
        #expect(nsrun_compare_libraries(right, left).signum() == Int32(-wanted))
    }

    @Test func theEnvironmentOfTheDevice() throws {
        #expect(try plan(command, on: Self.gpu).environment.suffix(2) == ["GPU=1", "MORE=2"])
        var request = command
        request.program.environment.changes = [
            .set(name: "GPU", value: "mine"), .unset(name: "MORE"),
        ]
        let kept = try plan(request, on: Self.gpu).environment
        #expect(kept.contains("GPU=mine") && !kept.contains("GPU=1") && !kept.contains("MORE=2"))
        request.program.environment.changes = [.clear]
        #expect(try plan(request, on: Self.gpu).environment == ["GPU=1", "MORE=2"])
    }

    @Test func theViewOfTheHost() throws {
        var request = LaunchRequest(command: ["true"])
        request.devices.names = ["v.com/c=0"]
        // A tree of its own: sources are looked up while mounts are made.
        #expect(!(try plan(request, on: Self.gpu).actions.contains(.hostRoot)))
    }

    @Test func aRefusalIsTheAnswer() {
        var facts = Self.gpu
        facts.devices.refusal = LaunchError(.setup, "no")
        #expect(refusal(command, on: facts)?.message == "no")
    }

    // MARK: The C library

    private static let need = HostDevices.Need(
        version: GlibcVersion(major: 2, minor: 34), library: "libcuda.so.1")

    @Test func theCLibraryIsLookedAtFirst() throws {
        var facts = Self.gpu
        facts.devices.need = Self.need
        #expect(
            try steps(command, on: facts).first
                == "see that the C library is glibc 2.34 or newer, for libcuda.so.1")
    }

    @Test func aCLibraryThatIsTooOld() throws {
        let step = Step.Action.needGlibc(
            Self.need, candidates: Planner.libraryCandidates("x86_64"))
        #expect(
            try diagnose(step, ELIBBAD, NSRUN_CALL_LIBRARY.rawValue, text: Array("2.31".utf8)).lines
                == """
                cannot show the NVIDIA driver: libcuda.so.1 of this host needs glibc 2.34, and the \
                rootfs has 2.31
                  take a rootfs of a newer release
                """)
        #expect(
            try diagnose(step, ELIBBAD, NSRUN_CALL_LIBRARY.rawValue).message
                == "cannot show the NVIDIA driver: the rootfs has no GNU C library")
    }

    @Test(
        arguments: [
            ("GLIBC_2.34", GlibcVersion(major: 2, minor: 34)),
            ("GLIBC_2.2.5", GlibcVersion(major: 2, minor: 2)), ("GLIBC_PRIVATE", nil),
            ("GLIBC_2", nil), ("GLIBCXX_3.4", nil), ("", nil), ("GLIBC_2.99999999999", nil),
        ] as [(String, GlibcVersion?)])
    func versionsOfSymbols(name: String, version: GlibcVersion?) {
        #expect(GlibcVersion(symbol: ByteString(name)) == version)
    }
}
