// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// How a program of the host's is started in a rootfs.
@Suite struct PlannerHostProgramTests {
    private static let loader: ByteString = "/usr/lib/ld.so"

    /// A dynamic program, found by a link.
    private func tool(_ change: (inout HostProgram) -> Void = { _ in }) -> HostFacts {
        var program = HostProgram(path: "/opt/tool/bin/tool-1", foundAs: "/usr/bin/tool")
        program.loader = PlannerHostProgramTests.loader
        program.libraries = [
            .init(name: "libtool.so", path: "/opt/tool/lib/libtool.so.1"),
            .init(name: "libc.so.6", path: "/usr/lib/libc.so.6"),
        ]
        change(&program)
        var facts = HostFacts.alice
        facts.hostProgram = .found(program)
        return facts
    }

    private let request = LaunchRequest.rootfs(command: ["tool", "-x", "a b"]).with {
        $0.program.runsHostProgram = true
    }

    /// What is done after the rootfs itself is there, before it is entered.
    private func preparation(_ facts: HostFacts) throws -> [Step.Action] {
        let actions = try plan(request, on: facts).actions
        let first = try #require(
            actions.firstIndex {
                if case .bind(let bind) = $0 { bind.target == "/run/host" } else { false }
            })
        return Array(actions[first...].prefix { $0 != .enterRoot })
    }

    private func bind(_ source: ByteString, _ target: ByteString) -> Step.Action {
        .bind(.init(source: .path(source), target: target, options: .readOnly))
    }

    @Test func theLoaderStandsWhereTheProgramIs() throws {
        #expect(
            try preparation(tool()) == [
                bind("/", "/run/host"), bind("/", "/run/nsrun/host"),
                .directory(target: "/run/nsrun/lib", mode: 0o755),
                .symlink(
                    text: "/run/host/opt/tool/lib/libtool.so.1",
                    target: "/run/nsrun/lib/libtool.so"),
                .symlink(text: "/run/host/usr/lib/libc.so.6", target: "/run/nsrun/lib/libc.so.6"),
                bind("/usr/lib/ld.so", "/run/host/opt/tool/bin/tool-1"),
            ])
    }

    @Test func theLoaderIsToldWhatToLoad() throws {
        let plan = try plan(request, on: tool())
        #expect(
            plan.arguments == [
                "/run/host/usr/bin/tool", "--argv0", "/run/host/usr/bin/tool", "--inhibit-cache",
                "--library-path",
                "/run/nsrun/lib:/run/host/opt/tool/lib:/run/host/usr/lib",
                "/run/nsrun/host/opt/tool/bin/tool-1", "-x", "a b",
            ])
        #expect(plan.programs == ["/run/host/opt/tool/bin/tool-1"])
    }

    /// One that the program names by its path is shown there.
    @Test func aLibraryMayBeNamedByItsPath() throws {
        let facts = tool { $0.libraries = [.init(name: "/opt/x.so", path: "/opt/x-1.so")] }
        #expect(try preparation(facts).contains(bind("/opt/x-1.so", "/opt/x.so")))
        #expect(
            !(try preparation(facts).contains { if case .symlink = $0 { true } else { false } }))
    }

    /// musl's has no cache, and knows no option for it.
    @Test func aLoaderWithoutACacheIsNotToldOfIt() throws {
        let arguments = try plan(request, on: tool { $0.loaderAvoidsCache = false }).arguments
        #expect(!arguments.contains("--inhibit-cache"))
    }

    /// glibc before 2.33: then argv[0] is the path that is loaded.
    @Test func anOlderLoaderIsNotToldTheName() throws {
        let arguments = try plan(request, on: tool { $0.loaderTakesName = false }).arguments
        #expect(arguments.prefix(2) == ["/run/host/usr/bin/tool", "--inhibit-cache"])
    }

    @Test func argumentZeroCanBeAnother() throws {
        let request = request.with { $0.program.argument0 = "-tool" }
        #expect(
            try plan(request, on: tool()).arguments.prefix(3) == ["-tool", "--argv0", "-tool"])
        let fixed = tool { $0.loader = nil }
        #expect(try plan(request, on: fixed).arguments == ["-tool", "-x", "a b"])
    }

    @Test func aStaticProgramIsStartedAsItIs() throws {
        let facts = tool {
            $0.loader = nil
            $0.libraries = []
        }
        let plan = try plan(request, on: facts)
        #expect(try preparation(facts) == [bind("/", "/run/host")])
        #expect(plan.arguments == ["/run/host/usr/bin/tool", "-x", "a b"])
        #expect(plan.programs == ["/run/host/opt/tool/bin/tool-1"])
    }

    @Test func aScriptsWordsComeBeforeItsArguments() throws {
        let plan = try plan(request, on: tool { $0.leading = ["-e", "/run/host/script"] })
        #expect(
            plan.arguments.suffix(5) == [
                "/run/nsrun/host/opt/tool/bin/tool-1", "-e", "/run/host/script", "-x", "a b",
            ])
    }

    /// The host's root is shown once, also where it was asked for, and is where everything else is.
    @Test func theHostsRootIsShownOnce() throws {
        let both = request.with { $0.files.showsHostRoot = true }
        let one = try plan(request, on: tool()).actions
        #expect(try plan(both, on: tool()).actions == one)
    }

    /// Nothing points the children to the host's libraries.
    @Test func theEnvironmentIsAsForAnyOther() throws {
        let plain = try plan(.rootfs(command: ["tool"]))
        #expect(try plan(request, on: tool()).environment == plain.environment)
    }

    @Test func whatWasRefusedStopsTheLaunch() throws {
        let error = LaunchError(.notFound, "cannot run tool: not found on this host")
        var facts = HostFacts.alice
        facts.hostProgram = .refused(error)
        #expect(refusal(request, on: facts) == error)
    }

    @Test func onTheHostItselfThereIsNothingToDo() {
        let request = LaunchRequest(command: ["tool"]).with { $0.program.runsHostProgram = true }
        #expect(refusal(request, on: tool()) == .hostProgramWithoutRootfs)
    }
}
