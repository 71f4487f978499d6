// SPDX-License-Identifier: Apache-2.0

import CNamespace
import Glibc
import Testing

@testable import NamespaceKit

/// One table from errno to remedy: a step's own hint is for the errors that it is about.
@Suite struct RemedyTests {
    /// What the calls of a launch were seen to answer when they were made to fail.
    static let errors = [
        EACCES, EAFNOSUPPORT, EAGAIN, EBUSY, EDQUOT, EEXIST, EINTR, EINVAL, EIO, EISDIR, ELOOP,
        EMFILE, ENAMETOOLONG, ENFILE, ENODEV, ENOENT, ENOLCK, ENOMEM, ENOPROTOOPT, ENOSPC, ENOSYS,
        EOPNOTSUPP, EPERM, EROFS, ESTALE, ETIMEDOUT, EPIPE, ECONNRESET, ESRCH,
    ]

    @Test(arguments: errors) func everyErrorHasOne(code: Int32) {
        #expect(Remedy.general(code, at: "/srv/x")?.isEmpty == false)
    }

    /// Every kind of step: with a hint of its own or without.
    static let steps: [Step.Action] = [
        .setIDs(user: 5, group: 6), .scopeAbstract(isRequired: true), .hostname("x"),
        .limit(.init(resource: 7, soft: 1, hard: 2)), .newKeyring, .hostDirectory("/srv/layer"),
        .enterRoot, .stub, .changeMode(target: "/x", mode: 0o600), .remountReadOnly(target: "/x"),
        .fileSystem(.mqueue, target: "/x"), .fileSystem(.proc, target: "/proc"),
        .bind(.init(source: .path("/a"), target: "/b", options: [])), .limitNamespaces(1024),
        .write(text: "0 0 1", file: "/proc/self/uid_map"), .directory(target: "/x", mode: 0o755),
        .overlay(.init(target: "/", lower: ["/a"], upper: .memory)),
        .unshare([.user, .mount]), .changeDirectory(["/x"]),
        .limit(.init(resource: 8, soft: 1, hard: 2)),
    ]

    @Test(arguments: steps) func noHintStandsInForAnother(step: Step.Action) throws {
        for call in [NSRUN_CALL_STEP, NSRUN_CALL_DESTINATION, NSRUN_CALL_CREATE, NSRUN_CALL_SOURCE]
        {
            let files = try diagnose(step, EMFILE, call.rawValue)
            #expect(files.remedy == "raise the limit on open files (ulimit -n)")
            let disk = try diagnose(step, EIO, call.rawValue)
            #expect(disk.remedy?.contains("dmesg") == true)
            #expect(files.refusal == nil && disk.refusal == nil)
            #expect(try diagnose(step, EINTR, call.rawValue).refusal == nil)
            #expect(try diagnose(step, ENOMEM, call.rawValue).refusal == nil)
        }
    }

    @Test func aFullFileSystemIsNamed() throws {
        // Neither blocks nor inodes are counted there.
        #expect(Remedy.general(ENOSPC, at: "/proc")?.contains("df -i") == true)
    }
}
