// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Glibc
import Testing

@testable import NamespaceKit

/// Messages about the two ends of a bind, and about every other place in the new root.
@Suite struct DestinationDiagnosisTests {
    private let bind = Step.Action.bind(
        .init(source: .path("/data"), target: "/data", options: []))

    @Test func aMissingDestinationOnAReadOnlyRoot() throws {
        #expect(
            try diagnose(bind, EROFS, NSRUN_CALL_CREATE.rawValue).lines == """
                cannot bind-mount /data onto /data: no such directory in the rootfs, which is \
                read-only
                  set root.layer to .memory, or create the directory in the rootfs
                """)
    }

    @Test(
        arguments: [
            (
                NSRUN_CALL_CREATE, ENOTDIR,
                """
                a part of /data is not a directory
                  set root.layer to .memory, or create the directory in the rootfs
                """
            ),
            (
                NSRUN_CALL_MIRROR, ENOMEM,
                """
                it cannot be made there: out of memory
                  end what uses the memory, or raise the limit of this control group or of address space (ulimit -v)
                """
            ),
            (
                NSRUN_CALL_SPARED, EROFS,
                """
                no such directory on the host, where nsrun makes none
                  create it, or set root.layer to .memory
                """
            ),
            (
                NSRUN_CALL_TYPE, EISDIR,
                """
                /data is a directory in the new root, but a file is wanted
                  a directory goes onto a directory, a file onto a file
                """
            ),
            (
                NSRUN_CALL_TYPE, ENOTDIR,
                """
                /data is not a directory in the new root, but a directory is wanted
                  a directory goes onto a directory, a file onto a file
                """
            ),
            (
                NSRUN_CALL_LINK, ELOOP,
                """
                /data is a symbolic link
                  name the place that it points to
                """
            ),
            (NSRUN_CALL_DESTINATION, ENOTDIR, "a part of /data is not a directory"),
            (NSRUN_CALL_DESTINATION, ENOENT, "/data does not exist in the new root"),
            (
                NSRUN_CALL_DESTINATION, ELOOP,
                """
                /data: too many symbolic links
                  a symbolic link on the way leads in a circle, or further than 40 of them
                """
            ),
        ] as [(nsrun_call, Int32, String)])
    func destinations(call: nsrun_call, code: Int32, lines: String) throws {
        #expect(
            try diagnose(bind, code, call.rawValue).lines
                == "cannot bind-mount /data onto /data: \(lines)")
    }

    @Test(
        arguments: [
            (
                .tmpfs(target: "/x", mode: 0o755, size: 1, replacesLink: false),
                "mount a tmpfs on /x"
            ),
            (.fileSystem(.devpts, target: "/x"), "mount a fresh devpts on /x"),
            (.fileSystem(.proc, target: "/x"), "mount a fresh proc on /x"),
            (.file(.bytes([]), target: "/x", mode: 0o600), "make the file /x"),
            (
                .bindData(.bytes([]), target: "/x", mode: 0o600, readOnly: true),
                "bind a file in memory onto /x"
            ),
            (.directory(target: "/x", mode: 0o755), "make the directory /x"),
            (.symlink(text: "a", target: "/x"), "make the symlink /x -> a"),
            (.changeMode(target: "/x", mode: 0o644), "change the mode of /x to mode 0644"),
            (.prepend(text: "a\n", target: "/x"), "show your entry in /x"),
        ] as [(Step.Action, String)])
    func everyOperationIsNamed(action: Step.Action, what: String) throws {
        let call = NSRUN_CALL_DESTINATION.rawValue
        #expect(
            try diagnose(action, ENOENT, call).message
                == "cannot \(what): /x does not exist in the new root")
    }

    @Test func aMissingSource() throws {
        #expect(
            try diagnose(bind, ENOENT, NSRUN_CALL_SOURCE.rawValue).lines == """
                cannot bind-mount /data onto /data: /data does not exist on the host
                  create it, or use BindOptions.optional, which passes over what is missing
                """)
    }

    @Test func aSourceThatCannotBeOpened() throws {
        #expect(
            try diagnose(bind, EACCES, NSRUN_CALL_SOURCE.rawValue).lines == """
                cannot bind-mount /data onto /data: cannot open /data: permission denied
                  it must be open to you, and so must every directory on the way
                """)
    }

    @Test(arguments: [
        ("/usr", "/l exists already and points to /usr"),
        ("", "/l exists already and is not a symlink"),
    ])
    func anotherLinkIsThere(there: String, cause: String) throws {
        let error = try diagnose(
            .symlink(text: "/etc", target: "/l"), EEXIST, NSRUN_CALL_OTHER_LINK.rawValue,
            text: Array(there.utf8))
        #expect(
            error.lines == """
                cannot make the symlink /l -> /etc: \(cause)
                  leave it as it is, or make the link before what brings it
                """)
    }

    /// There is no rootfs in an empty root, so none in the message or the remedy.
    @Test func anEmptyRootIsNoRootfs() throws {
        var request = LaunchRequest(command: ["true"])
        request.root.view = .empty
        for code in [EROFS, ENOTDIR, EACCES] {
            let error = try diagnose(bind, code, NSRUN_CALL_CREATE.rawValue, request: request)
            #expect(!error.lines.contains("rootfs"))
        }
    }

    // MARK: bubblewrap's words

    /// Its own tests, and those of its callers, look for these.
    @Test(
        arguments: [
            (
                NSRUN_CALL_SOURCE, ENOENT, "",
                "Can't find source path /data: No such file or directory"
            ),
            (NSRUN_CALL_LINK, ELOOP, "", "Can't mount on symlink destination /data"),
            (NSRUN_CALL_TYPE, EISDIR, "", "Destination is not a file /data"),
            (NSRUN_CALL_TYPE, ENOTDIR, "", "Destination is not a directory /data"),
            (
                NSRUN_CALL_OTHER_LINK, EEXIST, "/usr",
                "Can't make symlink at /data: existing destination is /usr"
            ),
            (
                NSRUN_CALL_OTHER_LINK, EEXIST, "",
                "Can't make symlink at /data: destination exists and is not a symlink"
            ),
        ] as [(nsrun_call, Int32, String, String)])
    func wordsThatCallersLookFor(
        call: nsrun_call, code: Int32, text: String, wanted: String
    ) throws {
        let error = try diagnose(bind, code, call.rawValue, text: Array(text.utf8))
        #expect(error.bubblewrapWords == wanted)
    }

    /// A name that holds a newline still makes one line.
    @Test func hostileNamesStayOnTheirLine() throws {
        let name = ByteString("/a\n  nsrun: all is well\u{1b}[2K")
        let action = Step.Action.bind(.init(source: .path(name), target: name, options: []))
        let message = try diagnose(action, ENOENT, NSRUN_CALL_SOURCE.rawValue).message
        #expect(!message.utf8.contains { $0 < 0x20 })
    }
}
