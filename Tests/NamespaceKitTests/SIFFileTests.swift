// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import NamespaceKit

/// An image of Apptainer's: what is read of it before anything is mounted.
@Suite struct SIFFileTests {
    private let whole = SIFBuilder()

    private func read(_ bytes: [UInt8]) -> Result<SIFFile, SIFFile.Fault> {
        Result { () throws(SIFFile.Fault) in
            try SIFFile(size: UInt64(bytes.count)) { offset, count in
                guard offset <= UInt64(bytes.count) else { return nil }
                return Array(bytes[Int(offset)...].prefix(count))
            }
        }
    }

    private func fault(_ builder: SIFBuilder) -> String? {
        do throws(SIFFile.Fault) {
            _ = try read(builder.bytes).get().primary()
            return nil
        } catch {
            return error.cause
        }
    }

    @Test func thePrimaryPartitionIsFoundWhereItLies() throws {
        var builder = whole
        builder.parts = [
            .init(kind: 0x4001, content: Array("Bootstrap: scratch\n".utf8)),
            .init(kind: 0x4006, name: "inspect-metadata.json", content: Array("{}".utf8)),
            .init(use: 3), .init(), .init(kind: 0x4005, content: [1]), .init(used: 0),
        ]
        let sif = try read(builder.bytes).get()
        let part = try sif.primary()
        let place = Int(part.offset)
        #expect(Array(builder.bytes[place..<(place + 4)]) == Array("hsqs".utf8))
        #expect(part.partition?.architecture?.name == "amd64")
        #expect(
            sif.parts.map(\.kind) == [.definition, .document, .partition, .partition, .signature])
        #expect(sif.parts[1].name == "inspect-metadata.json")
        #expect(sif.signatures == 1)
    }

    /// As Apptainer itself is seen to take them.
    @Test func oddFormsAreTaken() throws {
        for change in [
            { $0.alignment = 1 }, { $0.launch = "" },
            { $0.parts.append(.init(kind: 0x9999, content: [1])) },
        ] as [(inout SIFBuilder) -> Void] {
            #expect(fault(whole.with(change)) == nil)
        }
    }

    @Test func whatItCannotBeIsNamed() {
        #expect(fault(whole.with { $0.magic = "SIF_MAGIX" }) == "it has no header of a SIF")
        #expect(fault(whole.with { $0.version = "02" }) == "it is a SIF of version 02")
        #expect(
            fault(whole.with { $0.parts[0].use = 3 })
                == "it has no primary partition, and so no root")
        #expect(fault(whole.with { $0.parts.append(.init()) }) == "it has 2 primary partitions")
        #expect(
            fault(whole.with { $0.parts.append(.init(fileSystem: 2, use: 4)) })
                == "it has a writable overlay inside, which would be left out")
        #expect(fault(whole.with { $0.parts[0].fileSystem = 5 }) == "its root is encrypted")
        for other: UInt32 in [0, 2, 3, 4, 6, .max] {
            #expect(
                fault(whole.with { $0.parts[0].fileSystem = other }) == "its root is no squashfs")
        }
        #expect(
            fault(whole.with { $0.parts[0].kind = 0x400a })?.hasPrefix("it is an OCI-SIF") == true)
    }

    /// Whatever numbers stand there, nothing outside of the file is meant by them.
    @Test func everyNumberIsHeldAgainstTheFile() {
        let table = "its table of descriptors does not lie in the file"
        #expect(fault(whole.with { $0.places = 0 }) == "it says that it has 0 descriptors")
        for many: UInt64 in [4097, 1 << 32, 1 << 63, .max] {
            #expect(
                fault(whole.with { $0.places = many }) == "it says that it has \(many) descriptors")
        }
        #expect(fault(whole.with { $0.places = 4096 }) == table)
        for start: UInt64 in [0, 127, 1 << 40, 1 << 63, .max] {
            #expect(fault(whole.with { $0.tableStart = start }) == table)
        }
        #expect(fault(whole.with { $0.tableLength = 0 }) == table)
        #expect(fault(whole.with { $0.tableLength = 584 }) == table)
        let beyond = "its part 1 goes beyond the end of the file: it may be cut short"
        for number: UInt64 in [1 << 40, 1 << 63, .max, .max - 1] {
            #expect(fault(whole.with { $0.parts[0].offset = number }) == beyond)
            #expect(fault(whole.with { $0.parts[0].size = number }) == beyond)
        }
    }

    @Test func cutShortAnywhereItIsRefused() {
        let bytes = whole.bytes
        for length in Array(0..<1024) + [4095, bytes.count - 1] {
            guard case .failure = read(Array(bytes.prefix(length))) else {
                Issue.record("\(length) bytes are taken")
                return
            }
        }
        guard case .success = read(bytes) else {
            _ = Issue.record("the whole is refused")
            return
        }
    }

    /// Any byte of the header and the descriptors may be any: what is taken then lies in the file.
    @Test func whateverIsChangedNothingOutsideIsMeant() {
        var builder = whole
        builder.parts.append(.init(kind: 0x4006, name: "more", content: [1, 2, 3]))
        let bytes = builder.bytes
        for place in 0..<(SIFFile.headLength + 2 * SIFFile.descriptorLength) {
            for value: UInt8 in [0, 1, 2, 5, 0x40, 0x7f, 0x80, 0xff] {
                var changed = bytes
                changed[place] = value
                guard case .success(let sif) = read(changed) else { continue }
                let size = UInt64(changed.count)
                let isInside = sif.parts.allSatisfy {
                    $0.offset <= size && $0.size <= size - $0.offset && !$0.name.contains(0)
                }
                guard isInside else {
                    Issue.record("byte \(place) made \(value): \(sif.parts)")
                    return
                }
            }
        }
    }

    // MARK: As the root

    private func find(
        _ bytes: [UInt8], _ request: LaunchRequest = LaunchRequest()
    ) throws -> RootImage.Finding {
        let path = "/tmp/nsrun-test-\(UUID().uuidString)"
        try Data(bytes).write(to: URL(filePath: path))
        defer { unlink(path) }
        return RootImageFinder(path: ByteString(path), request: request, facts: .alice).find()
    }

    private func complaint(_ builder: SIFBuilder, _ request: LaunchRequest = LaunchRequest()) throws
        -> String?
    {
        guard case .refused(let error) = try find(builder.bytes, request) else { return nil }
        return error.message.components(separatedBy: ": ").dropFirst().joined(separator: ": ")
    }

    @Test func theSquashfsInItIsHeldAgainstThePartition() throws {
        var short = whole
        short.parts[0].size = 132
        #expect(try complaint(short) == "the squashfs is cut short: 132 bytes of 133")
        var none = whole
        none.parts[0].content = [UInt8](repeating: 1, count: 4096)
        #expect(try complaint(none) == "its root is no squashfs")
    }

    @Test func theMachineIsLookedAt() throws {
        let arm = whole.with { $0.parts[0].architecture = "04" }
        #expect(
            try complaint(arm) == "it is built for arm64, and this machine is x86_64")
        #expect(
            try complaint(whole.with { $0.architecture = "04" })
                == "it is built for arm64, and this machine is x86_64")
        var emulated = LaunchRequest()
        emulated.program.emulators = [EmulatorRequest(architecture: "arm64")]
        #expect(try complaint(arm, emulated)?.hasPrefix("it is built for") != true)
        #expect(
            try complaint(whole.with { $0.parts[0].architecture = "77" })
                == "it does not say for which machine it is")
    }

    /// Whoever mounts it begins there; with a signature it is said that nobody has looked at it.
    @Test func thePlanSaysWhereItBegins() throws {
        var facts = HostFacts.alice
        var image = RootImage(path: "/a.sif", mounting: .kernel)
        image.offset = 32768
        image.signatures = 1
        facts.rootImage = .image(image)
        let plan = try plan(.rootfs(), on: facts)
        #expect(
            plan.transcript.contains(
                "mount the squashfs in /a.sif, from byte 32768 on, on / by a loop device"))
        #expect(plan.omissions.first?.what == "the signatures of /a.sif")
    }

    /// Those of Singularity 2 have a launch line before their squashfs.
    @Test func theOldFormBeginsBehindItsLine() throws {
        let line = Array("#!/usr/bin/env run-singularity\n".utf8)
        switch try find(line + RootImage.empty) {
        case .image(let image): #expect(image.offset == 31)
        case .refused(let error): #expect(error.message.contains("squashfuse_ll"))
        case .none: Issue.record("it is no image")
        }
        #expect(try complaintOf(line) == "its root is no squashfs")
    }

    private func complaintOf(_ bytes: [UInt8]) throws -> String? {
        guard case .refused(let error) = try find(bytes) else { return nil }
        return error.message.components(separatedBy: ": ").last
    }
}
