// SPDX-License-Identifier: Apache-2.0

import CNamespace

/// The command as it lies in a view: what the kernel would start, were the view its root.
struct GuestProgram: Equatable {
    /// Inside, as it was found by name.
    var foundAs: ByteString
    /// The same, or the interpreter of a script.
    var path: ByteString
    /// That one on the host, without links.
    var hostPath: ByteString
    /// What a script's first line puts before its own arguments: a word perhaps, and the script.
    var leading: [ByteString] = []
    /// It has no such line: the kernel knows nothing of it, but execvp(3) gives it to the shell.
    var isShellScript = false
    /// The ELF interpreter that it names; nil for a static program.
    var interpreter: ByteString?
    /// Built by Go: with an interpreter or without, it makes its system calls by itself.
    var isGo = false
    var machineName: String

    /// It is found out by its file alone; a program may have libraries that ask, too.
    var asksForItsPlace: Bool {
        let text = HostFacts.readFile(hostPath, limit: 1 << 26) ?? []
        return text.holds("/proc/self/exe") || text.holds("$ORIGIN") || text.holds("${ORIGIN}")
    }
}

/// Looks a command up as execvp(3) would, and finds what execve(2) would find wrong with it.
struct GuestProgramFinder {
    let view: ResolvedView
    /// Where relative paths begin.
    let directory: ByteString
    /// Words a failure as one of the executor's.
    let diagnosis: Diagnosis

    func find(_ candidates: [ByteString]) throws(LaunchError) -> GuestProgram {
        var unusable: ByteString?
        for candidate in candidates {
            let path = candidate.isAbsolute ? candidate : directory.appending(path: candidate)
            guard let host = try hostPath(of: path) else { continue }
            if HostFile.isExecutable(host), !HostFile.isDirectory(host) {
                return try examine(host, as: path, given: candidate, candidates)
            }
            unusable = unusable ?? candidate
        }
        throw refusal(candidates, EACCES, unusable, [])
    }

    private func examine(
        _ host: ByteString, as path: ByteString, given: ByteString, _ candidates: [ByteString]
    ) throws(LaunchError) -> GuestProgram {
        // As the kernel names it: what execve(2) was given, and not the script's interpreter.
        var program = GuestProgram(
            foundAs: path, path: path, hostPath: host, machineName: "")
        for _ in 0..<6 {
            var code: Int32 = 0
            let head = HostFacts.readFile(program.hostPath, limit: 8192, &code) ?? []
            if HostFacts.passes(code) { throw .unreadable(program.hostPath.text, code) }
            if let elf = ELFHead(bytes: head) {
                program.interpreter = elf.interpreter
                program.isGo = elf.isGo
                program.machineName = elf.machineName
                return program
            }
            var line = ShebangLine(bytes: head)
            if program.leading.isEmpty, ShebangLine.isShells(head) {
                program.isShellScript = true
                line = .standard
            }
            guard let line else { throw refusal(candidates, ENOEXEC, given, head) }
            guard let interpreter = try hostPath(of: line.interpreter) else {
                if program.isShellScript { throw refusal(candidates, ENOEXEC, given, head) }
                throw refusal(
                    candidates, ENOENT, given, head, call: NSRUN_CALL_INTERPRETER)
            }
            program.leading =
                (line.argument.map { [$0] } ?? []) + [program.path] + program.leading
            program.path = line.interpreter
            program.hostPath = interpreter
        }
        throw refusal(candidates, ELOOP, given, [])
    }

    private func hostPath(of path: ByteString) throws(LaunchError) -> ByteString? {
        var code: Int32 = 0
        let found = view.hostPath(of: path, &code)
        if HostFacts.passes(code) { throw .unreadable("\(path.text) of the root", code) }
        return found
    }

    private func refusal(
        _ candidates: [ByteString], _ code: Int32, _ path: ByteString?, _ head: [UInt8],
        call: nsrun_call = NSRUN_CALL_RUN
    ) -> LaunchError {
        var record = Diagnosis.Record(step: 0, code: ENOENT, call: call.rawValue, text: [])
        if let path {
            record.code = code
            record.text = path.bytes + [0] + head
        }
        return diagnosis.program(candidates, record)
    }
}
