// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// Says why a program would not start, from execve's errno and the beginning of its file.
struct ProgramDiagnosis {
    let name: ByteString
    let candidates: [ByteString]
    /// As uname(2) names the host's machine.
    let machine: ByteString
    /// The root that it was looked for in, in words.
    let root: String
    /// Why programs of the root's architecture were not expected to run.
    var lack: LaunchError?
    /// What the program was to be given.
    var size = CommandSize()

    private var isRootfs: Bool { root != "the host" }
    private var place: String { isRootfs ? "in \(root)" : "on this machine" }

    func explain(_ record: Diagnosis.Record) -> LaunchError {
        let code = record.code
        guard let end = record.text.firstIndex(of: 0) else { return notFound() }
        let path = ByteString(bytes: Array(record.text[..<end]))
        let head = ProgramHead(bytes: Array(record.text[(end + 1)...]))
        let what = "cannot run \(path.text)"
        if record.call == NSRUN_CALL_NO_EXECUTE.rawValue {
            return LaunchError(
                .notExecutable, "\(what): it lies on a mount that forbids programs (noexec)",
                remedy: isRootfs
                    ? "keep the rootfs on a file system that is mounted without noexec"
                    : "keep it on a file system that is mounted without noexec", code: code)
        }
        if code == E2BIG {
            return LaunchError(
                .notExecutable, "\(what): \(size.words)", remedy: size.remedy, code: code)
        }
        if record.call == NSRUN_CALL_INTERPRETER.rawValue {
            return LaunchError(
                .notExecutable, "\(what): \(missing(head))", remedy: remedy(head), code: code)
        }
        switch (code, head.kind) {
        case (ENOEXEC, .elf(let elf)) where elf.machineName != machine.text:
            return foreign(
                "\(what): it is built for \(elf.machineName), and this machine is \(machine.text)",
                "use a rootfs for \(machine.text), or register an emulator: "
                    + "\(OptionNames.current.architecture) \(elf.debianName)")
        case (ENOEXEC, .script(let interpreter)) where lack != nil:
            return foreign(
                "\(what): \(interpreter.text), its interpreter, is not built for this machine")
        case (ENOEXEC, .text):
            return LaunchError(
                .notExecutable,
                "\(what): it has no #! line, and there is no /bin/sh \(place) to run it",
                remedy: "begin it with #! and the path of its interpreter", code: code)
        case (ENOEXEC, _):
            return LaunchError(
                .notExecutable,
                "\(what): it is neither a program of this machine nor a script", code: code)
        case (EACCES, _):
            return LaunchError(
                .notExecutable, "\(what): permission denied",
                remedy: "it must be an ordinary file with execute permission (chmod +x)",
                code: code)
        default:
            return LaunchError(.notExecutable, "\(what): \(reason(code))", code: code)
        }
    }

    /// What the root holds chooses no engine: one that emulates is the caller's to ask for.
    private func foreign(_ message: String, _ remedy: String? = nil) -> LaunchError {
        LaunchError(.notExecutable, message, remedy: lack?.remedy ?? remedy, code: ENOEXEC)
    }

    private func notFound() -> LaunchError {
        if candidates.count == 1 {
            return LaunchError(
                .notFound, "cannot run \(name.text): no such file \(place)",
                remedy: isRootfs ? "paths of the command are looked up inside \(root)" : nil,
                code: ENOENT)
        }
        var directories = ""
        for candidate in candidates {
            guard let slash = candidate.bytes.lastIndex(of: UInt8(ascii: "/")) else { continue }
            if !directories.isEmpty { directories += ":" }
            directories += candidate.slice(from: 0, to: max(slash, 1)).text
        }
        return LaunchError(
            .notFound, "cannot run \(name.text): not found \(place)",
            remedy: "looked in \(directories)", code: ENOENT)
    }

    private func missing(_ head: ProgramHead) -> String {
        switch head.kind {
        case .elf(let elf):
            if let loader = elf.interpreter {
                return "its ELF interpreter \(loader.text) is missing \(place)"
            }
            return "its ELF interpreter is missing \(place)"
        case .script(let interpreter):
            if interpreter.bytes.last == UInt8(ascii: "\r") {
                return "its #! line ends with a carriage return (\(interpreter.text))"
            }
            return "the interpreter \(interpreter.text) of its #! line is missing \(place)"
        case .text, .other: return "something that it needs is missing \(place)"
        }
    }

    private func remedy(_ head: ProgramHead) -> String? {
        switch head.kind {
        case .elf:
            isRootfs
                ? "\(root) must hold the C library that the program was built for"
                : "install the C library that it was built for, or run it in a rootfs that has it"
        case .script(let interpreter):
            interpreter.bytes.last == UInt8(ascii: "\r")
                ? "save the script with Unix line ends" : "install it, or change the #! line"
        case .text, .other: nil
        }
    }
}

/// What the first bytes of a program's file tell.
struct ProgramHead: Equatable {
    enum Kind: Equatable {
        case elf(ELFHead)
        case script(interpreter: ByteString)
        /// For the shell.
        case text
        case other
    }

    let kind: Kind

    init(bytes: [UInt8]) {
        if let elf = ELFHead(bytes: bytes) {
            kind = .elf(elf)
        } else if let line = ShebangLine(bytes: bytes) {
            kind =
                ShebangLine.isShells(bytes) ? .text : .script(interpreter: line.interpreter)
        } else {
            kind = ShebangLine.isText(bytes) ? .text : .other
        }
    }
}
