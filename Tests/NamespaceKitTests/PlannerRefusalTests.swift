// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

/// What cannot work is refused before anything has been touched, with exit status 125.
@Suite struct PlannerRefusalTests {
    private let command = LaunchRequest(command: ["true"])

    private func refusal(_ change: (inout LaunchRequest) -> Void) -> String? {
        let error = NamespaceKitTests.refusal(command.with(change))
        if let error {
            #expect(error.kind == .usage)
            #expect(error.exitStatus == 125)
        }
        return error?.lines
    }

    private func refusal(of action: FileSystemOperation.Action) -> String? {
        refusal { $0.files.operations = [FileSystemOperation(action, origin: "--opt")] }
    }

    @Test func anEmptyCommand() {
        #expect(
            refusal { $0.program.command = [""] } == """
                cannot run the command: its name is empty
                  name a program, or leave the command out for a shell
                """)
    }

    /// A NUL byte would silently cut short what the kernel is given.
    @Test func nulBytes() {
        #expect(
            refusal { $0.program.command = ["true", "a\0b"] }
                == #"argument "a\x00b" contains a NUL byte"#)
        #expect(refusal { $0.program.argument0 = "a\0b" } != nil)
        #expect(refusal { $0.program.workingDirectory = "/a\0b" } != nil)
        #expect(refusal { $0.root.view = .rootfs("/a\0b") } != nil)
        #expect(
            refusal {
                $0.root.view = .rootfs("/r")
                $0.root.layer = .directory("/a\0b")
            } != nil)
        #expect(
            refusal(of: .tmpfs(target: "/a\0b", mode: 0, size: nil))
                == #"path "/a\x00b" contains a NUL byte"#)
        #expect(refusal(of: .bind(source: .path("/a\0"), target: "/b", options: [])) != nil)
        #expect(refusal(of: .symlink(text: "a\0", target: "/b")) != nil)
    }

    @Test func emptyPaths() {
        #expect(refusal { $0.root.view = .rootfs("") } == "rootfs: the path is empty")
        let empty = "--opt: the path is empty"
        #expect(refusal(of: .directory(target: "", mode: 0o755)) == empty)
        #expect(refusal(of: .bind(source: .path(""), target: "/a", options: [])) == empty)
        #expect(refusal(of: .overlay(target: "/a", lower: [""], upper: .none)) == empty)
    }

    @Test func whatNeedsANamespace() {
        #expect(
            refusal {
                $0.lifecycle.commandIsPidOne = true
                $0.namespaces.new.remove(.pid)
            } == """
                the command as pid 1 needs a pid namespace of its own
                  add namespaces.new: .pid
                """)
        #expect(
            refusal(of: .mqueue(target: "/q")) == """
                mqueue needs an ipc namespace of its own
                  add namespaces.new: .ipc
                """)
    }

    @Test(
        arguments: [
            ("", "1"), ("A=B", "1"), ("A\0", "1"), ("A\nB", "1"), ("A", "1\0"),
        ] as [(ByteString, ByteString)])
    func variables(name: ByteString, value: ByteString) {
        #expect(
            refusal { $0.program.environment.changes = [.set(name: name, value: value)] } == """
                cannot set the environment variable "\(name.text)"
                  a name is not empty and has no =, newline or NUL byte; a value has no NUL byte
                """)
    }

    @Test(arguments: ["", "a b", "a/b", "a\nb", "\u{7f}", String(repeating: "x", count: 65)])
    func hostNames(name: String) {
        let name = ByteString(name)
        #expect(
            refusal { $0.namespaces.hostname = name } == """
                cannot set the host name "\(name.text)"
                  1 to 64 printable characters without spaces and slashes
                """)
    }

    @Test func aLayerOverNothing() {
        #expect(
            refusal {
                $0.root.view = .empty
                $0.root.layer = .memory
            } == "a layer needs the host or a rootfs below it")
    }

    @Test func whatIsStrangeButFine() {
        #expect(refusal { $0.program.command = ["true", "", "a\nb"] } == nil)
        #expect(
            refusal { $0.namespaces.hostname = ByteString(String(repeating: "x", count: 64)) }
                == nil)
        #expect(refusal(of: .directory(target: "/a\nb c", mode: 0)) == nil)
    }
}
