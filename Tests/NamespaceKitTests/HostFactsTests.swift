// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import NamespaceKit

@Suite struct HostFactsTests {
    @Test func variablesAreFoundByTheirWholeName() {
        var facts = HostFacts()
        facts.environment = ["HOMEPAGE=x", "HOME", "EMPTY=", "HOME=/home/a=b"]
        #expect(facts.variable("HOME") == "/home/a=b")
        #expect(facts.variable("EMPTY") == "")
        #expect(facts.variable("PAGE") == nil)
    }

    @Test func homeIsTheEnvironmentsElseTheAccounts() {
        var facts = HostFacts.alice
        facts.environment = ["HOME=/scratch/alice"]
        #expect(facts.home == "/scratch/alice")
        facts.environment = ["HOME=here"]
        #expect(facts.home == "/home/alice")
        facts.account = nil
        #expect(facts.home == nil)
    }

    /// What stays as it is, is looked up once; the current directory may be another one.
    @Test func factsOfAnEarlierLaunch() {
        var request = LaunchRequest(command: ["true"])
        request.root.view = .rootfs("/no/such/root")
        var earlier = HostFacts.read(for: request)
        let now = earlier
        earlier.userID = 4711
        earlier.groupID = 815
        earlier.machine = "elsewhere"
        earlier.kernel = KernelRelease(major: 3, minor: 2)
        earlier.environment = ["HOME=/home/other"]
        earlier.account = HostFacts.alice.account
        earlier.hasMountAPI.toggle()
        earlier.hasOpenat2.toggle()
        earlier.currentDirectory = "/gone"
        let later = HostFacts.read(for: request, after: earlier)
        earlier.currentDirectory = now.currentDirectory
        earlier.foreignPrograms = []
        earlier.capabilities = 0  // for root alone, which 4711 is not
        #expect(later == earlier)
        #expect(HostFacts.read(for: request) == now)
    }

    @Test(arguments: [
        ("6.18.44-fc", 6, 18), ("4.18.0-553.el8.x86_64", 4, 18), ("5.15", 5, 15), ("6.1-rc1", 6, 1),
    ])
    func kernelReleases(text: String, major: Int, minor: Int) {
        #expect(
            KernelRelease(parsing: ByteString(text)) == KernelRelease(major: major, minor: minor))
    }

    @Test(arguments: ["", "6", "six.one", ".6.1", "6.", "-6.1"])
    func notAKernelRelease(text: String) {
        #expect(KernelRelease(parsing: ByteString(text)) == nil)
    }

    @Test func kernelReleasesAreOrderedByNumber() {
        #expect(KernelRelease(major: 5, minor: 9) < KernelRelease(major: 5, minor: 11))
        #expect(KernelRelease(major: 5, minor: 11) < KernelRelease(major: 6, minor: 0))
        #expect(!(KernelRelease(major: 6, minor: 0) < KernelRelease(major: 6, minor: 0)))
    }

    @Test func detachedRootsNeedLinux615AndTheMountCalls() {
        var facts = HostFacts()
        facts.kernel = KernelRelease(major: 6, minor: 14)
        #expect(!facts.hasDetachedMounts)
        facts.kernel = KernelRelease(major: 6, minor: 15)
        #expect(facts.hasDetachedMounts)
        facts.hasMountAPI = false
        #expect(!facts.hasDetachedMounts)
    }
}

@Suite struct MountPointTests {
    private func parse(_ text: String) -> [MountPoint] { MountPoint.parse(Array(text.utf8)) }

    @Test func readsMountinfo() {
        let text = """
            22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
            23 22 0:21 / /proc rw,nosuid - proc proc rw
            40 22 0:40 / /mnt/a rw shared:3 master:2 propagate_from:1 - nfs4 host:/a rw

            """
        #expect(
            parse(text) == [
                MountPoint(path: "/", type: "ext4"), MountPoint(path: "/proc", type: "proc"),
                MountPoint(path: "/mnt/a", type: "nfs4"),
            ])
    }

    @Test func undoesOctalEscapes() {
        let line = "40 22 0:40 / /mnt/a\\040b\\134c\\012d rw - ext4 x rw"
        #expect(parse(line).map(\.path) == ["/mnt/a b\\c\nd"])
    }

    @Test(arguments: [
        "", "\n\n", "garbage", "1 2 3 4 5 6 7 8 9 10", "40 22 0:40 / /mnt rw shared:1 -",
    ])
    func passesOverNonsense(text: String) {
        #expect(parse(text).isEmpty)
    }

    @Test func anEscapeCutShortStaysAsItIs() {
        #expect(parse("40 22 0:40 / /mnt/a\\04 rw - ext4 x rw").map(\.path) == ["/mnt/a\\04"])
    }
}

@Suite struct AccountTests {
    private let passwd = AccountFile(
        text: Array(
            """
            root:x:0:0:root:/root:/bin/bash
            broken line
            +nis
            alice:x:1000:100:Alice, Room 1000:/home/alice:/bin/zsh
            twin:x:1000:100::/home/twin:/bin/sh
            """.utf8))

    @Test func findsTheFirstLineByNumber() {
        let wanted: [ByteString] = [
            "alice", "x", "1000", "100", "Alice, Room 1000", "/home/alice", "/bin/zsh",
        ]
        #expect(passwd.fields(number: 1000) == wanted)
        #expect(passwd.fields(number: 0)?.first == "root")
    }

    /// Neither the group's number, nor the beginning of one, nor a number in a comment is the user's.
    @Test(arguments: [100, 1, 10, 10000])
    func otherNumbersAreNotFound(number: UInt32) {
        #expect(passwd.fields(number: number) == nil)
    }

    @Test func groupLinesHaveFourFields() {
        let groups = AccountFile(text: Array("users:x:100:\nstaff:x:50:alice".utf8))
        #expect(groups.fields(number: 100) == ["users", "x", "100", ""])
        #expect(groups.fields(number: 50) == ["staff", "x", "50", "alice"])
    }

    @Test func anEmptyFileHasNobody() {
        #expect(AccountFile(text: []).fields(number: 0) == nil)
        #expect(AccountFile(text: Array(":::\n::".utf8)).fields(number: 0) == nil)
    }

    @Test func linesForTheFilesInside() throws {
        let account = try #require(HostFacts.alice.account)
        #expect(
            account.passwdLine(user: 1000, group: 100)
                == "alice:x:1000:100::/home/alice:/bin/zsh\n")
        #expect(account.groupLine(group: 100) == "users:x:100:\n")
        let other = Account(name: "a", home: "/a", shell: "/b", groupName: "c", comment: "A, 1,,")
        #expect(other.passwdLine(user: 1, group: 2) == "a:x:1:2:A, 1,,:/a:/b\n")
    }
}
