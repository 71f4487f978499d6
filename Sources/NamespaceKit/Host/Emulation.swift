import CNamespace

/// What the programs of a run need beyond the kernel's own architecture.
public struct Emulation: Sendable, Equatable {
    /// To be registered in a binfmt_misc of the run's own.
    public var records: [BinfmtRecord] = []
    /// uname(2) shall name the 32-bit architecture of the root (personality(2), `PER_LINUX32`).
    public var names32Bit = false
    /// Why it cannot be had.
    public var refusal: LaunchError?

    public init() {}
}

/// Finds out what a root's programs were built for, and what can run them.
struct EmulationFinder {
    let request: LaunchRequest
    let facts: HostFacts

    func find() -> Emulation {
        var emulation = Emulation()
        do throws(LaunchError) {
            for wanted in request.emulators {
                guard let architecture = Architecture.named(wanted.architecture) else {
                    throw .unknownArchitecture(wanted.architecture)
                }
                try serve(architecture, wanted.architecture.text, wanted.path, in: &emulation)
            }
            if let program = programOfRoot(), program.machineName != facts.machine.text,
                let architecture = Architecture.of(program)
            {
                try serve(architecture, program.debianName, nil, in: &emulation)
            }
        } catch {
            emulation.refusal = error
        }
        return emulation
    }

    // MARK: The root

    /// The first program that is there: the command, if it is given as a path, else what every root has.
    private func programOfRoot() -> ELFHead? {
        var root: ByteString = "/"
        var candidates: [ByteString] = []
        if let command = request.command.first, command.isAbsolute { candidates.append(command) }
        if case .rootfs(let path) = request.view {
            root = path
            candidates += ["/bin/sh", "/bin/bash", "/usr/bin/env", "/bin/busybox", "/usr/bin/dpkg"]
        }
        for candidate in candidates {
            if let elf = ELFHead(bytes: HostFile.read(candidate, below: root, limit: 64)) {
                return elf
            }
        }
        return nil
    }

    // MARK: What runs it

    private func serve(
        _ architecture: Architecture, _ name: String, _ path: ByteString?,
        in emulation: inout Emulation
    ) throws(LaunchError) {
        if path == nil {
            let runs32BitARM = facts.machine == "aarch64" && nsrun_runs_32bit() == 1
            if architecture.isNative(on: facts.machine, runs32BitARM: runs32BitARM) {
                if architecture.wantsPersonality(on: facts.machine) { emulation.names32Bit = true }
                return
            }
            if emulation.records.contains(where: { $0.matches(architecture.magic) }) { return }
            // A table of the run's own would hide the host's.
            if hostHasRecord(for: architecture) { return }
        }
        guard facts.hasOwnBinfmt, !request.avoided.contains(.ownBinfmt) else {
            throw .noBinfmt(name)
        }
        let record = try findRecord(for: architecture, name, path)
        // The same programs twice, or the same name, is refused by the kernel.
        emulation.records.removeAll { $0.name == record.name || $0.matches(architecture.magic) }
        emulation.records.append(record)
    }

    /// Only what is opened at registration (F) can be used in another root.
    private func hostHasRecord(for architecture: Architecture) -> Bool {
        let table: ByteString = "/proc/sys/fs/binfmt_misc"
        for name in HostFile.names(in: table) where name != "register" && name != "status" {
            let text = HostFacts.readFile(table.appending(path: name), limit: 8192) ?? []
            if let record = BinfmtRecord(name: name, status: text),
                record.flags.contains(UInt8(ascii: "F")), record.matches(architecture.magic)
            {
                return true
            }
        }
        return false
    }

    private func findRecord(
        for architecture: Architecture, _ name: String, _ path: ByteString?
    ) throws(LaunchError) -> BinfmtRecord {
        if let path {
            try check(path, for: name)
            return BinfmtRecord(architecture, interpreter: path)
        }
        if let record = configuredRecord(for: architecture) { return record }
        let search = facts.variable("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        for directory in search.split(on: UInt8(ascii: ":")) + ["/usr/local/bin", "/usr/bin"] {
            for suffix: ByteString in ["-static", ""] {
                let candidate = directory.appending(path: "qemu-" + architecture.text + suffix)
                if directory.isAbsolute, isUsable(candidate) {
                    return BinfmtRecord(architecture, interpreter: candidate)
                }
            }
        }
        throw .noEmulator(name, architecture.text)
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
                remedy: "chmod +x \(path.text)", code: EACCES)
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
    }
}

extension LaunchError {
    static func unknownArchitecture(_ name: ByteString) -> LaunchError {
        LaunchError(
            .usage, "unknown architecture \"\(name.text)\"",
            remedy: "as Debian, QEMU or uname call it, such as armhf, arm or armv7l")
    }

    fileprivate static func noEmulator(_ name: String, _ architecture: ByteString) -> LaunchError {
        LaunchError(
            .setup, "cannot run programs for \(name): no static QEMU for them was found",
            remedy: "install qemu-user-static, or unpack it and name "
                + "\(Vocabulary.current.emulator) \(architecture.text)=/path/qemu-\(architecture.text)-static",
            code: ENOENT)
    }

    fileprivate static func noBinfmt(_ name: String) -> LaunchError {
        LaunchError(
            .setup,
            "cannot run programs for \(name): this kernel has no binfmt_misc of a run's own, and "
                + "the host has no record for them",
            remedy: "Linux 6.7 or newer has it; or ask the administrator to install "
                + "qemu-user-static, which registers them for the host", code: ENOEXEC)
    }
}
