// SPDX-License-Identifier: Apache-2.0

import Testing

/// The tables of system calls that a program may use.
enum SystemCallTable: String, CaseIterable {
    #if arch(x86_64)
        case native, x32, i386
    #else
        case native
    #endif
}

/// A call that only real root may make, with its numbers, which `--fake-root` makes succeed.
struct FakedCall: Sendable, CustomTestStringConvertible {
    let name: String
    let arguments: [String]
    let amd64: Int?
    let i386: Int
    let arm64: Int?

    init(
        _ name: String, _ arguments: String, amd64: Int? = nil, i386: Int, arm64: Int? = nil
    ) {
        self.name = name
        self.arguments = arguments.split(separator: " ").map(String.init)
        self.amd64 = amd64
        self.i386 = i386
        self.arm64 = arm64
    }

    var testDescription: String { name }

    /// Its number in a table; nil if the table does not have it.
    func number(in table: SystemCallTable) -> Int? {
        #if arch(x86_64)
            table == .i386 ? i386 : amd64
        #else
            arm64
        #endif
    }

    static let all = owners + identities + devices

    /// AT_FDCWD is -100.
    static let owners = [
        FakedCall("chown", "file 5 7", amd64: 92, i386: 182),
        FakedCall("fchown", "descriptor 5 7", amd64: 93, i386: 95, arm64: 55),
        FakedCall("lchown", "file 5 7", amd64: 94, i386: 16),
        FakedCall("fchownat", "-100 file 5 7 0", amd64: 260, i386: 298, arm64: 54),
        FakedCall("chown32", "file 5 7", i386: 212),
        FakedCall("fchown32", "descriptor 5 7", i386: 207),
        FakedCall("lchown32", "file 5 7", i386: 198),
    ]

    static let identities = [
        FakedCall("setuid", "5", amd64: 105, i386: 23, arm64: 146),
        FakedCall("setgid", "5", amd64: 106, i386: 46, arm64: 144),
        FakedCall("setreuid", "5 5", amd64: 113, i386: 70, arm64: 145),
        FakedCall("setregid", "5 5", amd64: 114, i386: 71, arm64: 143),
        FakedCall("setresuid", "5 5 5", amd64: 117, i386: 164, arm64: 147),
        FakedCall("setresgid", "5 5 5", amd64: 119, i386: 170, arm64: 149),
        FakedCall("setfsuid", "5", amd64: 122, i386: 138, arm64: 151),
        FakedCall("setfsgid", "5", amd64: 123, i386: 139, arm64: 152),
        FakedCall("setuid32", "5", i386: 213),
        FakedCall("setgid32", "5", i386: 214),
        FakedCall("setreuid32", "5 5", i386: 203),
        FakedCall("setregid32", "5 5", i386: 204),
        FakedCall("setresuid32", "5 5 5", i386: 208),
        FakedCall("setresgid32", "5 5 5", i386: 210),
        FakedCall("setfsuid32", "5", i386: 215),
        FakedCall("setfsgid32", "5", i386: 216),
        FakedCall("setgroups", "0 0", amd64: 116, i386: 81, arm64: 159),
        FakedCall("setgroups32", "0 0", i386: 206),
        FakedCall("capset", "header data", amd64: 126, i386: 185, arm64: 91),
    ]

    /// A character device 0666 of 1:3, a block device 0600 of 8:0.
    static let devices = [
        FakedCall("mknod", "node 0020666 0x103", amd64: 133, i386: 14),
        FakedCall("mknod", "node 0060600 0x800", amd64: 133, i386: 14),
        FakedCall("mknodat", "-100 node 0020666 0x103", amd64: 259, i386: 297, arm64: 33),
        FakedCall("mknodat", "-100 node 0060600 0x800", amd64: 259, i386: 297, arm64: 33),
    ]

    /// What anybody may make, by the name that stat(1) has for it.
    static let nodes = [
        FakedCall("fifo", "node 0010644 0", amd64: 133, i386: 14),
        FakedCall("socket", "node 0140644 0", amd64: 133, i386: 14),
        FakedCall("regular empty file", "node 0100644 0", amd64: 133, i386: 14),
        FakedCall("fifo", "-100 node 0010644 0", amd64: 259, i386: 297, arm64: 33),
        FakedCall("socket", "-100 node 0140644 0", amd64: 259, i386: 297, arm64: 33),
        FakedCall("regular empty file", "-100 node 0100644 0", amd64: 259, i386: 297, arm64: 33),
    ]
}
