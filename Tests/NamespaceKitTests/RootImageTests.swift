// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Foundation
import Testing

@testable import NamespaceKit

/// A root that is a squashfs: what is known of it beforehand, and the plan.
@Suite struct RootImageTests {
    private static let program: ByteString = "/usr/bin/squashfuse_ll"
    private static let served = facts(.server(program))
    private static let mounted = facts(.kernel)

    private static func facts(_ mounting: RootImage.Mounting) -> HostFacts {
        var facts = HostFacts.alice
        facts.rootImage = .image(RootImage(path: "/srv/debian", mounting: mounting))
        return facts
    }

    private let request = LaunchRequest.rootfs()

    /// Up to where the view itself begins.
    private func beginning(
        _ request: LaunchRequest, on facts: HostFacts = served
    ) throws -> [Step.Action] {
        let plan = try plan(request, on: facts)
        return Array(plan.particular.prefix { !isBind($0) })
    }

    private func isBind(_ action: Step.Action) -> Bool {
        if case .bind = action { true } else { false }
    }

    private func maps(_ group: String, _ user: String) -> [Step.Action] {
        [
            .write(text: "deny", file: "/proc/self/setgroups"),
            .write(text: ByteString("\(group) 1\n"), file: "/proc/self/gid_map"),
            .write(text: ByteString("\(user) 1\n"), file: "/proc/self/uid_map"),
        ]
    }

    private func image(_ mounting: RootImage.Mounting) -> Step.Action {
        .image(.init(RootImage(path: "/srv/debian", mounting: mounting)))
    }

    // MARK: The plan

    /// As root of an outer namespace, so that root's files of the image are the caller's.
    @Test func theImageIsMountedFirstAndAsRoot() throws {
        #expect(
            try beginning(request) == maps("0 1000", "0 1000") + [image(.server(Self.program))])
        let actions = try plan(request, on: Self.served).particular
        let enter = try #require(actions.firstIndex(of: .enterRoot))
        #expect(
            Array(actions[(enter + 1)...].prefix(4)) == [.unshare(.user)] + maps("1000 0", "1000 0")
        )
    }

    @Test func rootNeedsNoSecondNamespace() throws {
        let root = request.with { $0.identity = Identity(user: 0, group: 0) }
        #expect(try beginning(root).prefix(3) == maps("0 1000", "0 1000")[...])
        // But for the one in which it has no power over the mounts.
        #expect(try !plan(root, on: Self.served).actions.contains(.unshare(.user)))
    }

    /// There the ids of the image are what they are.
    @Test(
        arguments: [
            { $0.identity.users = [IDRange(inside: 0, outside: 100_000, count: 10)] },
            {
                $0.lifecycle.mapsDescriptor = 5
                $0.lifecycle.infoDescriptor = 6
            },
        ] as [@Sendable (inout LaunchRequest) -> Void])
    func mapsOfSomebodyElseStay(
        change: @escaping @Sendable (inout LaunchRequest) -> Void
    ) throws {
        let plan = try plan(request.with(change), on: Self.served)
        #expect(!plan.actions.contains(.unshare(.user)))
        #expect(!plan.actions.contains { isMap($0) })
    }

    private func isMap(_ action: Step.Action) -> Bool {
        if case .write(_, let file) = action { file.hasPrefix("/proc/self/uid") } else { false }
    }

    @Test func theKernelKnowsTheIds() throws {
        #expect(
            try beginning(request, on: Self.mounted) == maps("1000 1000", "1000 1000") + [
                image(.kernel)
            ])
        let plan = try plan(request, on: Self.mounted)
        #expect(!plan.actions.contains(.unshare(.user)))
        #expect(!plan.transcript.contains("read ahead"))
    }

    @Test func layersLieOverTheMountedRoot() throws {
        #expect(try plan(.rootfs(.memory), on: Self.served).mounting == .detached)
        #expect(try plan(.rootfs(.memory), on: Self.mounted).mounting == .attached)
        #expect(try plan(request, on: Self.mounted).mounting == .detached)
        let memory = try beginning(.rootfs(.memory))
        #expect(
            memory.suffix(2) == [
                image(.server(Self.program)),
                .overlay(
                    .init(target: "/", lower: ["/srv/debian"], upper: .memory, liesOverRoot: true)),
            ])
        let kept = try beginning(.rootfs(.directory("/layer")))
        let upper = FileSystemOperation.OverlayUpper.directories(
            upper: "/layer/upper", work: "/layer/work")
        #expect(
            kept.last
                == .overlay(
                    .init(target: "/", lower: ["/srv/debian"], upper: upper, liesOverRoot: true)))
    }

    @Test func theLibraryIsReadAheadOfTheCommand() throws {
        let plan = try plan(request, on: Self.served)
        let step = Step.Action.readAhead(
            ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/lib/libc.so.6"],
            with: [
                "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2",
                "/lib/ld-linux-x86-64.so.2",
            ])
        let place = try #require(plan.actions.firstIndex(of: step))
        #expect(plan.actions[place + 1] == .enterRoot)
    }

    @Test func itIsShown() throws {
        #expect(try sees(request, on: Self.served).first == "/: /srv/debian ro")
        #expect(
            try sees(.rootfs(.memory), on: Self.served).first
                == "/: overlay of /srv/debian private")
        let text = try plan(request, on: Self.served).transcript
        #expect(
            text.contains(
                "mount the squashfs /srv/debian on / through FUSE, served by /usr/bin/squashfuse_ll\n"
            ))
        #expect(
            try plan(request, on: Self.mounted).transcript.contains(
                "mount the squashfs /srv/debian on / by a loop device\n"))
    }

    @Test func aDirectoryIsAsEver() throws {
        let plan = try plan(request)
        #expect(plan.image == nil)
        #expect(!plan.transcript.contains("read ahead"))
        #expect(Array(plan.particular.prefix(3)) == maps("1000 1000", "1000 1000"))
    }

    // MARK: Refusals

    @Test func itCannotBeWritable() {
        #expect(
            refusal(.rootfs(.writable), on: Self.served)?.lines == """
                the rootfs /srv/debian cannot be writable: it is a squashfs
                  set root.layer to .memory or an overlay directory for changes, or unpack it: \
                nsrun-rootfs import
                """)
    }

    @Test func whatIsWrongWithItIsSaid() {
        var facts = HostFacts.alice
        facts.rootImage = .refused(LaunchError(.setup, "it is broken"))
        #expect(refusal(request, on: facts)?.message == "it is broken")
    }

    @Test(arguments: [Engine.fakechroot, .proot])
    func otherEnginesHaveNone(engine: Engine) {
        #expect(
            throws: LaunchError(
                .usage, "the engine \(engine.name) cannot honour a squashfs as the root",
                remedy: "it needs namespaces: \(OptionNames.current.engine) userns, or leave it out"
            )
        ) {
            _ = try EngineRun(request, on: Self.served, by: engine)
        }
    }

    // MARK: The file

    private func find(_ bytes: [UInt8]) throws -> (RootImage.Finding, path: String) {
        var name = Array("/tmp/nsrun-test-XXXXXX".utf8CString)
        let file = mkstemp(&name)
        defer { close(file) }
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unlink(path) }
        #expect(write(file, bytes, bytes.count) == bytes.count)
        let finder = RootImageFinder(path: ByteString(path), request: request, facts: .alice)
        return (finder.find(), path)
    }

    private func complaint(_ bytes: [UInt8]) throws -> String? {
        let (finding, path) = try find(bytes)
        guard case .refused(let error) = finding else { return nil }
        return error.lines.replacingOccurrences(of: path, with: "FILE")
    }

    @Test func theHeadTellsWhatIsNone() throws {
        let none = """
            cannot use the rootfs FILE: it is neither a directory nor a squashfs
              nsrun-rootfs import unpacks archives; nsrun-rootfs export makes a squashfs
            """
        #expect(try complaint([]) == none)
        #expect(try complaint(Array("hsqs".utf8)) == none)
        #expect(try complaint([UInt8](repeating: 0, count: 8192)) == none)
        var old = RootImage.empty
        old[28] = 3
        #expect(
            try complaint(old) == """
                cannot use the rootfs FILE: it is a squashfs of version 3.0
                  only version 4.0, as mksquashfs has made it since 2009, can be mounted
                """)
        #expect(
            try complaint(Array(RootImage.empty.prefix(132))) == """
                cannot use the rootfs FILE: the squashfs is cut short: 132 bytes of 133
                  copy or make it again
                """)
    }

    @Test func aDirectoryOrNothingIsNoImage() {
        for path: ByteString in ["/", "/nonexistent", "/dev/null"] {
            let finder = RootImageFinder(path: path, request: request, facts: .alice)
            #expect(finder.find() == .none)
        }
    }

    // MARK: Failures

    private func diagnose(
        _ code: Int32, _ call: nsrun_call, _ text: String = ""
    ) throws -> String {
        try NamespaceKitTests.diagnose(
            image(.server(Self.program)),
            after: [.tmpfs(target: "/", mode: 0, size: nil, replacesLink: false)], code,
            call.rawValue, text: Array(text.utf8), on: Self.served
        ).lines
    }

    @Test func whatTheServerSaysIsQuoted() throws {
        #expect(
            try diagnose(ENOTCONN, NSRUN_CALL_CONTENT, "no such compressor\nfuse: gone\n") == """
                cannot use the rootfs /srv/debian: squashfuse_ll does not serve it: no such compressor
                  copy or make it again, or unpack it: nsrun-rootfs import
                """)
        #expect(try diagnose(ENOTCONN, NSRUN_CALL_CONTENT).contains("serve it: it has ended"))
    }

    @Test func theDeviceIsNamed() throws {
        #expect(
            try diagnose(ENXIO, NSRUN_CALL_SOURCE) == """
                cannot use the rootfs /srv/debian: cannot open /dev/fuse: No such device or address
                  ask the administrator for modprobe fuse and chmod 666 /dev/fuse, or unpack it: \
                nsrun-rootfs import
                """)
        #expect(try diagnose(ENODEV, NSRUN_CALL_STEP).contains("through FUSE is refused"))
    }

    @Test func damageIsToldWhereverItIsMet() throws {
        let step = Step.Action.prepend(text: "x", target: "/etc/passwd")
        let error = try NamespaceKitTests.diagnose(
            step, after: [image(.kernel)], EIO, NSRUN_CALL_CONTENT.rawValue, on: Self.mounted)
        #expect(
            error.lines == """
                cannot show your entry in /etc/passwd: the squashfs /srv/debian is damaged
                  copy or make it again
                """)
        #expect(
            try NamespaceKitTests.diagnose(step, EIO, NSRUN_CALL_CONTENT.rawValue).message
                == "cannot show your entry in /etc/passwd: input/output error")
    }
}
