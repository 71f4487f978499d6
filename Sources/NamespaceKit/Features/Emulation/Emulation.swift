// SPDX-License-Identifier: Apache-2.0

import CHost

/// What the programs of a run need beyond the kernel's own architecture.
public struct Emulation: Sendable, Equatable {
    /// To be registered in a binfmt_misc of the run's own.
    public var records: [BinfmtRecord] = []
    /// uname(2) shall name the 32-bit architecture of the root (personality(2), `PER_LINUX32`).
    public var names32Bit = false
    /// Why something that was asked for cannot be had.
    public var refusal: LaunchError?
    /// What the root's own programs seem to lack. The kernel may know better: records of a host that cannot
    /// be seen from here hold all the same.
    public var lack: LaunchError?

    public init() {}
}

/// Finds out what a root's programs were built for, and what can run them.
struct EmulationFinder {
    let request: LaunchRequest
    let facts: HostFacts

    /// An architecture that the kernel does not run by itself.
    private struct Guest {
        var architecture: Architecture
        /// As the user or the root's programs call it.
        var name: String
        /// The emulator that was asked for.
        var path: ByteString?
        /// It was asked for, not found out.
        var isRequested: Bool
    }

    /// For a tracer that starts the emulator by itself, the kernel needs no record.
    func find(forTracer isTracer: Bool = false) -> Emulation {
        var emulation = Emulation()
        do throws(LaunchError) {
            let guests = try findGuests(&emulation)
            let hosts = guests.map { guest in
                guest.path == nil && !isTracer ? hostRecord(for: guest.architecture) : nil
            }
            // A table of the run's own hides the host's: made only where that is not enough, and then
            // with all that this run needs.
            guard hosts.contains(where: { $0 == nil }) else { return emulation }
            for (guest, host) in zip(guests, hosts) {
                do throws(LaunchError) {
                    let record = try findRecord(for: guest, host, isTracer)
                    emulation.records.append(record)
                } catch {
                    if guest.isRequested { throw error }
                    emulation.lack = error
                }
            }
        } catch {
            emulation.refusal = error
        }
        return emulation
    }

    // MARK: What is to run

    private func findGuests(_ emulation: inout Emulation) throws(LaunchError) -> [Guest] {
        var guests: [Guest] = []
        // Who names an emulator for an architecture means that one, wherever he says it.
        let named = request.program.emulators.filter { $0.path != nil }
        for wanted in named + request.program.emulators.filter({ $0.path == nil }) {
            guard let architecture = Architecture.named(wanted.architecture) else {
                throw .unknownArchitecture(wanted.architecture)
            }
            if wanted.path != nil, architecture.text == facts.machine {
                throw .emulatesItself(architecture.text)
            }
            let isNative = isNative(architecture) && wanted.path == nil
            if isNative, architecture.wantsPersonality(on: facts.machine) {
                emulation.names32Bit = true
            }
            if wanted.path != nil { guests.removeAll { $0.architecture == architecture } }
            if isNative || guests.contains(where: { $0.architecture == architecture }) { continue }
            guests.append(
                Guest(
                    architecture: architecture, name: wanted.architecture.text, path: wanted.path,
                    isRequested: true))
        }
        for (program, isRoots) in programs() where program.machineName != facts.machine.text {
            guard let architecture = Architecture.of(program) else { continue }
            let isServed = guests.contains { $0.architecture == architecture }
            if !isServed, isNative(architecture) {
                if isRoots, architecture.wantsPersonality(on: facts.machine) {
                    emulation.names32Bit = true
                }
            } else if !isServed {
                guests.append(
                    Guest(
                        architecture: architecture, name: program.debianName, isRequested: false))
            }
        }
        return guests
    }

    private func isNative(_ architecture: Architecture) -> Bool {
        let runs32BitARM = facts.machine == "aarch64" && nsrun_runs_32bit() == 1
        return architecture.isNative(on: facts.machine, runs32BitARM: runs32BitARM)
    }

    /// The command, if it is given as a path, and the first program of those that every root has.
    private func programs() -> [(ELFHead, isRoots: Bool)] {
        var programs: [(ELFHead, isRoots: Bool)] = []
        var root: ByteString = "/"
        if case .rootfs(let path) = request.root.view {
            root = request.root.descriptor.map { ByteString("/proc/self/fd/\($0)") } ?? path
        }
        func head(_ path: ByteString) -> ELFHead? {
            ELFHead(bytes: HostFile.read(path, below: root, limit: 64))
        }
        if let command = request.program.command.first, command.isAbsolute, let head = head(command)
        {
            programs.append((head, isRoots: false))
        }
        // What an image holds is seen only once it is mounted.
        guard case .rootfs = request.root.view, facts.rootImage == .none else { return programs }
        for path: ByteString in [
            "/bin/sh", "/bin/bash", "/usr/bin/env", "/bin/busybox", "/usr/bin/dpkg",
        ] {
            if let head = head(path) {
                programs.append((head, isRoots: true))
                break
            }
        }
        return programs
    }

    // MARK: What runs it

    private static let table: ByteString = "/proc/sys/fs/binfmt_misc"

    /// A record of the host's, of the kind that can be used in another root: what is opened at registration
    /// (F).
    private func hostRecord(for architecture: Architecture) -> BinfmtRecord? {
        let table = EmulationFinder.table
        let status = HostFacts.readFile(table.appending(path: "status"), limit: 16)
        guard status == Array("enabled\n".utf8) else { return nil }
        for name in HostFile.names(in: table) where name != "register" && name != "status" {
            let text = HostFacts.readFile(table.appending(path: name), limit: 8192) ?? []
            if let record = BinfmtRecord(name: name, status: text),
                record.flags.contains(UInt8(ascii: "F")), record.matches(architecture.magic)
            {
                return record
            }
        }
        return nil
    }

    private func findRecord(
        for guest: Guest, _ host: BinfmtRecord?, _ isTracer: Bool
    ) throws(LaunchError) -> BinfmtRecord {
        guard isTracer || facts.hasOwnBinfmt && !request.compatibility.contains(.ownBinfmt) else {
            throw .noBinfmt(guest.name)
        }
        let architecture = guest.architecture
        if let path = guest.path {
            try check(path, for: guest.name)
            return BinfmtRecord(architecture, interpreter: path)
        }
        if let host, isUsable(host.interpreter) {
            return BinfmtRecord(architecture, interpreter: host.interpreter)
        }
        if let record = configuredRecord(for: architecture) { return record }
        let name = "qemu-" + architecture.text
        let places = facts.places(ofTool: name + "-static", name)
        if let found = places.first(where: isUsable) {
            return BinfmtRecord(architecture, interpreter: found)
        }
        throw .noEmulator(guest.name, architecture.text)
    }

    /// What the host's administrator would register, see binfmt.d(5).
    private func configuredRecord(for architecture: Architecture) -> BinfmtRecord? {
        let folders: [ByteString] = [
            "/etc/binfmt.d", "/run/binfmt.d", "/usr/local/lib/binfmt.d", "/usr/lib/binfmt.d",
        ]
        for folder in folders {
            let file = folder.appending(path: "qemu-" + architecture.text + ".conf")
            guard let text = HostFacts.readFile(file, limit: 8192) else { continue }
            for line in ByteString(bytes: text).split(on: UInt8(ascii: "\n")) {
                guard var record = BinfmtRecord(line: line), record.matches(architecture.magic),
                    isUsable(record.interpreter)
                else { continue }
                if !record.flags.contains(UInt8(ascii: "F")) { record.flags = record.flags + "F" }
                record.name = "qemu-" + architecture.text  // each architecture has its own
                return record
            }
        }
        return nil
    }

    /// It can be executed, and needs nothing that the other root lacks.
    private func isUsable(_ path: ByteString) -> Bool {
        guard HostFile.isExecutable(path) else { return false }
        guard let head = ELFHead(bytes: HostFacts.readFile(path, limit: 4096) ?? []) else {
            return false
        }
        return head.interpreter == nil
    }

    private func check(_ path: ByteString, for name: String) throws(LaunchError) {
        guard HostFile.exists(path) else {
            throw LaunchError(
                .setup, "cannot use the emulator \(path.text) for \(name): no such file",
                remedy: "Debian's package qemu-user-static has one for every architecture",
                code: ENOENT)
        }
        guard HostFile.isExecutable(path) else {
            throw LaunchError(
                .setup, "cannot use the emulator \(path.text) for \(name): it is not executable",
                remedy: "it must have execute permission, on a file system without noexec",
                code: EACCES)
        }
        let head = ELFHead(bytes: HostFacts.readFile(path, limit: 4096) ?? [])
        guard let head, head.interpreter == nil else {
            throw LaunchError(
                .setup,
                "cannot use the emulator \(path.text) for \(name): "
                    + (head == nil ? "it is not a program" : "it is linked dynamically"),
                remedy: "in the other root it would find no libraries: give a static one, such as "
                    + "qemu-user-static's", code: ENOEXEC)
        }
        guard path.count < 1024 else {
            throw LaunchError(
                .setup, "cannot use the emulator \(path.text) for \(name): its path is too long",
                remedy: "the kernel takes records of 1,920 bytes: link to it from a shorter path",
                code: ENAMETOOLONG)
        }
    }
}

extension LaunchError {
    static func unknownArchitecture(_ name: ByteString) -> LaunchError {
        LaunchError(
            .usage, "unknown architecture \"\(name.text)\"",
            remedy: "as Debian, QEMU or uname call it, such as armhf, arm or armv7l")
    }

    fileprivate static func emulatesItself(_ name: ByteString) -> LaunchError {
        LaunchError(
            .usage,
            "cannot emulate \(name.text) on \(name.text): the emulator would have to run itself",
            remedy: "leave the emulator out; this machine runs such programs by itself")
    }

    fileprivate static func noEmulator(_ name: String, _ architecture: ByteString) -> LaunchError {
        LaunchError(
            .setup, "cannot run programs for \(name): no static QEMU for them was found",
            remedy: "install qemu-user-static, or unpack it and name "
                + "\(OptionNames.current.emulator) \(architecture.text)=/path/qemu-\(architecture.text)-static",
            code: ENOENT)
    }

    fileprivate static func noBinfmt(_ name: String) -> LaunchError {
        LaunchError(
            .setup,
            "cannot run programs for \(name): this kernel has no binfmt_misc of a run's own, and "
                + "the host has no record for them",
            remedy: "Linux 6.7 or newer has it; or ask the administrator to install "
                + "qemu-user-static, which registers them for the host; or \(OptionNames.current.engine) "
                + "proot, with proot 5.4 or newer and a static QEMU, which isolates less",
            code: ENOEXEC)
    }
}
