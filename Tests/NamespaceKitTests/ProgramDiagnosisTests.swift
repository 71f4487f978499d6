// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Glibc
import Testing

@testable import NamespaceKit

/// Why a program did not start: the message, the remedy, and 126 or 127 for the shell.
@Suite struct ProgramDiagnosisTests {
    /// The executor sends the path, a NUL byte, and how the file begins.
    private func failure(
        _ code: Int32, head: [UInt8], interpreter: Bool = false, path: String = "/usr/bin/tool",
        request: LaunchRequest = .rootfs()
    ) throws -> LaunchError {
        let call = interpreter ? NSRUN_CALL_INTERPRETER : NSRUN_CALL_RUN
        return try diagnose(
            .execute(["/bin/tool", ByteString(path)]), code, call.rawValue,
            text: Array(path.utf8) + [0] + head, request: request)
    }

    private func notFound(
        _ candidates: [ByteString], request: LaunchRequest = .rootfs()
    ) throws -> LaunchError {
        try diagnose(.execute(candidates), ENOENT, request: request)
    }

    // MARK: Not found

    @Test func aNameIsNowhereOnThePath() throws {
        let error = try notFound(["/usr/local/bin/tool", "/usr/bin/tool", "/tool"])
        #expect(
            error.lines == """
                cannot run tool: not found in the rootfs
                  looked in /usr/local/bin:/usr/bin:/
                """)
        #expect(error.exitStatus == 127)
    }

    @Test func aPathIsLookedUpInside() throws {
        let error = try notFound(["./tool"])
        #expect(
            error.lines == """
                cannot run ./tool: no such file in the rootfs
                  paths of the command are looked up inside the rootfs
                """)
        #expect(error.exitStatus == 127)
    }

    @Test(arguments: [.readOnly, .memory] as [LaunchRequest.Layer])
    func theHostViewHasNoRootfs(layer: LaunchRequest.Layer) throws {
        let request = LaunchRequest(command: ["tool"]).with { $0.root.layer = layer }
        #expect(
            try notFound(["./tool"], request: request).lines
                == "cannot run ./tool: no such file on this machine")
    }

    // MARK: Found, but

    @Test func anotherArchitecture() throws {
        let error = try failure(ENOEXEC, head: ELFImage(machine: 183).bytes)
        #expect(
            error.lines == """
                cannot run /usr/bin/tool: it is built for aarch64, and this machine is x86_64
                  use a rootfs for x86_64, or register an emulator: program.emulators: arm64
                """)
        #expect(error.exitStatus == 126)
    }

    /// An engine that emulates could run what the kernel does not, but the root is not to choose it.
    @Test(arguments: [
        (ELFImage(machine: 183).bytes, "it is built for aarch64, and this machine is x86_64"),
        (Array("#!/bin/sh\n".utf8), "/bin/sh, its interpreter, is not built for this machine"),
    ])
    func aRootOfAnotherArchitecture(head: [UInt8], reason: String) {
        let lack = LaunchError(.setup, "cannot run programs for arm64", remedy: "install QEMU")
        let error = ProgramDiagnosis(
            name: "tool", candidates: ["/usr/bin/tool"], machine: "x86_64", root: "the rootfs",
            lack: lack
        ).explain(
            Diagnosis.Record(
                step: 0, code: ENOEXEC, call: NSRUN_CALL_RUN.rawValue,
                text: Array("/usr/bin/tool".utf8) + [0] + head))
        #expect(error.lines == "cannot run /usr/bin/tool: \(reason)\n  install QEMU")
        #expect(error.refusal == nil && error.exitStatus == 126)
    }

    @Test func neitherProgramNorScript() throws {
        let error = try failure(ENOEXEC, head: [0xca, 0xfe, 0, 0])
        #expect(
            error.lines
                == "cannot run /usr/bin/tool: it is neither a program of this machine nor a script")
        #expect(error.exitStatus == 126)
    }

    /// With a shell the stub would have started it.
    @Test(arguments: ["echo hello\n", "echo hello", ""])
    func aScriptForAShellThatIsMissing(text: String) throws {
        let error = try failure(ENOEXEC, head: Array(text.utf8))
        #expect(
            error.lines == """
                cannot run /usr/bin/tool: it has no #! line, and there is no /bin/sh in the rootfs \
                to run it
                  begin it with #! and the path of its interpreter
                """)
        #expect(error.exitStatus == 126)
    }

    @Test func notExecutable() throws {
        let error = try failure(EACCES, head: [])
        #expect(
            error.lines == """
                cannot run /usr/bin/tool: permission denied
                  it must be an ordinary file with execute permission (chmod +x)
                """)
        #expect(error.exitStatus == 126)
    }

    @Test func anyOtherReason() throws {
        let error = try failure(EIO, head: ELFImage().bytes)
        #expect(error.message == "cannot run /usr/bin/tool: input/output error")
        #expect(error.exitStatus == 126)
    }

    /// Which of the two is too much, and whether one of them alone.
    @Test func tooLong() {
        let long = ByteString(bytes: Array("LONG=".utf8) + [UInt8](repeating: 120, count: 131_072))
        let short: [ByteString] = ["A=b", "C=d"]
        let sizes: [(CommandSize, String)] = [
            (
                .init(arguments: short, environment: [long]),
                "the environment variable LONG has 131077"
            ),
            (.init(arguments: [long], environment: short), "an argument has 131077 bytes"),
            (.init(arguments: short, environment: ["A=b"]), "the arguments are too long: 24 bytes"),
            (.init(arguments: [], environment: short), "the environment is too long: 0 bytes"),
        ]
        for (size, words) in sizes { #expect(size.words.hasPrefix(words), "\(size.words)") }
        #expect(sizes[0].0.remedy.contains("131071 bytes"))
        #expect(sizes[3].0.remedy.contains("ulimit -s"))
    }

    // MARK: Found, but its interpreter is not

    /// The program itself is there: 126, "found but not executable".
    @Test func theELFInterpreterIsMissing() throws {
        let error = try failure(
            ENOENT, head: ELFImage(interpreter: "/lib/ld-musl-x86_64.so.1").bytes,
            interpreter: true)
        #expect(
            error.lines == """
                cannot run /usr/bin/tool: its ELF interpreter /lib/ld-musl-x86_64.so.1 is missing \
                in the rootfs
                  the rootfs must hold the C library that the program was built for
                """)
        #expect(error.exitStatus == 126)
    }

    @Test func theScriptsInterpreterIsMissing() throws {
        let error = try failure(
            ENOENT, head: Array("#! /opt/python -u\n".utf8), interpreter: true)
        #expect(
            error.lines == """
                cannot run /usr/bin/tool: the interpreter /opt/python of its #! line is missing in \
                the rootfs
                  install it, or change the #! line
                """)
        #expect(error.exitStatus == 126)
    }

    @Test func aScriptFromWindows() throws {
        #expect(
            try failure(ENOENT, head: Array("#!/bin/sh\r\n".utf8), interpreter: true).lines == """
                cannot run /usr/bin/tool: its #! line ends with a carriage return (/bin/sh\\x0d)
                  save the script with Unix line ends
                """)
    }

    /// With only the beginning of a file at hand, the interpreter's name may be out of reach.
    @Test func theInterpretersNameIsOutOfReach() throws {
        let head = Array(ELFImage().bytes.prefix(64))
        #expect(
            try failure(ENOENT, head: head, interpreter: true).message
                == "cannot run /usr/bin/tool: its ELF interpreter is missing in the rootfs")
    }
}
