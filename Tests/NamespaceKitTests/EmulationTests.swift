// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Foundation
import Testing

@testable import NamespaceKit

/// What is found out about a root before anything is planned, on a host of the test's own: emulators in a
/// PATH, for architectures that no package registers.
@Suite struct EmulationTests {
    private let folder: Folder

    init() throws { folder = try Folder() }

    private func find(
        _ request: LaunchRequest, _ change: (inout HostFacts) -> Void = { _ in }
    ) -> Emulation {
        var facts = HostFacts.alice
        facts.environment = [ByteString("PATH=\(folder.path)/bin:relative:")]
        change(&facts)
        return EmulationFinder(request: request, facts: facts).find()
    }

    private func asking(for architectures: String...) -> LaunchRequest {
        LaunchRequest().with {
            $0.program.emulators = architectures.map {
                EmulatorRequest(architecture: ByteString($0))
            }
        }
    }

    /// A root whose programs are of this kind.
    private func root(_ programs: String..., built image: ELFImage) throws -> LaunchRequest {
        for program in programs { try folder.write(image.bytes, to: "root\(program)") }
        return LaunchRequest().with { $0.root.view = .rootfs(ByteString("\(folder.path)/root")) }
    }

    private static let or1k = ELFImage(is64Bit: false, isLittleEndian: false, machine: 92)
    private static let emulator = ELFImage(interpreter: nil).bytes

    // MARK: What needs none

    @Test func theMachinesOwn() throws {
        #expect(find(LaunchRequest(command: ["true"])) == Emulation())
        #expect(find(asking(for: "amd64", "x86_64")) == Emulation())
        #expect(find(try root("/bin/sh", built: ELFImage())) == Emulation())
    }

    @Test func thirtyTwoBitsAreNamed() throws {
        var wanted = Emulation()
        wanted.names32Bit = true
        #expect(find(asking(for: "i386")) == wanted)
        #expect(find(asking(for: "i686")) == wanted)
        let image = ELFImage(is64Bit: false, machine: 3)
        #expect(find(try root("/bin/sh", built: image)) == wanted)
        // Old kernels have it, too.
        #expect(find(asking(for: "i386")) { $0.kernel = .init(major: 3, minor: 10) } == wanted)
    }

    @Test func aRootWithoutPrograms() throws {
        #expect(find(try root(built: ELFImage())) == Emulation())
        try folder.write(Array("#!/bin/sh\n".utf8), to: "root/bin/sh")
        #expect(find(try root(built: ELFImage())) == Emulation())
    }

    /// A machine that nobody emulates is left to execve's own error.
    @Test func anUnknownMachine() throws {
        #expect(find(try root("/bin/sh", built: ELFImage(machine: 9999))) == Emulation())
    }

    // MARK: What needs one

    @Test(arguments: ["/bin/sh", "/bin/bash", "/usr/bin/env", "/bin/busybox", "/usr/bin/dpkg"])
    func theRootsProgramsTell(program: String) throws {
        try folder.write(Self.emulator, to: "bin/qemu-or1k-static")
        let emulation = find(try root(program, built: Self.or1k))
        let or1k = try #require(Architecture.named("or1k"))
        let path = ByteString("\(folder.path)/bin/qemu-or1k-static")
        #expect(emulation.records == [BinfmtRecord(or1k, interpreter: path)])
        #expect(!emulation.names32Bit && emulation.refusal == nil)
    }

    /// The path of a root that is a descriptor may lead elsewhere by now.
    @Test func aRootThatIsADescriptor() throws {
        try folder.write(Self.emulator, to: "bin/qemu-or1k-static")
        var request = try root("/bin/sh", built: Self.or1k)
        let descriptor = open("\(folder.path)/root", O_RDONLY | O_DIRECTORY)
        defer { close(descriptor) }
        request.root.descriptor = descriptor
        request.root.view = .rootfs("/")
        #expect(find(request).records.map(\.name) == ["qemu-or1k"])
    }

    /// A script is looked past; a link leads to where it does inside, however it is written.
    @Test func scriptsAndLinks() throws {
        try folder.write(Self.emulator, to: "bin/qemu-or1k-static")
        var request = try root("/opt/shell", built: Self.or1k)
        try folder.write(Array("#!/bin/sh\n".utf8), to: "root/run")
        try folder.link("root/bin/sh", to: "/opt/../../../opt/shell")
        request.program.command = ["/run"]
        #expect(find(request).records.map(\.name) == ["qemu-or1k"])
    }

    @Test func anEmulatorIsFoundByName() throws {
        for (name, mode) in [("qemu-or1k", 0o755), ("qemu-or1k-static", 0o644)] {
            try folder.write(Self.emulator, to: "bin/\(name)", mode: mode)
        }
        func found() -> ByteString? { find(asking(for: "or1k")).records.first?.interpreter }
        #expect(found() == ByteString("\(folder.path)/bin/qemu-or1k"))
        try folder.write(Self.emulator, to: "bin/qemu-or1k-static")
        #expect(found() == ByteString("\(folder.path)/bin/qemu-or1k-static"))
        // A dynamic one would miss its libraries in the root.
        try folder.write(ELFImage().bytes, to: "bin/qemu-or1k-static")
        #expect(found() == ByteString("\(folder.path)/bin/qemu-or1k"))
    }

    /// A command that is given by its path may be of another kind than the root.
    @Test func theCommandCountsAsMuch() throws {
        for name in ["or1k", "microblazeel"] {
            try folder.write(Self.emulator, to: "bin/qemu-\(name)-static")
        }
        var request = try root("/bin/sh", built: Self.or1k)
        for (machine, wanted) in [
            (189, ["qemu-microblazeel", "qemu-or1k"]), (3, ["qemu-or1k"]), (92, ["qemu-or1k"]),
        ] as [(UInt64, [ByteString])] {
            let image = ELFImage(is64Bit: false, isLittleEndian: machine != 92, machine: machine)
            request = try root("/opt/program", built: image)
            request.program.command = ["/opt/program"]
            #expect(find(request).records.map(\.name) == wanted)
            #expect(!find(request).names32Bit)
        }
    }

    @Test func oneRecordForEachArchitecture() throws {
        let names = ["or1k", "microblazeel", "aarch64_be"]
        for name in names { try folder.write(Self.emulator, to: "bin/qemu-\(name)-static") }
        var request = asking(for: "or1k", "microblazeel", "or1k", "aarch64_be")
        request.root.view = try root("/bin/sh", built: Self.or1k).root.view
        #expect(find(request).records.map(\.name) == names.map { ByteString("qemu-\($0)") })
    }

    @Test func theEmulatorThatIsNamed() throws {
        for name in ["first", "second"] { try folder.write(Self.emulator, to: name) }
        func named(_ names: String...) -> Emulation {
            find(
                LaunchRequest().with {
                    $0.program.emulators = names.map {
                        .init(architecture: "or1k", path: ByteString("\(folder.path)/\($0)"))
                    }
                })
        }
        let path = ByteString("\(folder.path)/second")
        #expect(named("first", "second").records.map(\.interpreter) == [path])
        #expect(named("second", "lost").refusal?.message.hasSuffix("no such file") == true)
        // Wherever it is named.
        let request = asking(for: "or1k").with {
            $0.program.emulators.append(.init(architecture: "or1k", path: path))
        }
        #expect(find(request).records.map(\.interpreter) == [path])
    }

    // MARK: What cannot be had

    @Test func unknownNames() {
        for request in [
            asking(for: "vax"),
            LaunchRequest().with {
                $0.program.emulators = [EmulatorRequest(architecture: "vax", path: "/bin/true")]
            },
        ] {
            let refusal = find(request).refusal
            #expect(refusal?.kind == .usage)
            #expect(refusal?.message == "unknown architecture \"vax\"")
        }
    }

    @Test func kernelsWithoutATableForEachNamespace() throws {
        try folder.write(Self.emulator, to: "bin/qemu-or1k-static")
        let request = asking(for: "or1k")
        let older = find(request) { $0.kernel = KernelRelease(major: 6, minor: 6) }
        #expect(
            older.refusal?.message
                == "cannot run programs for or1k: this kernel has no binfmt_misc of a run's own, and "
                + "the host has no record for them")
        #expect(older.refusal?.remedy?.hasPrefix("Linux 6.7 or newer has it; or") == true)
        #expect(find(request.with { $0.compatibility = .ownBinfmt }) == older)
        #expect(find(request) { $0.kernel = .init(major: 6, minor: 7) }.refusal == nil)
    }

    /// The host may have records that cannot be seen from here: a root starts without.
    @Test func whatTheRootSeemsToLack() throws {
        let request = try root("/bin/sh", built: Self.or1k)
        let emulation = find(request) { $0.kernel = KernelRelease(major: 6, minor: 6) }
        #expect(emulation.records == [] && emulation.refusal == nil)
        #expect(
            emulation.lack?.message.hasPrefix("cannot run programs for or1k: this kernel") == true)
    }

    @Test func anEmulatorOfTheMachineItself() {
        let request = LaunchRequest().with {
            $0.program.emulators = [EmulatorRequest(architecture: "amd64", path: "/usr/bin/qemu")]
        }
        #expect(
            find(request).refusal?.lines == """
                cannot emulate x86_64 on x86_64: the emulator would have to run itself
                  leave the emulator out; this machine runs such programs by itself
                """)
        // Elsewhere it is one like others.
        let other = find(request) { $0.machine = "aarch64" }.refusal
        #expect(other?.message == "cannot use the emulator /usr/bin/qemu for amd64: no such file")
    }

    // MARK: What the kernel says against a record

    @Test(arguments: [
        (
            ENOENT, NSRUN_CALL_CONTENT,
            "the emulator is not there\n  install it, or name another with program.emulators:"
        ),
        (
            EACCES, NSRUN_CALL_CONTENT,
            """
            the emulator cannot be executed
              it must be a program of this machine with execute permission, on a file system \
            without noexec
            """
        ),
        (EEXIST, NSRUN_CALL_CONTENT, "there is a record of that name already"),
        (
            EINVAL, NSRUN_CALL_CONTENT,
            """
            the kernel does not understand the record
              look at the line in binfmt.d that it comes from
            """
        ),
        (
            EPERM, NSRUN_CALL_STEP,
            """
            this kernel has no binfmt_misc of a run's own (operation not permitted)
              Linux 6.7 or newer with CONFIG_BINFMT_MISC has it; or ask the administrator to \
            install qemu-user-static, which registers it for the host
            """
        ),
    ])
    func refusedRecords(code: Int32, call: nsrun_call, wanted: String) throws {
        let arm = try #require(Architecture.named("arm"))
        let record = BinfmtRecord(arm, interpreter: "/opt/qemu-arm")
        let step = Step.Action.binfmt([record], target: "/proc/sys/fs/binfmt_misc")
        let error = try diagnose(step, code, call.rawValue)
        #expect(
            error.lines == "cannot register the emulator qemu-arm (/opt/qemu-arm, PF): " + wanted)
        #expect(error.exitStatus == 125)
    }
}
